"""Several tasks together, in normalised scores: what Agarwal et al. (2021) ask for, for each algorithm and for all.

Letters of axes: R runs of one stratum, N runs of all strata, E points of a curve, A arms.
"""

from collections.abc import Sequence

import numpy as np

from experiments.analysis.clock import CLOCK_POINTS, over_time, span, usable
from experiments.analysis.compare import Units
from experiments.analysis.comparison import Comparison, Curve, ImprovementMatrix, Scope
from experiments.analysis.groups import unit_of
from experiments.analysis.results import Aggregate, AggregateArm, ArmResult, Group, Profile
from experiments.analysis.versions import versions_text
from experiments.collect.plan import Study
from experiments.statistics import bootstrap as bs
from experiments.statistics import point_estimates as pe
from experiments.statistics.arrays import FloatArray
from experiments.statistics.intervals import band, coverage, estimate, estimate_of, percentile_interval, single_seeds

MOST_POINTS = 101
_LEVELS = 101


def reference(study: Study) -> str:
    """The arm whose final score is 1: the control or, where the study names none, its first arm."""
    return study.control or study.arms[0].name


def units_of(study: Study, groups: Sequence[Group]) -> Units:
    """The reference's unit of normalised score for each task and algorithm that there is."""
    return {
        (group.task, group.algorithm): unit_of(
            next((arm for arm in group.arms if arm.arm == reference(study)), None), group.task
        )
        for group in groups
    }


class Normalised:
    """The groups of a scope that have a unit and runs of comparable versions.

    Attributes:
        groups: those groups.
        left_out: (task, algorithm) of the others of the scope and why, a clause.
    """

    def __init__(self, groups: Sequence[Group], units: Units, scope: Scope) -> None:
        self._units = units
        self.groups: list[Group] = []
        self.left_out: list[tuple[str, str, str]] = []
        present = {(group.task, group.algorithm): group for group in groups}
        for place in scope.strata:
            problem = _problem(present.get(place), units)
            if problem is None:
                self.groups.append(present[place])
            else:
                self.left_out.append((*place, problem))
        self.scope = Scope(tuple((group.task, group.algorithm) for group in self.groups))

    def arms(self, name: str) -> list[ArmResult] | None:
        """The arm in every group; None where it has no scored run in some."""
        found = [arm for group in self.groups for arm in group.arms if arm.arm == name and arm.runs]
        return found if found and len(found) == len(self.groups) else None

    def values(self, returns: Sequence[FloatArray]) -> list[FloatArray]:
        """Returns, one array for each group, as normalised scores."""
        found = [self._units[group.task, group.algorithm] for group in self.groups]
        pairs = zip(found, returns, strict=True)
        return [unit.normalised(values) for unit, values in pairs if unit is not None]

    def steps(self) -> FloatArray:
        """Evaluation points that all groups share: theirs where they are the same, else evenly spread; 101 at most."""
        first, *others = [group.steps for group in self.groups]
        if all(np.array_equal(first, other) for other in others):
            return np.asarray(first[np.unique(np.linspace(0, first.size - 1, MOST_POINTS).astype(int))])
        start = max(float(group.steps[0]) for group in self.groups)
        return np.linspace(start, min(float(group.steps[-1]) for group in self.groups), MOST_POINTS)

    def curves(self, arms: Sequence[ArmResult], steps: FloatArray) -> list[FloatArray]:
        """Normalised curves of an arm at these steps, [R, E] for each group."""
        rows = [
            np.array([np.interp(steps, group.steps, curve) for curve in arm.curves])
            for group, arm in zip(self.groups, arms, strict=True)
        ]
        return self.values(rows)


def _problem(group: Group | None, units: Units) -> str | None:
    if group is None:
        return "it has no evaluation yet"
    if group.versions:
        return f"the runs used different versions ({versions_text(group.versions)})"
    unit = units.get((group.task, group.algorithm))
    return "it has no unit of normalised score" if unit is None else unit.problem


def aggregate(study: Study, inside: Normalised, comparisons: tuple[Comparison, ...]) -> Aggregate:
    """Everything about several tasks together; without a single unit there are no arms in it, only comparisons."""
    found = {arm.name: inside.arms(arm.name) for arm in study.arms}
    complete = {name: arms for name, arms in found.items() if arms}
    levels = _levels([inside.values([arm.finals for arm in arms]) for arms in complete.values()])
    return Aggregate(
        reference(study),
        inside.scope,
        tuple(inside.left_out),
        tuple(_arm(inside, name, arms, levels) for name, arms in complete.items()),
        tuple(name for name in found if name not in complete),
        _improvement(complete),
        comparisons,
    )


def _arm(inside: Normalised, name: str, arms: Sequence[ArmResult], levels: FloatArray) -> AggregateArm:
    drawn = _stacked(arms)
    finals = inside.values([arm.finals for arm in arms])
    steps = inside.steps()
    curves = pe.pooled(inside.curves(arms, steps))
    areas = pe.pooled(inside.values([arm.areas for arm in arms]))
    return AggregateArm(
        name,
        min(drawn.sizes),
        sum(drawn.sizes),
        iqm=estimate(pe.pooled(finals), drawn),
        mean=estimate_of(finals, drawn, pe.mean, bs.mean_replicates),
        median=estimate_of(finals, drawn, pe.median, bs.median_replicates),
        optimality_gap=estimate_of(finals, drawn, pe.optimality_gap, bs.optimality_gap_replicates),
        area=estimate(areas, drawn) if np.isfinite(areas).all() else None,
        curve=Curve(steps, pe.iqm(curves), *band(curves, drawn)),
        clock_curve=_clock_curve(inside, arms, drawn),
        profile=_profile(finals, levels, drawn),
    )


def _clock_curve(inside: Normalised, arms: Sequence[ArmResult], drawn: bs.Resamples) -> Curve | None:
    """IQM over seconds of training, as far as the runs of every task come; None where some lack their times."""
    if not all(usable(arm.runs) for arm in arms):
        return None
    spans = [span(arm.runs) for arm in arms]
    start, end = max(first for first, _ in spans), min(last for _, last in spans)
    if end <= start:
        return None
    seconds = np.linspace(start, end, CLOCK_POINTS)
    curves = pe.pooled(inside.values([over_time(arm.runs, seconds) for arm in arms]))
    return Curve(seconds, pe.iqm(curves), *band(curves, drawn))


def _levels(scores: Sequence[Sequence[FloatArray]]) -> FloatArray:
    """Levels of the profiles, the same for all arms: from 0, or the lowest score below it, to the highest score."""
    if not scores:
        return np.zeros(1)
    every = np.concatenate([pe.pooled(strata) for strata in scores])
    return np.linspace(min(0.0, float(every.min())), max(1.0, float(every.max())), _LEVELS)


def _profile(finals: Sequence[FloatArray], levels: FloatArray, drawn: bs.Resamples) -> Profile:
    share = pe.performance_profile(finals, levels)
    if coverage(min(drawn.sizes)) is None:
        alone = single_seeds(pe.pooled(finals), drawn.sizes, lambda rows: pe.performance_profile(rows, levels))
        return Profile(levels, share, alone.min(axis=0), alone.max(axis=0))
    return Profile(levels, share, *percentile_interval(bs.profile_replicates(finals, levels, drawn)))


def _improvement(arms: dict[str, list[ArmResult]]) -> ImprovementMatrix:
    names = tuple(arms)
    value = np.full((len(names), len(names)), 0.5)
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    for row, name in enumerate(names):
        for column in range(row):
            a, b = arms[name], arms[names[column]]
            scores = [arm.finals for arm in a], [arm.finals for arm in b]
            drawn = _stacked(a), _stacked(b)
            value[row, column] = pe.probability_of_improvement(*scores)
            value[column, row] = 1.0 - value[row, column]
            if coverage(min(*drawn[0].sizes, *drawn[1].sizes)) is not None:
                ends = percentile_interval(bs.improvement_replicates(*scores, *drawn))
                low[row, column], high[row, column] = ends
                low[column, row], high[column, row] = 1.0 - ends[1], 1.0 - ends[0]
    return ImprovementMatrix(names, value, low, high)


def _stacked(arms: Sequence[ArmResult]) -> bs.Resamples:
    return bs.stack([arm.resamples for arm in arms if arm.resamples is not None])
