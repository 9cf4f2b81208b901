"""Figures: pure functions from results to matplotlib figures. Importing this module imports matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.analysis.results import ArmResult, Curve, Group
from experiments.collect.evaluations import PARTS
from experiments.report.style import GRID, INK, PART_COLOURS, ArmStyle
from experiments.statistics.scores import FloatArray, coverage
from experiments.text import number

_WIDTH = 4.7
# Points of all faint seed lines of one figure together: keeps a page of thirty figures below five megabytes.
_SEED_POINTS = 30_000
_JITTER = 0.16
# Above this, bands and single seeds of so many arms cover one another: the lines alone are drawn.
MOST_BANDS = 8


@dataclass(frozen=True)
class Panel:
    """One figure, drawn, with its words.

    Attributes:
        kind: section of the page that it belongs to.
        stem: file name without extension.
        title: task and algorithm.
        text: what the figure shows, for those who cannot see it.
        svg: free-standing SVG file.
        inline: the same for the page.
        png: PNG file.
    """

    kind: str
    stem: str
    title: str
    text: str
    svg: str
    inline: str
    png: bytes


def learning_curve(group: Group, styles: Mapping[str, ArmStyle], returns_text: str) -> Figure:
    """Return over environment steps: IQM, band, every seed as a faint line."""
    figure, axes = _figure(group.heading, height=3.2 + _legend_height(len(group.arms)))
    detailed = len(group.arms) <= MOST_BANDS
    lines = sum(len(arm.runs) + len(arm.unfinished) for arm in group.arms)
    budget = int(np.clip(_SEED_POINTS // max(1, lines), 12, 200))
    alpha = 0.35 if lines <= 15 else 0.16
    for arm in group.arms:
        look = styles[arm.arm]
        # Without its faint line a run that is still to end would not be seen at all.
        for run in arm.unfinished:
            shown = np.isfinite(run.evaluations.returns)
            x, y = run.evaluations.steps[shown], run.evaluations.returns[shown]
            _faint(axes, x, y, look, budget, alpha)
        for row in arm.curves if detailed else ():
            _faint(axes, group.steps, row, look, budget, alpha)
        if arm.curve:
            _line(axes, arm.curve, look, detailed)
    axes.set_xlabel("environment steps")
    axes.set_ylabel(returns_text)
    axes.xaxis.set_major_formatter(FuncFormatter(_steps))
    _legend(figure, group.arms, styles)
    return figure


def wall_clock(group: Group, styles: Mapping[str, ArmStyle], returns_text: str) -> Figure | None:
    """Return over training time without evaluation; None where no run has usable times."""
    timed = [arm for arm in group.arms if arm.clock_curve]
    if not timed:
        return None
    figure, axes = _figure(group.heading, height=3.2 + _legend_height(len(timed)))
    longest = max(float(arm.clock_curve.x[-1]) for arm in timed if arm.clock_curve)
    unit, seconds = ("hours", 3600.0) if longest > 7200 else ("minutes", 60.0) if longest > 180 else ("seconds", 1.0)
    for arm in timed:
        if arm.clock_curve:
            curve = replace(arm.clock_curve, x=arm.clock_curve.x / seconds)
            _line(axes, curve, styles[arm.arm], len(timed) <= MOST_BANDS)
    axes.set_xlabel(f"training time in {unit}, without evaluation")
    axes.set_ylabel(returns_text)
    _legend(figure, timed, styles)
    return figure


def final_scores(group: Group, styles: Mapping[str, ArmStyle]) -> Figure | None:
    """Final score of every seed as a dot, the IQM as a bar across, the interval or range as a line."""
    shown = [arm for arm in group.arms if arm.final]
    if not shown:
        return None
    figure, axes = _rows(group.heading, [arm.arm for arm in shown])
    for place, arm in enumerate(shown):
        look = styles[arm.arm]
        failed = np.array([run in arm.ended_badly for run in arm.runs])
        heights = place + _spread(arm.finals)
        axes.plot(arm.finals[~failed], heights[~failed], look.marker, color=look.colour, alpha=0.6, markersize=4.5)
        axes.plot(arm.finals[failed], heights[failed], "x", color=INK, markersize=6, markeredgewidth=1.4)
        if arm.final:
            axes.plot([arm.final.low, arm.final.high], [place, place], "-", color=look.colour, linewidth=2.2)
            axes.plot([arm.final.value] * 2, [place - 0.3, place + 0.3], "-", color=INK, linewidth=2)
    last = "the last evaluation" if group.window == 1 else f"the last {group.window} evaluations"
    axes.set_xlabel(f"final score: mean return\nof {last}")
    return figure


def throughput(group: Group, styles: Mapping[str, ArmStyle]) -> Figure | None:
    """Environment steps per second of training: every seed a dot, the median as a bar across."""
    shown = [arm for arm in group.arms if arm.timed]
    if not shown:
        return None
    figure, axes = _rows(group.heading, [arm.arm for arm in shown])
    for place, arm in enumerate(shown):
        look = styles[arm.arm]
        rates = np.array([run.evaluations.steps_per_second for run in arm.timed])
        axes.plot([rates.min(), rates.max()], [place, place], "-", color=look.colour, linewidth=2.2)
        axes.plot(rates, place + _spread(rates), look.marker, color=look.colour, alpha=0.6, markersize=4.5)
        axes.plot([np.median(rates)] * 2, [place - 0.3, place + 0.3], "-", color=INK, linewidth=2)
    axes.set_xlim(left=0)
    axes.set_xlabel("environment steps per second\nof training, without evaluation")
    return figure


def time_shares(group: Group) -> Figure | None:
    """Share of the whole time spent in each part, mean over the runs of an arm."""
    shown = [arm for arm in group.arms if arm.timed]
    if not shown:
        return None
    figure, axes = _rows(group.heading, [arm.arm for arm in shown], extra=0.35)
    for place, arm in enumerate(shown):
        shares = np.mean([run.evaluations.shares for run in arm.timed], axis=0)
        left = 0.0
        for share, colour in zip(shares * 100, PART_COLOURS, strict=True):
            axes.barh(place, share, left=left, color=colour, height=0.62)
            if share >= 8:
                ink = "#ffffff" if colour in PART_COLOURS[:2] else "#111111"
                axes.text(left + share / 2, place, f"{share:.0f}", color=ink, ha="center", va="center", fontsize=8)
            left += share
    axes.set_xlim(0, 100)
    axes.grid(visible=False)
    axes.set_xlabel("share of the run's whole time in %")
    handles = [Patch(color=colour) for colour in PART_COLOURS]
    figure.legend(handles, PARTS, loc="outside lower center", ncols=5, frameon=False, handlelength=1.2)
    return figure


def band_text(arms: Sequence[ArmResult]) -> str:
    """What the bands and bars of these arms are."""
    sizes = [arm.finals.size for arm in arms if arm.finals.size]
    if not sizes:
        return "no run can be scored yet"
    ranged = [size for size in sizes if coverage(size) is None]
    if len(ranged) == len(sizes):
        return "range of the seeds (smallest to largest)"
    least = min(size for size in sizes if size not in ranged)
    share = coverage(least)
    text = f"95 % bootstrap interval of the IQM (at {least} seeds it covers in about {100 * (share or 0):.0f} %)"
    return f"{text}; range of the seeds for arms with fewer than 5" if ranged else text


def _figure(title: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    return figure, axes


def _rows(title: str, names: Sequence[str], extra: float = 0.0) -> tuple[Figure, Axes]:
    """A figure with one row for each arm, the first on top."""
    figure, axes = _figure(title, height=1.4 + extra + 0.42 * len(names))
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.grid(visible=False, axis="y")
    return figure, axes


def _line(axes: Axes, curve: Curve, look: ArmStyle, banded: bool) -> None:
    x, y = curve.x, curve.centre
    if banded and x.size == 1:
        axes.plot([x[0], x[0]], [curve.low[0], curve.high[0]], "-", color=look.colour, linewidth=2)
    if banded:
        axes.fill_between(x, curve.low, curve.high, color=look.colour, alpha=0.14, linewidth=0)
    every = max(1, x.size // 8)
    first = look.index * every // 5 % every
    axes.plot(
        x, y, color=look.colour, linestyle=look.line, linewidth=1.9, marker=look.marker, markersize=4.5,
        markevery=(first, every),
    )  # fmt: skip


def _faint(axes: Axes, x: FloatArray, y: FloatArray, look: ArmStyle, budget: int, alpha: float) -> None:
    if x.size > budget:
        kept = np.unique(np.linspace(0, x.size - 1, budget).round().astype(int))
        x, y = x[kept], y[kept]
    axes.plot(x, y, color=look.colour, linewidth=0.7, alpha=alpha)


def _spread(values: FloatArray) -> FloatArray:
    """Vertical offsets that keep equal dots apart: a fixed pattern, not noise, so the figure is the same every time."""
    if values.size == 1:
        return np.zeros(1)
    return np.linspace(-_JITTER, _JITTER, values.size)


def _legend_height(arms: int) -> float:
    return 0.24 * -(-arms // 3)


def _legend(figure: Figure, arms: Sequence[ArmResult], styles: Mapping[str, ArmStyle]) -> None:
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], color=look.colour, linestyle=look.line, marker=look.marker, linewidth=1.9, markersize=4.5)[0]
        for look in (styles[arm.arm] for arm in arms)
    ]
    figure.legend(
        handles,
        [_short(arm.arm) for arm in arms],
        loc="outside lower center",
        ncols=min(3, len(arms)),
        frameon=False,
        handlelength=3.2,
    )


def _short(name: str) -> str:
    # Matplotlib drops labels that begin with an underscore.
    name = f"\u200b{name}" if name.startswith("_") else name
    return name if len(name) <= 26 else f"{name[:25]}…"


def _plain(value: float, _position: int | None) -> str:
    return number(value) if abs(value) >= 1000 else f"{value:.6g}".replace("-", "\u2212")


def _steps(value: float, _position: int | None) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


RC: Mapping[str, object] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "rl_acts",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}
