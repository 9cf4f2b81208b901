"""Tables over several tasks, of the control against itself, and of the seeds that a further study needs."""

from collections.abc import Sequence

from experiments.analysis.comparison import AAControl, SeedPlan
from experiments.analysis.results import Aggregate
from experiments.report.table import Column, Table, three
from experiments.text import joined

_SCOPE = (Column("tasks", "Tasks"), Column("arm", "Arm"))


def aggregates(found: Sequence[Aggregate]) -> Table:
    """Normalised scores of every arm over all tasks."""
    measures = (
        ("iqm", "IQM"), ("mean", "Mean"), ("median", "Median"), ("optimality_gap", "Optimality gap"),
        ("auc", "Area (IQM)"),
    )  # fmt: skip
    columns = (
        *_SCOPE,
        Column("runs", "Runs", "integer"),
        Column("seeds", "Fewest seeds", "integer"),
        *(
            column
            for key, heading in measures
            for column in (
                Column(key, heading, "number"),
                Column(f"{key}_low", "Low" if key == "iqm" else None, "number"),
                Column(f"{key}_high", "High" if key == "iqm" else None, "number"),
            )
        ),
    )
    rows = tuple(
        (
            aggregate.scope.name, arm.arm, arm.runs, arm.seeds, *three(arm.iqm), *three(arm.mean), *three(arm.median),
            *three(arm.optimality_gap), *three(arm.area),
        )
        for aggregate in found
        for arm in aggregate.arms
    )  # fmt: skip
    text = (
        "Final scores over all tasks, normalised: 0 is an untrained policy, 1 the reference. Optimality gap: how far "
        "scores below 1 fall short of it, on average; less is better."
    )
    references = dict.fromkeys(aggregate.reference for aggregate in found)
    text += f" Reference: {joined(list(references))}."
    left_out = [f"{task} ({algorithm.upper()}), {why}" for a in found for task, algorithm, why in a.left_out]
    if left_out:
        text += f" Not in: {'; '.join(dict.fromkeys(left_out))}."
    return Table("aggregate", "All tasks together", text, columns, rows)


def controls(found: Sequence[AAControl]) -> Table:
    """The control against itself."""
    columns = (
        *_SCOPE,
        Column("seeds", "Seeds in a half", "integer"),
        Column("difference", "Difference of IQM", "signed"),
        Column("difference_low", "Low", "signed"),
        Column("difference_high", "High", "signed"),
        Column("p_value", "p", "p"),
        Column("luck_low", "Luck: from", "signed"),
        Column("luck_high", "to", "signed"),
        Column("splits", "Splits", "integer"),
        Column("false_positives", "Found without cause", "share"),
    )
    rows = tuple(
        (
            pair.scope.name, pair.arm, pair.seeds, pair.difference, *(pair.interval or (None, None)), pair.p_value,
            *pair.luck, pair.splits, pair.false_positives,
        )
        for pair in found
    )  # fmt: skip
    text = (
        "Two disjoint halves of the control's seeds through the same pipeline. Low and high: 95 % interval of the "
        "difference at the first split. Luck: middle 95 % of the differences over random splits, which is what two "
        "arms that are the same differ by. Found without cause: share of those splits whose interval excludes 0."
    )
    return Table("control", "The control against itself", text, columns, rows)


def plans(found: Sequence[SeedPlan]) -> Table:
    """How many seeds an effect needs."""
    columns = (
        *_SCOPE,
        Column("spread", "Spread of seeds", "share"),
        Column("effect", "Gain to find", "share"),
        Column("seeds_now", "Seeds now", "integer"),
        Column("power_now", "Power now", "share"),
        Column("power", "for a power of", "share"),
        Column("seeds", "Seeds needed", "integer"),
        Column("most", None),
    )
    rows = tuple(
        (
            plan.scope.name,
            plan.arm,
            plan.spread,
            row.effect,
            plan.seeds,
            row.power_now,
            plan.power,
            row.seeds,
            plan.most,
        )
        for plan in found
        for row in plan.rows
    )
    methods = " ".join(dict.fromkeys(plan.method for plan in found))
    text = f"Seeds per arm that a further study needs to find a gain of the mean score. {methods}"
    return Table("seeds", "Seeds for a further study", text, columns, rows)
