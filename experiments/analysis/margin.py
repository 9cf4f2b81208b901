"""The margin of equivalence and its unit: the one place where the report says what a normalised score is.

    normalised score = (score - untrained) / (control - untrained)

`control` is the control's final score (interquartile mean over its runs), `untrained` its return at step 0 (mean over
the same runs), both on the task and with the algorithm in question. 0 is a policy that has learnt nothing, 1 is the
control. A study's margin is a difference of normalised scores: `margin * (control - untrained)` in return. A share of
the control's score itself would vanish where that is near zero, and mean nothing where it is negative.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.analysis.versions import differing, versions_text
from experiments.collect.collection import Run
from experiments.statistics.scores import Estimate
from experiments.text import number


@dataclass(frozen=True)
class Unit:
    """One unit of normalised score on one task with one algorithm.

    Attributes:
        control: name of the control.
        untrained: its return at step 0.
        final: its final score.
        problem: why there is no unit, a clause; None where there is one.
    """

    control: str
    untrained: float = float("nan")
    final: float = float("nan")
    problem: str | None = None

    @property
    def size(self) -> float | None:
        """The unit in return, above zero; None where there is none."""
        return None if self.problem else self.final - self.untrained

    def sentence(self, where: str, margin: float) -> str:
        """What a margin is in return here, or why no equivalence is stated."""
        if self.size is None:
            return f"{where}: no equivalence is stated, because {self.problem}."
        return (
            f"{where}: {number(margin * self.size)} in return, {margin:g} of the way of the control {self.control} "
            f"from {number(self.untrained)} untrained to {number(self.final)}."
        )


def unit(control: str, runs: Sequence[Run], final: Estimate | None) -> Unit:
    """The unit that the control's scored runs and its final score give."""
    if final is None:
        return Unit(control, problem=f"the control {control} has no score yet")
    versions = differing(runs)
    if versions:
        return Unit(control, problem=f"the runs of the control {control} used {versions_text(versions)}")
    untrained = _untrained(runs)
    if untrained is None:
        return Unit(control, problem=f"no run of the control {control} was evaluated untrained, at step 0")
    if final.value <= untrained:
        scores = f"{number(untrained)} untrained, {number(final.value)} at the end"
        return Unit(control, problem=f"the control {control} does not improve on its untrained score ({scores})")
    return Unit(control, untrained, final.value)


def _untrained(runs: Iterable[Run]) -> float | None:
    returns = np.concatenate([run.evaluations.returns[run.evaluations.steps == 0] for run in runs])
    finite = returns[np.isfinite(returns)]
    return float(finite.mean()) if finite.size else None
