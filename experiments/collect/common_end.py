"""Curves of runs from anywhere brought to where they can be compared: one last step per task and algorithm."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.collect.collection import ENDED_BADLY, ReturnsKind, Run
from experiments.collect.evaluations import Evaluations
from experiments.collect.naming import Named
from experiments.collect.series import Series, binned, evaluations
from experiments.text import joined, whole

# Curves of training episodes have about this many points where episodes are short enough.
_POINTS = 100


@dataclass(frozen=True)
class Span:
    """How far the runs of one task and algorithm are compared, and how wide an interval of training episodes is."""

    end: float
    width: float


def spans(
    found: Sequence[Named], kind: ReturnsKind, until: int | None, interval: int | None
) -> dict[tuple[str, str], Span]:
    """The last step of each task and algorithm: where the first arm ends.

    An arm ends where the longest of its runs does that neither failed nor still trains. What other arms did beyond
    that has nothing to be compared with.

    Args:
        found: all runs.
        kind: which returns.
        until: a last step that a person asks for.
        interval: a width that a person asks for.
    """
    groups: dict[tuple[str, str], list[Named]] = defaultdict(list)
    for entry in found:
        groups[entry.key[:2]].append(entry)
    result = {}
    for place, members in groups.items():
        ends: dict[str, float] = {}
        for entry in [entry for entry in members if _ended_well(entry, kind)] or members:
            ends[entry.arm] = max(ends.get(entry.arm, 0.0), _last_step(entry, kind))
        end = float(until) if until is not None else min(ends.values())
        width = float(interval or _width(members, kind, end))
        result[place] = Span(
            round(end / width) * width if kind == "training" and _single(members, kind) else end, width
        )
    return result


def shortened(
    found: Sequence[Named], kind: ReturnsKind, all_spans: Mapping[tuple[str, str], Span], notes: list[str]
) -> list[Run]:
    """The runs up to the last step of their task and algorithm, with a state that their curve suggests.

    A log does not say how its run ended. One that ends more than one evaluation before the others counts as failed,
    and one whose last return is not finite as diverged: a run that is silently left out would flatter its arm.
    """
    longer: dict[tuple[str, str], set[str]] = defaultdict(set)
    runs = []
    for entry in found:
        span = all_spans[entry.key[:2]]
        if _last_step(entry, kind) >= span.end + max(_gap(entry, kind), 1.0):
            longer[entry.key[:2]].add(entry.arm)
        runs.append(
            _ours(entry, entry.log.run, span) if entry.log.run is not None else _foreign(entry, kind, span, notes)
        )
    for (task, algorithm), arms in longer.items():
        end = whole(all_spans[task, algorithm].end)
        notes.append(
            f"{task}, {algorithm}: compared up to step {end}; {joined(sorted(arms))} went on, which is not used"
        )
    return runs


def _ours(entry: Named, run: Run, span: Span) -> Run:
    found = run.evaluations
    kept = found.steps <= span.end
    short = Evaluations(
        found.steps[kept],
        found.returns[kept],
        found.clock[kept],
        found.rows[kept] if found.rows.size else found.rows,
        found.files[kept] if found.files.size else found.files,
    )
    task, algorithm, arm, seed = entry.key
    state = entry.log.corrected.get("state", run.state)
    # A comparison is recomputed from its collected table, which has no measurements of networks.
    return replace(
        run, task=task, algorithm=algorithm, arm=arm, seed=seed, state=state, evaluations=short, diagnostics=None
    )


def _foreign(entry: Named, kind: ReturnsKind, span: Span, notes: list[str]) -> Run:
    log, series = entry.log, entry.log.series[kind]
    last, gap = series.last_step, max(series.gap, span.width if series.episodes else 0.0)
    if series.episodes:
        series = binned(series, span.width, notes)
    elif kind == "training" and log.format != "table":
        notes.append(f"{log.place}: its training returns are running means over 100 episodes, as its logger wrote them")
    excludes = log.format == "table" or (kind == "training" and "evaluation" not in log.series)
    curve = evaluations(series, end=span.end, excludes_evaluation=excludes)
    cause = None
    if curve.returns.size and not np.isfinite(curve.returns[-1]):
        state, cause = "diverged", "its last returns are not finite"
    elif last >= span.end - gap:
        state = "done"
    else:
        state, cause = "failed", f"its log ends at step {whole(last)}; why is not recorded"
    said = log.corrected.get("state")
    return Run(
        *entry.key,
        said or state,
        curve,
        cause=cause if said in (None, *ENDED_BADLY) else None,
        versions=log.versions,
        returns_kind=kind,
        source=series.sources[0],
        more_sources=series.sources[1:],
        format=log.format,
    )


def _ended_well(entry: Named, kind: ReturnsKind) -> bool:
    run = entry.log.run
    state = entry.log.corrected.get("state", run.state if run is not None else None)
    if run is not None:
        return state == "done" and run.scored
    returns = entry.log.series[kind].returns
    return state in (None, "done") and bool(returns.size) and bool(np.isfinite(returns[-1]))


def _series(entry: Named, kind: ReturnsKind) -> Series | Evaluations:
    return entry.log.run.evaluations if entry.log.run is not None else entry.log.series[kind]


def _last_step(entry: Named, kind: ReturnsKind) -> float:
    steps = _series(entry, kind).steps
    return float(steps[-1]) if steps.size else 0.0


def _gap(entry: Named, kind: ReturnsKind) -> float:
    steps = _series(entry, kind).steps
    return float(np.median(np.diff(steps))) if steps.size > 1 else 0.0


def _single(members: Sequence[Named], kind: ReturnsKind) -> bool:
    return any(entry.log.run is None and entry.log.series[kind].episodes for entry in members)


def _width(members: Sequence[Named], kind: ReturnsKind, end: float) -> float:
    """A round number of steps that holds an episode as a rule, and makes at most _POINTS points."""
    gaps = [_gap(entry, kind) for entry in members]
    least = max(end / _POINTS, *gaps, 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
