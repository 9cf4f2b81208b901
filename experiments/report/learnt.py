"""Charts of what happened inside the networks: diagnostics over training, and learnt activations."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from experiments.analysis.results import Group
from experiments.collect.collection import Run
from experiments.report.chart import Axis, Chart, Line, Lines, Show
from experiments.report.files import file_stem
from experiments.statistics.arrays import FloatArray
from experiments.text import joined

# Which measures are drawn, in this order, with their words; a hidden layer's are averaged over the layers of a network.
# Definitions and sources: rl_acts/diagnostics. Every other one is in tables/diagnostics.csv.
MEASURES: Mapping[str, tuple[str, Show]] = {
    "dormant_share": ("dormant units", "share"),
    "dead_share": ("dead units", "share"),
    "gradient_inactive_share": ("units without gradient", "share"),
    "saturated_share": ("saturated activations", "share"),
    "policy_saturation": ("saturated actions", "share"),
    "effective_rank": ("effective rank of features", "number"),
    "srank": ("srank of features", "number"),
    "feature_norm": ("norm of features", "number"),
    "weight_norm": ("norm of weights", "number"),
    "distance_from_init": ("distance from the first weights", "number"),
    "effective_learning_rate": ("update relative to weights", "number"),
}
_NETWORKS: Mapping[str, str] = {"actor": "actor", "q1": "first critic"}
_WHOLE = "all"


def diagnostics(group: Group, order: Sequence[str]) -> list[Chart]:
    """For the actor and the first critic a chart with a panel for each measure: median over seeds, and their range."""
    charts = []
    for network, words in _NETWORKS.items():
        panels = []
        for name, (label, show) in MEASURES.items():
            lines = tuple(_lines(group, order, partial(measured, network=network, name=name)))
            if lines:
                panels.append(Lines(label, Axis("environment steps", "steps"), Axis("", show), lines))
        if panels:
            text = f"{group.name}, {words}: {joined([panel.title for panel in panels])} over environment steps."
            stem = file_stem("diagnostics", group.task, group.algorithm, network)
            charts.append(Chart("diagnostics", stem, f"{group.name}, {words}", text, tuple(panels)))
    return charts


def shapes(group: Group, order: Sequence[str]) -> list[Chart]:
    """For the actor and the first critic a chart with a panel for each layer: the activation at first and at last."""
    runs = {arm: [run for run in _runs(group, arm) if run.diagnostics and run.diagnostics.shapes] for arm in order}
    charts = []
    for network, words in _NETWORKS.items():
        layers = sorted(
            {
                layer
                for found in runs.values()
                for run in found
                for owner, layer in (run.diagnostics.shapes if run.diagnostics else ())
                if owner == network
            }
        )
        panels = tuple(
            Lines(
                layer,
                Axis("pre-activation"),
                Axis("activation"),
                tuple(line for arm in order for line in _shape_lines(arm, runs[arm], (network, layer))),
            )
            for layer in layers
        )
        if panels:
            text = f"{group.name}, {words}: learnt activations of {joined(layers)}, at the first and last measurement."
            stem = file_stem("shapes", group.task, group.algorithm, network)
            charts.append(Chart("shapes", stem, f"{group.name}, {words}", text, panels))
    return charts


LEARNT: Mapping[str, Callable[[Group, Sequence[str]], list[Chart]]] = {"shapes": shapes, "diagnostics": diagnostics}


def measured(run: Run, network: str, name: str) -> tuple[FloatArray, FloatArray] | None:
    """Steps [E] and values [E] of a measure: of the whole network where there is one, else the mean over its layers."""
    values = run.diagnostics.values if run.diagnostics else {}
    found = {layer: curve for (owner, layer, key), curve in values.items() if (owner, key) == (network, name)}
    if not found:
        return None
    if _WHOLE in found:
        return found[_WHOLE]
    steps = np.unique(np.concatenate([steps for steps, _ in found.values()]))
    rows = [np.interp(steps, *curve, left=np.nan, right=np.nan) for curve in found.values()]
    return steps, np.mean(rows, axis=0)


def _lines(
    group: Group, order: Sequence[str], curve_of: Callable[[Run], tuple[FloatArray, FloatArray] | None]
) -> list[Line]:
    lines = []
    for arm in order:
        curves = [curve for run in _runs(group, arm) if (curve := curve_of(run)) is not None]
        if not curves:
            continue
        steps = np.unique(np.concatenate([steps for steps, _ in curves]))
        # Beyond a run's end there is nothing to carry forward: it no longer has a network.
        rows = np.array([np.interp(steps, *curve, left=np.nan, right=np.nan) for curve in curves])
        known = np.isfinite(rows).any(axis=0)
        rows, steps = rows[:, known], steps[known]
        if steps.size:
            centre, low, high = np.nanmedian(rows, axis=0), np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
            lines.append(Line(arm, steps, centre, low, high))
    return lines


def _shape_lines(arm: str, runs: Sequence[Run], key: tuple[str, str]) -> list[Line]:
    """The mean over seeds with the range of all their units, at the last measurement; dotted at the first."""
    found = [run.diagnostics.shapes[key] for run in runs if run.diagnostics and key in run.diagnostics.shapes]
    if not found:
        return []
    x = found[0].x[0]
    first, last = (np.mean([shape.y[at] for shape in found], axis=0) for at in (0, -1))
    low = np.min([shape.low[-1] for shape in found], axis=0)
    high = np.max([shape.high[-1] for shape in found], axis=0)
    lines = [Line(arm, x, last, low, high, name=f"{arm}, last")]
    if any(shape.steps.size > 1 for shape in found):
        lines.append(Line(arm, x, first, second=True, name=f"{arm}, first"))
    return lines


def _runs(group: Group, arm: str) -> tuple[Run, ...]:
    return next((found.runs + found.unfinished for found in group.arms if found.arm == arm), ())
