"""What training cost in time: returns over seconds, at fixed budgets, throughput and the split of the clock.

Seconds are those of training: time spent evaluating is left out everywhere but in the split.
Letters of axes: R runs, E points.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from experiments.analysis.comparison import Curve
from experiments.analysis.results import ArmResult, Budget, Group, Machine, Throughput
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray
from experiments.statistics.bootstrap import Resamples
from experiments.statistics.intervals import band, estimate
from experiments.statistics.point_estimates import iqm
from experiments.statistics.scores import carry_forward

CLOCK_POINTS = 101
# Budgets where the study fixes none: evaluation_protocol section 4.
_BUDGETS = (300.0, 600.0, 1200.0, 2400.0)


def usable(runs: Sequence[Run]) -> bool:
    """Whether the times of every run can be used: an arm of which some runs lack theirs is not drawn over time."""
    return bool(runs) and all(run.evaluations.clock_usable for run in runs)


def span(runs: Sequence[Run]) -> tuple[float, float]:
    """Seconds from which on, and up to which, all runs have returns; one that ended badly is carried forward."""
    lasting = [run for run in runs if run.state not in ENDED_BADLY] or runs
    start = max(float(run.evaluations.training_seconds[0]) for run in runs)
    return start, min(float(run.evaluations.training_seconds[-1]) for run in lasting)


def over_time(runs: Sequence[Run], seconds: FloatArray) -> FloatArray:
    """Returns of the runs after so many seconds of training, [R, E], linear between evaluations."""
    rows = [
        np.interp(seconds, run.evaluations.training_seconds, carry_forward(run.evaluations.returns)) for run in runs
    ]
    return np.array(rows)


def clock_curve(runs: Sequence[Run], resamples: Resamples) -> Curve | None:
    """IQM of the returns over training seconds, up to where the first run ends: beyond it the seeds would change."""
    if not usable(runs):
        return None
    start, end = span(runs)
    if end <= start:
        return None
    seconds = np.linspace(start, end, CLOCK_POINTS)
    curves = over_time(runs, seconds)
    return Curve(seconds, iqm(curves), *band(curves, resamples))


def budgets(study: Study, group: Group) -> tuple[Budget, ...]:
    """Returns at fixed times: the study's, else 5, 10, 20 and 40 minutes as far as some arm has come, else its end."""
    timed = [arm for arm in group.arms if arm.resamples is not None and usable(arm.runs)]
    if not timed:
        return ()
    ends = [span(arm.runs)[1] for arm in timed]
    times = study.budgets or [seconds for seconds in _BUDGETS if seconds <= max(ends)] or [min(ends)]
    return tuple(
        Budget(
            float(seconds),
            tuple(
                (arm.arm, estimate(over_time(arm.runs, np.array([seconds]))[:, 0], arm.resamples))
                for arm, end in zip(timed, ends, strict=True)
                if seconds <= end and arm.resamples is not None
            ),
        )
        for seconds in times
    )


def throughput(study: Study, algorithm: str, arm: ArmResult) -> Throughput | None:
    """Speed of an arm's timed runs, over the intervals between their evaluations; None without a timed run."""
    timed = arm.timed
    if not timed:
        return None
    rates, training = [], []
    settings = study.hyperparameters.get(algorithm, {})
    start = settings.get("learning_starts")
    for run in timed:
        seconds = np.diff(run.evaluations.training_seconds)
        moved = seconds > 0
        rates.append(np.diff(run.evaluations.steps)[moved] / seconds[moved])
        training.append(run.evaluations.steps[:-1][moved] >= (start if isinstance(start, int) else np.inf))
    every, learning = np.concatenate(rates), np.concatenate(training)
    low, middle, high = np.quantile(every, [0.05, 0.5, 0.95]) if every.size else [float("nan")] * 3
    updates = float(np.median(every[learning])) * _updates_per_step(settings) if learning.any() else float("nan")
    data = [run.evaluations for run in timed]
    return Throughput(
        float(middle),
        float(low),
        float(high),
        updates,
        every.size,
        np.asarray(np.mean([run.shares for run in data], axis=0), dtype=np.float64),
        float(np.median([run.training_seconds[-1] for run in data])),
        float(np.median([run.clock[-1, 0] for run in data])),
        max(run.company or 1 for run in timed),
        max(run.workers or 1 for run in timed),
    )


def _updates_per_step(settings: dict[str, object]) -> float:
    """Gradient updates per environment step, in SB3's terms; NaN where a study does not say."""
    frequency, updates = settings.get("train_freq"), settings.get("gradient_steps")
    if not isinstance(frequency, int) or not isinstance(updates, int):
        return float("nan")
    return 1.0 if updates < 0 else updates / frequency


def machines(collection: Collection) -> tuple[Machine, ...]:
    """Each hardware with its versions that runs record, most used first."""
    found = Counter(
        (tuple(sorted(run.hardware.items())), tuple(sorted(run.versions.items())))
        for run in collection.runs
        if run.hardware or run.versions
    )
    return tuple(Machine(dict(hardware), dict(versions), runs) for (hardware, versions), runs in found.most_common())
