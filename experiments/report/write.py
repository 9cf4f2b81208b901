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
from experiments.report.outputs import Outputs, checked_page, outputs, write_outputs
from experiments.report.page import Content, Made, build, page_command
from experiments.report.style import Looks

FORMATS = ("png", "svg", "pdf")
# With more figures than this, only PNG unless other formats are asked for: the fonts of a PDF file take a tenth of a
# second.
MOST_FIGURES = 45


def write_report(
    study_dir: Path, out: Path | None = None, *, formats: Sequence[str] | None = None, figure: str | None = None
) -> tuple[Path, ...]:
    """Write the report of a study: one HTML page, figures and tables beside it.

    The page shows no time of its own making: the same runs give the same bytes.

    Args:
        study_dir: the study's folder, with `study.json`.
        out: the page's file. By default it is `study_dir/report.html`, with `figures/` and `tables/` in `study_dir`.
            Those of any other page `NAME.html` go into `NAME_files/` beside it. An earlier report of the same page is
            replaced, and figures that it alone had are removed; any other file is left as it is.
        formats: of the figures' files, from FORMATS. None is all, or PNG alone where there are more than MOST_FIGURES.
        figure: write the files of this figure alone, or of every figure of this kind: `learning_curve-Hopper-v5-td3`
            or `learning_curve`. Page, tables and other figures stay as they are.

    Returns:
        What was written: the page, or the files of the figure.

    Raises:
        ReportError: the folder holds no readable study or no run with an evaluation yet, `out` is a folder or cannot be
            written, a file in the way is not an earlier output of this page, or there is no such format or figure.
    """
    for form in formats or ():
        if form not in FORMATS:
            raise ReportError(f"format {form!r} is not known; allowed are {', '.join(FORMATS)}")
    places = outputs(study_dir, out)
    checked_page(places.page)
    return write_analysis(analyse(collect(study_dir)), places, page_command(study_dir, out), formats, figure)


def write_analysis(
    analysis: Analysis, places: Outputs, command: str, formats: Sequence[str] | None = None, figure: str | None = None
) -> tuple[Path, ...]:
    """Write the report of what was found; `command` is what a reader would type for the same page.

    Raises:
        ReportError: as `write_report`.
    """
    drawing = _Drawing.of(analysis)
    try:
        if figure is not None:
            files = dict(_figure_files(_named(figure, drawing.charts), drawing.looks, formats or FORMATS))
            write_outputs(places, None, files)
            return tuple(places.folder / name for name in files)
        if formats is None:
            formats = FORMATS if len(drawing.charts) <= MOST_FIGURES else FORMATS[:1]
        shown, unseen = tables.page_tables(analysis), tables.file_tables(analysis)
        made = Made(command, f"{places.prefix}figures", f"{places.prefix}tables", tuple(formats))
        content = Content(
            catalogue.sections(analysis, drawing.charts, crowded=drawing.looks.crowded),
            page_data(drawing.charts, drawing.looks, drawing.order),
            drawing.order,
            drawing.looks.crowded,
            shown,
        )
        page = build(analysis, content, made)
        files = dict(_figure_files(drawing.charts, drawing.looks, formats))
        for table in (*shown, *unseen):
            # Thousands of rows are for programs: as Markdown or LaTeX nobody would read them.
            forms = FORMS if table in shown else {"csv": FORMS["csv"]}
            files |= {f"tables/{table.stem}.{ending}": make(table) for ending, make in forms.items()}
        files[COLLECTED_FILE] = table_bytes(analysis.collection)
        write_outputs(places, page.encode(), files)
    except OSError as error:
        raise ReportError(f"{places.page} cannot be written: {error.strerror} ({error.filename})") from error
    return (places.page,)


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


def _named(figure: str, charts: Sequence[Chart]) -> list[Chart]:
    found = [chart for chart in charts if figure in (chart.stem, chart.kind)]
    if not found:
        known = [*dict.fromkeys(chart.kind for chart in charts), *(chart.stem for chart in charts)]
        near = get_close_matches(figure, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        kinds = ", ".join(dict.fromkeys(chart.kind for chart in charts))
        raise ReportError(f"there is no figure {figure!r} in this report{hint} (kinds: {kinds})")
    return found


def _figure_files(charts: Sequence[Chart], looks: Looks, formats: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    # Matplotlib takes most of a second to import, which every other command would pay for.
    from experiments.report.paper import draw  # noqa: PLC0415 -- see above
    from experiments.report.render import house_style, rendered  # noqa: PLC0415 -- see above

    with house_style():
        for chart in charts:
            drawn = draw(chart, looks)
            for form in formats:
                yield f"figures/{chart.stem}.{form}", rendered(drawn, form)
