"""Shares of runs with their interval."""

from math import sqrt


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (Wilson, 1927).

    Raises:
        ValueError: `of` is below 1, or `count` is not between 0 and `of`.

    >>> [round(end, 4) for end in wilson_interval(0, 10)]
    [0.0, 0.2775]
    """
    if of < 1 or not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share of runs")
    z = 1.959963984540054
    share = count / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, centre - half), min(1.0, centre + half)
