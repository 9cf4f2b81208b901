"""Charts drawn by matplotlib for a paper. Importing this module imports matplotlib."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.report.chart import MOST_NUMBERED, Axis, Chart, Line, Lines, Matrix, Panel, Points, Rows, Shares, Show
from experiments.report.style import GRID, INK, PART_COLOURS, SOFT, ArmStyle, Looks
from experiments.statistics.arrays import FloatArray
from experiments.text import number

# A column of most two-column styles, and the text block of both, in inches.
COLUMN, PAGE = 3.35, 6.9
_PANEL_HEIGHT, _ROW_HEIGHT = 2.05, 0.19
_LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 0.6, 0.17, 0.26, 0.36, 0.12
_JITTER = 0.16
# Points of all faint lines of one figure together: keeps an SVG file below a megabyte.
_FAINT_POINTS = 30_000
_NAME_LENGTH, _COLUMN_NAME = 26, 14


@dataclass(frozen=True)
class _Layout:
    """Where panels go, in inches from the lower left corner.

    A layout engine would draw everything twice to find this out, which a study with a hundred figures pays for.
    """

    panels: int
    columns: int
    width: float
    names: float
    shared: bool
    above: float
    middle: float
    below: float
    legend: float

    @staticmethod
    def of(chart: Chart, keys: Sequence[object], key_columns: int) -> "_Layout":
        first = chart.panels[0]
        # Rows side by side share the names of their arms.
        shared = isinstance(first, Rows) and len(chart.panels) > 1
        columns = min(len(chart.panels), 4 if shared else 3)
        return _Layout(
            panels=len(chart.panels),
            columns=columns,
            width=_width(chart),
            names=max(_label_width(panel) for panel in chart.panels),
            shared=shared,
            above=_TOP + _LINE * max(panel.title.count("\n") for panel in chart.panels),
            middle=max(_height(panel) for panel in chart.panels),
            below=max(_bottom(panel) for panel in chart.panels),
            legend=0.17 * ceil(len(keys) / key_columns) + 0.05 if keys else 0.0,
        )

    @property
    def height(self) -> float:
        """Of the whole figure."""
        return ceil(self.panels / self.columns) * (self.above + self.middle + self.below) + self.legend

    def place(self, index: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel's axes, as shares of the figure."""
        line, column = divmod(index, self.columns)
        start = self.names if self.shared else 0.0
        step = (self.width - start) / self.columns
        left = start + column * step + (0.05 if self.shared else self.names)
        right = start + (column + 1) * step - _RIGHT
        top = self.height - line * (self.above + self.middle + self.below) - self.above
        return (
            left / self.width,
            (top - self.middle) / self.height,
            (right - left) / self.width,
            self.middle / self.height,
        )


def draw(chart: Chart, looks: Looks) -> Figure:
    """The chart as a figure, one column wide, or two where it has several panels.

    Args:
        chart: what to draw.
        looks: how each arm looks. Arms that are not featured are grey where there are too many for colours.
    """
    keys = _keys(chart, looks)
    columns = _legend_columns(keys, _width(chart)) if keys else 1
    layout = _Layout.of(chart, keys, columns)
    figure = Figure(figsize=(layout.width, layout.height))
    for index, panel in enumerate(chart.panels):
        axes = figure.add_axes(layout.place(index))
        _panel(axes, panel, looks, first=not layout.shared or index % layout.columns == 0)
    if keys:
        _legend(figure, keys, columns)
    return figure


def _panel(axes: Axes, panel: Panel, looks: Looks, *, first: bool) -> None:
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
    for line in panel.lines:
        if not looks.featured(line.arm):
            axes.plot(line.x, line.y, color=GRID, linewidth=0.7, drawstyle=_drawstyle(line), zorder=1)
    for index, line in enumerate(shown):
        _line(axes, line, looks, index, budget)
    _axes(axes, panel.x, panel.y)


def _line(axes: Axes, line: Line, looks: Looks, place: int, budget: int) -> None:
    look = looks[line.arm]
    alpha = 0.35 if len(line.runs) <= 5 else 0.16
    for x, y in line.runs:
        kept = _kept(x.size, budget)
        axes.plot(x[kept], y[kept], color=look.colour, linewidth=0.5, alpha=alpha, zorder=2)
    if line.low is not None and line.high is not None:
        if line.x.size == 1:
            axes.plot([line.x[0]] * 2, [line.low[0], line.high[0]], "-", color=look.colour, linewidth=1.4)
        step = "post" if line.stepped else None
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
        every = np.concatenate([row.dots, row.crosses])
        heights = place + _spread(every.size)
        axes.plot(row.dots, heights[: row.dots.size], look.marker, color=look.colour, alpha=0.6, markersize=2.6, mew=0)
        axes.plot(row.crosses, heights[row.dots.size :], "x", color=INK, markersize=4, markeredgewidth=1)
        axes.plot([row.low, row.high], [place, place], "-", color=look.colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot([row.value] * 2, [place - 0.3, place + 0.3], "-", color=INK, linewidth=1.4)
    _value_axis(axes, panel.x)


def _shares(axes: Axes, panel: Shares) -> None:
    _arm_axis(axes, panel.arms, named=True)
    _value_axis(axes, panel.x)
    axes.grid(visible=False)
    left = np.zeros(len(panel.arms))
    for part, colour in enumerate(PART_COLOURS):
        widths = panel.shares[:, part]
        axes.barh(range(len(panel.arms)), widths, left=left, color=colour, height=0.7)
        ink = "#ffffff" if part < 2 else "#111111"
        for place in np.flatnonzero(widths >= 0.08):
            middle = left[place] + widths[place] / 2
            axes.text(middle, place, f"{100 * widths[place]:.0f}", color=ink, ha="center", va="center", fontsize=6)
        left += widths


def _matrix(axes: Axes, panel: Matrix) -> None:
    size = len(panel.arms)
    _arm_axis(axes, panel.arms, named=True)
    axes.set_xticks(range(size), [_short(arm, _COLUMN_NAME) for arm in panel.arms], rotation=90)
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
    axes.yaxis.set_major_formatter(FuncFormatter(FORMATS[y.show]))
    _limits(axes.set_ylim, Axis("", low=y.low, high=None if y.high is None else y.high * 1.03))


def _value_axis(axes: Axes, x: Axis) -> None:
    axes.set_xlabel(x.label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(FORMATS[x.show]))
    _limits(axes.set_xlim, x)


def _limits(setter: Callable[..., object], axis: Axis) -> None:
    # Setting an end stops matplotlib from following the data, so it comes last and only where it is asked for.
    if axis.low is not None or axis.high is not None:
        setter(axis.low, axis.high)


def _arm_axis(axes: Axes, arms: Sequence[str], *, named: bool) -> None:
    """One row for each arm, the first on top."""
    axes.set_yticks(range(len(arms)), [_short(arm) for arm in arms] if named else [""] * len(arms))
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _keys(chart: Chart, looks: Looks) -> list[tuple[str, Callable[[Axes], Artist]]]:
    """Name and maker of a handle for each entry of the legend."""
    panel = chart.panels[0]
    if isinstance(panel, Shares):
        parts = zip(panel.parts, PART_COLOURS, strict=True)
        return [(part, lambda _, colour=colour: Patch(color=colour)) for part, colour in parts]
    if isinstance(panel, Rows | Matrix):
        return []
    if isinstance(panel, Lines) and any(line.name for line in panel.lines):
        return [(line.name, _handle(looks[line.arm], ":" if line.second else None)) for line in panel.lines]
    shown = [arm for arm in chart.arms if looks.featured(arm)]
    keys = [(arm, _handle(looks[arm], "" if isinstance(panel, Points) else None)) for arm in shown]
    if others := len(chart.arms) - len(shown):
        keys.append((f"{others} others", lambda axes: axes.plot([], [], color=GRID, linewidth=1.3)[0]))
    return keys


def _handle(look: ArmStyle, style: str | None) -> Callable[[Axes], Artist]:
    """A maker of a piece of the arm's line; `style` replaces its line style."""
    return lambda axes: axes.plot(
        [], [], color=look.colour, linestyle=look.line if style is None else style, marker=look.marker, linewidth=1.3,
        markersize=3,
    )[0]  # fmt: skip


def _legend(figure: Figure, keys: Sequence[tuple[str, Callable[[Axes], Artist]]], columns: int) -> None:
    handles = [make(figure.axes[0]) for _, make in keys]
    names = [_short(name) for name, _ in keys]
    figure.legend(
        handles, names, loc="lower center", ncols=columns, frameon=False, handlelength=2.6, borderpad=0.1,
        columnspacing=1.2, labelspacing=0.3, borderaxespad=0.2,
    )  # fmt: skip


def _legend_columns(keys: Sequence[tuple[str, object]], width: float) -> int:
    longest = max(len(_short(name)) for name, _ in keys)
    return max(1, min(len(keys), int(width / (0.5 + 0.062 * longest))))


def _height(panel: Panel) -> float:
    """Of the area between the axes, in inches."""
    if isinstance(panel, Rows):
        return 0.1 + _ROW_HEIGHT * len(panel.rows)
    if isinstance(panel, Shares):
        return 0.1 + _ROW_HEIGHT * len(panel.arms)
    if isinstance(panel, Matrix):
        return max(0.13 * len(panel.arms), min(2.1, 0.3 * len(panel.arms)))
    return _PANEL_HEIGHT


def _width(chart: Chart) -> float:
    return PAGE if chart.wide else COLUMN


def _bottom(panel: Panel) -> float:
    """Room below the axes for numbers and label, in inches."""
    if isinstance(panel, Matrix):
        return 0.14 + 0.06 * max(len(_short(arm, _COLUMN_NAME)) for arm in panel.arms)
    return _BOTTOM + _LINE * panel.x.label.count("\n")


def _label_width(panel: Panel) -> float:
    """Room at the left for names of arms, or for the numbers of an axis, in inches."""
    if isinstance(panel, Lines | Points):
        return _LEFT + _LINE * panel.y.label.count("\n")
    arms = [row.arm for row in panel.rows] if isinstance(panel, Rows) else list(panel.arms)
    return 0.12 + 0.065 * max(len(_short(arm)) for arm in arms)


def _drawstyle(line: Line) -> str:
    return "steps-post" if line.stepped else "default"


def _kept(size: int, budget: int) -> slice | FloatArray:
    return slice(None) if size <= budget else np.unique(np.linspace(0, size - 1, budget).round().astype(int))


def _spread(size: int) -> FloatArray:
    """Vertical offsets that keep equal dots apart: a fixed pattern, not noise, so the figure is the same every time."""
    return np.zeros(size) if size < 2 else np.linspace(-_JITTER, _JITTER, size)


def _short(name: str, most: int = _NAME_LENGTH) -> str:
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


FORMATS: Mapping[Show, Callable[[float, int | None], str]] = {"number": _plain, "steps": _steps, "share": _share}

RC: Mapping[str, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "legend.fontsize": 6.5,
    "legend.labelcolor": INK,
    # TrueType outlines: publishers refuse Type 3 fonts.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rl_acts",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.color": INK,
    "ytick.labelsize": 6.5,
    "ytick.major.width": 0.6,
}
