"""What weakens the answer: said beside it, always."""

from collections import Counter
from collections.abc import Sequence

from experiments.analysis.compare import family_size
from experiments.analysis.comparison import ALPHA, AAControl, Comparison
from experiments.analysis.pairs import pairs, scopes
from experiments.analysis.results import Group
from experiments.analysis.versions import versions_text
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.statistics.intervals import coverage
from experiments.text import count, joined, p_text, seeds_text


def limits(
    collection: Collection,
    groups: Sequence[Group],
    asked: Sequence[Comparison],
    controls: Sequence[AAControl],
) -> list[str]:
    """One sentence for each thing that a reader must know before believing the headline.

    Args:
        collection: the runs.
        groups: what they show.
        asked: the comparisons that answer the study's question.
        controls: the control against itself.
    """
    study = collection.study
    found = _version_limits(groups)
    if any(c.decidable and not c.established and not c.equivalent for c in asked):
        found.append("A difference that is not established is no proof that two arms are equal.")
    apart = {pair for group in groups for pair in group.withheld}
    missing = [pair for pair in pairs(study) if not any((c.a, c.b) == pair for c in asked) and pair not in apart]
    if missing:
        found.append(
            f"{count(len(missing), 'pair')} of arms cannot be compared yet: an arm has no run with a score. The "
            f"correction counts all {family_size(study, scopes(study))} comparisons all the same."
        )
    if asked and not study.primary:
        found.append(
            "The study names no primary comparisons, so everything here is exploratory: a difference found is one to "
            "test on fresh seeds."
        )
    found += [text for control in controls[-1:] for text in _control_limit(control)]
    return found + _run_limits(collection.runs) + _interval_limits(groups) + sharing(collection.runs)


def _control_limit(control: AAControl) -> list[str]:
    if control.p_value > ALPHA:
        return []
    return [
        f"Two halves of the control {control.arm} differ on {control.scope.name} (p = {p_text(control.p_value)}), "
        "where there is nothing to find: take a difference of that size for luck."
    ]


def _run_limits(runs: Sequence[Run]) -> list[str]:
    found = []
    unfinished = sum(not run.ended for run in runs)
    if unfinished:
        found.append(
            f"The study is unfinished: {unfinished} of {count(len(runs), 'run')} are still to end. "
            "Everything here is provisional."
        )
    bad = [run for run in runs if run.state in ENDED_BADLY]
    if bad:
        lost = sum(not run.scored for run in bad)
        text = f"{len(bad)} of {count(len(runs), 'run')} failed or diverged ({_by_arm([run.arm for run in bad])})."
        text += " Each stays in the numbers with its last finite evaluation carried forward." if lost < len(bad) else ""
        if lost:
            text += (
                f" {lost} of them had no evaluation at all and {'has' if lost == 1 else 'have'} no score, "
                "which flatters the arms they belong to."
            )
        found.append(text)
    return found


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
    found = []
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
        found.append(f"{text}.")
    return found


def _by_arm(bad_arms: Sequence[str]) -> str:
    return joined([f"{amount} of {arm}" for arm, amount in Counter(bad_arms).items()])


def _interval_limits(groups: Sequence[Group]) -> list[str]:
    sizes = [arm.finals.size for group in groups for arm in group.arms if arm.finals.size]
    if not sizes:
        return []
    fewest = min(sizes)
    share = coverage(fewest)
    if max(sizes) == 1:
        return ["With 1 seed per arm there is no spread to show, and another seed could say the opposite."]
    if share is None:
        return [
            f"With {seeds_text(sizes)}, bands and bars are the range of the seeds (smallest to largest)"
            + ("" if max(sizes) == fewest else " wherever an arm has fewer than 5")
            + ", not confidence intervals."
        ]
    return [
        f"With {seeds_text(sizes)}, bands and bars are nominal 95 % bootstrap intervals of the interquartile mean; "
        f"at {count(fewest, 'seed')} such an interval really covers in about {100 * share:.0f} % of studies."
    ]
