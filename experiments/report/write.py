"""From a study's folder to files on disk."""

from pathlib import Path

from experiments.analysis.aggregate import aggregate
from experiments.analysis.verdict import judge
from experiments.collect.collection import collect
from experiments.collect.errors import ReportError
from experiments.report import tables
from experiments.report.files import csv_bytes
from experiments.report.outputs import outputs, write_outputs
from experiments.report.style import ArmStyle


def write_report(study_dir: Path, out: Path | None = None) -> Path:
    """Write the report of a study: one HTML page, figures (PNG, SVG) and tables (CSV) beside it.

    The page shows no time of its own making: the same runs give the same bytes.

    Args:
        study_dir: the study's folder, with `study.json`.
        out: the page's file. By default it is `study_dir/report.html`, with `figures/` and `tables/` in `study_dir`.
            Those of any other page `NAME.html` go into `NAME_files/` beside it. An earlier report of the same page is
            replaced, and figures that it alone had are removed; any other file is left as it is.

    Returns:
        The page's path.

    Raises:
        ReportError: the folder holds no readable study or no run with an evaluation yet, `out` is a folder or cannot be
            written, or a file in the way is not an earlier output of this page.
    """
    places = outputs(study_dir, out)
    page_path = places.page
    if page_path.is_dir():
        raise ReportError(f"{page_path} is a folder: give the name of a file, such as {page_path / 'report.html'}")
    collection = collect(study_dir)
    groups = aggregate(collection)
    styles = {arm.name: ArmStyle(index) for index, arm in enumerate(collection.study.arms)}

    # Matplotlib takes most of a second to import, which every other command would pay for.
    from experiments.report.page import Made, build, page_command  # noqa: PLC0415 -- see above
    from experiments.report.panels import draw  # noqa: PLC0415 -- see above

    panels = draw(groups, styles, collection.study.returns_text)
    shown = [tables.scores(groups), tables.comparisons(groups), tables.timing(groups), tables.failures(groups)]
    made = Made(page_command(study_dir, out), f"{places.prefix}figures", f"{places.prefix}tables")
    page = build(collection, groups, judge(collection, groups), panels, shown, styles, made)
    files: dict[str, bytes] = {}
    for panel in panels:
        files[f"figures/{panel.stem}.svg"] = panel.svg.encode()
        files[f"figures/{panel.stem}.png"] = panel.png
    for table in (*shown, tables.runs(collection, groups), tables.curves(groups)):
        files[f"tables/{table.stem}.csv"] = csv_bytes([column.key for column in table.columns], table.rows)
    try:
        write_outputs(places, page.encode(), files)
    except OSError as error:
        raise ReportError(f"{page_path} cannot be written: {error.strerror} ({error.filename})") from error
    return page_path
