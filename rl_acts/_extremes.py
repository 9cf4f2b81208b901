"""Supremum and crossings of a function of one number, by a grid that is refined where it matters."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

# How far out a function is looked at.
REACH = 1e6
_DENSE_TO = 16.0
_POINTS_PER_UNIT = 256
_POINTS_PER_DECADE = 40
_CANDIDATES = 8
_ZOOM = 32
# Each step keeps 2 of 32 cells: 11 of them take a cell of the grid to the last bits of float64.
_STEPS = 11
_BISECTIONS = 48


@dataclass(frozen=True)
class Extreme:
    """Where a function comes highest or lowest.

    Attributes:
        value: The supremum or infimum, one-sided limits at kinks and jumps included; infinite if the function still
            grows steadily at |x| = 1e6, which is as far as it is looked at.
        at: Where, to about 1e-8 if it is flat there; one of the places if there are several. Infinite if the value is
            reached or approached far out, which goes before any nearer place.
    """

    value: float
    at: float


def grid() -> Tensor:
    """Return the sorted points of the search: 256 for each unit up to |x| = 16, then 40 for each decade up to 1e6.

    The inner ones are odd multiples of 1/512: kinks are usually at rounder numbers, which would be met exactly.
    """
    count = int(_DENSE_TO * _POINTS_PER_UNIT)
    inner = (torch.arange(-count, count, dtype=torch.float64) + 0.5) / _POINTS_PER_UNIT
    decades = math.log10(REACH / _DENSE_TO)
    steps = torch.linspace(0, decades, round(decades * _POINTS_PER_DECADE), dtype=torch.float64)
    outer = _DENSE_TO * 10 ** steps[1:]
    return torch.cat((-outer.flip(0), inner, outer))


def highest(function: Callable[[Tensor], Tensor], points: Tensor, values: Tensor) -> Extreme:
    """Return the supremum.

    Args:
        function: Maps points ``(n,)`` to values ``(n,)``.
        points: `grid()`.
        values: The function there.

    Returns:
        The supremum; NaN if a value is NaN.
    """
    if bool(values.isnan().any()):
        return Extreme(math.nan, math.nan)
    side = _grows_on(points, values)
    if side:
        return Extreme(math.inf, side * math.inf)
    peak, at = _zoomed(function, points, values)
    # Adding 0 makes no negative zero of the supremum 0.
    peak += 0.0
    for end in (0, -1):
        if abs(float(values[end]) - peak) <= 1e-12 * max(1.0, abs(peak)):
            return Extreme(peak, math.copysign(math.inf, float(points[end])))
    return Extreme(peak, at)


def lowest(function: Callable[[Tensor], Tensor], points: Tensor, values: Tensor) -> Extreme:
    """Return the infimum; the arguments are those of `highest`."""
    mirrored = highest(lambda x: -function(x), points, -values)
    return Extreme(-mirrored.value + 0.0, mirrored.at)


def jumps(function: Callable[[Tensor], Tensor], points: Tensor, values: Tensor, steepest: float) -> bool:
    """Return whether the function has a jump: rises or falls faster than `steepest`, its slope's bound, allows.

    The cell of the steepest secant is halved until its ends are 1e-14 apart; over a jump they still differ then.
    """
    secants = values.diff().abs() / points.diff()
    worst = int(secants.argmax())
    if not float(secants[worst]) > steepest * (1 + 1e-6) + 1e-9:
        return False
    left, right = points[worst], points[worst + 1]
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        low, centre, high = function(torch.stack((left, middle, right)))
        left, right = (left, middle) if (centre - low).abs() >= (high - centre).abs() else (middle, right)
    low, high = function(torch.stack((left, right)))
    return bool((high - low).abs() > 1e-6)


def share_below(function: Callable[[Tensor], Tensor], bound: float, end: float) -> float:
    """Return the share of the interval [-end, end] on which a function lies below a bound.

    The bound's crossings are found by bisection in cells of 1/512; an excursion inside one cell is not seen.
    """
    edges = torch.linspace(-end, end, int(2 * end * 512) + 1, dtype=torch.float64)
    below = function(edges) < bound
    crossed = below[:-1] != below[1:]
    left, right, starts_below = edges[:-1][crossed], edges[1:][crossed], below[:-1][crossed]
    near, far = left, right
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        same = (function(middle) < bound) == starts_below
        near, far = torch.where(same, middle, near), torch.where(same, far, middle)
    whole_cells = edges.diff()[below[:-1] & below[1:]].sum()
    parts = torch.where(starts_below, near - left, right - near).sum()
    return float(whole_cells + parts) / (2 * end)


def _grows_on(points: Tensor, values: Tensor) -> int:
    """Return the side (-1 or 1) on which the running supremum still grows from decade to decade at the end, or 0.

    Growth counts if it does not slacken: ln|x| gains as much in each decade, x ten times as much, while the way to a
    limit, 1/x, gains a tenth.
    """
    if bool((values == math.inf).any()):
        return 1 if bool((values[points > 0] == math.inf).any()) else -1
    for side in (1, -1):
        outward = side * points
        near = outward > -_DENSE_TO
        reached = [float(values[near & (outward <= REACH / 10**back)].max()) for back in (3, 2, 1, 0)]
        gains = [later - earlier for earlier, later in pairwise(reached)]
        steady = gains[0] > 0 and gains[1] >= gains[0] / 2 and gains[2] >= gains[1] / 2
        if steady and reached[3] - reached[0] > 0.2 * abs(reached[0]):
            return side
    return 0


def _zoomed(function: Callable[[Tensor], Tensor], points: Tensor, values: Tensor) -> tuple[float, float]:
    """Return the largest value near the best local maxima of the grid, and its place."""
    padded = torch.cat((values[:1], values, values[-1:]))
    peaks = torch.nonzero((values >= padded[:-2]) & (values >= padded[2:])).flatten()
    best = peaks[values[peaks].argsort(descending=True, stable=True)[:_CANDIDATES]]
    left = points[(best - 1).clamp(min=0)]
    right = points[(best + 1).clamp(max=len(points) - 1)]
    peak, at = values[best], points[best]
    steps = torch.linspace(0, 1, _ZOOM + 1, dtype=torch.float64)
    for _ in range(_STEPS):
        inside = left[:, None] + (right - left)[:, None] * steps
        found = function(inside.flatten()).view(inside.shape)
        top, index = found.max(1)
        better = top > peak
        peak, at = torch.where(better, top, peak), torch.where(better, inside.gather(1, index[:, None])[:, 0], at)
        left = inside.gather(1, (index - 1).clamp(min=0)[:, None])[:, 0]
        right = inside.gather(1, (index + 1).clamp(max=_ZOOM)[:, None])[:, 0]
    winner = int(peak.argmax())
    return float(peak[winner]), float(at[winner])
