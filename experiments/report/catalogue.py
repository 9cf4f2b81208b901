"""Every chart of a report, in the order of the page, and the words above each kind."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiments.analysis.limits import sharing
from experiments.analysis.results import Analysis, ArmResult
from experiments.report.chart import Chart
from experiments.report.learnt import LEARNT
from experiments.report.overall import OVERALL, control
from experiments.report.per_task import PER_TASK, Facts
from experiments.report.style import Looks
from experiments.statistics.intervals import coverage
from experiments.text import joined

HEADINGS: Mapping[str, str] = {
    "aggregate": "All tasks together",
    "sample_efficiency": "Sample efficiency over all tasks",
    "time_efficiency": "All tasks against time",
    "profiles": "Performance profiles",
    "improvement": "Probability of improvement",
    "learning_curve": "Learning curves",
    "wall_clock": "Return against time",
    "final_scores": "Final scores",
    "thresholds": "Time to a threshold",
    "cost": "Return against cost",
    "shapes": "Learnt shapes",
    "diagnostics": "Inside the networks",
    "control": "The control against itself",
    "throughput": "Throughput",
    "time_shares": "Where the time goes",
}


@dataclass(frozen=True)
class Section:
    """The charts of one kind; without any, `how` says why in one line.

    Attributes:
        kind: a key of HEADINGS.
        how: how to read the charts.
    """

    kind: str
    how: str
    charts: tuple[Chart, ...]

    @property
    def heading(self) -> str:
        """What stands above the section."""
        return HEADINGS[self.kind]


def ranking(analysis: Analysis) -> tuple[str, ...]:
    """All arms of the study, best first: by the score over all tasks, else by their mean rank on the tasks.

    Arms without a score come last, in the order of the study.
    """
    places: dict[str, list[float]] = {arm.name: [] for arm in analysis.collection.study.arms}
    for group in analysis.groups:
        best = sorted((arm for arm in group.arms if arm.final), key=lambda arm: -arm.final.value if arm.final else 0.0)
        for place, arm in enumerate(best):
            places[arm.arm].append(place / max(1, len(best) - 1))
    ranks = {arm: sum(found) / len(found) if found else 2.0 for arm, found in places.items()}
    for aggregate in analysis.aggregates[-1:]:
        best_arms = sorted(aggregate.arms, key=lambda arm: -arm.iqm.value)
        ranks.update({arm.arm: place - float(len(ranks)) for place, arm in enumerate(best_arms)})
    return tuple(sorted(ranks, key=lambda arm: ranks[arm]))


def looks(analysis: Analysis, order: Sequence[str]) -> Looks:
    """How the arms look; in a crowd those of the primary comparisons, the control and the best are featured."""
    study = analysis.collection.study
    named = [arm for pair in study.primary for arm in pair] + ([study.control] if study.control else [])
    return Looks([arm.name for arm in study.arms], [*named, *order])


def charts(analysis: Analysis, order: Sequence[str]) -> Iterator[Chart]:
    """All charts, by kind in the order of HEADINGS."""
    facts = Facts(analysis.collection.study.returns_text, analysis.collection.costs)
    for kind in HEADINGS:
        found: list[Chart | None] = []
        if kind in OVERALL:
            for aggregate in analysis.aggregates:
                arms = sorted(aggregate.arms, key=lambda arm: order.index(arm.arm))
                if arms and (len(aggregate.scope.strata) > 1 or kind not in ("sample_efficiency", "time_efficiency")):
                    found.append(OVERALL[kind](aggregate, arms))
        elif kind in PER_TASK:
            for group in analysis.groups:
                ranked = sorted(group.arms, key=lambda arm: order.index(arm.arm))
                found.append(PER_TASK[kind](group, ranked, facts))
        elif kind in LEARNT:
            found.extend(chart for group in analysis.groups for chart in LEARNT[kind](group, order))
        elif kind == "control":
            found.extend(control(pair) for pair in analysis.controls)
        yield from (chart for chart in found if chart)


def sections(analysis: Analysis, drawn: Sequence[Chart], *, crowded: bool) -> list[Section]:
    """The charts by kind; a kind without any says why, or is left out where the reason is plain."""
    how = {**_how(analysis, crowded=crowded)}
    why = _why_not(analysis)
    found = []
    for kind in HEADINGS:
        mine = tuple(chart for chart in drawn if chart.kind == kind)
        if mine or kind in why:
            found.append(Section(kind, how[kind] if mine else why[kind], mine))
    return found


def band_text(arms: Sequence[ArmResult]) -> str:
    """What the bands and bars of these arms are."""
    sizes = [arm.finals.size for arm in arms if arm.finals.size]
    if not sizes:
        return "no run can be scored yet"
    ranged = [size for size in sizes if coverage(size) is None]
    if len(ranged) == len(sizes):
        return "range of the seeds (smallest to largest)"
    least = min(size for size in sizes if size not in ranged)
    share = coverage(least)
    text = f"95 % bootstrap interval of the IQM (at {least} seeds it covers in about {100 * (share or 0):.0f} %)"
    return f"{text}; range of the seeds for arms with fewer than 5" if ranged else text


def _how(analysis: Analysis, *, crowded: bool) -> dict[str, str]:
    arms = [arm for group in analysis.groups for arm in group.arms]
    band = band_text(arms)
    hint = "".join(f" {sentence}" for sentence in sharing([run for arm in arms for run in arm.runs]))
    order = "" if hint else " Runs of different arms were not measured in turn, so small differences mean nothing."
    crowd = (
        " With so many arms, the compared ones and the best have their colours and single seeds; the others are grey "
        "until they are chosen above."
        if crowded
        else ""
    )
    cost = (
        "Up is better, left is cheaper: the time of a whole training step, measured in turns by `bench arms`; lines "
        "are the interval of the score, and the least and most of the rounds."
        if analysis.collection.costs
        else "Up is better, right is faster. Lines: interval of the score, and 5 to 95 % of the stretches between "
        f"evaluations.{order}"
    )
    reference = joined(list(dict.fromkeys(aggregate.reference for aggregate in analysis.aggregates)))
    unit = f"Scores are normalised: 0 is an untrained policy, 1 the final score of {reference}."
    return {
        "aggregate": f"{unit} Bar across: the measure. Line: its interval, runs resampled within each task.{crowd}",
        "sample_efficiency": f"Line: interquartile mean over all runs of all tasks. {unit}{crowd}",
        "time_efficiency": f"The same against training time, evaluation left out.{hint}",
        "profiles": "How many runs end above each score: a line above another everywhere is better everywhere.",
        "improvement": "Probability that a run of the arm at the left beats one of the arm above, on the same task. "
        "0.5: neither.",
        "learning_curve": f"Line: interquartile mean over seeds. Band: {band}. Thin lines: single seeds; a cross is "
        f"where one failed or diverged. Not smoothed.{crowd}",
        "wall_clock": f"The same against training time, evaluation left out, up to where the first run ends.{hint}",
        "final_scores": "Every dot is a seed; a cross is one that failed or diverged. Tall bar: interquartile mean. "
        f"Line: {band}.",
        "thresholds": "Share of the runs that have reached a return, by Kaplan and Meier: runs that never do count "
        "until their end. In brackets where a return comes from: the study, or its share of the control's final mean.",
        "cost": cost,
        "shapes": "What learnt activations have become, mean over seeds: at the last measurement with the range over "
        "all units and seeds, and dotted at the first.",
        "diagnostics": "Median over seeds, with the range from smallest to largest; a layer's measures are averaged "
        "over the hidden layers. Dormancy does not compare activations with different tails: read it beside the units "
        "without gradient. Definitions are in rl_acts/diagnostics; every measure of every layer is in "
        "tables/diagnostics.csv.",
        "control": "Two disjoint halves of one arm's own seeds, through the same pipeline: what is found here is luck.",
        "throughput": f"Every dot is a seed. Tall bar: median. Line: slowest to fastest.{hint}{order}",
        "time_shares": f"Mean over the runs of an arm.{hint}",
    }


def _why_not(analysis: Analysis) -> dict[str, str]:
    why = {}
    if not analysis.aggregates:
        why["aggregate"] = (
            "Not drawn: tasks are put together in units of the way from an untrained policy to the control's score, "
            "and no task has such a unit."
        )
    if not analysis.controls:
        why["control"] = "Not drawn: two halves of the control need at least four runs of it."
    if any(arm.throughput and arm.throughput.company > 1 for group in analysis.groups for arm in group.arms):
        why["cost"] = (
            "Not drawn: runs of different arms shared one clock, which tells no arm's cost. What measures it for this "
            "figure: python -m experiments bench arms --activations ... --json DIR/bench_arms.json"
        )
    return why
