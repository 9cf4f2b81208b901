"""``python -m experiments compare PATH...``: the page from anybody's logs."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from experiments.problems import InputError
from experiments.report_command import read_formats

_HELP_SET = (
    "What a run is, where the guess is wrong: 'PATTERN:KEY=VALUE,...' with keys task, algorithm, arm, seed, returns, "
    "state. The pattern fits a run's place, as --dry-run prints it. Repeatable."
)


def compare(  # noqa: PLR0913 - each is an option of the command
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders of runs, studies, tables, single log files.")
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", help="The page; its figures and tables go into <stem>_files/ beside it.")
    ] = Path("compare.html"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what each log is taken for, and write nothing.")
    ] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help=_HELP_SET)] = None,
    seed_from: Annotated[
        str | None, typer.Option("--seed-from", help="Regular expression whose group is the seed in a run's place.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Leave out runs whose place fits this pattern. Repeatable.")
    ] = None,
    returns: Annotated[
        str | None,
        typer.Option("--returns", help="evaluation or training. Default: evaluation, if any run has such returns."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Columns of tables: step=Steps,return=Score,seed=run. Also task, algorithm, arm, kind, and elapsed, "
            "the seconds of training without evaluation.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Rows of tables to take: COLUMN=VALUE. Repeatable.")
    ] = None,
    until: Annotated[
        int | None, typer.Option("--until", min=1, help="Last step to compare. Default: where the first arm ends.")
    ] = None,
    interval: Annotated[
        int | None, typer.Option("--interval", min=1, help="Steps over which training episodes are averaged.")
    ] = None,
    primary: Annotated[
        list[str] | None,
        typer.Option("--primary", help="A comparison fixed in advance: ARM,ARM. Repeatable. Others are exploratory."),
    ] = None,
    control: Annotated[
        str | None, typer.Option("--control", help="The arm that scores are normalised by and others compared with.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Largest difference that counts as equal, in normalised score.")
    ] = None,
    final: Annotated[
        int | None, typer.Option("--final-evaluations", min=1, help="Evaluations that the final score averages.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Heading of the page.")] = None,
    figure: Annotated[
        str | None, typer.Option("--figure", help="Write this figure's files alone, or a whole kind.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--formats", help="Of the figures' files: png,svg,pdf or none. Default: as for report."),
    ] = None,
) -> None:
    """Write the page about runs from anybody's logs: ours, SB3's, rl-zoo3's, CleanRL's, TensorBoard's, tables."""
    # Reading tables and drawing take a second to import, which every other command would pay for.
    from experiments.analysis import analyse  # noqa: PLC0415 -- see above
    from experiments.collect import corrections, gather, table_columns  # noqa: PLC0415 -- see above
    from experiments.collect.errors import ReportError  # noqa: PLC0415 -- see above
    from experiments.collect.table_file import TableChoice  # noqa: PLC0415 -- see above
    from experiments.guess_table import guess_lines, note_lines  # noqa: PLC0415 -- see above
    from experiments.report import write  # noqa: PLC0415 -- see above
    from experiments.report.outputs import Outputs  # noqa: PLC0415 -- see above

    choices = gather.Choices(
        TableChoice(table_columns.read_map(columns or []), table_columns.read_where(where or [])),
        corrections.read_corrections(settings or []),
        corrections.read_seed_pattern(seed_from) if seed_from is not None else None,
        exclude or [],
        gather.read_kind(returns),
        until,
        interval,
    )
    heading = name or f"Comparison of {', '.join(path.absolute().name for path in paths)}"
    question = gather.Question(heading, _pairs(primary or []), control, margin, final)
    forms = read_formats(formats)
    try:
        places = write.checked(Outputs(out, out.parent / f"{out.stem}_files"), forms)
        seen = gather.survey(paths, choices)
        collection = gather.gather(seen, choices, question)
        for line in (*guess_lines(seen, each_run=dry_run), *note_lines(collection.notes, every=dry_run)):
            typer.echo(line)
        if dry_run:
            typer.echo("dry run: nothing was written")
        elif figure is None:
            typer.echo(f"page      {write.write_analysis(analyse(collection), places, _command(context.obj), forms)}")
        else:
            for path in write.write_figure_of(analyse(collection), figure, places, forms):
                typer.echo(f"figure    {path}")
    except ReportError as error:
        raise InputError(str(error)) from error


def _pairs(entries: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for entry in entries:
        a, comma, b = (part.strip() for part in entry.partition(","))
        if not comma or not a or not b or a == b:
            raise InputError(f"--primary {entry!r} is not ARM,ARM, two different arms as in swim,relu.")
        pairs.append((a, b))
    return tuple(pairs)


def _command(command: str) -> str:
    """The command with absolute paths shortened to their names: the page is to be shared."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in shlex.split(command)]
    return shlex.join(words)
