"""From runs to numbers: for each task and algorithm the curves and scores of every arm, and the comparisons."""

import numpy as np

from experiments.analysis.compare import compare
from experiments.analysis.comparison import Curve
from experiments.analysis.margin import unit
from experiments.analysis.results import ArmResult, Group
from experiments.analysis.versions import differing
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.collect.plan import Study
from experiments.statistics import scores as st
from experiments.statistics.scores import FloatArray
from experiments.text import whole

_CLOCK_POINTS = 120


def aggregate(collection: Collection) -> tuple[Group, ...]:
    """One group for each task and algorithm with at least one evaluation, in the study's order."""
    study = collection.study
    groups = []
    for task in study.tasks:
        for algorithm in study.algorithms:
            runs = [run for run in collection.runs if (run.task, run.algorithm) == (task, algorithm)]
            if any(run.scored for run in runs):
                groups.append(_group(study, task, algorithm, runs))
    return compare(study, groups)


def _group(study: Study, task: str, algorithm: str, runs: list[Run]) -> Group:
    steps = _shared_steps(runs)
    arms = tuple(
        _arm(arm.name, [run for run in runs if run.arm == arm.name], steps, (task, algorithm)) for arm in study.arms
    )
    control = next((arm for arm in arms if arm.arm == study.control), None)
    return Group(
        task,
        algorithm,
        steps,
        st.final_window(steps.size),
        arms,
        unit=unit(control.arm, control.runs, control.final) if control else None,
        versions=differing([run for arm in arms for run in arm.runs + arm.unfinished]),
        comparisons=(),
        withheld=(),
        notes=tuple(_oddities(study, steps, runs)),
    )


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
        curve = Curve(steps, st.iqm(curves), *st.band(curves, st.generator(*place, name, "curve")))
        final = st.estimate(finals, st.generator(*place, name, "final"))
        area = st.estimate(areas, st.generator(*place, name, "area")) if steps.size > 1 else None
    return ArmResult(
        name,
        len(runs),
        tuple(reached),
        tuple(run for run in runs if run.scored and run not in reached),
        tuple(run for run in runs if not run.scored and run.state in ENDED_BADLY),
        curves,
        curve,
        _clock_curve(reached, st.generator(*place, name, "clock")),
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
