"""The command ``report``: the page about a study, or some of its figures."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.problems import InputError


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The page; its figures and tables go into <stem>_files/ beside it. Default: DIR/report.html."
        ),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(
            "--figure", help="Write this figure's files alone, as learning_curve-Hopper-v5-td3, or a whole kind."
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--formats",
            help="Of the figures' files: png,svg,pdf or none. Default: all; png with more than 45 figures.",
        ),
    ] = None,
) -> None:
    """Write the page about a study, and figures and tables beside it."""
    from experiments.report import ReportError, write_figure, write_report  # noqa: PLC0415 - it loads what no other command needs

    forms = read_formats(formats)
    try:
        if figure is None:
            typer.echo(f"page      {write_report(folder, out, formats=forms)}")
            return
        for path in write_figure(folder, figure, out, formats=forms):
            typer.echo(f"figure    {path}")
    except ReportError as error:
        raise InputError(str(error)) from error


def read_formats(text: str | None) -> list[str] | None:
    """Return the formats that ``--formats`` names, unchecked; None where it was not given.

    >>> read_formats("png,svg"), read_formats("none"), read_formats(None)
    (['png', 'svg'], [], None)
    """
    if text is None:
        return None
    return [] if text == "none" else text.split(",")
