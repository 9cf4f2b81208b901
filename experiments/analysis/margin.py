"""The margin of equivalence and its unit: the one place where the report says what a normalised score is.

    normalised score = (score - untrained) / (control - untrained)

`control` is the control's final score (interquartile mean over its runs), `untrained` its return at step 0 (mean over
the same runs), both on the task and with the algorithm in question. Where nobody evaluated at step 0, as in many logs
of other libraries, `untrained` is the return of random actions that `envs` records for the task. 0 is a policy that
has learnt nothing, 1 is the control. A study's margin is a difference of normalised scores: `margin * (control -
untrained)` in return. A share of the control's score itself would vanish where that is near zero, and mean nothing
where it is negative.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from envs import tasks
from experiments.analysis.versions import differing, versions_text
from experiments.collect.collection import Run
from experiments.statistics.arrays import FloatArray
from experiments.statistics.intervals import Estimate
from experiments.text import number


@dataclass(frozen=True)
class Unit:
    """One unit of normalised score on one task with one algorithm.

    Attributes:
        control: name of the control.
        untrained: its return at step 0, or that of random actions.
        final: its final score.
        problem: why there is no unit, a clause; None where there is one.
        random: whether `untrained` is the return of random actions.
    """

    control: str
    untrained: float = float("nan")
    final: float = float("nan")
    problem: str | None = None
    random: bool = False

    @property
    def size(self) -> float | None:
        """The unit in return, above zero; None where there is none."""
        return None if self.problem else self.final - self.untrained

    def normalised(self, returns: FloatArray) -> FloatArray:
        """Returns (or scores, or areas) of any shape as normalised scores; NaN where there is no unit."""
        return (returns - self.untrained) / (float("nan") if self.size is None else self.size)

    def sentence(self, where: str, margin: float) -> str:
        """What a margin is in return here, or why no equivalence is stated."""
        if self.size is None:
            return f"{where}: no equivalence is stated, because {self.problem}."
        start = f"{number(self.untrained)} {'with random actions' if self.random else 'untrained'}"
        return (
            f"{where}: {number(margin * self.size)} in return, {margin:g} of the way of the control {self.control} "
            f"from {start} to {number(self.final)}."
        )


def unit(control: str, task: str, runs: Sequence[Run], final: Estimate | None) -> Unit:
    """The unit that the control's scored runs and its final score give."""
    if final is None:
        return Unit(control, problem=f"the control {control} has no score yet")
    versions = differing(runs)
    if versions:
        return Unit(control, problem=f"the runs of the control {control} used {versions_text(versions)}")
    untrained = _untrained(runs)
    random = untrained is None
    if untrained is None:
        untrained = next((known.random_score for known in tasks() if known.id == task), None)
    if untrained is None:
        known_to_none = f"no run of the control {control} was evaluated untrained, at step 0"
        return Unit(control, problem=f"{known_to_none}, and nobody measured random actions on {task}")
    if final.value <= untrained:
        scores = f"{number(untrained)} untrained, {number(final.value)} at the end"
        return Unit(control, problem=f"the control {control} does not improve on its untrained score ({scores})")
    return Unit(control, untrained, final.value, random=random)


def _untrained(runs: Iterable[Run]) -> float | None:
    returns = np.concatenate([run.evaluations.returns[run.evaluations.steps == 0] for run in runs])
    finite = returns[np.isfinite(returns)]
    return float(finite.mean()) if finite.size else None
