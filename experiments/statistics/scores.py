"""Statistics over seeds: pure NumPy on arrays, every random draw from a generator that the caller gives.

Letters of axes: R runs (seeds) of one arm on one task with one algorithm, E evaluation points, B bootstrap replicates.
The run is the unit of every statement: episodes and evaluation points of one run are not independent.
"""

from dataclasses import dataclass
from math import comb, isclose
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVEL = 0.95
REPLICATES = 2000
FEWEST_SEEDS = 5
# Measured share of simulated studies (normal scores, one task) whose nominal 95 % interval of the IQM held the truth.
COVERAGE = {20: 0.94, 10: 0.93, 5: 0.90}
_CHUNK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """An interquartile mean over seeds, with an interval whose meaning depends on the number of seeds.

    Attributes:
        value: the IQM.
        low: lower end.
        high: upper end.
        kind: "interval" is a 95 % bootstrap interval of the IQM; "range" is the smallest and largest seed, no interval.
        seeds: number of runs.
    """

    value: float
    low: float
    high: float
    kind: Literal["interval", "range"]
    seeds: int


def generator(*names: str) -> np.random.Generator:
    """A source of draws for what the names say: adding an arm or a task to a study changes no other arm's interval."""
    return np.random.default_rng([crc32(name.encode()) for name in names])


def level(a: float, b: float) -> bool:
    """Whether two scores are the same but for rounding, so that neither is ahead.

    >>> level(0.1 + 0.2, 0.3), level(1000.0, 1000.1)
    (True, False)
    """
    return isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def coverage(seeds: int) -> float | None:
    """How often a nominal 95 % interval from that many seeds really covers; None where none must be shown.

    Between the measured numbers of seeds the value of the next lower one is returned.

    >>> coverage(4), coverage(9), coverage(10)
    (None, 0.9, 0.93)
    """
    return next((share for least, share in COVERAGE.items() if seeds >= least), None)


def iqm(scores: FloatArray, axis: int = 0) -> FloatArray:
    """Interquartile mean: floor(n / 4) values dropped at each end, the rest averaged (Agarwal et al., 2021).

    Up to three values it is the mean.

    Args:
        scores: any shape, at least one value along `axis`.
        axis: the axis of runs, removed from the result.
    """
    count = scores.shape[axis]
    cut = count // 4
    kept = np.take(np.sort(scores, axis=axis), np.arange(cut, count - cut), axis=axis)
    return np.asarray(kept.mean(axis=axis), dtype=np.float64)


def bootstrap_iqm(scores: FloatArray, rng: np.random.Generator, replicates: int = REPLICATES) -> FloatArray:
    """Interquartile means of resampled runs. Whole runs are drawn, so the points of a curve keep their correlation.

    Args:
        scores: [R] or [R, E].
        rng: source of the draws.
        replicates: B.

    Returns:
        [B] or [B, E].
    """
    runs = scores.shape[0]
    drawn = rng.integers(0, runs, size=(replicates, runs))
    # The resampled curves of long studies would not fit in memory at once; the draws above do not depend on the chunk.
    size = max(1, _CHUNK_ELEMENTS // scores.size)
    chunks = [iqm(scores[drawn[start : start + size]], axis=1) for start in range(0, replicates, size)]
    return np.concatenate(chunks)


def percentile_interval(replicates: FloatArray, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Percentile interval over axis 0 of bootstrap replicates [B, ...]."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail], axis=0)
    return np.asarray(low), np.asarray(high)


def band(scores: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Band around the IQM over runs: pointwise 95 % bootstrap interval from five seeds on, else the range of the seeds.

    Args:
        scores: [R] or [R, E].
        rng: source of the draws.

    Returns:
        Lower and upper end, each [] or [E].
    """
    if coverage(scores.shape[0]) is None:
        return scores.min(axis=0), scores.max(axis=0)
    return percentile_interval(bootstrap_iqm(scores, rng))


def estimate(scores: FloatArray, rng: np.random.Generator) -> Estimate:
    """IQM of scores [R] with the interval or range that R seeds allow."""
    low, high = band(scores, rng)
    kind: Literal["interval", "range"] = "range" if coverage(scores.size) is None else "interval"
    return Estimate(float(iqm(scores)), float(low), float(high), kind, scores.size)


def difference_interval(a: FloatArray, b: FloatArray, rng: np.random.Generator) -> tuple[float, float] | None:
    """95 % bootstrap interval of IQM(a) - IQM(b) for scores [R_a], [R_b]; None below five seeds in either."""
    if min(a.size, b.size) < FEWEST_SEEDS:
        return None
    low, high = percentile_interval(bootstrap_iqm(a, rng) - bootstrap_iqm(b, rng))
    return float(low), float(high)


def carry_forward(returns: FloatArray) -> FloatArray:
    """Replace each value [E] that is not finite by the last finite one before it; leading ones become the first finite.

    Raises:
        ValueError: no value is finite.
    """
    finite = np.isfinite(returns)
    if not finite.any():
        raise ValueError("no finite evaluation to carry forward")
    first = int(np.argmax(finite))
    last = np.maximum.accumulate(np.where(finite, np.arange(returns.size), first))
    return returns[last]


def final_window(points: int) -> int:
    """Number of evaluations that make the final score: the last 10 %, at least one.

    >>> final_window(201), final_window(5)
    (20, 1)
    """
    return max(1, points // 10)


def final_scores(curves: FloatArray) -> FloatArray:
    """Mean over the final window, [R, E] -> [R]. Never the maximum over training, which rewards noise."""
    return np.asarray(curves[:, -final_window(curves.shape[1]) :].mean(axis=1), dtype=np.float64)


def area_under_curve(steps: FloatArray, curves: FloatArray) -> FloatArray:
    """Trapezoid area divided by the spanned steps: the mean return over training, [E], [R, E] -> [R]; NaN if E < 2."""
    if steps.size < 2:
        return np.full(curves.shape[0], np.nan)
    area = np.trapezoid(curves, steps, axis=1) / (steps[-1] - steps[0])
    return np.asarray(area, dtype=np.float64)


def probability_of_improvement(a: FloatArray, b: FloatArray) -> float:
    """P(a run of `a` beats a run of `b`): Mann-Whitney U over R_a R_b, ties count half."""
    return float((np.sign(a[:, None] - b[None, :]) + 1.0).mean() / 2.0)


def smallest_p_value(runs_a: int, runs_b: int) -> float:
    """The smallest two-sided p value that any permutation test of so many runs can reach.

    >>> smallest_p_value(3, 3)
    0.1
    """
    return min(1.0, 2.0 / comb(runs_a + runs_b, runs_a))


def permutation_p_value(a: FloatArray, b: FloatArray) -> float:
    """Exact two-sided p value of U over all splits of the pooled runs, ties included, for scores [R_a], [R_b].

    The number of splits with each rank sum is counted by dynamic programming, so it stays exact where listing the
    splits would take days. Ranks, not means: one collapsed seed would otherwise hide any difference.
    """
    _, inverse, counts = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    # Twice the midrank of a tied value is an integer.
    doubled = (2 * (np.cumsum(counts) - counts) + counts + 1)[inverse]
    ways = np.zeros((a.size + 1, int(doubled.sum()) + 1))
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    share = ways[a.size] / comb(a.size + b.size, a.size)
    observed = int(doubled[: a.size].sum())
    return float(min(1.0, 2.0 * min(share[: observed + 1].sum(), share[observed:].sum())))


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down correction of p values [n], in the order given."""
    count = p_values.size
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((count - np.arange(count)) * p_values[order])
    corrected = np.empty(count)
    corrected[order] = np.minimum(1.0, stepped)
    return corrected


def wilson_interval(failures: int, runs: int) -> tuple[float, float]:
    """95 % Wilson score interval of a failure rate."""
    z = 1.959963984540054
    share = failures / runs
    centre = (share + z * z / (2 * runs)) / (1 + z * z / runs)
    half = z * np.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs)) / (1 + z * z / runs)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
