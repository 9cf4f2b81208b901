"""How many seeds an effect needs, from the scores that a study has: Noether's formula for the rank test (1987).

The formula takes what the test itself looks at, the probability that a run with the effect beats one without, from the
study's own scores; it assumes no distribution, and no simulation is needed. An effect is a gain of normalised score
(1 is the control's): each score times 1 + effect.
"""

from math import sqrt

import numpy as np

from experiments.statistics.arrays import FloatArray
from experiments.statistics.distributions import NORMAL
from experiments.statistics.point_estimates import Strata

METHOD = "by Noether's formula for the rank test, with the probability of improvement that the effect gives these seeds"
MOST_SEEDS = 1000


def shifted_improvement(strata: Strata, effect: float) -> float:
    """P(a run with the effect beats one without), mean over strata; no run is compared with itself.

    A few scores are a coarse distribution, in which a small effect overtakes nobody: they are smoothed by a normal
    kernel (Silverman's width) and drawn towards their mean by as much as that widens them.

    Args:
        strata: normalised scores [R] of each stratum, at least two runs each.
        effect: relative gain.

    Raises:
        ValueError: fewer than two runs in a stratum.
    """
    if min(scores.size for scores in strata) < 2:
        raise ValueError("the spread of a stratum with one run is not known")
    shares = []
    for scores in strata:
        width = 1.06 * scores.size**-0.2
        shrunk = scores.mean() + (scores - scores.mean()) / sqrt(1 + width * width)
        noise = scores.std(ddof=1) * width / sqrt(1 + width * width)
        table = _chances((1.0 + effect) * shrunk[:, None] - shrunk, noise * sqrt(1 + (1 + effect) ** 2))
        shares.append((table.sum() - np.trace(table)) / (scores.size * (scores.size - 1)))
    return float(np.mean(shares))


def _chances(ahead: FloatArray, noise: float) -> FloatArray:
    """P(Z < ahead / noise) for normal Z, of any shape; without noise 1, 0.5 or 0."""
    if not noise > 0:
        return np.asarray((np.sign(ahead) + 1) / 2, dtype=np.float64)
    return np.asarray(np.vectorize(NORMAL.cdf, otypes=[np.float64])(ahead / noise), dtype=np.float64)


def power(improvement: float, seeds: int, strata: int, alpha: float = 0.05) -> float:
    """Probability that the two-sided rank test at level alpha finds a probability of improvement.

    Args:
        improvement: true probability that a run of one arm beats one of the other, averaged over strata.
        seeds: runs per arm and stratum.
        strata: number of strata.
        alpha: two-sided level.
    """
    error = sqrt((2 * seeds + 1) / (12 * seeds * seeds * strata))
    far = abs(improvement - 0.5) / error
    critical = NORMAL.inv_cdf(1 - alpha / 2)
    return NORMAL.cdf(far - critical) + NORMAL.cdf(-far - critical)


def seeds_needed(
    improvement: float, strata: int, target: float = 0.8, alpha: float = 0.05, most: int = MOST_SEEDS
) -> int | None:
    """Fewest seeds per arm and stratum with that power; None where it takes more than `most`.

    >>> seeds_needed(0.669, strata=1), seeds_needed(0.669, strata=4), seeds_needed(0.5, strata=4)
    (47, 12, None)
    """
    if power(improvement, most, strata, alpha) < target:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(improvement, middle, strata, alpha) >= target else (middle, high)
    return high


def spread(strata: Strata) -> float:
    """Standard deviation over mean of each stratum's scores, root mean square over strata."""
    return sqrt(float(np.mean([(scores.std(ddof=1) / scores.mean()) ** 2 for scores in strata])))
