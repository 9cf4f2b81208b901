"""Runs that went wrong, by the definitions of evaluation_protocol section 5, and how many of each arm did.

Of the return, a level is fixed by the control: untrained + 10 % of the way to the control's final score.

- diverged: losses or parameters stopped being finite; failed: anything else that ended the run;
- stuck: the run never exceeds the level; collapsed: it did, and its final score is below it again.

The untrained evaluation does not count as exceeding: on Ant standing still earns a lot. Where there are enough
evaluations, the mean of five must exceed the level. Every such run stays in every number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.analysis.margin import Unit
from experiments.analysis.results import ArmResult, Fate, Rate
from experiments.collect.collection import Run
from experiments.statistics.arrays import BoolArray
from experiments.statistics.rates import wilson_interval
from experiments.statistics.scores import moving_mean
from experiments.statistics.survival import WINDOW

LEVEL = 0.1


def rate(count: int, of: int) -> Rate:
    """A share with its Wilson interval; NaN of nothing."""
    if not of:
        return Rate(0, 0, *[float("nan")] * 3)
    return Rate(count, of, count / of, *wilson_interval(count, of))


def with_fates(arms: Sequence[ArmResult], unit: Unit | None) -> tuple[ArmResult, ...]:
    """The arms with their fates; collapsed and stuck are known only where there is a unit."""
    return tuple(_with_fates(arm, unit) for arm in arms)


def _with_fates(arm: ArmResult, unit: Unit | None) -> ArmResult:
    fated: dict[Fate, tuple[Run, ...]] = {}
    for state in ("diverged", "failed"):
        fated[state] = tuple(run for run in arm.runs + arm.lost if run.state == state)
    ended = [run for run in arm.runs + arm.lost if run.ended]
    rates: dict[Fate, Rate] = {fate: rate(len(runs), len(ended)) for fate, runs in fated.items()}
    if unit is not None and unit.size is not None:
        below = _below(arm, unit.untrained + LEVEL * unit.size)
        for fate, chosen in below.items():
            fated[fate] = tuple(run for run, is_so in zip(arm.runs, chosen, strict=True) if is_so)
            rates[fate] = rate(len(fated[fate]), len(arm.runs))
    return replace(arm, fates=rates, fated=fated)


def _below(arm: ArmResult, level: float) -> Mapping[Fate, BoolArray]:
    trained = arm.curves[:, 1:] if arm.curves.shape[1] > 1 else arm.curves
    if trained.shape[1] >= WINDOW:
        trained = moving_mean(trained, WINDOW)[:, WINDOW - 1 :]
    exceeded: BoolArray = np.asarray((trained > level).any(axis=1))
    return {"collapsed": exceeded & (arm.finals < level), "stuck": np.logical_not(exceeded)}
