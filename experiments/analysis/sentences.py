"""What one comparison shows, as a sentence that is right for its evidence."""

from collections.abc import Sequence

import numpy as np

from experiments.analysis.comparison import Comparison, Scope
from experiments.analysis.results import ArmResult, Fate, Group, Threshold
from experiments.text import joined, number, p_text

_FATES: dict[Fate, str] = {
    "diverged": "diverged",
    "failed": "failed",
    "collapsed": "collapsed",
    "stuck": "got stuck",
}


def sentence(final: Comparison, area: Comparison | None, groups: Sequence[Group]) -> str:
    """The answer for one pair of arms in one place: end of training first, then the way there, then what went wrong."""
    parts = [_end(final), _way(final, area), _reached(final, groups), _fates(final, groups)]
    return f"{'; '.join(part for part in parts if part)}."


def evidence(c: Comparison) -> str:
    """The numbers behind a comparison of final scores."""
    kind = "final score" if len(c.scope.strata) == 1 else "normalised final score"
    scores = f"{kind} {number(c.value_a)} against {number(c.value_b)}, " if np.isfinite(c.value_a) else ""
    corrected = f" after correction for {c.family} comparisons" if c.family > 1 else ""
    return f"{scores}{_chance(c)}, {_p_value(c)}{corrected}"


def _end(c: Comparison) -> str:
    where = f"on {c.scope.name}"
    if c.established:
        return f"{c.a} is {_better(c)} than {c.b} {where}: {evidence(c)}"
    if c.equivalent and c.margin is not None:
        return f"{c.a} and {c.b} differ by less than the margin of {number(c.margin)} {where}: {evidence(c)}"
    if not c.decidable:
        return f"{c.a} against {c.b} {where} cannot be decided with so few seeds: {evidence(c)}"
    return f"a difference between {c.a} and {c.b} is not established {where}: {evidence(c)}"


def _way(final: Comparison, area: Comparison | None) -> str:
    """Area under the curve, in relation to the end."""
    if area is None:
        return ""
    # Its p value is corrected together with the one of the end, where that is said.
    numbers = f"(probability of improvement {area.improvement:.2f}, {_p_value(area)})"
    if not area.established:
        open_end = not final.established and not final.equivalent
        start = "nor is it" if open_end else "no difference is established"
        return f"{start} on area under the curve {numbers}"
    same = final.established and (final.improvement > 0.5) == (area.improvement > 0.5)
    link = "and" if same else "but"
    return f"{link} {area.a} is {_better(area)} on area under the curve {numbers}"


def _better(c: Comparison) -> str:
    return "better" if c.improvement > 0.5 else "worse"


def _chance(c: Comparison) -> str:
    text = f"probability of improvement {c.improvement:.2f}"
    if c.improvement_interval is None:
        return text
    low, high = c.improvement_interval
    return f"{text} ({low:.2f} to {high:.2f})"


def _p_value(c: Comparison) -> str:
    return f"p = {p_text(c.corrected)}".replace("p = below", "p below")


def _reached(c: Comparison, groups: Sequence[Group]) -> str:
    """The study's first threshold, where the place is one task: who reaches it, runs that never do included."""
    inside = _groups(c.scope, groups)
    named = [found for group in inside for found in own_thresholds(group)]
    return threshold_text(named[0], c.a, c.b) if len(inside) == 1 and named else ""


def own_thresholds(group: Group) -> list[Threshold]:
    """The thresholds that the study names itself, over steps."""
    return [found for found in group.thresholds if (found.origin, found.axis) == ("study", "steps")]


def threshold_text(found: Threshold, a: str, b: str) -> str:
    """How many runs of two arms reach a return, and whether one is faster."""
    reaches = {reach.arm: reach for reach in found.arms}
    if not {a, b} <= set(reaches):
        return ""
    shares = [f"{reaches[arm].share.count} of {reaches[arm].share.of} runs of {arm}" for arm in (a, b)]
    test = next((test.p_value for test in found.tests if (test.a, test.b) == (a, b)), float("nan"))
    if not np.isfinite(test):
        return f"{joined(shares)} reach {number(found.level)}"
    return f"{joined(shares)} reach {number(found.level)} (log-rank p = {p_text(test)}, exploratory)".replace(
        "p = below", "p below"
    )


def _fates(c: Comparison, groups: Sequence[Group]) -> str:
    """Runs of the two arms that went wrong: the interquartile mean hides one in four of them."""
    arms = [arm for group in _groups(c.scope, groups) for arm in group.arms if arm.arm in (c.a, c.b)]
    words = [word for fate, word in _FATES.items() if any(arm.fated.get(fate) for arm in arms)]
    if not words:
        return ""
    counts = []
    for name in (c.a, c.b):
        mine = [arm for arm in arms if arm.arm == name]
        counts.append(f"{sum(map(went_wrong, mine))} of {sum(_ended(arm) for arm in mine)} runs of {name}")
    return f"{joined(counts)} {_or(words)}"


def went_wrong(arm: ArmResult) -> int:
    """Runs of an arm with any bad fate, each counted once."""
    return len({id(run) for runs in arm.fated.values() for run in runs})


def _ended(arm: ArmResult) -> int:
    return len(arm.runs) + len(arm.lost)


def _or(words: Sequence[str]) -> str:
    return joined(words).replace(" and ", " or ")


def _groups(scope: Scope, groups: Sequence[Group]) -> list[Group]:
    return [group for group in groups if (group.task, group.algorithm) in scope.strata]
