"""What the analysis finds, as plain values: everything that the page shows, and nothing that it must still work out.

Read from the bottom: `Analysis` holds groups (one task with one algorithm) and aggregates (several of them together);
`comparison` has what is found between arms. Every interval is an `Estimate` or a pair (low, high) of 95 % ends.
Letters of axes: R runs of one arm on one task with one algorithm, E points of a curve, T levels of a profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from experiments.analysis.comparison import AAControl, Comparison, Curve, ImprovementMatrix, LogRank, Scope, SeedPlan
from experiments.analysis.margin import Unit
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.statistics.arrays import BoolArray, FloatArray
from experiments.statistics.bootstrap import Resamples
from experiments.statistics.intervals import Estimate

Fate = Literal["diverged", "failed", "collapsed", "stuck"]


@dataclass(frozen=True)
class Rate:
    """A share of runs with its 95 % Wilson interval; NaN throughout where `of` is 0."""

    count: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Peak:
    """The paper's metric: the largest value of the mean curve, its standard deviation over runs, and where it is.

    Shown beside other papers only: it grows with noise and with the number of evaluations.
    """

    step: float
    mean: float
    sd: float


@dataclass(frozen=True)
class Throughput:
    """Speed of the runs of one arm, evaluation time excluded.

    Attributes:
        steps_per_s: median over the intervals between evaluations, of all timed runs.
        low: 5 % quantile over the same intervals.
        high: 95 % quantile.
        updates_per_s: median gradient updates per second over intervals that train throughout; NaN if not known.
        intervals: number of intervals.
        shares: mean share of a run's whole time in each of `PARTS`, [5].
        training_s: median seconds of a run without evaluation.
        wall_s: median seconds of a run.
        company: most runs that shared one clock (1: every run had its own); their rate says nothing of one arm.
        workers: most processes that shared the machine.
    """

    steps_per_s: float
    low: float
    high: float
    updates_per_s: float
    intervals: int
    shares: FloatArray
    training_s: float
    wall_s: float
    company: int
    workers: int


@dataclass(frozen=True)
class Reach:
    """When the runs of one arm reach a threshold; runs that never do are censored where they end.

    Attributes:
        times: steps or seconds until reached or, where not, until the end of the run, [R].
        reached: whether each run reaches it, [R].
        share: share that reaches it.
        median: Kaplan-Meier median time; None where fewer than half reach it ("> end").
        restricted_mean: mean time up to `Threshold.horizon`, counting a run that has not reached it as the horizon.
        x: times at which the curve of those that have reached it rises, starting with 0, [E].
        y: Kaplan-Meier share that has reached it, [E].
    """

    arm: str
    times: FloatArray
    reached: BoolArray
    share: Rate
    median: float | None
    restricted_mean: float
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Threshold:
    """One return to be reached on one task with one algorithm.

    Attributes:
        level: the return.
        origin: "study" where the study file names it, else the share of the control's final mean, such as "75 %".
        axis: whether times are environment steps or seconds of training (evaluation excluded).
        horizon: end of the restricted mean: the shortest observation of any arm's longest run.
        arms: one entry for each arm with a scored (for seconds: timed) run.
        tests: one entry for each compared pair.
    """

    level: float
    origin: str
    axis: Literal["steps", "seconds"]
    horizon: float
    arms: tuple[Reach, ...]
    tests: tuple[LogRank, ...]


@dataclass(frozen=True)
class Budget:
    """Returns that the arms have after a fixed time of training (evaluation excluded); arms without usable times lack.

    Attributes:
        seconds: the budget.
        arms: (arm, IQM over its runs); an arm is left out where one of its runs had not trained that long and
            had not ended badly.
    """

    seconds: float
    arms: tuple[tuple[str, Estimate], ...]


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
        peak: largest value of the mean curve; None without a scored run.
        fates: for each kind of bad end its rate, and in `fated` the runs.
        throughput: None without usable times.
        resamples: which runs each bootstrap replicate holds, the same for every interval; None without a scored run.
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
    peak: Peak | None = None
    fates: Mapping[Fate, Rate] = field(default_factory=dict)
    fated: Mapping[Fate, tuple[Run, ...]] = field(default_factory=dict)
    throughput: Throughput | None = None
    resamples: Resamples | None = None

    @property
    def ended_badly(self) -> tuple[Run, ...]:
        """Runs that failed or diverged, scored or not."""
        return tuple(run for run in self.runs + self.lost if run.state in ENDED_BADLY)

    @property
    def timed(self) -> tuple[Run, ...]:
        """Runs whose times can be used, unfinished ones too."""
        return tuple(run for run in self.runs + self.unfinished if np.isfinite(run.evaluations.steps_per_second))


@dataclass(frozen=True)
class Group:
    """All arms on one task with one algorithm.

    Attributes:
        steps: evaluation points that all curves share, [E].
        window: evaluations in the final score.
        unit: one unit of normalised score; None where the study has no control.
        versions: the versions of each library in which the drawn runs differ; empty if they are alike.
        comparisons: of final scores and of areas.
        withheld: pairs that have scores and are not compared, because their runs used different versions.
        thresholds: over steps and over seconds.
        budgets: fixed times of training.
        notes: what was odd, one line each.
    """

    task: str
    algorithm: str
    steps: FloatArray
    window: int
    arms: tuple[ArmResult, ...]
    unit: Unit | None
    versions: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    withheld: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    thresholds: tuple[Threshold, ...] = ()
    budgets: tuple[Budget, ...] = ()

    @property
    def name(self) -> str:
        """The task and algorithm in words."""
        return f"{self.task} ({self.algorithm.upper()})"

    @property
    def heading(self) -> str:
        """The name, marked where the runs cannot be compared."""
        return f"{self.name}\ndifferent versions, not comparable" if self.versions else self.name


@dataclass(frozen=True)
class Profile:
    """Performance profile: share of runs above each level tau [T] of normalised score, with its band."""

    tau: FloatArray
    share: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class AggregateArm:
    """One arm over several tasks, in normalised scores; only arms that have runs in every stratum.

    Attributes:
        seeds: fewest runs in any stratum: it decides between interval and range, and on the coverage.
        runs: number of runs in all strata.
        iqm: interquartile mean of all final scores.
        mean: mean over strata of the mean over runs.
        median: median over strata of the mean over runs.
        optimality_gap: how far scores below the reference's (1) fall short of it, on average.
        area: interquartile mean of the areas under the curve.
        curve: IQM over environment steps.
        clock_curve: IQM over training seconds; None without usable times in some stratum.
        profile: share of runs above each final score.
    """

    arm: str
    seeds: int
    runs: int
    iqm: Estimate
    mean: Estimate
    median: Estimate
    optimality_gap: Estimate
    area: Estimate | None
    curve: Curve
    clock_curve: Curve | None
    profile: Profile


@dataclass(frozen=True)
class Aggregate:
    """Several tasks (and algorithms) together; scores are normalised: 0 untrained, 1 the reference.

    Attributes:
        reference: the arm whose final score is 1: the control or, where the study names none, its first arm.
        scope: the strata that have a unit and comparable versions.
        left_out: (task, algorithm) and why it is not in, a clause.
        arms: arms with runs in every stratum.
        absent: arms that lack runs in some stratum.
        improvement: every arm against every other.
        comparisons: the pairs that are tested, on final score and area.
    """

    reference: str
    scope: Scope
    left_out: tuple[tuple[str, str, str], ...]
    arms: tuple[AggregateArm, ...]
    absent: tuple[str, ...]
    improvement: ImprovementMatrix
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Machine:
    """Hardware and versions that runs record, and how many runs have exactly these."""

    hardware: Mapping[str, str]
    versions: Mapping[str, str]
    runs: int


@dataclass(frozen=True)
class Verdict:
    """One sentence, the further findings, and what limits them."""

    headline: str
    findings: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Analysis:
    """Everything that a page shows.

    Attributes:
        collection: what it was found in.
        groups: one for each task and algorithm with an evaluation.
        aggregates: one for each algorithm and, with several algorithms, one for all; none without any unit.
        controls: the control (or first arm) against itself: for each group, and each aggregate of several, where it has
            at least four runs.
        plans: seeds that a further study needs, one for each aggregate whose control has at least two runs everywhere.
        machines: most used first.
        replicates: bootstrap resamples behind every interval but the bands of curves (`CURVE_REPLICATES`).
        verdict: the answer in words.
    """

    collection: Collection
    groups: tuple[Group, ...]
    aggregates: tuple[Aggregate, ...]
    controls: tuple[AAControl, ...]
    plans: tuple[SeedPlan, ...]
    machines: tuple[Machine, ...]
    replicates: int
    verdict: Verdict
