"""What aggregation finds: curves and scores of arms, comparisons, and groups of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.analysis.margin import Unit
from experiments.collect.collection import ENDED_BADLY, Run
from experiments.statistics import scores as st
from experiments.statistics.scores import Estimate, FloatArray

ALPHA = 0.05
Outcome = Literal["better", "worse", "equal within the margin", "not established", "too few seeds"]


@dataclass(frozen=True)
class Curve:
    """The IQM over seeds along an axis x [E], with the band that the number of seeds allows."""

    x: FloatArray
    centre: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class ArmResult:
    """One arm on one task with one algorithm; R scored runs, E evaluation points.

    Attributes:
        arm: name.
        planned: number of runs that the study asks for.
        runs: the scored runs, R.
        unfinished: runs with evaluations that are still to end: drawn, not scored.
        lost: runs that failed or diverged before their first evaluation: no score can be given.
        curves: returns of the scored runs, [R, E].
        curve: their IQM and band over environment steps, None without a scored run.
        clock_curve: the same over training seconds; None without usable times.
        finals: final scores, [R].
        areas: areas under the curve, [R]; NaN with one evaluation point.
    """

    arm: str
    planned: int
    runs: tuple[Run, ...]
    unfinished: tuple[Run, ...]
    lost: tuple[Run, ...]
    curves: FloatArray
    curve: Curve | None
    clock_curve: Curve | None
    finals: FloatArray
    areas: FloatArray
    final: Estimate | None
    area: Estimate | None

    @property
    def ended_badly(self) -> tuple[Run, ...]:
        """Runs that failed or diverged, scored or not."""
        return tuple(run for run in self.runs + self.lost if run.state in ENDED_BADLY)

    @property
    def timed(self) -> tuple[Run, ...]:
        """Runs whose times can be used, unfinished ones too."""
        return tuple(run for run in self.runs + self.unfinished if np.isfinite(run.evaluations.steps_per_second))


@dataclass(frozen=True)
class Comparison:
    """Final scores of arm a against arm b on one task with one algorithm.

    Attributes:
        primary: whether the study named this pair in advance.
        final_a: IQM of a's final scores.
        final_b: IQM of b's final scores.
        interval: 95 % bootstrap interval of the difference of IQMs; None below five seeds.
        smallest: smallest p value that so many seeds can reach, before correction.
        family: number of comparisons that the Holm correction covers: all of the study.
        corrected: p value after Holm's correction.
        reachable: smallest corrected p value: what it would be if every comparison reached its smallest.
        margin: largest difference that counts as equal, in return; None where the study or its control gives none.
    """

    task: str
    algorithm: str
    a: str
    b: str
    primary: bool
    final_a: float
    final_b: float
    interval: tuple[float, float] | None
    improvement: float
    p_value: float
    smallest: float
    family: int
    corrected: float
    reachable: float
    margin: float | None

    @property
    def difference(self) -> float:
        """IQM of a minus IQM of b."""
        return self.final_a - self.final_b

    @property
    def level(self) -> bool:
        """Whether both IQMs are the same."""
        return st.level(self.final_a, self.final_b)

    @property
    def decidable(self) -> bool:
        """Whether any outcome of so many seeds could have fallen below the level after correction."""
        return self.reachable <= ALPHA

    @property
    def established(self) -> bool:
        """Whether the difference is, at 5 % after Holm's correction."""
        return self.corrected <= ALPHA

    @property
    def equivalent(self) -> bool:
        """Whether the interval of the difference lies within the study's margin."""
        if self.interval is None or self.margin is None:
            return False
        return -self.margin < self.interval[0] and self.interval[1] < self.margin

    @property
    def outcome(self) -> Outcome:
        """What the comparison shows, in words."""
        if self.established:
            return "better" if self.improvement > 0.5 else "worse"
        if self.equivalent:
            return "equal within the margin"
        return "not established" if self.decidable else "too few seeds"


@dataclass(frozen=True)
class Group:
    """All arms on one task with one algorithm.

    Attributes:
        steps: evaluation points that all curves share, [E].
        unit: one unit of normalised score; None where the study has no control.
        versions: the versions of each library in which the drawn runs differ; empty if they are alike.
        withheld: pairs that have scores and are not compared, because their runs used different versions.
        notes: what was odd, one line each.
    """

    task: str
    algorithm: str
    steps: FloatArray
    arms: tuple[ArmResult, ...]
    unit: Unit | None
    versions: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    withheld: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def window(self) -> int:
        """Evaluations in the final score."""
        return st.final_window(self.steps.size)

    @property
    def name(self) -> str:
        """The task and algorithm in words."""
        return f"{self.task} ({self.algorithm.upper()})"

    @property
    def heading(self) -> str:
        """The name, marked where the runs cannot be compared."""
        return f"{self.name}\ndifferent versions, not comparable" if self.versions else self.name
