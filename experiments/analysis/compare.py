"""Comparisons of arms over a whole study: one family, one correction."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from experiments.analysis.comparison import Comparison, Scope
from experiments.analysis.results import ArmResult, Group
from experiments.analysis.versions import differing
from experiments.collect.plan import Study
from experiments.statistics import scores as st


def pairs(study: Study) -> tuple[tuple[str, str], ...]:
    """The study's primary pairs or, where it names none, each arm against its control."""
    if study.primary or study.control is None:
        return study.primary
    return tuple((arm.name, study.control) for arm in study.arms if arm.name != study.control)


def family_size(study: Study) -> int:
    """Number of comparisons that the study asks for: every pair on every task with every algorithm.

    The page counts outcomes over all of them, so all of them are one family.
    """
    return len(pairs(study)) * len(study.tasks) * len(study.algorithms)


def compare(study: Study, groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups with their comparisons, Holm-corrected over the family of the whole study."""
    asked = [(group, a, b) for group in groups for a, b in _scored_pairs(study, group)]
    made = [(group, a, b) for group, a, b in asked if not differing(a.runs + b.runs)]
    withheld = [(group, (a.arm, b.arm)) for group, a, b in asked if differing(a.runs + b.runs)]
    p_values = np.array([st.permutation_p_value(a.finals, b.finals) for _, a, b in made])
    smallest = np.array([st.smallest_p_value(a.finals.size, b.finals.size) for _, a, b in made])
    # The family is what was asked for, not what happens to have runs yet: a missing comparison counts as p = 1.
    missing = np.ones(family_size(study) - len(made))
    corrected = st.holm(np.concatenate([p_values, missing]))
    reachable = st.holm(np.concatenate([smallest, missing]))
    comparisons = [
        (group, _comparison(study, group, (a, b), numbers))
        for (group, a, b), numbers in zip(
            made, zip(p_values, smallest, corrected, reachable, strict=False), strict=True
        )
    ]
    return tuple(
        replace(
            group,
            comparisons=tuple(comparison for place, comparison in comparisons if place is group),
            withheld=tuple(pair for place, pair in withheld if place is group),
        )
        for group in groups
    )


def _scored_pairs(study: Study, group: Group) -> list[tuple[ArmResult, ArmResult]]:
    arms = {arm.arm: arm for arm in group.arms}
    return [(arms[a], arms[b]) for a, b in pairs(study) if arms[a].final and arms[b].final]


def _comparison(
    study: Study, group: Group, arms: tuple[ArmResult, ArmResult], numbers: tuple[float, float, float, float]
) -> Comparison:
    a, b = arms
    p_value, smallest, corrected, reachable = numbers
    return Comparison(
        Scope(((group.task, group.algorithm),)),
        "final",
        a.arm,
        b.arm,
        primary=bool(study.primary),
        value_a=float(st.iqm(a.finals)),
        value_b=float(st.iqm(b.finals)),
        interval=st.difference_interval(a.finals, b.finals, st.generator(group.task, group.algorithm, a.arm, b.arm)),
        improvement=st.probability_of_improvement(a.finals, b.finals),
        improvement_interval=None,
        p_value=float(p_value),
        exact=True,
        smallest=float(smallest),
        family=family_size(study),
        corrected=float(corrected),
        reachable=float(reachable),
        margin=_margin(study, group, arms),
        means=None,
    )


def _margin(study: Study, group: Group, arms: tuple[ArmResult, ArmResult]) -> float | None:
    """The study's margin in return, for two arms that can be compared."""
    if study.margin is None or group.unit is None or group.unit.size is None:
        return None
    control = next(arm for arm in group.arms if arm.arm == group.unit.control)
    if differing(control.runs + arms[0].runs + arms[1].runs):
        return None
    return study.margin * group.unit.size
