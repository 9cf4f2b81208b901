"""The answer in words: one sentence first, then what carries it and what weakens it. No stronger than the evidence."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from experiments.analysis.compare import family_size, pairs
from experiments.analysis.comparison import Comparison, Outcome
from experiments.analysis.lead import lead
from experiments.analysis.results import Group, Verdict
from experiments.analysis.versions import versions_text
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.statistics.scores import coverage
from experiments.text import count, joined, number, p_text, seeds_text

_MOST_CLAUSES = 8
_OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "equal within the margin", "not established")


def judge(collection: Collection, groups: Sequence[Group]) -> Verdict:
    """Say what the study shows."""
    comparisons = [comparison for group in groups for comparison in group.comparisons]
    findings: list[str] = []
    if not any(arm.final for group in groups for arm in group.arms):
        headline = "No run has ended yet, and none can be scored: the curves below show how far each has come."
    elif not comparisons:
        headline = lead(groups)
    elif not any(comparison.decidable for comparison in comparisons):
        headline = _cannot(comparisons, groups)
        findings = [lead(groups)]
        if comparisons[0].primary:
            findings += [_clause(pair, comparisons) for pair in _order(pairs(collection.study), comparisons)]
    else:
        clauses = [_clause(pair, comparisons) for pair in _order(pairs(collection.study), comparisons)]
        prefix = "" if comparisons[0].primary else "Exploratory: "
        headline = prefix + clauses[0]
        findings = clauses[1 : 1 + _MOST_CLAUSES]
        if len(clauses) > 1 + _MOST_CLAUSES:
            findings.append(f"{len(clauses) - 1 - _MOST_CLAUSES} further comparisons are in the table.")
        findings.append(lead(groups))
    return Verdict(headline, tuple(findings), tuple(_limits(collection, groups)))


def _cannot(comparisons: Sequence[Comparison], groups: Sequence[Group]) -> str:
    best = min(comparisons, key=lambda comparison: (comparison.reachable, comparison.smallest))
    text = (
        f"{_seeds(groups)} cannot establish a difference: "
        f"the smallest p value they can reach is {p_text(best.smallest)}"
    )
    if best.family > 1:
        text += f" ({p_text(best.reachable)} after correction for {best.family} comparisons)"
    return text + "."


def _seeds(groups: Sequence[Group]) -> str:
    return seeds_text([arm.finals.size for group in groups for arm in group.arms if arm.finals.size])


def _order(asked: Sequence[tuple[str, str]], comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Primary pairs as the study lists them; exploratory ones by how often and how surely they differ."""
    found = [pair for pair in asked if any((c.a, c.b) == pair for c in comparisons)]
    if comparisons[0].primary:
        return found
    return sorted(found, key=lambda pair: min(c.corrected for c in comparisons if (c.a, c.b) == pair))


def _clause(pair: tuple[str, str], comparisons: Sequence[Comparison]) -> str:
    mine = [comparison for comparison in comparisons if (comparison.a, comparison.b) == pair]
    if len(mine) == 1:
        return _single(mine[0])
    outcomes: Counter[Outcome] = Counter(c.outcome if c.outcome != "too few seeds" else "not established" for c in mine)
    text = joined([f"{outcome} on {outcomes[outcome]}" for outcome in _OUTCOMES if outcomes[outcome]])
    ahead = sum(c.difference > 0 and not c.level for c in mine)
    level = sum(c.level for c in mine)
    return (
        f"{pair[0]} against {pair[1]}: {text} of {len(mine)} combinations of task and algorithm "
        f"(ahead at the end of training on {ahead}{f', level on {level}' if level else ''}{_corrected(mine[0])})."
    )


def _corrected(c: Comparison) -> str:
    return f"; corrected for {c.family} comparisons" if c.family > 1 else ""


def _single(c: Comparison) -> str:
    where = f"on {c.task} ({c.algorithm.upper()})"
    scores = f"final score {number(c.value_a)} against {number(c.value_b)}"
    corrected = f", corrected for {c.family} comparisons" if c.family > 1 else ""
    numbers = f"{scores}, probability of improvement {c.improvement:.2f}, p = {p_text(c.corrected)}{corrected}".replace(
        "p = below", "p below"
    )
    if c.established:
        return f"{c.a} is {'better' if c.improvement > 0.5 else 'worse'} than {c.b} {where}: {numbers}."
    if c.equivalent and c.margin is not None:
        return f"{c.a} and {c.b} differ by less than the margin of {number(c.margin)} {where}: {numbers}."
    if not c.decidable:
        return f"{c.a} against {c.b} {where} cannot be decided with so few seeds: {numbers}."
    return f"No difference between {c.a} and {c.b} is established {where}: {numbers}."


def _limits(collection: Collection, groups: Sequence[Group]) -> list[str]:
    runs = collection.runs
    limits = _version_limits(groups)
    if any(c.decidable and not c.established and not c.equivalent for group in groups for c in group.comparisons):
        limits.append("A difference that is not established is no proof that two arms are equal.")
    missing = family_size(collection.study) - sum(len(group.comparisons) + len(group.withheld) for group in groups)
    if missing:
        limits.append(f"{count(missing, 'comparison')} cannot be made yet: an arm has no run with a score.")
    if not pairs(collection.study) and len(collection.study.arms) > 1:
        limits.append(
            "The study names neither primary comparisons nor a control, so nothing is tested: "
            "the order of the arms describes these seeds and claims nothing."
        )
    unfinished = sum(not run.ended for run in runs)
    if unfinished:
        limits.append(
            f"The study is unfinished: {unfinished} of {count(len(runs), 'run')} are still to end. "
            "Everything here is provisional."
        )
    bad = [run for run in runs if run.state in ENDED_BADLY]
    if bad:
        lost = sum(not run.scored for run in bad)
        text = f"{len(bad)} of {count(len(runs), 'run')} failed or diverged ({_by_arm(bad_arms=[r.arm for r in bad])})."
        text += " Each stays in the numbers with its last finite evaluation carried forward." if lost < len(bad) else ""
        if lost:
            text += (
                f" {lost} of them had no evaluation at all and {'has' if lost == 1 else 'have'} no score, "
                "which flatters the arms they belong to."
            )
        limits.append(text)
    sizes = [arm.finals.size for group in groups for arm in group.arms if arm.finals.size]
    if sizes:
        limits.append(_interval_text(sizes))
    return limits + sharing(runs)


def sharing(runs: Sequence[Run]) -> list[str]:
    """Return what is to be said of runs' times if they shared a machine or a process."""
    said = []
    workers = max((run.workers or 1 for run in runs), default=1)
    if workers > 1:
        said.append(f"Up to {workers} processes shared the machine, so every time and rate here is only indicative.")
    company = max((run.company or 1 for run in runs), default=1)
    return said + ([shared_clock(company)] if company > 1 else [])


def shared_clock(company: int) -> str:
    """Return what the times of runs that trained in one process are."""
    return (
        f"Up to {company} runs trained in one process and have one clock, whose times say nothing about a single arm."
    )


def _version_limits(groups: Sequence[Group]) -> list[str]:
    """One line for each set of versions that runs of one task and algorithm mix."""
    limits = []
    for versions in dict.fromkeys(versions_text(group.versions) for group in groups if group.versions):
        mine = [group for group in groups if versions_text(group.versions) == versions]
        withheld = [pair for group in mine for pair in group.withheld]
        text = (
            f"Results of different versions are never pooled: on {joined([group.name for group in mine])} the runs "
            f"used {versions}, so the arms are not ranked there"
        )
        if withheld:
            named = joined([f"{a} against {b}" for a, b in dict.fromkeys(withheld)])
            text += (
                f" and {count(len(withheld), 'comparison')} {'is' if len(withheld) == 1 else 'are'} not made ({named})"
            )
        limits.append(f"{text}.")
    return limits


def _by_arm(bad_arms: Sequence[str]) -> str:
    return joined([f"{amount} of {arm}" for arm, amount in Counter(bad_arms).items()])


def _interval_text(sizes: Sequence[int]) -> str:
    fewest = int(np.min(sizes))
    share = coverage(fewest)
    if max(sizes) == 1:
        return "With 1 seed per arm there is no spread to show, and another seed could say the opposite."
    if share is None:
        return (
            f"With {seeds_text(sizes)}, bands and bars are the range of the seeds (smallest to largest)"
            + ("" if max(sizes) == fewest else " wherever an arm has fewer than 5")
            + ", not confidence intervals."
        )
    return (
        f"With {seeds_text(sizes)}, bands and bars are nominal 95 % bootstrap intervals of the interquartile mean; "
        f"at {count(fewest, 'seed')} such an interval really covers in about {100 * share:.0f} % of studies."
    )
