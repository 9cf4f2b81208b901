"""Charts over several tasks, in normalised scores (0 untrained, 1 the reference), and of the control against itself."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from experiments.analysis.comparison import AAControl, Curve, Scope
from experiments.analysis.results import Aggregate, AggregateArm
from experiments.report.chart import Axis, Chart, Line, Lines, Matrix, Panel, Row, Rows
from experiments.report.files import file_stem
from experiments.report.per_task import time_unit
from experiments.statistics.intervals import Estimate
from experiments.text import joined, number, p_text

_SCORE = "normalised return"


def aggregate(found: Aggregate, arms: Sequence[AggregateArm]) -> Chart:
    """IQM, mean, median and optimality gap of every arm, each with its interval."""
    measures: tuple[tuple[str, Callable[[AggregateArm], Estimate]], ...] = (
        ("IQM", lambda arm: arm.iqm),
        ("mean", lambda arm: arm.mean),
        ("median", lambda arm: arm.median),
        ("optimality gap", lambda arm: arm.optimality_gap),
    )
    panels = []
    for name, measure in measures:
        rows = tuple(_row(arm.arm, measure(arm)) for arm in arms)
        better = "less is better" if name == "optimality gap" else _SCORE
        panels.append(Rows(name, Axis(better), rows, marks=() if name == "optimality gap" else (1.0,)))
    values = joined([f"{arm.arm} {number(arm.iqm.value)}" for arm in arms])
    return _chart("aggregate", found.scope, f"interquartile mean of the normalised final scores: {values}.", *panels)


def sample_efficiency(found: Aggregate, arms: Sequence[AggregateArm]) -> Chart:
    """IQM of normalised returns over environment steps."""
    lines = tuple(_line(arm.arm, arm.curve) for arm in arms)
    panel = Lines(found.scope.name, Axis("environment steps", "steps"), Axis(f"IQM, {_SCORE}"), lines, (1.0,))
    ends = joined([f"{arm.arm} {number(arm.curve.centre[-1])}" for arm in arms])
    return _chart(
        "sample_efficiency", found.scope, f"IQM of normalised returns over steps. Last points: {ends}.", panel
    )


def time_efficiency(found: Aggregate, arms: Sequence[AggregateArm]) -> Chart | None:
    """IQM of normalised returns over training time, evaluation left out."""
    timed = [(arm.arm, arm.clock_curve) for arm in arms if arm.clock_curve]
    if not timed:
        return None
    unit, seconds = time_unit(max(float(curve.x[-1]) for _, curve in timed))
    axis = Axis(f"training time in {unit}, without evaluation")
    lines = tuple(_line(arm, curve, seconds) for arm, curve in timed)
    ends = joined([f"{arm} {number(curve.centre[-1])}" for arm, curve in timed])
    text = f"IQM of normalised returns over training time. Last points: {ends}."
    panel = Lines(found.scope.name, axis, Axis(f"IQM, {_SCORE}"), lines, (1.0,))
    return _chart("time_efficiency", found.scope, text, panel)


def profiles(found: Aggregate, arms: Sequence[AggregateArm]) -> Chart:
    """Share of runs above each normalised final score."""
    lines = tuple(Line(arm.arm, arm.profile.tau, arm.profile.share, arm.profile.low, arm.profile.high) for arm in arms)
    x, y = Axis("normalised final score τ"), Axis("share of runs above τ", "share", 0.0, 1.0)
    text = "performance profile, the share of runs above each normalised final score: higher is better everywhere."
    return _chart("profiles", found.scope, text, Lines(found.scope.name, x, y, lines))


def improvement(found: Aggregate, arms: Sequence[AggregateArm]) -> Chart | None:
    """Probability that a run of the row's arm beats one of the column's."""
    matrix = found.improvement
    order = [arm.arm for arm in arms if arm.arm in matrix.arms]
    if len(order) < 2:
        return None
    kept = np.array([matrix.arms.index(arm) for arm in order])
    pick = np.ix_(kept, kept)
    value = matrix.value[pick].copy()
    np.fill_diagonal(value, np.nan)
    panel = Matrix(found.scope.name, tuple(order), value, matrix.low[pick], matrix.high[pick])
    text = f"probability that a run of the row's arm beats one of the column's; the first row is {order[0]}: " + joined(
        [f"{number(p)} against {arm}" for arm, p in zip(order[1:], value[0, 1:], strict=True)]
    )
    return _chart("improvement", found.scope, f"{text}.", panel)


def control(found: AAControl) -> Chart:
    """IQM curves of two disjoint halves of the control, and the difference over random splits."""
    lines = tuple(
        _line(found.arm, curve, second=half == 1, name=f"{found.arm}, {name} half")
        for half, (curve, name) in enumerate(zip(found.curves, ("first", "second"), strict=True))
    )
    label = "return" if len(found.scope.strata) == 1 else f"IQM, {_SCORE}"
    panel = Lines(found.scope.name, Axis("environment steps", "steps"), Axis(label), lines)
    text = (
        f"{found.arm} against itself, two halves of at least {found.seeds} seeds: difference of the IQMs "
        f"{number(found.difference)}, p {p_text(found.p_value)}; by luck alone the difference is between "
        f"{number(found.luck[0])} and {number(found.luck[1])} in 95 % of {found.splits} random splits."
    )
    return _chart("control", found.scope, text, panel)


Drawer = Callable[[Aggregate, Sequence[AggregateArm]], Chart | None]
OVERALL: Mapping[str, Drawer] = {
    "aggregate": aggregate,
    "sample_efficiency": sample_efficiency,
    "time_efficiency": time_efficiency,
    "profiles": profiles,
    "improvement": improvement,
}


def _line(arm: str, curve: Curve, scale: float = 1.0, *, second: bool = False, name: str = "") -> Line:
    return Line(arm, curve.x / scale, curve.centre, curve.low, curve.high, second=second, name=name)


def _row(arm: str, estimate: Estimate) -> Row:
    return Row(arm, estimate.value, estimate.low, estimate.high)


def _chart(kind: str, scope: Scope, text: str, *panels: Panel) -> Chart:
    single = len(scope.strata) == 1
    stem = file_stem(kind, *scope.strata[0]) if single else file_stem(kind, *scope.algorithms)
    return Chart(kind, stem, scope.name, f"{scope.name}: {text}", panels)
