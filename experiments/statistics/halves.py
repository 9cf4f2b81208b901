"""An arm against itself: its runs in two disjoint halves. What is found there is found by luck (A/A control).

Letters of axes: R runs of one stratum, N runs of all strata, S splits.
"""

from dataclasses import dataclass

import numpy as np

from experiments.statistics.arrays import FloatArray, IntArray
from experiments.statistics.bootstrap import draw, iqm_replicates, stack
from experiments.statistics.intervals import FEWEST_SEEDS, percentile_interval
from experiments.statistics.point_estimates import Strata, iqm

SPLITS = 200


@dataclass(frozen=True)
class Halves:
    """What random halves show.

    Attributes:
        low: lower end of the middle 95 % of the difference of their IQMs.
        high: upper end.
        excluding_zero: share of splits whose 95 % bootstrap interval of that difference excludes 0, which ought to be
            5 %; NaN below five seeds in a half.
    """

    low: float
    high: float
    excluding_zero: float


def in_turn(runs: int) -> tuple[IntArray, IntArray]:
    """The first split: runs in turn to one half and the other; an odd one is left out.

    >>> [half.tolist() for half in in_turn(5)]
    [[0, 2], [1, 3]]
    """
    order = np.arange(runs - runs % 2)
    return order[::2], order[1::2]


def random_halves(strata: Strata, rng: np.random.Generator, count: int = SPLITS, replicates: int = 500) -> Halves:
    """Split the runs of every stratum at random, again and again.

    Args:
        strata: scores [R] of each stratum, at least two runs each.
        rng: source of the splits and resamples.
        count: number of splits, S.
        replicates: bootstrap resamples of each half; all splits share which of a half's runs they draw.
    """
    sizes = [scores.size // 2 for scores in strata]
    orders = [rng.permuted(np.tile(np.arange(scores.size), (count, 1)), axis=1) for scores in strata]
    one = _half(strata, [order[:, :size] for order, size in zip(orders, sizes, strict=True)])
    other = _half(strata, [order[:, size : 2 * size] for order, size in zip(orders, sizes, strict=True)])
    low, high = np.quantile(iqm(one) - iqm(other), [0.025, 0.975])
    if min(sizes) < FEWEST_SEEDS:
        return Halves(float(low), float(high), float("nan"))
    drawn = [stack([draw(size, rng, replicates) for size in sizes]) for _ in range(2)]
    lower, upper = percentile_interval(iqm_replicates(one, drawn[0]) - iqm_replicates(other, drawn[1]))
    return Halves(float(low), float(high), float(((lower > 0) | (upper < 0)).mean()))


def _half(strata: Strata, chosen: list[IntArray]) -> FloatArray:
    """Scores of the chosen runs ([S, R] of each stratum), [N, S]."""
    return np.concatenate([scores[runs].T for scores, runs in zip(strata, chosen, strict=True)])
