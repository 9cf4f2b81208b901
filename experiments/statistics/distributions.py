"""The few distributions that the tests need; SciPy is an oracle in our tests, and not needed to make a page."""

from math import exp, lgamma, log
from statistics import NormalDist

NORMAL = NormalDist()


def student_t_two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) for Student's t with `freedom` (real) degrees of freedom: I_x(freedom / 2, 1 / 2)."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def student_t_quantile(share: float, freedom: float) -> float:
    """The t > 0 with P(|T| <= t) = `share`, by bisection.

    >>> round(student_t_quantile(0.95, 4), 9)
    2.776445105
    """
    low, high = 0.0, 1.0
    while student_t_two_sided(high, freedom) > 1 - share:
        high *= 2
    while (middle := (low + high) / 2) not in {low, high}:
        if student_t_two_sided(middle, freedom) > 1 - share:
            low = middle
        else:
            high = middle
    return middle


def normal_two_sided(z: float) -> float:
    """P(|Z| >= |z|) for a standard normal Z; with z squared, the tail of a chi-square with one degree of freedom."""
    return 2 * NORMAL.cdf(-abs(z))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function by its continued fraction (Numerical Recipes 6.4, modified Lentz)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x))
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - front * _fraction(1.0 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d)
            c = 1.0 + numerator / c
            value *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return value
