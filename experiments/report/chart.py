"""A figure as data: what is drawn, without how. The page (page.js) and the files (paper.py) draw the same charts.

Letters of axes: E points of a line, R runs of one arm, A arms, P parts of a whole.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from experiments.statistics.arrays import FloatArray

# In a matrix of more arms a cell has no room for its number.
MOST_NUMBERED = 12
Show = Literal["number", "steps", "share"]


@dataclass(frozen=True)
class Axis:
    """A horizontal or vertical axis.

    Attributes:
        label: name and unit; a line break is kept.
        show: how a value is written at the axis and under the pointer. "share" is 0 to 1, written in per cent.
        low: its lower end; None is taken from the data.
        high: its upper end.
    """

    label: str
    show: Show = "number"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One arm's line, with its band and its single runs.

    Attributes:
        arm: name of the arm, which gives the look.
        x: [E].
        y: [E].
        low: lower edge of the band, [E]; None without one.
        high: upper edge, [E].
        runs: single runs as (x, y), drawn faint.
        ends: where single runs failed or diverged, [R, 2] as (x, y).
        stepped: whether the value holds until the next point.
        second: drawn in the other look of the arm: the second half of a control, a network's shape before training.
        name: what it is called where an arm has several lines.
    """

    arm: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    runs: tuple[tuple[FloatArray, FloatArray], ...] = ()
    ends: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    stepped: bool = False
    second: bool = False
    name: str = ""


@dataclass(frozen=True)
class Row:
    """One arm's value with its interval and the runs behind it.

    Attributes:
        dots: single runs, [R].
        crosses: single runs that failed or diverged, [R].
    """

    arm: str
    value: float
    low: float
    high: float
    dots: FloatArray = field(default_factory=lambda: np.empty(0))
    crosses: FloatArray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Point:
    """One arm at two values, with the ends of both intervals: (value, low, high)."""

    arm: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]


@dataclass(frozen=True)
class Lines:
    """Lines over an axis; `marks` are horizontal lines for reference, such as the control's score."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    marks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rows:
    """One row for each arm; `marks` are vertical lines for reference."""

    title: str
    x: Axis
    rows: tuple[Row, ...]
    marks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Shares:
    """One bar for each arm, cut into the shares [A, P] of its parts."""

    title: str
    x: Axis
    arms: tuple[str, ...]
    parts: tuple[str, ...]
    shares: FloatArray


@dataclass(frozen=True)
class Matrix:
    """A value for each arm (row) against each other one (column), [A, A], with intervals; NaN is left empty."""

    title: str
    arms: tuple[str, ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Points:
    """Arms by two values."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]


Panel = Lines | Rows | Shares | Matrix | Points


@dataclass(frozen=True)
class Chart:
    """One figure: a file of each format, and a figure on the page.

    Attributes:
        kind: the section of the page that it belongs to, a name in `catalogue.SECTIONS`.
        stem: file name without extension, and the name that `--figure` takes.
        title: what it is about: a task and an algorithm, or several.
        text: what it shows, for those who cannot see it.
        panels: drawn side by side.
    """

    kind: str
    stem: str
    title: str
    text: str
    panels: tuple[Panel, ...]

    @property
    def caption(self) -> str:
        """What stands above it on the page: of a single panel its own heading."""
        return self.panels[0].title if len(self.panels) == 1 else self.title

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width: it has several panels, or a matrix of many arms."""
        first = self.panels[0]
        return len(self.panels) > 1 or (isinstance(first, Matrix) and len(first.arms) > MOST_NUMBERED)

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in it, each once, in the order of drawing."""
        return tuple(dict.fromkeys(arm for panel in self.panels for arm in _arms(panel)))


def _arms(panel: Panel) -> list[str]:
    if isinstance(panel, Lines):
        return [line.arm for line in panel.lines]
    if isinstance(panel, Rows):
        return [row.arm for row in panel.rows]
    if isinstance(panel, Points):
        return [point.arm for point in panel.points]
    return list(panel.arms)
