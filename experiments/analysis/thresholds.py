"""When arms reach fixed returns; runs that never do count as never, not as missing."""

from collections.abc import Iterator

import numpy as np

from experiments.analysis.clock import usable
from experiments.analysis.comparison import LogRank
from experiments.analysis.fates import rate
from experiments.analysis.pairs import pairs
from experiments.analysis.results import ArmResult, Group, Reach, Threshold
from experiments.analysis.versions import differing
from experiments.collect.collection import ENDED_BADLY
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray
from experiments.statistics.survival import WINDOW, Times, kaplan_meier, logrank, times_to_threshold

# Shares of the control's way from untrained to its final mean (evaluation_protocol section 3).
SHARES = (0.5, 0.75, 0.9)


def thresholds(study: Study, group: Group) -> tuple[Threshold, ...]:
    """The study's thresholds for the task and those that the control sets, over steps and over seconds of training.

    None with fewer evaluations than the moving mean averages.
    """
    if group.steps.size < WINDOW:
        return ()
    levels = [(level, "study") for level in study.thresholds.get(group.task, ())]
    control = next((arm for arm in group.arms if arm.arm == study.control), None)
    if control is not None and group.unit is not None and group.unit.size is not None:
        way = float(control.finals.mean()) - group.unit.untrained
        levels += [(group.unit.untrained + share * way, f"{100 * share:.0f} %") for share in SHARES if way > 0]
    arms = {arm.arm: arm for arm in group.arms if arm.runs}
    seconds = {name: _seconds(group.steps, arm) for name, arm in arms.items() if usable(arm.runs)}
    return tuple(
        found for level, origin in levels for found in _over_both(study, group, arms, seconds, (level, origin))
    )


def _seconds(steps: FloatArray, arm: ArmResult) -> FloatArray:
    """Seconds of training at the shared evaluation points, [R, E]; those of a run's end beyond it."""
    return np.array([np.interp(steps, run.evaluations.steps, run.evaluations.training_seconds) for run in arm.runs])


def _over_both(
    study: Study,
    group: Group,
    arms: dict[str, ArmResult],
    axes: dict[str, FloatArray],
    threshold: tuple[float, str],
) -> Iterator[Threshold]:
    level, origin = threshold
    steps = {name: times_to_threshold(group.steps, arm.curves, level) for name, arm in arms.items()}
    if steps:
        yield Threshold(level, origin, "steps", float(group.steps[-1]), *_found(study, arms, steps, group.steps[-1]))
    if axes:
        longest = max(float(seconds[:, -1].max()) for seconds in axes.values())
        times = {name: _in_seconds(arms[name], seconds, level, longest) for name, seconds in axes.items()}
        horizon = min(float(seconds[:, -1].max()) for seconds in axes.values())
        yield Threshold(level, origin, "seconds", horizon, *_found(study, arms, times, horizon))


def _in_seconds(arm: ArmResult, seconds: FloatArray, level: float, longest: float) -> Times:
    times = times_to_threshold(seconds, arm.curves, level)
    # A run that ended badly would never have reached it: to censor it where it ended would count it out of the race.
    never = np.array([run.state in ENDED_BADLY for run in arm.runs]) & ~times.reached
    return Times(np.where(never, longest, times.time), times.reached)


def _found(
    study: Study, arms: dict[str, ArmResult], times: dict[str, Times], horizon: float
) -> tuple[tuple[Reach, ...], tuple[LogRank, ...]]:
    reaches = tuple(_reach(name, found, horizon) for name, found in times.items())
    tests = tuple(
        LogRank(a, b, logrank(times[a], times[b]))
        for a, b in pairs(study)
        if a in times and b in times and not differing(arms[a].runs + arms[b].runs)
    )
    return reaches, tests


def _reach(name: str, times: Times, horizon: float) -> Reach:
    curve = kaplan_meier(times)
    return Reach(
        name,
        times.time,
        times.reached,
        rate(int(times.reached.sum()), times.reached.size),
        curve.median,
        curve.restricted_mean(horizon),
        np.concatenate([[0.0], curve.time]),
        np.concatenate([[0.0], 1.0 - curve.waiting]),
    )
