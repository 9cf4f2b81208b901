"""Stratified bootstrap over runs: which runs a replicate holds is drawn once, and every statistic is taken of that.

A resample is a table of counts: how often each run was drawn. Runs are drawn within their stratum (task, algorithm,
arm) and as a whole, so the points of a curve keep their correlation, and final score, area and curve of one arm come
from the same replicates. Most statistics are then a product with the counts; the interquartile mean needs no sorting of
replicates either (`iqm_replicates`).

Letters of axes: R runs of one stratum, N runs of all strata, E points of a curve, B replicates (always last).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.arrays import FloatArray
from experiments.statistics.point_estimates import Strata, pooled, trimmed, wins

REPLICATES = 2000
# For bands of curves, which are looked at and not quoted: their ends move by a fifteenth of the band's half width.
CURVE_REPLICATES = 1000
# Points worked on at once: their counts and sums stay in the second-level cache.
_CHUNK_BYTES = 500_000


@dataclass(frozen=True)
class Resamples:
    """How often each run is in each replicate.

    Attributes:
        counts: [N, B]; within each stratum every replicate's counts sum to its number of runs.
        sizes: runs of each stratum, in the order of the rows.
    """

    counts: NDArray[np.unsignedinteger]
    sizes: tuple[int, ...]

    @property
    def replicates(self) -> int:
        """B."""
        return int(self.counts.shape[1])

    def first(self, replicates: int) -> "Resamples":
        """Only so many of the replicates, or all where there are no more."""
        return Resamples(np.ascontiguousarray(self.counts[:, :replicates]), self.sizes)

    def split(self) -> list[FloatArray]:
        """The counts of each stratum, [R_m, B] each."""
        return [part.astype(np.float64) for part in np.split(self.counts, np.cumsum(self.sizes)[:-1])]


def draw(runs: int, rng: np.random.Generator, replicates: int = REPLICATES) -> Resamples:
    """Draw `runs` runs with replacement, `replicates` times, for one stratum.

    Raises:
        ValueError: fewer than one run or replicate.
    """
    if runs < 1 or replicates < 1:
        raise ValueError(f"resampling needs at least one run and one replicate, not {runs} and {replicates}")
    drawn = rng.integers(0, runs, size=(replicates, runs))
    cells = drawn * replicates + np.arange(replicates)[:, None]
    counts = np.bincount(cells.ravel(), minlength=runs * replicates).reshape(runs, replicates)
    return Resamples(counts.astype(np.min_scalar_type(runs)), (runs,))


def stack(parts: Sequence[Resamples]) -> Resamples:
    """The resamples of several strata as those of all together; each stratum stays resampled on its own.

    Raises:
        ValueError: the parts differ in their number of replicates.
    """
    if len({part.replicates for part in parts}) != 1:
        raise ValueError(f"resamples of {[part.replicates for part in parts]} replicates cannot be stacked")
    sizes = tuple(size for part in parts for size in part.sizes)
    counts = np.concatenate([part.counts for part in parts])
    return Resamples(counts.astype(np.min_scalar_type(sum(sizes)), copy=False), sizes)


def iqm_replicates(scores: FloatArray, resamples: Resamples) -> FloatArray:
    """Interquartile mean over all runs of each replicate.

    With the runs in order of score v_1 <= ... <= v_N and C_k how many of the drawn ones are among the first k, the sum
    over the kept middle is v_N (N - cut) - v_1 cut - sum_k clip(C_k, cut, N - cut) (v_{k+1} - v_k): one sort of the
    data, and running sums of small integers, in place of a sort for every replicate.

    Args:
        scores: [N] or [N, E], rows as in `resamples`, finite.
        resamples: which runs each replicate holds.

    Returns:
        [B] or [E, B].
    """
    columns = scores.reshape(scores.shape[0], -1)
    runs, points = columns.shape
    counts, cut = resamples.counts, trimmed(runs)
    order = np.argsort(columns, axis=0, kind="stable")
    ordered = np.take_along_axis(columns, order, axis=0)
    gaps = np.diff(ordered, axis=0)
    sums = np.zeros((points, resamples.replicates))
    chunk = max(1, _CHUNK_BYTES // (8 * resamples.replicates))
    kind = counts.dtype.type
    for start in range(0, points, chunk):
        part = slice(start, min(points, start + chunk))
        total = sums[part]
        drawn = np.zeros(total.shape, dtype=counts.dtype)
        kept, term = np.empty_like(drawn), np.empty(total.shape)
        for run in range(runs - 1):
            drawn += counts[order[run, part]]
            # The lowest runs are cut in every replicate, and the highest: nothing to look up there.
            if run < cut and drawn.max() <= cut:
                total += cut * gaps[run, part, None]
                continue
            if run >= runs - cut and drawn.min() >= runs - cut:
                total += (runs - cut) * (ordered[-1, part] - ordered[run, part])[:, None]
                break
            np.maximum(drawn, kind(cut), out=kept)
            np.minimum(kept, kind(runs - cut), out=kept)
            # NumPy's product of small integers and floats would go through a slow cast in pieces.
            np.copyto(term, kept)
            term *= gaps[run, part, None]
            total += term
    middle = (ordered[-1] * (runs - cut) - ordered[0] * cut)[:, None] - sums
    return np.asarray((middle / (runs - 2 * cut)).reshape(*scores.shape[1:], -1), dtype=np.float64)


def stratum_means(strata: Strata, resamples: Resamples) -> FloatArray:
    """Mean over the runs of each stratum in each replicate, [M, B]."""
    parts = zip(strata, resamples.split(), strict=True)
    return np.array([scores @ counts / scores.size for scores, counts in parts])


def mean_replicates(strata: Strata, resamples: Resamples) -> FloatArray:
    """`point_estimates.mean` of each replicate, [B]."""
    return np.asarray(stratum_means(strata, resamples).mean(axis=0))


def median_replicates(strata: Strata, resamples: Resamples) -> FloatArray:
    """`point_estimates.median` of each replicate, [B]."""
    return np.asarray(np.median(stratum_means(strata, resamples), axis=0))


def optimality_gap_replicates(strata: Strata, resamples: Resamples, target: float = 1.0) -> FloatArray:
    """`point_estimates.optimality_gap` of each replicate, [B]."""
    short = np.minimum(pooled(strata), target)
    return np.asarray(target - short @ resamples.counts.astype(np.float64) / short.size)


def profile_replicates(strata: Strata, levels: FloatArray, resamples: Resamples) -> FloatArray:
    """`point_estimates.performance_profile` of each replicate at levels [T], [T, B]."""
    above = (pooled(strata)[:, None] > levels).astype(np.float64)
    return np.asarray(above.T @ resamples.counts.astype(np.float64) / above.shape[0])


def improvement_replicates(a: Strata, b: Strata, resamples_a: Resamples, resamples_b: Resamples) -> FloatArray:
    """`point_estimates.probability_of_improvement` of each pair of replicates, [B]."""
    drawn = zip(a, b, resamples_a.split(), resamples_b.split(), strict=True)
    shares = [
        np.einsum("ib,ib->b", counts_a, wins(one, other) @ counts_b) / (one.size * other.size)
        for one, other, counts_a, counts_b in drawn
    ]
    return np.asarray(np.mean(shares, axis=0))
