"""Tables of scores and of what follows from them, for each task with each algorithm."""

from collections.abc import Sequence

import numpy as np

from experiments.analysis.comparison import Comparison
from experiments.analysis.results import Group
from experiments.analysis.versions import used, versions_text
from experiments.report.table import PLACE, Column, Table, Value, three
from experiments.statistics.intervals import coverage
from experiments.text import count


def scores(groups: Sequence[Group]) -> Table:
    """Final score and area under the curve for each arm."""
    columns = (
        *PLACE,
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
                    group.task, group.algorithm, arm.arm, arm.finals.size, arm.planned, *three(arm.final),
                    kind if arm.final else None, covered, mean, sd, *three(arm.area),
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


def comparisons(found: Sequence[Comparison]) -> Table:
    """Every pair that is tested, of the tasks and of all of them together."""
    columns = (
        Column("task", "Task"),
        Column("algorithm", "Algorithm"),
        Column("a", "Arm"),
        Column("b", "against"),
        Column("score", "Score"),
        Column("difference", "Difference of IQM", "signed"),
        Column("difference_low", "Low", "signed"),
        Column("difference_high", "High", "signed"),
        Column("probability_of_improvement", "P(improve)", "number"),
        Column("improvement_low", None),
        Column("improvement_high", None),
        Column("p_value", "p", "p"),
        Column("p_corrected", "p (corrected)", "p"),
        Column("correction", "Correction"),
        Column("result", "Result"),
        Column("kind", "Kind"),
        Column("p_smallest", "Smallest p", "p"),
        Column("p_corrected_smallest", None),
        Column("margin", "Margin", "number"),
        Column("family", None),
        Column("difference_of_means", None),
        Column("means_low", None),
        Column("means_high", None),
        Column("welch_p", "p (Welch)", "p"),
        Column("permutation_p", None),
    )
    rows = tuple(_comparison(comparison) for comparison in found)
    sizes = {comparison.primary: comparison.family for comparison in found}
    families = [
        f"{name}: corrected for {count(sizes[primary], 'comparison')}, those that cannot be made included."
        for primary, name in ((True, "Holm"), (False, "Benjamini-Hochberg"))
        if primary in sizes
    ]
    text = (
        "P(improve): probability that a run of the arm beats a run of the other, ties count half. p: two-sided "
        "permutation test of that. Smallest p: the least that so many seeds can reach, whatever they show. "
        + " ".join(families)
        + " Low and high: 95 % bootstrap interval of the difference, from 5 seeds on. Equal within the margin: no "
        "difference is established and that interval lies within the margin; each such statement stands alone, without "
        "a correction."
    )
    return Table("comparisons", "Comparisons", text, columns, rows)


def _comparison(found: Comparison) -> tuple[Value, ...]:
    means = found.means
    return (
        found.task, found.algorithm, found.a, found.b, "final" if found.score == "final" else "area under curve",
        found.difference, *(found.interval or (None, None)), found.improvement,
        *(found.improvement_interval or (None, None)), found.p_value, found.corrected, found.correction, found.outcome,
        "primary" if found.primary else "exploratory", found.smallest, found.reachable, found.margin, found.family,
        means.difference if means else None, *((means.interval if means else None) or (None, None)),
        means.welch_p if means else None, means.permutation_p if means else None,
    )  # fmt: skip


def thresholds(groups: Sequence[Group]) -> Table:
    """How soon each arm reaches each threshold."""
    columns = (
        *PLACE,
        Column("threshold", "Return to reach", "number"),
        Column("origin", "Which is"),
        Column("axis", "Over"),
        Column("reached", "Runs that reach it", "integer"),
        Column("runs", "of", "integer"),
        Column("share", "Share", "share"),
        Column("share_low", None),
        Column("share_high", None),
        Column("median", "Median", "number"),
        Column("restricted_mean", "Restricted mean", "number"),
        Column("horizon", "up to", "number"),
    )
    rows = tuple(
        (
            group.task, group.algorithm, reach.arm, threshold.level, threshold.origin, threshold.axis,
            reach.share.count, reach.share.of, reach.share.share, reach.share.low, reach.share.high,
            reach.median, reach.restricted_mean, threshold.horizon,
        )
        for group in groups
        for threshold in group.thresholds
        for reach in threshold.arms
    )  # fmt: skip
    text = (
        "When the mean of evaluations reaches a return, in environment steps or in seconds of training. Runs that "
        "never do are counted until their end (Kaplan-Meier): the median is empty where fewer than half reach it."
    )
    return Table("thresholds", "Time to a threshold", text, columns, rows)


def budgets(groups: Sequence[Group]) -> Table:
    """Return of each arm after fixed times of training."""
    columns = (
        *PLACE,
        Column("training_s", "Training time", "seconds"),
        Column("iqm", "Return (IQM)", "number"),
        Column("low", "Low", "number"),
        Column("high", "High", "number"),
        Column("seeds", "Seeds", "integer"),
    )
    rows = tuple(
        (group.task, group.algorithm, arm, budget.seconds, *three(estimate), estimate.seeds)
        for group in groups
        for budget in group.budgets
        for arm, estimate in budget.arms
    )
    text = "Interquartile mean of the returns after equal times of training, evaluation left out."
    return Table("budgets", "Return at equal time", text, columns, rows)
