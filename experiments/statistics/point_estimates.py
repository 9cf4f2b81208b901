"""One number for many runs: what Agarwal et al. (2021, arXiv 2108.13264) recommend, as rliable computes it.

Letters of axes: R runs of one stratum, M strata (a task, or a task with an algorithm), T levels.
Scores of several strata come as a list with one array [R_m] for each stratum, so strata may differ in their runs.
"""

from collections.abc import Sequence

import numpy as np

from experiments.statistics.arrays import FloatArray

Strata = Sequence[FloatArray]


def trimmed(count: int) -> int:
    """Values that an interquartile mean drops at each end: a quarter, rounded down.

    >>> trimmed(3), trimmed(10)
    (0, 2)
    """
    return count // 4


def iqm(scores: FloatArray, axis: int = 0) -> FloatArray:
    """Interquartile mean: `trimmed` values dropped at each end, the rest averaged; up to three values it is the mean.

    Args:
        scores: any shape, at least one value along `axis`; several strata are pooled before (`pooled`).
        axis: the axis of runs, removed from the result.

    Raises:
        ValueError: no value along `axis`.
    """
    count = scores.shape[axis]
    if not count:
        raise ValueError("an interquartile mean needs at least one score")
    cut = trimmed(count)
    kept = np.take(np.sort(scores, axis=axis), np.arange(cut, count - cut), axis=axis)
    return np.asarray(kept.mean(axis=axis), dtype=np.float64)


def pooled(strata: Strata) -> FloatArray:
    """All scores of all strata in one array, [N] or [N, ...]: each run counts the same."""
    return np.concatenate(list(strata))


def mean(strata: Strata) -> float:
    """Mean over strata of the mean over runs: each stratum counts the same."""
    return float(np.mean([scores.mean() for scores in strata]))


def median(strata: Strata) -> float:
    """Median over strata of the mean over runs."""
    return float(np.median([scores.mean() for scores in strata]))


def optimality_gap(strata: Strata, target: float = 1.0) -> float:
    """How far runs fall short of `target` on average; what exceeds it makes up for nothing."""
    return float(target - np.minimum(pooled(strata), target).mean())


def wins(a: FloatArray, b: FloatArray) -> FloatArray:
    """For scores [R_a], [R_b] of one stratum, [R_a, R_b]: 1 where a's run is better, 0.5 where they tie, else 0."""
    return np.asarray((np.sign(a[:, None] - b[None, :]) + 1.0) / 2.0, dtype=np.float64)


def probability_of_improvement(a: Strata, b: Strata) -> float:
    """P(a run of a beats a run of b on the same stratum): Mann-Whitney U over R_a R_b, averaged over strata.

    Args:
        a: one array of scores for each stratum.
        b: likewise, the same strata in the same order.
    """
    return float(np.mean([wins(one, other).mean() for one, other in zip(a, b, strict=True)]))


def performance_profile(strata: Strata, levels: FloatArray) -> FloatArray:
    """Share of all runs whose score is above each level [T], [T]."""
    return np.asarray((pooled(strata)[:, None] > levels).mean(axis=0), dtype=np.float64)
