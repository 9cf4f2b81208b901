"""The table of a study's runs, for a terminal of at least 80 columns."""

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from experiments.overview import RunView, duration

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "diverged": "red", "interrupted": "yellow"}
# Runs that want attention come first where not all fit.
_URGENCY = ("failed", "diverged", "running", "interrupted", "done", "pending")


def runs_table(rows: Sequence[RunView], most: int | None = None) -> Table:
    """Lay out runs as a table, in groups of one task and algorithm.

    Args:
        rows: All runs.
        most: Lines that fit; None for all.
    """
    shown, hidden = _fitting(rows, most)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", caption_justify="left")
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    for title in ("step", "steps/s", "time left", "return"):
        table.add_column(title, justify="right", no_wrap=True)
    for (task, algorithm), group in groupby(shown, key=lambda row: row.key[:2]):
        table.add_row(Text(f"{task} {algorithm}", style="bold"))
        for row in group:
            table.add_row(*_cells(row))
            if row.cause:
                table.add_row(Text(f"    {row.cause}", style=_STYLES.get(row.state, "")))
    if hidden:
        table.caption = f"and {hidden} more"
    return table


def _cells(row: RunView) -> list[Text]:
    _, _, arm, seed = row.key
    return [
        Text(f"  {arm} seed {seed}"),
        Text(row.state, style=_STYLES.get(row.state, "")),
        Text(f"{row.step:,}/{row.steps:,}"),
        Text("-" if row.steps_per_s is None else f"{row.steps_per_s:.0f}"),
        Text(duration(row.left_s)),
        Text("-" if row.last_return is None else f"{row.last_return:.1f}"),
    ]


def _fitting(rows: Sequence[RunView], most: int | None) -> tuple[list[RunView], int]:
    """Return the rows to show, grouped, and how many are left out."""
    chosen = list(rows)
    if most is not None and _lines(chosen) > most:
        chosen.sort(key=lambda row: _URGENCY.index(row.state))
        while len(chosen) > 1 and _lines(chosen) > most:
            chosen.pop()
    order = {row.key: position for position, row in enumerate(rows)}
    first = {row.key[:2]: order[row.key] for row in reversed(rows)}
    chosen.sort(key=lambda row: (first[row.key[:2]], order[row.key]))
    return chosen, len(rows) - len(chosen)


def _lines(rows: Sequence[RunView]) -> int:
    return len(rows) + len({row.key[:2] for row in rows}) + sum(row.cause is not None for row in rows)
