"""The panels of a chart, drawn by matplotlib into axes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.report.chart import MOST_NUMBERED, Axis, Line, Lines, Matrix, Panel, Points, Rows, Shares, Show
from experiments.report.style import GRID, INK, PART_COLOURS, SOFT, Looks
from experiments.statistics.arrays import FloatArray
from experiments.text import number

# Longest names of arms beside rows, and below columns.
NAME_LENGTH, COLUMN_NAME = 26, 14
_JITTER = 0.16
# Points of all faint lines of one figure together: keeps an SVG file below a megabyte.
_FAINT_POINTS = 30_000


def draw_panel(axes: Axes, panel: Panel, looks: Looks, *, first: bool) -> None:
    """Draw a panel; `first` says whether rows are named, or share the names of a panel to the left."""
    axes.set_title(panel.title, loc="left", fontsize=8, fontweight="bold", pad=4)
    if isinstance(panel, Lines):
        _lines(axes, panel, looks)
    elif isinstance(panel, Rows):
        _rows(axes, panel, looks, first=first)
    elif isinstance(panel, Shares):
        _shares(axes, panel)
    elif isinstance(panel, Matrix):
        _matrix(axes, panel)
    else:
        _points(axes, panel, looks)


def _lines(axes: Axes, panel: Lines, looks: Looks) -> None:
    for mark in panel.marks:
        axes.axhline(mark, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    shown = [line for line in panel.lines if looks.featured(line.arm)]
    budget = int(np.clip(_FAINT_POINTS // max(1, sum(len(line.runs) for line in shown)), 12, 200))
    others = [line for line in panel.lines if not looks.featured(line.arm)]
    if others:
        x, y = _broken([(line.x, line.y) for line in others])
        axes.plot(x, y, color=GRID, linewidth=0.7, drawstyle=_drawstyle(others[0]), zorder=1)
    for index, line in enumerate(shown):
        _line(axes, line, looks, index, budget)
    _axes(axes, panel.x, panel.y)


def _line(axes: Axes, line: Line, looks: Looks, place: int, budget: int) -> None:
    look = looks[line.arm]
    if line.runs:
        kept = [(x[_kept(x.size, budget)], y[_kept(x.size, budget)]) for x, y in line.runs]
        alpha = 0.35 if len(line.runs) <= 5 else 0.25
        axes.plot(*_broken(kept), color=look.colour, linewidth=0.5, alpha=alpha, zorder=2)
    if line.low is not None and line.high is not None:
        if line.x.size == 1:
            axes.plot([line.x[0]] * 2, [line.low[0], line.high[0]], "-", color=look.colour, linewidth=1.4)
        step: Literal["post"] | None = "post" if line.stepped else None
        axes.fill_between(line.x, line.low, line.high, color=look.colour, alpha=0.14, linewidth=0, step=step)
    if line.ends.size:
        axes.plot(line.ends[:, 0], line.ends[:, 1], "x", color=INK, markersize=4, markeredgewidth=1, zorder=5)
    every = max(1, line.x.size // 8)
    style = ":" if line.second else look.line
    axes.plot(
        line.x, line.y, color=look.colour, linestyle=style, linewidth=1.3, marker=look.marker, markersize=3,
        markevery=(place * every // 5 % every, every), drawstyle=_drawstyle(line), zorder=4,
    )  # fmt: skip


def _rows(axes: Axes, panel: Rows, looks: Looks, *, first: bool) -> None:
    _arm_axis(axes, [row.arm for row in panel.rows], named=first)
    for mark in panel.marks:
        axes.axvline(mark, color=SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
    for place, row in enumerate(panel.rows):
        look = looks[row.arm]
        heights = place + _spread(row.dots.size + row.crosses.size)
        if row.dots.size:
            dots = heights[: row.dots.size]
            axes.plot(row.dots, dots, look.marker, color=look.colour, alpha=0.6, markersize=2.6, mew=0)
        if row.crosses.size:
            axes.plot(row.crosses, heights[row.dots.size :], "x", color=INK, markersize=4, markeredgewidth=1)
    # All rows at once: of fifty arms each line for itself would take most of the time.
    places = np.arange(len(panel.rows))
    low, high, value = np.array([(row.low, row.high, row.value) for row in panel.rows]).T
    axes.hlines(places, low, high, colors=[looks[row.arm].colour for row in panel.rows], linewidth=1.8, zorder=3)
    axes.vlines(value, places - 0.3, places + 0.3, colors=INK, linewidth=1.4, zorder=4)
    _value_axis(axes, panel.x)


def _shares(axes: Axes, panel: Shares) -> None:
    _arm_axis(axes, panel.arms, named=True)
    _value_axis(axes, panel.x)
    axes.grid(visible=False)
    left = np.zeros(len(panel.arms))
    for part, colour in enumerate(PART_COLOURS):
        widths = panel.shares[:, part]
        bars = [
            [(a, i - 0.35), (b, i - 0.35), (b, i + 0.35), (a, i + 0.35)]
            for i, (a, b) in enumerate(zip(left, left + widths, strict=True))
        ]
        axes.add_collection(PolyCollection(bars, facecolors=colour), autolim=False)
        ink = "#ffffff" if part < 2 else "#111111"
        numbered = widths >= 0.08 if len(panel.arms) <= MOST_NUMBERED else np.zeros(widths.size, dtype=bool)
        for place in np.flatnonzero(numbered).tolist():
            middle = left[place] + widths[place] / 2
            axes.text(middle, place, f"{100 * widths[place]:.0f}", color=ink, ha="center", va="center", fontsize=6)
        left += widths


def _matrix(axes: Axes, panel: Matrix) -> None:
    size = len(panel.arms)
    _arm_axis(axes, panel.arms, named=True)
    axes.set_xticks(range(size), [short(arm, COLUMN_NAME) for arm in panel.arms], rotation=90)
    axes.grid(visible=False)
    edges = np.arange(size + 1) - 0.5
    axes.pcolormesh(edges, edges, panel.value, cmap=_TO_BLUE, vmin=-0.1, vmax=1.1)
    if size > MOST_NUMBERED:
        return
    for (row, column), value in np.ndenumerate(panel.value):
        if np.isfinite(value):
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color="#111111")


# Blue above one half, orange below, as on the page.
_TO_BLUE = LinearSegmentedColormap.from_list("below and above", ("#d98032", "#ffffff", "#3f87c9"))


def _points(axes: Axes, panel: Points, looks: Looks) -> None:
    for point in panel.points:
        featured, look = looks.featured(point.arm), looks[point.arm]
        colour = look.colour if featured else SOFT
        (x, x_low, x_high), (y, y_low, y_high) = point.x, point.y
        axes.plot([x_low, x_high], [y, y], "-", color=colour, linewidth=0.8, alpha=0.6)
        axes.plot([x, x], [y_low, y_high], "-", color=colour, linewidth=0.8, alpha=0.6)
        axes.plot([x], [y], look.marker, color=colour, markersize=5 if featured else 3)
    _axes(axes, panel.x, panel.y)


def _axes(axes: Axes, x: Axis, y: Axis) -> None:
    _value_axis(axes, x)
    axes.set_ylabel(y.label)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(_FORMATS[y.show]))
    _limits(axes.set_ylim, Axis("", low=y.low, high=None if y.high is None else y.high * 1.03))


def _value_axis(axes: Axes, x: Axis) -> None:
    axes.set_xlabel(x.label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_FORMATS[x.show]))
    _limits(axes.set_xlim, x)


def _limits(setter: Callable[..., object], axis: Axis) -> None:
    # Setting an end stops matplotlib from following the data, so it comes last and only where it is asked for.
    if axis.low is not None or axis.high is not None:
        setter(axis.low, axis.high)


def _arm_axis(axes: Axes, arms: Sequence[str], *, named: bool) -> None:
    """One row for each arm, the first on top."""
    axes.set_yticks(range(len(arms)), [short(arm) for arm in arms] if named else [""] * len(arms))
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _broken(curves: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Several lines as one with gaps, which is drawn many times faster than each for itself."""
    gap = np.array([np.nan])
    x, y = ([part for curve in curves for part in (curve[axis], gap)] for axis in (0, 1))
    return np.concatenate(x), np.concatenate(y)


def _drawstyle(line: Line) -> str:
    return "steps-post" if line.stepped else "default"


def _kept(size: int, budget: int) -> slice | FloatArray:
    return slice(None) if size <= budget else np.unique(np.linspace(0, size - 1, budget).round().astype(int))


def _spread(size: int) -> FloatArray:
    """Vertical offsets that keep equal dots apart: a fixed pattern, not noise, so the figure is the same every time."""
    return np.zeros(size) if size < 2 else np.linspace(-_JITTER, _JITTER, size)


def short(name: str, most: int = NAME_LENGTH) -> str:
    """A name that fits."""
    # Matplotlib drops labels that begin with an underscore.
    name = f"\u200b{name}" if name.startswith("_") else name
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _plain(value: float, _position: int | None) -> str:
    return number(value) if abs(value) >= 1000 else f"{value:.6g}".replace("-", "\u2212")


def _steps(value: float, _position: int | None) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def _share(value: float, _position: int | None) -> str:
    return f"{100 * value:.0f} %"


_FORMATS: Mapping[Show, Callable[[float, int | None], str]] = {"number": _plain, "steps": _steps, "share": _share}
