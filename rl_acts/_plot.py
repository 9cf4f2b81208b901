"""Pictures of activations. Importing this module imports matplotlib, which nothing else in the library does."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rl_acts._curves import ALL_ALIKE, ALONE, ONE_UNIT, Curve, Fan

# Okabe and Ito's hues, darkened until they read on white; told apart by all common kinds of colour vision.
_COLOURS = ("#0072b2", "#d55e00", "#00855f", "#b0508a", "#b57800", "#3192c9", "#5a5f66")
_STYLES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
_LIGHT, _MIDDLE, _DARK = "#a9d3ec", "#0072b2", "#07253f"
_VALUE, _SLOPE = "#0072b2", "#d55e00"
_INK, _GRID, _ZERO = "#23262b", "#e6e8ec", "#9aa0a8"
_SIGNS = {ONE_UNIT: "†", ALL_ALIKE: "‡"}
_SURROGATE = "§"
_DPI = 200
_STEPS_OF_TICKS = (1, 2, 5, 10)

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _INK,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "axes.titlecolor": _INK,
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "rl_acts",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "xtick.labelsize": 8.5,
    "ytick.color": _INK,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True)
class Portrait:
    """One panel of the picture of all activations."""

    name: str
    curves: tuple[Curve, ...]
    fan: Fan | None


def comparison(curves: Sequence[Curve], fans: Sequence[Fan], file_format: str) -> bytes:
    """Draw f and f' side by side: all curves in one row, and a row for each fan, light to dark with the value."""
    with mpl.rc_context():
        _dress()
        rows = bool(curves) + len(fans)
        figure = Figure(figsize=(9.2, 0.2 + 2.9 * rows), layout="constrained")
        grid = figure.subplots(rows, 2, squeeze=False)
        looks = [(_COLOURS[n % 7], _STYLES[(n + n // 7) % 5], 1.7) for n in range(len(curves))]
        if curves:
            _row(grid[0], curves, looks, None)
        for axes, fan in zip(grid[bool(curves) :], fans, strict=True):
            # The initial form is the thick one.
            widths = [2.6 if curve.initial else 1.5 for curve in fan.curves]
            shades = [(_shade(n, len(fan.curves)), "-", width) for n, width in enumerate(widths)]
            _row(axes, fan.curves, shades, fan.title)
        return _saved(figure, file_format)


def families(groups: Sequence[tuple[str, Sequence[Portrait]]], interval: tuple[float, float], kind: str) -> bytes:
    """Draw one small panel for each activation, f and f' in it, under the heading of its family."""
    with mpl.rc_context():
        _dress()
        return _saved(_Poster(groups, interval).figure, kind)


def _dress() -> None:
    # The user's own matplotlibrc must not change a picture that is to be the same everywhere.
    mpl.rcParams.update(mpl.rcParamsDefault)
    mpl.rcParams.update(_RC)


def _row(
    pair: Sequence[Axes], curves: Sequence[Curve], looks: Sequence[tuple[Any, Any, float]], title: str | None
) -> None:
    kinds = {curve.axis for curve in curves}
    mixed = len(kinds) > 1
    label = "\n".join([ALONE if mixed else kinds.pop(), *_notes(curves, mixed=mixed)])
    for axes, what in zip(pair, ("value", "slope"), strict=True):
        _zero_lines(axes)
        for curve, (colour, style, width) in zip(curves, looks, strict=True):
            (line,) = axes.plot(curve.x.tolist(), getattr(curve, what).tolist(), linestyle=style, color=colour)
            line.set(linewidth=width, label=_name(curve, of_fan=title is not None, mixed=mixed), zorder=2 + width)
        axes.set_xlabel(label)
        axes.set_ylabel("f(x)" if what == "value" else "f′(x)")
        axes.set_xlim(float(curves[0].x[0]), float(curves[0].x[-1]))
        axes.set_ylim(*_limits(curves, what))
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=_STEPS_OF_TICKS))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=_STEPS_OF_TICKS))
    legend = pair[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=2.6, title=title)
    legend.get_title().set_fontsize(9)
    legend.set_alignment("left")


def _name(curve: Curve, *, of_fan: bool, mixed: bool) -> str:
    name = curve.label + (", initial" if of_fan and curve.initial else "")
    signs = _signs(curve) if mixed else _SURROGATE * curve.surrogate
    return f"{name} {signs}" if signs else name


def _signs(curve: Curve) -> str:
    return _SIGNS.get(curve.axis, "") + _SURROGATE * curve.surrogate


def _notes(curves: Sequence[Curve], *, mixed: bool = True) -> list[str]:
    """Return what the signs beside names mean; if all curves are of one kind, the axis says what x is."""
    kinds = {curve.axis for curve in curves}
    notes = [f"{sign} {kind}" for kind, sign in _SIGNS.items() if mixed and kind in kinds]
    if any(curve.surrogate for curve in curves):
        notes.append(f"{_SURROGATE} f′ is a surrogate gradient")
    return notes


def _limits(curves: Sequence[Curve], what: str) -> tuple[float, float]:
    """Return limits that hold the curves, but none further out than the interval, and slopes to 4."""
    widest = max(abs(float(curve.x[end])) for curve in curves for end in (0, -1)) * 1.05 if what == "value" else 4.0
    seen = [value for curve in curves for value in getattr(curve, what).tolist() if abs(value) <= widest]
    low, high = (min(seen), max(seen)) if seen else (-1.0, 1.0)
    margin = 0.06 * max(high - low, 0.2)
    return low - margin, high + margin


def _shade(place: int, count: int) -> str:
    """Return a blue between light and dark."""
    share = place / max(1, count - 1)
    below, above, part = (_LIGHT, _MIDDLE, 2 * share) if share < 0.5 else (_MIDDLE, _DARK, 2 * share - 1)
    red, green, blue = (a + (b - a) * part for a, b in zip(to_rgb(below), to_rgb(above), strict=True))
    return to_hex((red, green, blue))


def _zero_lines(axes: Axes) -> None:
    axes.axhline(0, color=_ZERO, linewidth=0.8, zorder=1)
    axes.axvline(0, color=_ZERO, linewidth=0.8, zorder=1)


def _saved(figure: Figure, file_format: str) -> bytes:
    """Return the file's bytes, the same for the same picture: without date and version."""
    buffer = io.BytesIO()
    nothing = {"svg": ("Date", "Creator", "Format", "Type"), "png": ("Software",)}[file_format]
    figure.savefig(buffer, format=file_format, dpi=_DPI, metadata=dict.fromkeys(nothing))
    return buffer.getvalue()


class _Poster:
    """The picture of all families, laid out in inches from the top."""

    columns = 8
    panel = (1.28, 1.0)
    gap = (0.26, 0.36)
    margin = (0.5, 0.35)
    heading = 0.42
    top = 0.95

    def __init__(self, groups: Sequence[tuple[str, Sequence[Portrait]]], interval: tuple[float, float]) -> None:
        self.interval = interval
        rows = sum(math.ceil(len(members) / self.columns) for _, members in groups)
        self.width = 2 * self.margin[0] + self.columns * (self.panel[0] + self.gap[0]) - self.gap[0]
        self.height = self.top + rows * (self.panel[1] + self.gap[1]) + len(groups) * self.heading + 0.55
        self.figure = Figure(figsize=(self.width, self.height))
        self._title()
        below = self.top
        for family, members in groups:
            self._text(self.margin[0] - 0.2, below + 0.12, family, size=11, weight="bold")
            below += self.heading
            for place, portrait in enumerate(members):
                row, column = divmod(place, self.columns)
                # Numbers stand at the left end of each row and below the lowest panel of each column.
                numbered = (column == 0, place + self.columns >= len(members))
                self._panel(portrait, column, below + row * (self.panel[1] + self.gap[1]), numbered=numbered)
            below += math.ceil(len(members) / self.columns) * (self.panel[1] + self.gap[1])
        drawn = [curve for _, members in groups for portrait in members for curve in portrait.curves]
        self._text(self.margin[0] - 0.2, self.height - 0.32, "      ".join(_notes(drawn)), size=8.5)

    def _title(self) -> None:
        low, high = self.interval
        self._text(self.margin[0] - 0.2, 0.2, "Activations by family", size=15, weight="bold")
        ends = f"from {low:g} to {high:g}".replace("-", "−")
        self._text(self.margin[0] - 0.2, 0.52, f"f and its slope f′ for x {ends}, at initial values", size=9.5)
        handles = [
            Line2D([], [], color=_VALUE, linewidth=1.8, label="f"),
            Line2D([], [], color=_SLOPE, linewidth=1.4, linestyle=(0, (3, 1.2)), label="f′"),
            Line2D([], [], color=_shade(0, 5), linewidth=1.4, label="f, learnt value low"),
            Line2D([], [], color=_shade(4, 5), linewidth=1.4, label="f, learnt value high"),
        ]
        anchor = (1 - (self.margin[0] - 0.1) / self.width, 1 - 0.18 / self.height)
        self.figure.legend(handles=handles, loc="upper right", bbox_to_anchor=anchor, ncols=4, handlelength=2.4)

    def _text(self, left: float, below: float, text: str, *, size: float, weight: str = "normal") -> None:
        self.figure.text(left / self.width, 1 - below / self.height, text, fontsize=size, fontweight=weight, va="top")

    def _panel(self, portrait: Portrait, column: int, below: float, *, numbered: tuple[bool, bool]) -> None:
        left = self.margin[0] + column * (self.panel[0] + self.gap[0])
        bottom = self.height - below - self.panel[1] - 0.12
        size = (self.panel[0] / self.width, self.panel[1] / self.height)
        axes = self.figure.add_axes((left / self.width, bottom / self.height, *size))
        _zero_lines(axes)
        for n, curve in enumerate(portrait.fan.curves if portrait.fan else ()):
            axes.plot(curve.x.tolist(), curve.value.tolist(), color=_shade(n, 5), linewidth=0.9)
        for curve in portrait.curves:
            axes.plot(curve.x.tolist(), curve.slope.tolist(), color=_SLOPE, linewidth=1.1, linestyle=(0, (3, 1.2)))
            axes.plot(curve.x.tolist(), curve.value.tolist(), color=_VALUE, linewidth=1.6)
        low, high = self.interval
        axes.set_xlim(low, high)
        axes.set_ylim(-0.55 * (high - low) / 2, 0.8 * (high - low) / 2)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=_STEPS_OF_TICKS, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=_STEPS_OF_TICKS, integer=True))
        axes.tick_params(labelsize=6.5, length=2, pad=1.5, labelleft=numbered[0], labelbottom=numbered[1])
        signs = _signs(portrait.curves[0])
        title = f"{portrait.name} {signs}" if signs else portrait.name
        axes.set_title(title, fontsize=7.5 if len(title) <= 20 else 6.5, pad=3)
