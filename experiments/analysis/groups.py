"""From runs to numbers: for each task and algorithm the curves and scores of every arm."""

from dataclasses import replace

import numpy as np

from experiments.analysis.clock import budgets, clock_curve, throughput
from experiments.analysis.comparison import Curve
from experiments.analysis.fates import with_fates
from experiments.analysis.margin import Unit, unit
from experiments.analysis.results import ArmResult, Group, Peak
from experiments.analysis.thresholds import thresholds
from experiments.analysis.versions import differing
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.collect.plan import Study
from experiments.statistics import scores as st
from experiments.statistics.arrays import FloatArray, generator
from experiments.statistics.bootstrap import Resamples, draw
from experiments.statistics.intervals import Estimate, band, estimate
from experiments.statistics.point_estimates import iqm
from experiments.text import whole


def groups_of(collection: Collection) -> list[Group]:
    """One group for each task and algorithm with an evaluation, in the study's order; nothing is compared yet."""
    study = collection.study
    runs: dict[tuple[str, str], list[Run]] = {}
    for run in collection.runs:
        runs.setdefault((run.task, run.algorithm), []).append(run)
    places = [(task, algorithm) for task in study.tasks for algorithm in study.algorithms]
    return [_group(study, place, runs[place]) for place in places if any(run.scored for run in runs.get(place, ()))]


def unit_of(arm: ArmResult | None, task: str) -> Unit | None:
    """The unit of normalised score that an arm gives; None without the arm."""
    return None if arm is None else unit(arm.arm, task, arm.runs, arm.final)


def _group(study: Study, place: tuple[str, str], runs: list[Run]) -> Group:
    steps = _shared_steps(runs)
    window = st.final_window(steps.size, study.final_evaluations)
    of_arm: dict[str, list[Run]] = {arm.name: [] for arm in study.arms}
    for run in runs:
        of_arm[run.arm].append(run)
    arms = tuple(_arm(study, place, name, of_arm[name], steps) for name in of_arm)
    control = next((arm for arm in arms if arm.arm == study.control), None)
    found = unit_of(control, place[0])
    group = Group(
        *place,
        steps,
        window,
        with_fates(arms, found),
        unit=found,
        versions=differing([run for arm in arms for run in arm.runs + arm.unfinished]),
        comparisons=(),
        withheld=(),
        notes=tuple(_oddities(study, steps, runs)),
    )
    return replace(group, thresholds=thresholds(study, group), budgets=budgets(study, group))


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


def _arm(study: Study, place: tuple[str, str], name: str, runs: list[Run], steps: FloatArray) -> ArmResult:
    reached = [run for run in runs if run.scored and (run.ended or run.evaluations.steps[-1] >= steps[-1])]
    # np.interp keeps the last value beyond a run's end: a run that ended badly is carried forward.
    rows = [np.interp(steps, run.evaluations.steps, st.carry_forward(run.evaluations.returns)) for run in reached]
    curves = np.array(rows).reshape(len(rows), steps.size)
    finals = st.final_scores(curves, st.final_window(steps.size, study.final_evaluations))
    arm = ArmResult(
        name,
        len(runs),
        tuple(reached),
        tuple(run for run in runs if run.scored and run not in reached),
        tuple(run for run in runs if not run.scored and run.state in ENDED_BADLY),
        curves,
        None,
        None,
        finals,
        st.area_under_curve(steps, curves),
        None,
        None,
    )
    arm = replace(arm, throughput=throughput(study, place[1], arm))
    return _summarised(arm, steps, draw(len(reached), generator(*place, name))) if reached else arm


def _summarised(arm: ArmResult, steps: FloatArray, resamples: Resamples) -> ArmResult:
    """The arm with what its scored runs give, all of it from the same resamples."""
    area: Estimate | None = estimate(arm.areas, resamples) if steps.size > 1 else None
    return replace(
        arm,
        curve=Curve(steps, iqm(arm.curves), *band(arm.curves, resamples)),
        clock_curve=clock_curve(arm.runs, resamples),
        final=estimate(arm.finals, resamples),
        area=area,
        peak=Peak(*st.peak_of_mean(steps, arm.curves)),
        resamples=resamples,
    )


def _oddities(study: Study, steps: FloatArray, runs: list[Run]) -> list[str]:
    """Notes about runs whose evaluations are not simply the study's, one line each."""
    end = float(steps[-1])
    notes = []
    if end < study.steps and not study.inferred:
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
