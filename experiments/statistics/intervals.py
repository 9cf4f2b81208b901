"""Intervals of estimates, and what they are worth: how often a nominal 95 % interval of n seeds really covers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.statistics.arrays import FloatArray
from experiments.statistics.bootstrap import (
    CURVE_REPLICATES,
    Resamples,
    improvement_replicates,
    iqm_replicates,
)
from experiments.statistics.point_estimates import Strata, iqm, pooled

LEVEL = 0.95
FEWEST_SEEDS = 5
Statistic = Literal["iqm", "mean"]
# Share of simulated studies whose nominal 95 % percentile bootstrap interval held the truth, with normal scores:
# {(statistic, strata): {seeds: share}}. The exhaustive tests simulate it again.
_COVERAGE: dict[tuple[Statistic, int], dict[int, float]] = {
    ("iqm", 1): {20: 0.94, 10: 0.93, 5: 0.90},
    ("mean", 1): {20: 0.92, 10: 0.89, 5: 0.83},
    ("iqm", 5): {20: 0.94, 10: 0.93, 5: 0.91},
    ("mean", 5): {20: 0.93, 10: 0.93, 5: 0.90},
}


def coverage(seeds: int, strata: int = 1, statistic: Statistic = "iqm") -> float | None:
    """How often a nominal 95 % interval from that many seeds really covers; None where none must be shown.

    Between the simulated numbers of seeds and strata the value of the next lower one is returned.

    Args:
        seeds: runs in the stratum that has fewest.
        strata: tasks (times algorithms) that are pooled.
        statistic: what the interval is of.

    >>> coverage(4), coverage(9), coverage(10), coverage(5, strata=6), coverage(5, statistic="mean")
    (None, 0.9, 0.93, 0.91, 0.83)
    """
    table = _COVERAGE[statistic, 5 if strata >= 5 else 1]
    return next((share for least, share in table.items() if seeds >= least), None)


@dataclass(frozen=True)
class Estimate:
    """A statistic over seeds, with an interval whose meaning depends on the number of seeds.

    Attributes:
        value: the statistic.
        low: lower end.
        high: upper end.
        kind: "interval" is a nominal 95 % bootstrap interval; "range" goes from the smallest to the largest seed (with
            several strata: the statistic of one seed of each), and is no interval.
        seeds: number of runs, in the stratum that has fewest.
        strata: number of strata.
        statistic: for the coverage: medians and gaps are means over runs too.
    """

    value: float
    low: float
    high: float
    kind: Literal["interval", "range"]
    seeds: int
    strata: int = 1
    statistic: Statistic = "iqm"

    @property
    def coverage(self) -> float | None:
        """How often such an interval really covers; None for a range."""
        return coverage(self.seeds, self.strata, self.statistic)

    @property
    def label(self) -> str:
        """What low and high are, in words."""
        if self.coverage is None:
            return "range of the seeds"
        return f"nominal 95 % interval, covers {100 * self.coverage:.0f} %"


def percentile_interval(replicates: FloatArray, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Percentile interval over the last axis of bootstrap replicates [..., B]."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(replicates, [tail, 1.0 - tail], axis=-1)
    return np.asarray(low), np.asarray(high)


def band(scores: FloatArray, resamples: Resamples) -> tuple[FloatArray, FloatArray]:
    """Band around the IQM over runs: pointwise 95 % bootstrap interval from five seeds on, else the range of the seeds.

    A curve's band is of the first `CURVE_REPLICATES` replicates.

    Args:
        scores: [N] or [N, E], rows as in `resamples`, one or more strata.
        resamples: which runs each replicate holds.

    Returns:
        Lower and upper end, each [] or [E].
    """
    if coverage(min(resamples.sizes)) is None:
        alone = single_seeds(scores, resamples.sizes, lambda rows: iqm(pooled(rows)))
        return alone.min(axis=0), alone.max(axis=0)
    used = resamples if scores.ndim == 1 else resamples.first(CURVE_REPLICATES)
    return percentile_interval(iqm_replicates(scores, used))


def single_seeds(
    scores: FloatArray, sizes: tuple[int, ...], statistic: Callable[[Strata], float | FloatArray]
) -> FloatArray:
    """The statistic of one run of each stratum, for as many runs as the smallest stratum has, [R, ...]."""
    strata = np.split(scores, np.cumsum(sizes)[:-1])
    return np.array([statistic([rows[seed : seed + 1] for rows in strata]) for seed in range(min(sizes))])


def estimate(scores: FloatArray, resamples: Resamples) -> Estimate:
    """IQM of scores [N], of one stratum or several, with the interval or range that so many seeds allow."""
    low, high = band(scores, resamples)
    return labelled(float(iqm(scores)), (float(low), float(high)), resamples.sizes)


def labelled(value: float, ends: tuple[float, float], sizes: tuple[int, ...], statistic: Statistic = "iqm") -> Estimate:
    """An estimate whose ends are called what strata of these sizes allow."""
    kind: Literal["interval", "range"] = "range" if coverage(min(sizes)) is None else "interval"
    return Estimate(value, *ends, kind, min(sizes), len(sizes), statistic)


def estimate_of(
    strata: Strata,
    resamples: Resamples,
    statistic: Callable[[Strata], float],
    replicates: Callable[[Strata, Resamples], FloatArray],
) -> Estimate:
    """Any statistic of strata ([R_m] each) with the interval or range that so many seeds allow.

    Args:
        strata: scores.
        resamples: which runs each replicate holds.
        statistic: of the scores.
        replicates: the same of each replicate, [B].
    """
    if coverage(min(resamples.sizes)) is None:
        alone = single_seeds(pooled(strata), resamples.sizes, statistic)
        ends = (float(alone.min()), float(alone.max()))
    else:
        low, high = percentile_interval(replicates(strata, resamples))
        ends = (float(low), float(high))
    return labelled(float(statistic(strata)), ends, resamples.sizes, "mean")


def difference_interval(
    a: FloatArray, b: FloatArray, resamples_a: Resamples, resamples_b: Resamples
) -> tuple[float, float] | None:
    """95 % bootstrap interval of IQM(a) - IQM(b) for scores [N_a], [N_b]; None below five seeds in any stratum."""
    if min(*resamples_a.sizes, *resamples_b.sizes) < FEWEST_SEEDS:
        return None
    low, high = percentile_interval(iqm_replicates(a, resamples_a) - iqm_replicates(b, resamples_b))
    return float(low), float(high)


def improvement_interval(
    a: Strata, b: Strata, resamples_a: Resamples, resamples_b: Resamples
) -> tuple[float, float] | None:
    """95 % bootstrap interval of the probability of improvement; None below five seeds in any stratum."""
    if min(*resamples_a.sizes, *resamples_b.sizes) < FEWEST_SEEDS:
        return None
    low, high = percentile_interval(improvement_replicates(a, b, resamples_a, resamples_b))
    return float(low), float(high)


def within_margin(interval: tuple[float, float] | None, margin: float | None) -> bool:
    """Whether a difference's interval lies within (-margin, margin), which shows equivalence; no interval shows none.

    A 95 % interval makes this two one-sided tests at 2.5 % each, stricter than the customary 5 %.
    """
    return interval is not None and margin is not None and -margin < interval[0] and interval[1] < margin
