"""Tables of runs: their times, their bad ends, and every one of them with its curve's arm."""

from collections.abc import Sequence

import numpy as np

from experiments.analysis.results import Group
from experiments.collect.collection import Collection
from experiments.collect.evaluations import PARTS
from experiments.report.table import PLACE, Column, Table, Value
from experiments.statistics.rates import wilson_interval


def timing(groups: Sequence[Group]) -> Table:
    """Throughput and times for each arm."""
    columns = (
        *PLACE,
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
            if arm.throughput is None:
                rows.append((group.task, group.algorithm, arm.arm, 0, *[None] * (len(columns) - 4)))
                continue
            rates = [run.evaluations.steps_per_second for run in arm.timed]
            spent = arm.throughput
            rows.append(
                (
                    group.task, group.algorithm, arm.arm, len(rates), float(np.median(rates)), min(rates), max(rates),
                    spent.training_s, spent.wall_s, *spent.shares.tolist(),
                )
            )  # fmt: skip
    text = (
        "Environment steps per second of training, evaluation left out; median, slowest and fastest run. The last five "
        "columns are shares of the whole time."
    )
    return Table("timing", "Time", text, columns, tuple(rows))


def failures(groups: Sequence[Group]) -> Table:
    """How many runs of each arm failed or diverged, with a Wilson interval of the rate."""
    columns = (
        *PLACE,
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


def diagnostics(groups: Sequence[Group]) -> Table:
    """Every measure of every layer over training, median and range over the runs of an arm; for a CSV file only."""
    keys = ("task", "algorithm", "arm", "network", "layer", "measure", "step", "median", "low", "high", "seeds")
    found: dict[tuple[str, ...], dict[float, list[float]]] = {}
    for group, arm in [(one, arm) for one in groups for arm in one.arms]:
        for run in arm.runs + arm.unfinished:
            for key, (steps, values) in (run.diagnostics.values if run.diagnostics else {}).items():
                at = found.setdefault((group.task, group.algorithm, arm.arm, *key), {})
                for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                    at.setdefault(step, []).append(value)
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (*key, step, float(np.median(values)), min(values), max(values), len(values))
        for key, at in found.items()
        for step, values in sorted(at.items())
    )
    return Table("diagnostics", "Diagnostics", "", tuple(Column(key, None) for key in keys), rows)
