"""From a study's folder to files on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from experiments.analysis import analyse
from experiments.analysis.results import Analysis
from experiments.collect.collection import collect
from experiments.collect.discover import COLLECTED_FILE
from experiments.collect.errors import ReportError
from experiments.collect.tidy import table_bytes
from experiments.report import catalogue, tables
from experiments.report.chart import Chart
from experiments.report.embed import page_data
from experiments.report.export import FORMS
from experiments.report.outputs import Outputs, outputs, write_outputs
from experiments.report.page import Content, Made, build, page_command
from experiments.report.provenance import RECORD, record_bytes
from experiments.report.style import Looks

FORMATS = ("png", "svg", "pdf")
# With more figures than this, only PNG unless other formats are asked for: the fonts of a PDF file take a tenth of a
# second.
MOST_FIGURES = 45


def write_report(study_dir: Path, out: Path | None = None, *, formats: Sequence[str] | None = None) -> Path:
    """Write the report of a study: one HTML page, figures and tables beside it.

    The page shows no time of its own making: the same runs give the same bytes.

    Args:
        study_dir: the study's folder, with `study.json`.
        out: the page's file. By default it is `study_dir/report.html`, with `figures/` and `tables/` in `study_dir`.
            Those of any other page `NAME.html` go into `NAME_files/` beside it. An earlier report of the same page is
            replaced, and figures that it alone had are removed; any other file is left as it is.
        formats: of the figures' files, from FORMATS; empty for the page and tables alone. None is all, or PNG alone
            with more than MOST_FIGURES figures.

    Returns:
        The page's path.

    Raises:
        ReportError: the folder holds no readable study or no run with an evaluation yet, `out` is a folder or cannot be
            written, a file in the way is not an earlier output of this page, or a format is not known.
    """
    places = checked(outputs(study_dir, out), formats)
    collection, command = collect(study_dir), page_command(study_dir, out)
    page, files = report_files(analyse(collection), places, command, formats)
    _write(places, page, files | {RECORD: record_bytes(places, page, files, command, (study_dir, collection))})
    return places.page


def write_figure(
    study_dir: Path, figure: str, out: Path | None = None, *, formats: Sequence[str] | None = None
) -> tuple[Path, ...]:
    """Write the files of one figure, or of every figure of one kind; page, tables and other figures stay as they are.

    Args:
        study_dir: the study's folder.
        figure: a figure's name, such as `learning_curve-Hopper-v5-td3`, or a kind, such as `learning_curve`.
        out: the page whose figure it is, as in `write_report`.
        formats: from FORMATS. None is all of them.

    Returns:
        The files' paths.

    Raises:
        ReportError: as `write_report`, or there is no such figure.
    """
    places = checked(outputs(study_dir, out), formats)
    return write_figure_of(analyse(collect(study_dir)), figure, places, formats)


def write_figure_of(
    analysis: Analysis, figure: str, places: Outputs, formats: Sequence[str] | None = None
) -> tuple[Path, ...]:
    """Write the files of one figure of what was found, or of every figure of one kind.

    Args:
        analysis: what was found.
        figure: as in `write_figure`.
        places: where the page and its files go.
        formats: as in `write_figure`.

    Returns:
        The files' paths.

    Raises:
        ReportError: as `write_analysis`, or there is no such figure.
    """
    drawing = _Drawing.of(analysis)
    forms = FORMATS if formats is None else formats
    files = dict(_figure_files(_named(figure, drawing.charts), drawing.looks, forms))
    _write(places, None, files)
    return tuple(places.folder / name for name in files)


def write_analysis(analysis: Analysis, places: Outputs, command: str, formats: Sequence[str] | None = None) -> Path:
    """Write the report of what was found.

    Args:
        analysis: what was found.
        places: where the page and its files go.
        command: what a reader types for the same page.
        formats: as in `write_report`.

    Returns:
        The page's path.

    Raises:
        ReportError: a file cannot be written, or one in the way is not an earlier output of this page.
    """
    page, files = report_files(analysis, places, command, formats)
    _write(places, page, files | {RECORD: record_bytes(places, page, files, command)})
    return places.page


def report_files(
    analysis: Analysis, places: Outputs, command: str, formats: Sequence[str] | None = None
) -> tuple[bytes, dict[str, bytes]]:
    """The contents of a report: the page, and the files by their path below `places.folder`.

    Args:
        analysis: as for `write_analysis`.
        places: as for `write_analysis`; nothing is written.
        command: as for `write_analysis`.
        formats: as in `write_report`.
    """
    drawing = _Drawing.of(analysis)
    if formats is None:
        formats = FORMATS if len(drawing.charts) <= MOST_FIGURES else FORMATS[:1]
    shown, unseen = tables.page_tables(analysis), tables.file_tables(analysis)
    content = Content(
        catalogue.sections(analysis, drawing.charts, crowded=drawing.looks.crowded),
        page_data(drawing.charts, drawing.looks, drawing.order),
        drawing.order,
        drawing.looks.crowded,
        shown,
    )
    made = Made(command, f"{places.prefix}figures", f"{places.prefix}tables", tuple(formats))
    page = build(analysis, content, made)
    files = dict(_figure_files(drawing.charts, drawing.looks, formats))
    for table in shown:
        files |= {f"tables/{table.stem}.{ending}": make(table) for ending, make in FORMS.items()}
    # Thousands of rows are for programs: as Markdown or LaTeX nobody would read them.
    files |= {f"tables/{table.stem}.csv": FORMS["csv"](table) for table in unseen}
    files[COLLECTED_FILE] = table_bytes(analysis.collection)
    return page.encode(), files


@dataclass(frozen=True)
class _Drawing:
    """All charts, how arms look in them, and all arms with the best first."""

    charts: tuple[Chart, ...]
    looks: Looks
    order: tuple[str, ...]

    @staticmethod
    def of(analysis: Analysis) -> "_Drawing":
        order = catalogue.ranking(analysis)
        return _Drawing(tuple(catalogue.charts(analysis, order)), catalogue.looks(analysis, order), order)


def checked(places: Outputs, formats: Sequence[str] | None) -> Outputs:
    """The same places, if a page can be there and the formats are known.

    Raises:
        ReportError: the page is a folder, or a format is not known.
    """
    for form in formats if formats is not None else ():
        if form not in FORMATS:
            raise ReportError(f"format {form!r} of figures is not known: allowed are {', '.join(FORMATS)}")
    if places.page.is_dir():
        raise ReportError(f"{places.page} is a folder: give the name of a file, such as {places.page / 'report.html'}")
    return places


def _write(places: Outputs, page: bytes | None, files: dict[str, bytes]) -> None:
    try:
        write_outputs(places, page, files)
    except OSError as error:
        raise ReportError(f"{places.page} cannot be written: {error.strerror} ({error.filename})") from error


def _named(figure: str, charts: Sequence[Chart]) -> list[Chart]:
    found = [chart for chart in charts if figure in (chart.stem, chart.kind)]
    if not found:
        kinds = list(dict.fromkeys(chart.kind for chart in charts))
        near = get_close_matches(figure, [*kinds, *(chart.stem for chart in charts)], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ReportError(
            f"there is no figure {figure!r} in this report: {hint}Kinds are {', '.join(kinds)}; a single figure of a "
            f"kind is called as its file, such as {charts[0].stem}"
        )
    return found


def _figure_files(charts: Sequence[Chart], looks: Looks, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    if not formats:
        return
    # Matplotlib takes most of a second to import, which every other command would pay for.
    from experiments.report.paper import draw  # noqa: PLC0415 -- see above
    from experiments.report.render import house_style, rendered  # noqa: PLC0415 -- see above

    with house_style():
        for chart in charts:
            drawn = draw(chart, looks)
            for form in formats:
                yield f"figures/{chart.stem}.{form}", rendered(drawn, form)
