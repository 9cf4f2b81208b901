"""Tests of two arms. The unit is the run; runs of different strata (tasks, algorithms) are never exchanged.

Letters of axes: R runs of one arm in one stratum, S splits of the pooled runs into two arms.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, prod, sqrt

import numpy as np

from experiments.statistics.arrays import FloatArray
from experiments.statistics.distributions import student_t_quantile, student_t_two_sided
from experiments.statistics.point_estimates import Strata

MOST_SPLITS = 200_000
RANDOM_SPLITS = 9_999
# Additions that counting all splits of one stratum may take: about a tenth of a second.
_MOST_WORK = 100_000_000


@dataclass(frozen=True)
class PValue:
    """A two-sided p value, and whether all splits were counted (exact) or some drawn at random."""

    value: float
    exact: bool


def welch(a: FloatArray, b: FloatArray, level: float = 0.95) -> tuple[float, tuple[float, float]]:
    """Welch's t test of the means of [R_a], [R_b] (1947): two-sided p value and interval of mean(a) - mean(b).

    All NaN where it is not defined: fewer than two runs in an arm, no spread in either, or one whose square overflows.
    """
    undefined = float("nan"), (float("nan"), float("nan"))
    if min(a.size, b.size) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return undefined
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.array([a.var(ddof=1) / a.size, b.var(ddof=1) / b.size])
        if not np.isfinite((parts**2).sum()):
            return undefined
    error = sqrt(float(parts.sum()))
    freedom = error**4 / float((parts**2 / (np.array([a.size, b.size]) - 1)).sum())
    difference = float(a.mean() - b.mean())
    half = student_t_quantile(level, freedom) * error
    return student_t_two_sided(difference / error, freedom), (difference - half, difference + half)


@dataclass(frozen=True)
class Splits:
    """Ways to split R_a + R_b pooled runs into the two arms.

    Attributes:
        first: [S, R_a + R_b], 1 where a run goes to the first arm, else 0.
        exact: whether these are all splits.
    """

    first: FloatArray
    exact: bool


def splits(runs_a: int, runs_b: int, rng: np.random.Generator, most: int = MOST_SPLITS) -> Splits:
    """All splits where there are at most `most` of them, else `RANDOM_SPLITS` drawn at random."""
    runs = runs_a + runs_b
    if comb(runs, runs_a) <= most:
        chosen = np.array(list(combinations(range(runs), runs_a)))
    else:
        chosen = np.argsort(rng.random((RANDOM_SPLITS, runs)), axis=1)[:, :runs_a]
    first = np.zeros((chosen.shape[0], runs))
    np.put_along_axis(first, chosen, 1.0, axis=1)
    return Splits(first, comb(runs, runs_a) <= most)


def permutation_test(a: FloatArray, b: FloatArray, ways: Splits) -> PValue:
    """Permutation test of the difference of means of [R_a], [R_b] (Fisher, 1935): twice the smaller tail, as SciPy's.

    With drawn splits the observed one counts as one more, so that p is never 0 (Phipson and Smyth, 2010).
    """
    values = np.concatenate([a, b])
    # Centred, so that sums of large scores do not lose the digits in which splits differ.
    centred = values - values.mean()
    sums, observed = ways.first @ centred, centred[: a.size].sum()
    # Splits with the same sum but for rounding count as equal.
    slack = 1e-9 * np.abs(centred).sum()
    tail = min(int((sums <= observed + slack).sum()), int((sums >= observed - slack).sum()))
    share = tail / sums.size if ways.exact else (tail + 1) / (sums.size + 1)
    return PValue(min(1.0, 2.0 * share), ways.exact)


def rank_test(a: Strata, b: Strata, rng: np.random.Generator) -> PValue:
    """Two-sided permutation test of the pairs (run of a, run of b, same stratum) that a wins, ties half.

    With one stratum it is the Mann-Whitney test, with several its stratified form; ties are allowed for. Where the
    strata have equal numbers of runs, the statistic is the probability of improvement. Ranks, not means: one collapsed
    seed would otherwise hide any difference. Splits are counted by dynamic programming, not listed, so the test stays
    exact up to some hundred runs; beyond, splits are drawn at random.

    Args:
        a: scores [R_a] of each stratum.
        b: scores [R_b] of the same strata.
        rng: source of random splits, where they are too many to count.
    """
    keys, won = [], 0
    for one, other in zip(a, b, strict=True):
        ranks = _doubled_ranks(np.concatenate([one, other]))
        won += int(ranks[: one.size].sum()) - one.size * (one.size + 1)
        keys.append((one.size, tuple(sorted(ranks.tolist()))))
    if all(size * len(ranks) * sum(ranks) <= _MOST_WORK for size, ranks in keys):
        share = _null_of_strata(tuple(sorted(keys)))
        # Sums of many small shares: rounding must not push a tail below what the observed outcome alone has.
        below, above = float(share[: won + 1].sum()), float(share[won:].sum())
        return PValue(min(1.0, 2.0 * min(below, above)), exact=True)
    drawn = np.sum([_drawn(size, np.array(ranks), rng) for size, ranks in keys], axis=0)
    below, above = ((int(side.sum()) + 1) / (RANDOM_SPLITS + 1) for side in (drawn <= won, drawn >= won))
    return PValue(min(1.0, 2.0 * min(below, above)), exact=False)


def smallest_p_value(runs: list[tuple[int, int]]) -> float:
    """The smallest two-sided p value that `rank_test` can reach with so many runs (R_a, R_b) in each stratum.

    >>> smallest_p_value([(3, 3)]), smallest_p_value([(2, 2), (2, 2)])
    (0.1, 0.05555555555555555)
    """
    return min(1.0, 2.0 / prod(comb(a + b, a) for a, b in runs))


def _doubled_ranks(pooled: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Twice the midrank of each value, which ties leave whole."""
    _, inverse, counts = np.unique(pooled, return_inverse=True, return_counts=True)
    ranks = (2 * (np.cumsum(counts) - counts) + counts + 1)[inverse]
    return np.asarray(ranks, dtype=np.int64)


@lru_cache(maxsize=64)
def _null_of_strata(keys: tuple[tuple[int, tuple[int, ...]], ...]) -> FloatArray:
    """Share of splits with each doubled number of won pairs, over all strata together."""
    share = np.ones(1)
    for size, ranks in keys:
        share = np.convolve(share, _null(size, ranks))
    return share


@lru_cache(maxsize=256)
def _null(size: int, ranks: tuple[int, ...]) -> FloatArray:
    """Share of splits of one stratum with each doubled number of won pairs, [2 R_a R_b + 1].

    The number of splits with each rank sum is counted run by run. Without ties it depends on the sizes alone, and is
    counted once for all comparisons.
    """
    largest = sum(ranks[-size:])
    ways = np.zeros((size + 1, largest + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : largest + 1 - rank].copy()
    least = size * (size + 1)
    share = np.zeros(2 * size * (len(ranks) - size) + 1)
    counted = ways[size, least:]
    share[: counted.size] = counted / comb(len(ranks), size)
    return share


def _drawn(size: int, ranks: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator) -> FloatArray:
    """Doubled number of won pairs of random splits of one stratum, [S]."""
    chosen = np.argsort(rng.random((RANDOM_SPLITS, ranks.size)), axis=1)[:, :size]
    return np.asarray(ranks[chosen].sum(axis=1) - size * (size + 1), dtype=np.float64)
