"""The answer in words: one sentence first, then what carries it and what weakens it. No stronger than the evidence."""

from collections import Counter
from collections.abc import Sequence

from experiments.analysis.comparison import AAControl, Comparison, Outcome, Scope
from experiments.analysis.lead import lead
from experiments.analysis.limits import limits
from experiments.analysis.pairs import pairs, scopes, single_tasks
from experiments.analysis.results import Group, Verdict
from experiments.analysis.sentences import evidence, own_thresholds, sentence, threshold_text
from experiments.collect.collection import Collection
from experiments.collect.plan import Study
from experiments.text import count, joined, p_text, seeds_text

_MOST_CLAUSES = 8
_OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "equal within the margin", "not established")
Found = dict[Scope, tuple[Comparison, ...]]


def judge(collection: Collection, groups: Sequence[Group], found: Found, controls: Sequence[AAControl] = ()) -> Verdict:
    """Say what the study shows.

    Args:
        collection: the runs.
        groups: what they show on each task with each algorithm.
        found: every comparison, by the planned place that it answers for (`compare.compare`).
        controls: the control against itself.
    """
    study = collection.study
    places = scopes(study)
    asked = [comparison for scope in places for comparison in found.get(scope, ())]
    findings: list[str] = []
    if not any(arm.final for group in groups for arm in group.arms):
        headline = "No run has ended yet, and none can be scored: the curves below show how far each has come."
    elif not asked:
        headline = lead(groups)
    elif not any(comparison.decidable for comparison in asked):
        headline = _cannot(asked, groups)
        findings = [lead(groups), *(_primary_sentences(study, found, groups) if study.primary else [])]
    else:
        said = _primary_sentences(study, found, groups)
        headline, findings = said[0], said[1 : 1 + _MOST_CLAUSES]
        if not study.primary:
            headline = f"Exploratory: {_none(study, found) or headline}"
        if len(said) > 1 + _MOST_CLAUSES:
            findings.append(f"{len(said) - 1 - _MOST_CLAUSES} further answers are in the table of comparisons.")
        findings += [*_by_task(study, found), *_speeds(study, groups), lead(groups)]
    weak = limits(collection, groups, asked, controls)
    return Verdict(_capital(headline), tuple(map(_capital, findings)), tuple(weak))


def _capital(text: str) -> str:
    """A sentence that begins with a capital letter, unless it begins with the name of an arm."""
    return f"A{text[1:]}" if text.startswith("a difference ") else text


def _cannot(asked: Sequence[Comparison], groups: Sequence[Group]) -> str:
    best = min(asked, key=lambda comparison: (comparison.reachable, comparison.smallest))
    seeds = seeds_text([arm.finals.size for group in groups for arm in group.arms if arm.finals.size])
    text = f"{seeds} cannot establish a difference: the smallest p value they can reach is {p_text(best.smallest)}"
    if best.family > 1:
        text += f" ({p_text(best.reachable)} after correction for {best.family} comparisons)"
    return f"{text}."


def _primary_sentences(study: Study, found: Found, groups: Sequence[Group]) -> list[str]:
    """One sentence for each pair and place: all tasks and algorithms together first, for the first pair first."""
    widest, *others = reversed(scopes(study))
    ordered = _order(study, found.get(widest, ()))
    said = [_said(found[widest], pair, groups) for pair in ordered]
    for scope in reversed(others):
        said += [_said(found[scope], pair, groups) for pair in _order(study, found.get(scope, ()))]
    return said


def _order(study: Study, comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Primary pairs as the study lists them; exploratory ones by how surely they differ at the end of training."""
    finals = {(c.a, c.b): c for c in comparisons if c.score == "final"}
    asked = [pair for pair in pairs(study) if pair in finals]
    if study.primary:
        return asked
    return sorted(asked, key=lambda pair: (finals[pair].corrected, finals[pair].p_value))


def _said(comparisons: Sequence[Comparison], pair: tuple[str, str], groups: Sequence[Group]) -> str:
    mine = {c.score: c for c in comparisons if (c.a, c.b) == pair}
    return sentence(mine["final"], mine.get("area"), groups)


def _none(study: Study, found: Found) -> str | None:
    """The sentence for many exploratory pairs of which none differs; None where one does or there is only one."""
    widest = scopes(study)[-1]
    finals = [c for c in found.get(widest, ()) if c.score == "final"]
    asked = [c for scope in scopes(study) for c in found.get(scope, ())]
    if len(finals) < 2 or any(c.established or c.equivalent for c in asked):
        return None
    closest = min(finals, key=lambda c: (c.corrected, c.p_value))
    return (
        f"a difference is not established for any of {len(finals)} pairs of arms on {closest.scope.name}, neither at "
        "the end of training nor on area under the curve; closest is "
        f"{closest.a} against {closest.b}: {evidence(closest)}."
    )


def _by_task(study: Study, found: Found) -> list[str]:
    """For each pair, on how many single tasks it is better, worse or neither."""
    alone = [c for scope in single_tasks(study) for c in found.get(scope, ()) if c.score == "final"]
    said = []
    for pair in dict.fromkeys((c.a, c.b) for c in alone):
        mine = [c for c in alone if (c.a, c.b) == pair]
        outcomes: Counter[Outcome] = Counter(
            c.outcome if c.outcome != "too few seeds" else "not established" for c in mine
        )
        text = joined([f"{outcome} on {outcomes[outcome]}" for outcome in _OUTCOMES if outcomes[outcome]])
        ahead, level = sum(c.difference > 0 and not c.level for c in mine), sum(c.level for c in mine)
        said.append(
            f"Exploratory, one by one, {pair[0]} against {pair[1]}: {text} of "
            f"{count(len(mine), 'combination')} of task and algorithm (ahead at the end of training on {ahead}"
            f"{f', level on {level}' if level else ''}; corrected for {mine[0].family} comparisons)."
        )
    return said[:_MOST_CLAUSES]


def _speeds(study: Study, groups: Sequence[Group]) -> list[str]:
    """The study's own thresholds, for each pair; the first where a place is one task is in that place's sentence."""
    alone = {scope.strata for scope in scopes(study) if len(scope.strata) == 1}
    said = [
        f"On {group.name}, {text}."
        for group in groups
        for found in own_thresholds(group)[((group.task, group.algorithm),) in alone :]
        for a, b in pairs(study)
        if (text := threshold_text(found, a, b))
    ]
    return said[:_MOST_CLAUSES]
