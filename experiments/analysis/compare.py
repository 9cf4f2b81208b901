"""Comparisons of arms over a whole study, and the corrections for how many they are.

The study's question is answered on all of its tasks together (`pairs.scopes`), once for the final score and once for
the area under the curve. The pairs that it names in advance are corrected by Holm there; all else is exploratory and
corrected by Benjamini and Hochberg: other pairs, and each task by itself where there are several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from experiments.analysis.comparison import ALPHA, Comparison, MeanTests, Scope, Score
from experiments.analysis.margin import Unit
from experiments.analysis.pairs import pairs, scopes, single_tasks
from experiments.analysis.results import ArmResult, Group
from experiments.analysis.versions import differing
from experiments.collect.plan import Study
from experiments.statistics import significance as sg
from experiments.statistics.arrays import FloatArray, generator
from experiments.statistics.bootstrap import Resamples, stack
from experiments.statistics.intervals import FEWEST_SEEDS, difference_interval, improvement_interval
from experiments.statistics.multiplicity import benjamini_hochberg, holm
from experiments.statistics.point_estimates import iqm, pooled, probability_of_improvement

Units = Mapping[tuple[str, str], Unit | None]
SCORES: tuple[Score, ...] = ("final", "area")


@dataclass(frozen=True)
class _Stratum:
    """Two arms on one task with one algorithm."""

    group: Group
    a: ArmResult
    b: ArmResult

    @property
    def place(self) -> tuple[str, str]:
        return self.group.task, self.group.algorithm


def family_size(study: Study, where: Sequence[Scope]) -> int:
    """Comparisons that a correction covers: every pair in every place, on both scores, whether it has runs or not."""
    return len(pairs(study)) * len(where) * len(SCORES)


def compare(study: Study, groups: Sequence[Group], units: Units) -> dict[Scope, tuple[Comparison, ...]]:
    """All comparisons, corrected, by the planned scope that they answer for.

    Args:
        study: the plan.
        groups: what there is.
        units: of normalised score, for values and margins over several tasks.
    """
    answered = _corrected(study, groups, units, scopes(study), primary=bool(study.primary))
    return answered | _corrected(study, groups, units, single_tasks(study), primary=False)


def withheld(study: Study, group: Group) -> tuple[tuple[str, str], ...]:
    """Pairs that have scores on this task and are not compared, because their runs used different versions."""
    found = [_stratum(group, pair) for pair in pairs(study)]
    return tuple((s.a.arm, s.b.arm) for s in found if s is not None and differing(s.a.runs + s.b.runs))


def _corrected(
    study: Study, groups: Sequence[Group], units: Units, where: Sequence[Scope], *, primary: bool
) -> dict[Scope, tuple[Comparison, ...]]:
    made = [
        (scope, comparison)
        for scope in where
        for pair in pairs(study)
        for comparison in _compared(study, _strata(groups, scope, pair), units)
    ]
    family = family_size(study, where)
    # The family is what was asked for, not what happens to have runs yet: a missing comparison counts as p = 1.
    missing = np.ones(family - len(made))
    correct = holm if primary else benjamini_hochberg
    corrected = correct(np.concatenate([[c.p_value for _, c in made], missing]))
    reachable = correct(np.concatenate([[c.smallest for _, c in made], missing]))
    found: dict[Scope, tuple[Comparison, ...]] = dict.fromkeys(where, ())
    for index, (scope, comparison) in enumerate(made):
        found[scope] += (
            replace(
                comparison,
                primary=primary,
                family=family,
                corrected=float(corrected[index]),
                reachable=float(reachable[index]),
            ),
        )
    return found


def _strata(groups: Sequence[Group], scope: Scope, pair: tuple[str, str]) -> list[_Stratum]:
    """Where in a scope both arms have scores and used the same versions."""
    inside = [_stratum(group, pair) for group in groups if (group.task, group.algorithm) in scope.strata]
    return [s for s in inside if s is not None and not differing(s.a.runs + s.b.runs)]


def _stratum(group: Group, pair: tuple[str, str]) -> _Stratum | None:
    arms = {arm.arm: arm for arm in group.arms}
    a, b = arms[pair[0]], arms[pair[1]]
    return _Stratum(group, a, b) if a.final and b.final else None


def _compared(study: Study, strata: Sequence[_Stratum], units: Units) -> list[Comparison]:
    if not strata:
        return []
    measured: list[Score] = ["final"]
    if all(s.a.area and s.b.area for s in strata):
        measured.append("area")
    return [_comparison(study, strata, units, score) for score in measured]


def _comparison(study: Study, strata: Sequence[_Stratum], units: Units, score: Score) -> Comparison:
    scope = Scope(tuple(s.place for s in strata))
    a, b = _scores([s.a for s in strata], score), _scores([s.b for s in strata], score)
    names = (strata[0].a.arm, strata[0].b.arm)
    shown = (a, b) if len(strata) == 1 else (_normalised(a, scope, units), _normalised(b, scope, units))
    values = pooled(shown[0]), pooled(shown[1])
    drawn = _stacked([s.a for s in strata]), _stacked([s.b for s in strata])
    known = bool(np.isfinite(values[0]).all() and np.isfinite(values[1]).all())
    found = sg.rank_test(a, b, generator(*(name for place in scope.strata for name in place), *names, score))
    smallest = sg.smallest_p_value([(one.size, other.size) for one, other in zip(a, b, strict=True)])
    return Comparison(
        scope,
        score,
        *names,
        primary=False,
        value_a=float(iqm(values[0])),
        value_b=float(iqm(values[1])),
        interval=difference_interval(*values, *drawn) if known else None,
        improvement=probability_of_improvement(a, b),
        improvement_interval=improvement_interval(a, b, *drawn),
        p_value=found.value,
        exact=found.exact,
        smallest=smallest if found.exact else max(smallest, 2 / (sg.RANDOM_SPLITS + 1)),
        family=1,
        corrected=found.value,
        reachable=smallest,
        margin=None if _tasks_differ(a, b) else _margin(study, strata, units),
        means=_mean_tests(a[0], b[0]) if len(strata) == 1 else None,
    )


def _tasks_differ(a: Sequence[FloatArray], b: Sequence[FloatArray]) -> bool:
    """Whether one of several strata differs by itself: gains and losses that cancel out are no equality."""
    alone = [sg.rank_test([one], [other], generator("alone")) for one, other in zip(a, b, strict=True)]
    return len(alone) > 1 and min(found.value for found in alone) <= ALPHA


def _scores(arms: Sequence[ArmResult], score: Score) -> list[FloatArray]:
    return [arm.finals if score == "final" else arm.areas for arm in arms]


def _normalised(scores: Sequence[FloatArray], scope: Scope, units: Units) -> list[FloatArray]:
    found = [units.get(place) for place in scope.strata]
    return [
        values * np.nan if unit is None else unit.normalised(values) for values, unit in zip(scores, found, strict=True)
    ]


def _stacked(arms: Sequence[ArmResult]) -> Resamples:
    return stack([arm.resamples for arm in arms if arm.resamples is not None])


def _mean_tests(a: FloatArray, b: FloatArray) -> MeanTests:
    p_value, interval = sg.welch(a, b)
    permuted = sg.permutation_test(a, b, _ways(a.size, b.size))
    enough = min(a.size, b.size) >= FEWEST_SEEDS and np.isfinite(interval[0])
    return MeanTests(float(a.mean() - b.mean()), interval if enough else None, p_value, permuted.value, permuted.exact)


@lru_cache(maxsize=32)
def _ways(runs_a: int, runs_b: int) -> sg.Splits:
    # The splits depend on nothing but the sizes, so all comparisons of a study share them.
    return sg.splits(runs_a, runs_b, generator("splits", str(runs_a), str(runs_b)))


def _margin(study: Study, strata: Sequence[_Stratum], units: Units) -> float | None:
    """The study's margin for arms that can be compared with the control: in return on one task, else normalised."""
    if study.margin is None or study.control is None:
        return None
    sizes = []
    for s in strata:
        unit = units.get(s.place)
        control = next(arm for arm in s.group.arms if arm.arm == study.control)
        if unit is None or unit.size is None or differing(control.runs + s.a.runs + s.b.runs):
            return None
        sizes.append(unit.size)
    return study.margin * (sizes[0] if len(sizes) == 1 else 1.0)
