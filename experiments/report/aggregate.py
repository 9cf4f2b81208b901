"""From runs to numbers: for each task and algorithm the curves and scores of every arm, and the comparisons."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from experiments.report import statistics as st
from experiments.report.collect import ENDED_BADLY, Collection, Run
from experiments.report.statistics import Estimate, FloatArray
from experiments.report.study import Study
from experiments.report.text import whole

ALPHA = 0.05
_CLOCK_POINTS = 120


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
        family: number of comparisons that the Holm correction covers here.
        interval: 95 % bootstrap interval of the difference of IQMs; None below five seeds.
        margin: largest difference that counts as equal, in return; None where the study or its control gives none.
        smallest: smallest p value that so many seeds can reach, before correction.
    """

    task: str
    algorithm: str
    a: str
    b: str
    primary: bool
    final_a: Estimate
    final_b: Estimate
    interval: tuple[float, float] | None
    improvement: float
    p_value: float
    smallest: float
    family: int
    corrected: float
    margin: float | None

    @property
    def difference(self) -> float:
        """IQM of a minus IQM of b."""
        return self.final_a.value - self.final_b.value

    @property
    def decidable(self) -> bool:
        """Whether any outcome of so many seeds could have fallen below the level after correction."""
        return min(1.0, self.smallest * self.family) <= ALPHA

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


@dataclass(frozen=True)
class Group:
    """All arms on one task with one algorithm; `steps` [E] are the evaluation points that all curves share."""

    task: str
    algorithm: str
    steps: FloatArray
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    @property
    def window(self) -> int:
        """Evaluations in the final score."""
        return st.final_window(self.steps.size)

    @property
    def name(self) -> str:
        """The task and algorithm in words."""
        return f"{self.task} ({self.algorithm.upper()})"


def aggregate(collection: Collection) -> tuple[Group, ...]:
    """One group for each task and algorithm with at least one evaluation, in the study's order."""
    study = collection.study
    groups = []
    for task in study.tasks:
        for algorithm in study.algorithms:
            runs = [run for run in collection.runs if (run.task, run.algorithm) == (task, algorithm)]
            if any(run.scored for run in runs):
                groups.append(_group(study, task, algorithm, runs))
    return tuple(groups)


def pairs(study: Study) -> tuple[tuple[str, str], ...]:
    """The study's primary pairs or, where it names none, each arm against its control."""
    if study.primary or study.control is None:
        return study.primary
    return tuple((arm.name, study.control) for arm in study.arms if arm.name != study.control)


def _generator(*names: str) -> np.random.Generator:
    # Keyed by name, so adding an arm or a task to a study changes no other arm's interval.
    return np.random.default_rng([crc32(name.encode()) for name in names])


def _group(study: Study, task: str, algorithm: str, runs: list[Run]) -> Group:
    steps = _shared_steps(runs)
    arms = tuple(
        _arm(arm.name, [run for run in runs if run.arm == arm.name], steps, (task, algorithm)) for arm in study.arms
    )
    comparisons = _compare(study, task, algorithm, {arm.arm: arm for arm in arms})
    return Group(task, algorithm, steps, arms, comparisons, tuple(_oddities(study, steps, runs)))


def _shared_steps(runs: list[Run]) -> FloatArray:
    """Evaluation points up to where scores can be compared.

    That is the end of the runs that are done. While none is, it is as far as every run that still trains has come.
    """
    scored = [run for run in runs if run.scored]
    done = [run for run in scored if run.state == "done"]
    training = [run for run in scored if not run.ended]
    if done or not training:
        longest = max(done or scored, key=lambda run: float(run.evaluations.steps[-1]))
    else:
        longest = min(training, key=lambda run: float(run.evaluations.steps[-1]))
    return longest.evaluations.steps


def _arm(name: str, runs: list[Run], steps: FloatArray, place: tuple[str, str]) -> ArmResult:
    reached = [run for run in runs if run.scored and (run.ended or run.evaluations.steps[-1] >= steps[-1])]
    # np.interp keeps the last value beyond a run's end: a run that ended badly is carried forward.
    rows = [np.interp(steps, run.evaluations.steps, st.carry_forward(run.evaluations.returns)) for run in reached]
    curves = np.array(rows).reshape(len(rows), steps.size)
    finals, areas = st.final_scores(curves), st.area_under_curve(steps, curves)
    curve = final = area = None
    if reached:
        curve = Curve(steps, st.iqm(curves), *st.band(curves, _generator(*place, name, "curve")))
        final = st.estimate(finals, _generator(*place, name, "final"))
        area = st.estimate(areas, _generator(*place, name, "area")) if steps.size > 1 else None
    return ArmResult(
        name,
        len(runs),
        tuple(reached),
        tuple(run for run in runs if run.scored and run not in reached),
        tuple(run for run in runs if not run.scored and run.state in ENDED_BADLY),
        curves,
        curve,
        _clock_curve(reached, _generator(*place, name, "clock")),
        finals,
        areas,
        final,
        area,
    )


def _clock_curve(runs: list[Run], rng: np.random.Generator) -> Curve | None:
    """IQM of the returns over training seconds, up to where the first run ends: beyond it the seeds would change."""
    timed = [run for run in runs if run.evaluations.clock_usable]
    if not timed:
        return None
    lasting = [run for run in timed if run.state not in ENDED_BADLY] or timed
    end = min(float(run.evaluations.training_seconds[-1]) for run in lasting)
    start = max(float(run.evaluations.training_seconds[0]) for run in timed)
    if end <= start:
        return None
    seconds = np.linspace(start, end, _CLOCK_POINTS)
    rows = [
        np.interp(seconds, run.evaluations.training_seconds, st.carry_forward(run.evaluations.returns)) for run in timed
    ]
    curves = np.array(rows)
    return Curve(seconds, st.iqm(curves), *st.band(curves, rng))


def _compare(study: Study, task: str, algorithm: str, arms: dict[str, ArmResult]) -> tuple[Comparison, ...]:
    asked = [(arms[a], arms[b]) for a, b in pairs(study) if arms[a].final and arms[b].final]
    p_values = np.array([st.permutation_p_value(a.finals, b.finals) for a, b in asked])
    # The family is what was asked for, not what happens to have runs yet: a missing comparison counts as p = 1.
    corrected = st.holm(np.concatenate([p_values, np.ones(len(pairs(study)) - p_values.size)]))
    control = arms[study.control].final if study.control else None
    margin = abs(control.value) * study.margin if control and study.margin else None
    found = []
    for (a, b), p_value, corrected_p in zip(asked, p_values, corrected, strict=False):
        if a.final and b.final:
            found.append(
                Comparison(
                    task,
                    algorithm,
                    a.arm,
                    b.arm,
                    primary=bool(study.primary),
                    final_a=a.final,
                    final_b=b.final,
                    interval=st.difference_interval(a.finals, b.finals, _generator(task, algorithm, a.arm, b.arm)),
                    improvement=st.probability_of_improvement(a.finals, b.finals),
                    p_value=float(p_value),
                    smallest=st.smallest_p_value(a.finals.size, b.finals.size),
                    family=len(pairs(study)),
                    corrected=float(corrected_p),
                    margin=margin,
                )
            )
    return tuple(found)


def _oddities(study: Study, steps: FloatArray, runs: list[Run]) -> list[str]:
    """Notes about runs whose evaluations are not simply the study's, one line each."""
    end = float(steps[-1])
    notes = []
    if end < study.steps:
        notes.append(
            f"{runs[0].task}, {runs[0].algorithm}: compared at step {whole(end)}, the study plans {whole(study.steps)}"
        )
    for run in runs:
        if not run.scored:
            continue
        last = float(run.evaluations.steps[-1])
        if run.state in ENDED_BADLY:
            notes.append(
                f"{run.label}: {run.state}; its last finite evaluation is carried forward to step {whole(end)}"
            )
        elif run.ended and last < end:
            notes.append(
                f"{run.label}: done, but its evaluations end at step {whole(last)}; the last one is carried on"
            )
        elif not run.ended:
            used = "its evaluations so far are used" if last >= end else "drawn as a faint line, not in the numbers"
            notes.append(f"{run.label}: {run.state} at step {whole(last)} of {whole(study.steps)}; {used}")
        if not np.isin(run.evaluations.steps[run.evaluations.steps <= end], steps).all():
            notes.append(f"{run.label}: evaluated at other steps than the longest run; interpolated linearly")
    return notes
