"""Tables: plain rows of values, the same for the CSV files and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.analysis.results import Group
from experiments.analysis.versions import used, versions_text
from experiments.collect.collection import Collection
from experiments.collect.evaluations import PARTS
from experiments.statistics.intervals import Estimate, coverage
from experiments.statistics.rates import wilson_interval
from experiments.text import count, duration, number, p_text, signed

Value = str | int | float | None
Show = Literal["text", "number", "signed", "p", "share", "seconds", "integer"]


@dataclass(frozen=True)
class Column:
    """One column: its name in the CSV file, its heading on the page (None: CSV only), and how to show it."""

    key: str
    heading: str | None
    show: Show = "text"


@dataclass(frozen=True)
class Table:
    """Rows of values under columns; `stem` is the CSV file's name, `title` and `text` go on the page."""

    stem: str
    title: str
    text: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]


def shown(value: Value, how: Show) -> str:
    """A value as the page shows it."""
    if value is None or isinstance(value, str):
        return "–" if value is None else value
    formats = {"number": number, "signed": signed, "p": p_text, "seconds": duration}
    if how in formats:
        return formats[how](value)
    return f"{100 * value:.0f} %" if how == "share" else str(value)


_PLACE = (Column("task", "Task"), Column("algorithm", "Algorithm"), Column("arm", "Arm"))


def scores(groups: Sequence[Group]) -> Table:
    """Final score and area under the curve for each arm."""
    columns = (
        *_PLACE,
        Column("seeds", "Seeds", "integer"),
        Column("planned", None),
        Column("final_iqm", "Final score (IQM)", "number"),
        Column("final_low", "Low", "number"),
        Column("final_high", "High", "number"),
        Column("low_high", "Low and high are"),
        Column("coverage", None),
        Column("final_mean", None),
        Column("final_sd", "SD of seeds", "number"),
        Column("auc_iqm", "Area under curve (IQM)", "number"),
        Column("auc_low", None),
        Column("auc_high", None),
        Column("versions", "Versions" if any(group.versions for group in groups) else None),
    )
    rows = []
    for group in groups:
        for arm in group.arms:
            sd = float(np.std(arm.finals, ddof=1)) if arm.finals.size > 1 else None
            mean = float(arm.finals.mean()) if arm.finals.size else None
            covered = coverage(arm.finals.size)
            kind = "range of the seeds" if covered is None else f"95 % interval, covers {100 * covered:.0f} %"
            rows.append(
                (
                    group.task, group.algorithm, arm.arm, arm.finals.size, arm.planned, *_three(arm.final),
                    kind if arm.final else None, covered, mean, sd, *_three(arm.area),
                    versions_text(used(arm.runs, group.versions)) or None,
                )
            )  # fmt: skip
    text = (
        "Final score: mean return of the last 10 % of evaluations of a run, then the interquartile mean over runs."
        " Area under the curve: mean return over all of training. An interval is a nominal one; what it really covers"
        " with so few seeds was measured. Undiscounted returns; nothing is smoothed, nothing is a maximum."
    )
    if any(group.versions for group in groups):
        text += " Scores of runs with different versions are not comparable, not even within one arm."
    return Table("scores", "Scores", text, columns, tuple(rows))


def comparisons(groups: Sequence[Group]) -> Table:
    """The pairs that the study compares."""
    columns = (
        Column("task", "Task"),
        Column("algorithm", "Algorithm"),
        Column("a", "Arm"),
        Column("b", "against"),
        Column("difference", "Difference of IQM", "signed"),
        Column("probability_of_improvement", "P(improve)", "number"),
        Column("p_value", "p", "p"),
        Column("p_holm", "p (Holm)", "p"),
        Column("result", "Result"),
        Column("difference_low", "Low", "signed"),
        Column("difference_high", "High", "signed"),
        Column("p_smallest", "Smallest p", "p"),
        Column("margin", "Margin", "number"),
        Column("kind", "Kind"),
        Column("p_holm_smallest", None),
        Column("family", None),
    )
    rows = []
    for comparison in (comparison for group in groups for comparison in group.comparisons):
        low, high = comparison.interval or (None, None)
        rows.append(
            (
                comparison.task, comparison.algorithm, comparison.a, comparison.b,
                comparison.difference, comparison.improvement, comparison.p_value, comparison.corrected,
                comparison.outcome, low, high, comparison.smallest, comparison.margin,
                "primary" if comparison.primary else "exploratory", comparison.reachable, comparison.family,
            )
        )  # fmt: skip
    family = max((comparison.family for group in groups for comparison in group.comparisons), default=0)
    text = (
        "P(improve): probability that a run of the arm beats a run of the other, ties count half. p: exact"
        " two-sided permutation test of that. Smallest p: the least that so many seeds can reach, whatever they show."
        f" Holm: corrected for {count(family, 'comparison')}, every pair on every task with every algorithm, those that"
        " cannot be made included. Low and high: 95 % bootstrap interval of the difference, from 5 seeds on. Equal"
        " within the margin: no difference is established and that interval lies within the margin; each such statement"
        " stands alone, without a correction."
    )
    return Table("comparisons", "Comparisons", text, columns, tuple(rows))


def timing(groups: Sequence[Group]) -> Table:
    """Throughput and times for each arm."""
    columns = (
        *_PLACE,
        Column("runs", "Runs", "integer"),
        Column("steps_per_s_median", "Steps/s (median)", "number"),
        Column("steps_per_s_low", "Slowest", "number"),
        Column("steps_per_s_high", "Fastest", "number"),
        Column("training_s_median", "Training time", "seconds"),
        Column("wall_s_median", "Whole time", "seconds"),
        *(Column(f"{part}_share", part.capitalize(), "share") for part in PARTS),
    )
    rows: list[tuple[Value, ...]] = []
    for group in groups:
        for arm in group.arms:
            if not arm.timed:
                rows.append((group.task, group.algorithm, arm.arm, 0, *[None] * (len(columns) - 4)))
                continue
            runs = [run.evaluations for run in arm.timed]
            rates = [run.steps_per_second for run in runs]
            training = float(np.median([run.training_seconds[-1] for run in runs]))
            wall = float(np.median([run.clock[-1, 0] for run in runs]))
            shares = [float(share) for share in np.mean([run.shares for run in runs], axis=0)]
            rates_shown = (float(np.median(rates)), min(rates), max(rates))
            rows.append((group.task, group.algorithm, arm.arm, len(runs), *rates_shown, training, wall, *shares))
    text = (
        "Environment steps per second of training, evaluation left out; median, slowest and fastest run. The last five "
        "columns are shares of the whole time."
    )
    return Table("timing", "Time", text, columns, tuple(rows))


def failures(groups: Sequence[Group]) -> Table:
    """How many runs of each arm failed or diverged, with a Wilson interval of the rate."""
    columns = (
        *_PLACE,
        Column("planned", "Planned", "integer"),
        Column("done", "Done", "integer"),
        Column("failed", "Failed or diverged", "integer"),
        Column("rate", "Rate", "share"),
        Column("rate_low", "Low", "share"),
        Column("rate_high", "High", "share"),
        Column("unscored", "Without a score", "integer"),
    )
    rows = []
    for group in groups:
        for arm in group.arms:
            bad = len(arm.ended_badly)
            done = sum(run.state == "done" for run in arm.runs)
            low, high = wilson_interval(bad, bad + done) if bad + done else (None, None)
            rate = bad / (bad + done) if bad + done else None
            place = (group.task, group.algorithm, arm.arm)
            rows.append((*place, arm.planned, done, bad, rate, low, high, arm.planned - arm.finals.size))
    text = (
        "Rate of runs that failed or diverged among those that ended, with a 95 % Wilson interval. Their last finite "
        "evaluation is carried forward; only a run without any evaluation has no score."
    )
    return Table("failures", "Runs that ended badly", text, columns, tuple(rows))


def runs(collection: Collection, groups: Sequence[Group]) -> Table:
    """One row for each planned run; goes into a CSV file only."""
    found = {
        (group.task, group.algorithm, arm.arm, run.seed): (float(final), float(area))
        for group in groups
        for arm in group.arms
        for run, final, area in zip(arm.runs, arm.finals, arm.areas, strict=True)
    }
    keys = (
        "task", "algorithm", "arm", "seed", "state", "cause", "attempt", "started", "finished", "evaluations",
        "last_step", "final_score", "auc", "steps_per_s", "wall_s", "workers",
    )  # fmt: skip
    rows = []
    for run in collection.runs:
        data = run.evaluations
        final, area = found.get((run.task, run.algorithm, run.arm, run.seed), (None, None))
        last: tuple[float | None, ...] = (None, None, None)
        if data.steps.size:
            last = (float(data.steps[-1]), data.steps_per_second, float(data.clock[-1, 0]))
        rows.append(
            (
                run.task, run.algorithm, run.arm, run.seed, run.state, run.cause, run.attempt, run.started,
                run.finished, data.steps.size, last[0], final, area, *last[1:], run.workers,
            )
        )  # fmt: skip
    return Table("runs", "Runs", "", tuple(Column(key, None) for key in keys), tuple(rows))


def curves(groups: Sequence[Group]) -> Table:
    """The curves behind the figures, in long form; goes into a CSV file only."""
    columns = tuple(Column(key, None) for key in ("task", "algorithm", "arm", "step", "iqm", "low", "high", "seeds"))
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (group.task, group.algorithm, arm.arm, *(float(value) for value in values), arm.finals.size)
        for group in groups
        for arm in group.arms
        if arm.curve
        for values in zip(arm.curve.x, arm.curve.centre, arm.curve.low, arm.curve.high, strict=True)
    )
    return Table("curves", "Curves", "", columns, rows)


def _three(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
