"""Charts of a task with an algorithm: pure functions from results to `Chart`, None where there is nothing to draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.analysis.results import ArmResult, Group, Threshold
from experiments.collect.bench import Cost
from experiments.collect.collection import ENDED_BADLY, Run
from experiments.collect.evaluations import PARTS
from experiments.report.chart import Axis, Chart, Line, Lines, Panel, Point, Points, Row, Rows, Shares
from experiments.report.files import file_stem
from experiments.statistics.arrays import FloatArray
from experiments.text import count, joined, number


@dataclass(frozen=True)
class Facts:
    """What charts of tasks need beside their group.

    Attributes:
        returns: what a return is, for the axis.
        costs: as in `Collection`.
    """

    returns: str
    costs: Mapping[tuple[str, str], Cost]


def learning_curve(group: Group, arms: Sequence[ArmResult], facts: Facts) -> Chart:
    """Return over environment steps: IQM, band, every seed as a faint line."""
    lines = []
    for arm in arms:
        runs = [(group.steps, row) for row in arm.curves]
        # Without its faint line a run that is still to end would not be seen at all.
        runs += [_finite(run) for run in arm.unfinished]
        if not runs:
            continue
        curve = arm.curve
        x, y = (curve.x, curve.centre) if curve else (np.empty(0), np.empty(0))
        low, high = (curve.low, curve.high) if curve else (None, None)
        lines.append(Line(arm.arm, x, y, low, high, tuple(runs), ends=_bad_ends(arm)))
    ends = [f"{arm.arm} {number(arm.curve.centre[-1])}" for arm in arms if arm.curve]
    text = f"return over environment steps. {_last_points(ends)}"
    panel = Lines(group.heading, Axis("environment steps", "steps"), Axis(facts.returns), tuple(lines))
    return _chart("learning_curve", group, text, panel)


def wall_clock(group: Group, arms: Sequence[ArmResult], facts: Facts) -> Chart | None:
    """Return over training time without evaluation."""
    timed = [(arm.arm, arm.clock_curve) for arm in arms if arm.clock_curve]
    if not timed:
        return None
    unit, seconds = time_unit(max(float(curve.x[-1]) for _, curve in timed))
    lines = tuple(Line(arm, curve.x / seconds, curve.centre, curve.low, curve.high) for arm, curve in timed)
    text = f"return over training time. {_last_points([f'{arm} {number(curve.centre[-1])}' for arm, curve in timed])}"
    axis = Axis(f"training time in {unit}, without evaluation")
    return _chart("wall_clock", group, text, Lines(group.heading, axis, Axis(facts.returns), lines))


def final_scores(group: Group, arms: Sequence[ArmResult], _facts: Facts) -> Chart | None:
    """Final score of every seed, the IQM and its interval or range."""
    rows = []
    for arm in arms:
        if arm.final is None:
            continue
        bad = np.array([run.state in ENDED_BADLY for run in arm.runs], dtype=bool)
        rows.append(Row(arm.arm, arm.final.value, arm.final.low, arm.final.high, arm.finals[~bad], arm.finals[bad]))
    if not rows:
        return None
    last = "the last evaluation" if group.window == 1 else f"the last {group.window} evaluations"
    axis = Axis(f"final score: mean return\nof {last}")
    values = [f"{arm.arm} {number(arm.final.value)} over {count(arm.final.seeds, 'seed')}" for arm in arms if arm.final]
    text = f"final score of every seed with the interquartile mean. {joined(values)}."
    return _chart("final_scores", group, text, Rows(group.heading, axis, tuple(rows)))


def throughput(group: Group, arms: Sequence[ArmResult], _facts: Facts) -> Chart | None:
    """Environment steps per second of training: every seed a dot, median, slowest to fastest."""
    rows = []
    for arm in arms:
        if arm.timed:
            rates = np.array([run.evaluations.steps_per_second for run in arm.timed])
            rows.append(Row(arm.arm, float(np.median(rates)), float(rates.min()), float(rates.max()), rates))
    if not rows:
        return None
    axis = Axis("environment steps per second\nof training, without evaluation", low=0.0)
    values = joined([f"{row.arm} {number(row.value)}" for row in rows])
    text = f"environment steps per second, median of the seeds. {values}."
    return _chart("throughput", group, text, Rows(group.heading, axis, tuple(rows)))


def time_shares(group: Group, arms: Sequence[ArmResult], _facts: Facts) -> Chart | None:
    """Share of the whole time spent in each part, mean over the runs of an arm."""
    shown = [arm for arm in arms if arm.timed]
    if not shown:
        return None
    shares = np.array([np.mean([run.evaluations.shares for run in arm.timed], axis=0) for arm in shown])
    texts = [
        f"{arm.arm} " + " / ".join(f"{100 * share:.0f} %" for share in row)
        for arm, row in zip(shown, shares, strict=True)
    ]
    text = f"share of the time, parts from left to right: {', '.join(PARTS)}. {joined(texts)}."
    axis = Axis("share of the run's whole time", "share", 0.0, 1.0)
    panel = Shares(group.heading, axis, tuple(arm.arm for arm in shown), PARTS, shares)
    return _chart("time_shares", group, text, panel)


def thresholds(group: Group, arms: Sequence[ArmResult], _facts: Facts) -> Chart | None:
    """Share of runs that have reached each threshold (Kaplan-Meier), over steps and over seconds."""
    # Over steps first, over seconds below.
    found = sorted(
        (threshold for threshold in group.thresholds if threshold.arms), key=lambda one: one.axis == "seconds"
    )
    panels = tuple(_reached(threshold, [arm.arm for arm in arms]) for threshold in found)
    if not panels:
        return None
    levels = joined(list(dict.fromkeys(number(threshold.level) for threshold in group.thresholds)))
    text = f"share of the runs that have reached a return of {levels}, by Kaplan and Meier."
    return _chart("thresholds", group, text, *panels)


def cost(group: Group, arms: Sequence[ArmResult], facts: Facts) -> Chart | None:
    """Final score against what a training step costs; against throughput where that was not measured apart.

    Throughput is drawn only where every run had a clock of its own.
    """
    measured = {arm.arm: cost for arm in arms if (cost := facts.costs.get((group.algorithm, arm.arm)))}
    if len(measured) > 1:
        form = joined(sorted({cost.form for cost in measured.values()}))
        axis = Axis(f"time of a training step relative to ReLU's ({form})")
        places = {arm: (cost.value, cost.low, cost.high) for arm, cost in measured.items()}
        words = "times ReLU's step"
    else:
        own = [(arm.arm, arm.throughput) for arm in arms if arm.throughput and arm.throughput.company == 1]
        axis = Axis("environment steps per second of training")
        places = {arm: (speed.steps_per_s, speed.low, speed.high) for arm, speed in own}
        words = "steps/s"
    points = tuple(
        Point(arm.arm, places[arm.arm], (arm.final.value, arm.final.low, arm.final.high))
        for arm in arms
        if arm.final and arm.arm in places
    )
    if len(points) < 2:
        return None
    values = joined([f"{point.arm} {number(point.y[0])} at {number(point.x[0])} {words}" for point in points])
    panel = Points(group.heading, axis, Axis("final score"), points)
    return _chart("cost", group, f"final score against cost. {values}.", panel)


Drawer = Callable[[Group, Sequence[ArmResult], Facts], Chart | None]
PER_TASK: Mapping[str, Drawer] = {
    "learning_curve": learning_curve,
    "wall_clock": wall_clock,
    "final_scores": final_scores,
    "thresholds": thresholds,
    "cost": cost,
    "throughput": throughput,
    "time_shares": time_shares,
}


def time_unit(longest: float) -> tuple[str, float]:
    """The unit for times up to `longest` seconds, and how many seconds it has.

    >>> time_unit(90), time_unit(3600), time_unit(86400)
    (('seconds', 1.0), ('minutes', 60.0), ('hours', 3600.0))
    """
    return ("hours", 3600.0) if longest > 7200 else ("minutes", 60.0) if longest > 180 else ("seconds", 1.0)


def _reached(threshold: Threshold, order: Sequence[str]) -> Lines:
    found = {reach.arm: reach for reach in threshold.arms}
    reaches = [found[arm] for arm in order if arm in found]
    unit, seconds = time_unit(max(float(reach.times.max(initial=0.0)) for reach in reaches))
    if threshold.axis == "steps":
        axis, scale = Axis("environment steps", "steps", low=0.0), 1.0
    else:
        axis, scale = Axis(f"training time in {unit}", low=0.0), seconds
    lines = []
    for reach in reaches:
        # Up to the last observation, so that the level at which an arm stays is seen.
        end = max(float(reach.times.max(initial=0.0)), float(reach.x[-1]))
        x, y = np.append(reach.x, end) / scale, np.append(reach.y, reach.y[-1])
        lines.append(Line(reach.arm, x, y, stepped=True))
    title = f"return {number(threshold.level)} ({threshold.origin})"
    return Lines(title, axis, Axis("share of runs that reached it", "share", 0.0, 1.0), tuple(lines))


def _finite(run: Run) -> tuple[FloatArray, FloatArray]:
    shown = np.isfinite(run.evaluations.returns)
    return run.evaluations.steps[shown], run.evaluations.returns[shown]


def _bad_ends(arm: ArmResult) -> FloatArray:
    """Where the arm's runs that failed or diverged had their last finite evaluation, [R, 2]."""
    ends = [_finite(run) for run in arm.runs if run.state in ENDED_BADLY]
    return np.array([(x[-1], y[-1]) for x, y in ends]).reshape(-1, 2)


def _last_points(ends: Sequence[str]) -> str:
    return f"Last points: {joined(ends)}." if ends else "No run can be scored yet."


def _chart(kind: str, group: Group, text: str, *panels: Panel) -> Chart:
    stem = file_stem(kind, group.task, group.algorithm)
    return Chart(kind, stem, group.name, f"{group.name}: {text}", panels)
