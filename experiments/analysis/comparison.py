"""What comparisons and plans find, as plain values; what is found of arms and groups is in `results`.

Letters of axes: A arms, E points of a curve.
"""

from dataclasses import dataclass
from typing import Literal

from experiments.statistics.arrays import FloatArray, level
from experiments.statistics.intervals import within_margin

# The error rate of the primary comparisons and the rate of false discoveries among the exploratory ones: what nobody
# predicted must not be said on weaker evidence.
ALPHA = 0.05
Outcome = Literal["better", "worse", "equal within the margin", "not established", "too few seeds"]
Score = Literal["final", "area"]


@dataclass(frozen=True)
class Curve:
    """The IQM over seeds along an axis x [E], with the band that the number of seeds allows."""

    x: FloatArray
    centre: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Scope:
    """Where a statement holds: the (task, algorithm) pairs that it is about."""

    strata: tuple[tuple[str, str], ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks, each once."""
        return tuple(dict.fromkeys(task for task, _ in self.strata))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Algorithms, each once."""
        return tuple(dict.fromkeys(algorithm for _, algorithm in self.strata))

    @property
    def name(self) -> str:
        """The scope in words: "Hopper-v5 (TD3)", "4 tasks (TD3)", "4 tasks (TD3 and SAC)"."""
        where = self.tasks[0] if len(self.tasks) == 1 else f"{len(self.tasks)} tasks"
        return f"{where} ({' and '.join(algorithm.upper() for algorithm in self.algorithms)})"


@dataclass(frozen=True)
class MeanTests:
    """Classical tests of the difference of means, on one task with one algorithm; beside the rank test, not for it.

    Attributes:
        difference: mean of a minus mean of b.
        interval: 95 % Welch interval; None below five seeds in either arm.
        welch_p: Welch's t test, two-sided; NaN where it is not defined.
        permutation_p: permutation test of the difference of means, two-sided.
        exact: whether all splits were listed, or drawn at random.
    """

    difference: float
    interval: tuple[float, float] | None
    welch_p: float
    permutation_p: float
    exact: bool


@dataclass(frozen=True)
class Comparison:
    """Scores of arm a against arm b, on one task with one algorithm or on several together.

    Attributes:
        scope: where; one stratum, or several with normalised scores.
        score: "final" (mean over the last evaluations) or "area" (under the learning curve).
        primary: whether it belongs to what the study named in advance; everything else is exploratory.
        value_a: IQM of a's scores: returns with one stratum, normalised with several (NaN where one lacks a unit).
        value_b: IQM of b's scores.
        interval: 95 % bootstrap interval of the difference of IQMs; None below five seeds.
        improvement: probability that a run of a beats a run of b on the same task, ties half, mean over strata.
        improvement_interval: its 95 % bootstrap interval; None below five seeds.
        p_value: two-sided permutation test of `improvement` within the strata (with one: Mann-Whitney's test).
        exact: whether that counts all splits, or drew them at random.
        smallest: smallest p value that so many seeds can reach, before correction.
        family: number of comparisons that the correction covers.
        corrected: p value after correction: Holm's if primary, else Benjamini and Hochberg's.
        reachable: smallest corrected p value: what it would be if every comparison reached its smallest.
        margin: largest difference that counts as equal, in the unit of the values; None where there is none, or where
            one of several strata differs by itself (rank test at 5 %), so that their mean says nothing.
        means: classical tests; None with several strata.
    """

    scope: Scope
    score: Score
    a: str
    b: str
    primary: bool
    value_a: float
    value_b: float
    interval: tuple[float, float] | None
    improvement: float
    improvement_interval: tuple[float, float] | None
    p_value: float
    exact: bool
    smallest: float
    family: int
    corrected: float
    reachable: float
    margin: float | None
    means: MeanTests | None

    @property
    def task(self) -> str:
        """The task, or how many there are."""
        return self.scope.tasks[0] if len(self.scope.tasks) == 1 else f"{len(self.scope.tasks)} tasks"

    @property
    def algorithm(self) -> str:
        """The algorithm, or all of them."""
        return "+".join(self.scope.algorithms)

    @property
    def correction(self) -> str:
        """Whose correction for multiple comparisons `corrected` is."""
        return "Holm" if self.primary else "Benjamini-Hochberg"

    @property
    def difference(self) -> float:
        """IQM of a minus IQM of b."""
        return self.value_a - self.value_b

    @property
    def level(self) -> bool:
        """Whether both IQMs are the same."""
        return level(self.value_a, self.value_b)

    @property
    def decidable(self) -> bool:
        """Whether any outcome of so many seeds could have fallen below the level after correction."""
        return self.reachable <= ALPHA

    @property
    def established(self) -> bool:
        """Whether the difference is, after correction."""
        return self.corrected <= ALPHA

    @property
    def equivalent(self) -> bool:
        """Whether the interval of the difference lies within the study's margin."""
        return within_margin(self.interval, self.margin)

    @property
    def outcome(self) -> Outcome:
        """What the comparison shows, in words."""
        if self.established:
            return "better" if self.improvement > 0.5 else "worse"
        if self.equivalent:
            return "equal within the margin"
        return "not established" if self.decidable else "too few seeds"


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of two arms' times to one threshold; p is not corrected and never carries the headline alone."""

    a: str
    b: str
    p_value: float


@dataclass(frozen=True)
class ImprovementMatrix:
    """Probability that a run of the row's arm beats one of the column's on the same task.

    Attributes:
        arms: names, A.
        value: [A, A]; 0.5 on the diagonal, NaN where the two share no comparable stratum.
        low: lower ends of the 95 % bootstrap intervals, [A, A]; NaN where there is none.
        high: upper ends, [A, A].
    """

    arms: tuple[str, ...]
    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class AAControl:
    """The control against itself: its runs in two disjoint halves, through the same pipeline. Nothing should be found.

    Attributes:
        arm: the control.
        scope: where it is taken.
        seeds: runs in the smaller half, fewest over strata.
        curves: IQM curves of the two halves (normalised with several strata) at the first split.
        difference: IQM of one half minus the other at the first split: seeds in turn to one half and the other.
        interval: its 95 % bootstrap interval; None below five seeds in a half.
        p_value: rank test of that split.
        luck: middle 95 % of that difference over random splits: what two arms that are the same differ by.
        splits: number of random splits.
        false_positives: share of them whose nominal 95 % interval excludes 0; NaN below five seeds in a half.
    """

    arm: str
    scope: Scope
    seeds: int
    curves: tuple[Curve, Curve]
    difference: float
    interval: tuple[float, float] | None
    p_value: float
    luck: tuple[float, float]
    splits: int
    false_positives: float


@dataclass(frozen=True)
class PlanRow:
    """How many seeds an effect needs.

    Attributes:
        effect: relative gain of the mean score (0.1: ten per cent of the control's).
        power_now: power with the seeds that the study has.
        seeds: fewest seeds per arm that reach the power; None where that takes more than `SeedPlan.most`.
    """

    effect: float
    power_now: float
    seeds: int | None


@dataclass(frozen=True)
class SeedPlan:
    """Seeds per arm that a further study would need, from the spread of this one's control.

    Attributes:
        scope: where.
        arm: the control, or the arm with most runs.
        seeds: its runs, fewest over strata.
        spread: standard deviation of its scores over their mean, root mean square over strata.
        alpha: two-sided level of the test.
        power: probability with which the effect is to be found.
        most: largest number of seeds tried.
        method: how the numbers were found, one sentence.
        rows: one for each effect.
    """

    scope: Scope
    arm: str
    seeds: int
    spread: float
    alpha: float
    power: float
    most: int
    method: str
    rows: tuple[PlanRow, ...]
