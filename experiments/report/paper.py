"""Charts drawn by matplotlib for a paper. Importing this module imports matplotlib."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.report.chart import Chart, Lines, Matrix, Panel, Points, Rows, Shares
from experiments.report.paper_panels import COLUMN_NAME, draw_panel, short
from experiments.report.style import GRID, INK, PART_COLOURS, ArmStyle, Looks

# A column of most two-column styles, and the text block of both, in inches.
COLUMN, PAGE = 3.35, 6.9
_PANEL_HEIGHT, _ROW_HEIGHT = 2.05, 0.19
_LEFT, _RIGHT, _TOP, _BOTTOM, _LINE = 0.6, 0.17, 0.26, 0.36, 0.12
_HEADING = 0.2


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
    heading: float
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
            # Several panels have titles of their own, and together that of the chart.
            heading=_HEADING if len(chart.panels) > 1 else 0.0,
            above=_TOP + _LINE * max(panel.title.count("\n") for panel in chart.panels),
            middle=max(_height(panel) for panel in chart.panels),
            below=max(_bottom(panel) for panel in chart.panels),
            legend=0.17 * ceil(len(keys) / key_columns) + 0.05 if keys else 0.0,
        )

    @property
    def height(self) -> float:
        """Of the whole figure."""
        lines = ceil(self.panels / self.columns)
        return self.heading + lines * (self.above + self.middle + self.below) + self.legend

    def place(self, index: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel's axes, as shares of the figure."""
        line, column = divmod(index, self.columns)
        start = self.names if self.shared else 0.0
        step = (self.width - start) / self.columns
        left = start + column * step + (0.05 if self.shared else self.names)
        right = start + (column + 1) * step - _RIGHT
        top = self.height - self.heading - line * (self.above + self.middle + self.below) - self.above
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
    if layout.heading:
        figure.text(0.08 / layout.width, 1 - 0.06 / layout.height, chart.title, fontsize=8.5, weight="bold", va="top")
    for index, panel in enumerate(chart.panels):
        axes = figure.add_axes(layout.place(index))
        draw_panel(axes, panel, looks, first=not layout.shared or index % layout.columns == 0)
    if keys:
        _legend(figure, keys, columns)
    return figure


def _keys(chart: Chart, looks: Looks) -> list[tuple[str, Callable[[Axes], Artist]]]:
    """Name and maker of a handle for each entry of the legend."""
    panel = chart.panels[0]
    if isinstance(panel, Shares):
        return [(part, partial(_patch, colour)) for part, colour in zip(panel.parts, PART_COLOURS, strict=True)]
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


def _patch(colour: str, _axes: Axes) -> Artist:
    return Patch(color=colour)


def _legend(figure: Figure, keys: Sequence[tuple[str, Callable[[Axes], Artist]]], columns: int) -> None:
    handles = [make(figure.axes[0]) for _, make in keys]
    names = [short(name) for name, _ in keys]
    figure.legend(
        handles, names, loc="lower center", ncols=columns, frameon=False, handlelength=2.6, borderpad=0.1,
        columnspacing=1.2, labelspacing=0.3, borderaxespad=0.2,
    )  # fmt: skip


def _legend_columns(keys: Sequence[tuple[str, object]], width: float) -> int:
    longest = max(len(short(name)) for name, _ in keys)
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
        return 0.14 + 0.06 * max(len(short(arm, COLUMN_NAME)) for arm in panel.arms)
    return _BOTTOM + _LINE * panel.x.label.count("\n")


def _label_width(panel: Panel) -> float:
    """Room at the left for names of arms, or for the numbers of an axis, in inches."""
    if isinstance(panel, Lines | Points):
        return _LEFT + _LINE * (panel.y.label.count("\n") - (not panel.y.label))
    arms = [row.arm for row in panel.rows] if isinstance(panel, Rows) else list(panel.arms)
    return 0.12 + 0.065 * max(len(short(arm)) for arm in arms)


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
