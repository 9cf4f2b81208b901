"""A table as plain rows of values, the same for the files and for the page."""

import math
from dataclasses import dataclass
from typing import Literal

from experiments.statistics.intervals import Estimate
from experiments.text import duration, number, p_text, signed

Value = str | int | float | None
Show = Literal["text", "number", "signed", "p", "share", "seconds", "integer"]


@dataclass(frozen=True)
class Column:
    """One column: its key in the CSV file, its heading on the page (None: CSV only), and how to show it."""

    key: str
    heading: str | None
    show: Show = "text"


@dataclass(frozen=True)
class Table:
    """Rows of values under columns; `stem` is the files' name, `title` and `text` go on the page."""

    stem: str
    title: str
    text: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]


def shown(value: Value, how: Show) -> str:
    """A value as the page shows it."""
    if value is None or isinstance(value, str):
        return "–" if value is None else value
    formats = {"number": number, "signed": signed, "p": p_text, "seconds": duration}
    if not math.isfinite(value):
        return "–"
    if how in formats:
        return formats[how](value)
    return f"{100 * value:.0f} %" if how == "share" else str(value)


def three(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    """Value, low and high; None throughout without an estimate."""
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)


PLACE = (Column("task", "Task"), Column("algorithm", "Algorithm"), Column("arm", "Arm"))
