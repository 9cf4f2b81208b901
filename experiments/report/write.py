"""From a study's folder to files on disk."""

from pathlib import Path

from experiments.report import tables
from experiments.report.aggregate import aggregate
from experiments.report.collect import collect
from experiments.report.errors import ReportError
from experiments.report.files import write_bytes, write_csv
from experiments.report.style import ArmStyle
from experiments.report.verdict import judge


def write_report(study_dir: Path, out: Path | None = None) -> Path:
    """Write the report of a study: one HTML page, `figures/` (PNG, SVG) and `tables/` (CSV) beside it.

    The page shows no time of its own making: the same runs give the same bytes.

    Args:
        study_dir: the study's folder, with `study.json`.
        out: the page's file; `study_dir/report.html` by default.

    Returns:
        The page's path.

    Raises:
        ReportError: the folder holds no readable study or no run with an evaluation yet, `out` is a folder or cannot be
            written.
    """
    page_path = study_dir / "report.html" if out is None else out
    if page_path.is_dir():
        raise ReportError(f"{page_path} is a folder: give the name of a file, such as {page_path / 'report.html'}")
    collection = collect(study_dir)
    groups = aggregate(collection)
    styles = {arm.name: ArmStyle(index) for index, arm in enumerate(collection.study.arms)}

    # Matplotlib takes most of a second to import, which every other command would pay for.
    from experiments.report.page import build, page_command  # noqa: PLC0415 -- see above
    from experiments.report.panels import draw  # noqa: PLC0415 -- see above

    panels = draw(groups, styles, collection.study.evaluation.episodes)
    shown = [tables.scores(groups), tables.comparisons(groups), tables.timing(groups), tables.failures(groups)]
    command = page_command(study_dir, out)
    page = build(collection, groups, judge(collection, groups), panels, shown, styles, command)

    try:
        for panel in panels:
            write_bytes(page_path.parent / "figures" / f"{panel.stem}.svg", panel.svg.encode())
            write_bytes(page_path.parent / "figures" / f"{panel.stem}.png", panel.png)
        for table in (*shown, tables.runs(collection, groups), tables.curves(groups)):
            keys = [column.key for column in table.columns]
            write_csv(page_path.parent / "tables" / f"{table.stem}.csv", keys, table.rows)
        write_bytes(page_path, page.encode())
    except OSError as error:
        raise ReportError(f"{page_path} cannot be written: {error.strerror} ({error.filename})") from error
    return page_path
