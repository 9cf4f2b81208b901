"""The control against itself, and how many seeds a further study needs."""

from collections.abc import Iterator, Sequence

from experiments.analysis.across import Normalised, reference
from experiments.analysis.comparison import ALPHA, AAControl, Curve, PlanRow, Scope, SeedPlan
from experiments.analysis.results import ArmResult, Group
from experiments.collect.plan import Study
from experiments.statistics import planning
from experiments.statistics.arrays import FloatArray, generator
from experiments.statistics.bootstrap import Resamples, draw, stack
from experiments.statistics.halves import SPLITS, in_turn, random_halves
from experiments.statistics.intervals import band, difference_interval
from experiments.statistics.point_estimates import iqm, pooled
from experiments.statistics.significance import rank_test

EFFECTS = (0.05, 0.1, 0.2)
POWER = 0.8


def controls(study: Study, groups: Sequence[Group], insides: Sequence[Normalised]) -> Iterator[AAControl]:
    """The control in two halves on each task with at least four of its runs, in return, and over each scope."""
    name = reference(study)
    for group in groups:
        arm = next((arm for arm in group.arms if arm.arm == name), None)
        if arm is not None and arm.finals.size >= 4 and not group.versions:
            scope = Scope(((group.task, group.algorithm),))
            yield _control(name, scope, group.steps, [arm.curves], [arm.finals])
    for inside in insides:
        arms = inside.arms(name)
        if len(inside.groups) > 1 and arms and min(arm.finals.size for arm in arms) >= 4:
            steps, finals = inside.steps(), inside.values([arm.finals for arm in arms])
            yield _control(name, inside.scope, steps, inside.curves(arms, steps), finals)


def _control(
    name: str, scope: Scope, steps: FloatArray, curves: Sequence[FloatArray], finals: Sequence[FloatArray]
) -> AAControl:
    place = [word for stratum in scope.strata for word in stratum]
    chosen = [in_turn(scores.size) for scores in finals]
    halves = [[scores[half[side]] for scores, half in zip(finals, chosen, strict=True)] for side in (0, 1)]
    drawn = [
        stack([draw(scores.size, generator(*stratum, name, f"half {side}"))
               for scores, stratum in zip(halves[side], scope.strata, strict=True)])
        for side in (0, 1)
    ]  # fmt: skip
    parts = [pooled([rows[half[side]] for rows, half in zip(curves, chosen, strict=True)]) for side in (0, 1)]
    luck = random_halves(finals, generator(*place, name, "halves"))
    return AAControl(
        name,
        scope,
        min(scores.size for scores in halves[0]),
        (_curve(steps, parts[0], drawn[0]), _curve(steps, parts[1], drawn[1])),
        float(iqm(pooled(halves[0])) - iqm(pooled(halves[1]))),
        difference_interval(pooled(halves[0]), pooled(halves[1]), drawn[0], drawn[1]),
        rank_test(halves[0], halves[1], generator(*place, name, "rank")).value,
        (luck.low, luck.high),
        SPLITS,
        luck.excluding_zero,
    )


def _curve(steps: FloatArray, curves: FloatArray, drawn: Resamples) -> Curve:
    return Curve(steps, iqm(curves), *band(curves, drawn))


def plans(study: Study, insides: Sequence[Normalised]) -> Iterator[SeedPlan]:
    """Seeds that a further study needs, for each scope where the control has at least two runs everywhere."""
    name = reference(study)
    for inside in insides:
        arms = inside.arms(name)
        if arms and min(arm.finals.size for arm in arms) >= 2:
            yield _plan(name, inside.scope, arms, inside.values([arm.finals for arm in arms]))


def _plan(name: str, scope: Scope, arms: Sequence[ArmResult], finals: Sequence[FloatArray]) -> SeedPlan:
    seeds, strata = min(arm.finals.size for arm in arms), len(finals)
    rows = []
    for effect in EFFECTS:
        improvement = planning.shifted_improvement(finals, effect)
        now = planning.power(improvement, seeds, strata, ALPHA)
        rows.append(PlanRow(effect, now, planning.seeds_needed(improvement, strata, POWER, ALPHA)))
    return SeedPlan(
        scope,
        name,
        seeds,
        planning.spread(finals),
        ALPHA,
        POWER,
        planning.MOST_SEEDS,
        f"{planning.METHOD}; one comparison, not corrected for others",
        tuple(rows),
    )
