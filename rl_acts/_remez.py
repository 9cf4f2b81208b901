"""Polynomials near a function: Remez's exchange for the smallest largest error, in float64, with torch alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rl_acts._fit import CPU, Target, checked_interval, checked_whole, sampled
from rl_acts._info import Whole
from rl_acts.errors import ActivationError

POLYNOMIAL_DEGREE = Whole(other=4, minimum=1, maximum=30)
_GRID = 4001
_EXCHANGES = 100
# Golden sections that shrink a bracket of two grid cells below the rounding of the place of a maximum.
_SECTIONS = 45
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
# The exchange ends when the largest error is the levelled one to this, relative to the error, or to the function.
_LEVEL, _ROUNDING = 1e-9, 1e-14


@dataclass(frozen=True)
class PolynomialFit:
    """A polynomial near a function on an interval.

    Attributes:
        chebyshev: c_0 ... c_n of sum_k c_k T_k(u), u = (2 x - low - high) / (high - low).
        interval: (low, high).
        max_error: Largest difference on the interval.
    """

    chebyshev: tuple[float, ...]
    interval: tuple[float, float]
    max_error: float

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The same polynomial as a_0 ... a_n of sum_j a_j x^j; for high degrees these lose digits."""
        low, high = self.interval
        slope, shift = 2.0 / (high - low), -(low + high) / (high - low)
        before, now = [1.0], [shift, slope]
        total = [self.chebyshev[0]]
        for index, weight in enumerate(self.chebyshev[1:], start=1):
            if index > 1:
                raised = _times_affine(now, 2.0 * shift, 2.0 * slope)
                before, now = now, [a - b for a, b in zip(raised, [*before, 0.0, 0.0], strict=True)]
            total = [a + weight * b for a, b in zip([*total, 0.0], now, strict=True)]
        return tuple(total)


def _times_affine(polynomial: Sequence[float], shift: float, slope: float) -> list[float]:
    return [shift * a + slope * b for a, b in zip([*polynomial, 0.0], [0.0, *polynomial], strict=True)]


def fit_polynomial(target: Target, degree: int, interval: tuple[float, float] = (-1.0, 1.0)) -> PolynomialFit:
    """Return the polynomial of at most this degree whose largest error on an interval is smallest.

    Remez's exchange on all extrema at once; deterministic, float64 on the CPU.

    Args:
        target: The spec of an activation (elementwise, no noise, no buffers; learnt ones count with their initial
            values), or a callable that maps a float64 tensor to one of the same shape; continuous.
        degree: 1 to 30.
        interval: (low, high), finite.

    Returns:
        The polynomial and its largest error.

    Raises:
        ActivationError: A bad argument, or a target that is not finite on the interval.

    Example:
        >>> round(fit_polynomial("relu", 2).max_error, 12)
        0.0625
    """
    owner = "fit_polynomial"
    degree = checked_whole(owner, "degree", degree, POLYNOMIAL_DEGREE)
    low, high = checked_interval(owner, interval)
    with CPU:
        powers = torch.arange(degree + 1, dtype=torch.float64)

        def basis(x: Tensor) -> Tensor:
            u = ((2.0 * x - low - high) / (high - low)).clamp(-1.0, 1.0)
            return torch.cos(powers * torch.arccos(u)[:, None])

        chebyshev, error = minimax(basis, lambda x: sampled(owner, target, x), degree + 1, (low, high))
        return PolynomialFit(tuple(chebyshev.tolist()), (low, high), error)


def minimax(
    basis: Callable[[Tensor], Tensor],
    target: Callable[[Tensor], Tensor],
    count: int,
    interval: tuple[float, float],
) -> tuple[Tensor, float]:
    """Return the coefficients of the combination of `count` functions with the smallest largest error, and that error.

    Args:
        basis: From points ``(N,)`` to values ``(N, count)`` of functions that can interpolate any values at any `count`
            different points of the interval (Haar's condition).
        target: From points to values, continuous.
        count: How many functions.
        interval: (low, high).

    Raises:
        ActivationError: The exchange found no levelled error, as for a target that jumps.
    """
    low, high = interval

    def place(angle: Tensor) -> Tensor:
        return low + (high - low) * 0.5 * (1.0 - torch.cos(angle))

    grid = place(torch.linspace(0.0, math.pi, _GRID, dtype=torch.float64))
    grid_basis, grid_target = basis(grid), target(grid)
    size = float(grid_target.abs().max())
    # One of count + 2 points is left out: a symmetric set levels the error of a symmetric function at 0.
    points = place(torch.arange(count + 1, dtype=torch.float64) * (math.pi / (count + 1)))
    signs = (-1.0) ** torch.arange(count + 1, dtype=torch.float64)
    level_reached = False
    for _ in range(_EXCHANGES):
        system = torch.cat((basis(points), signs[:, None]), dim=1)
        solution = torch.linalg.solve(system, target(points))
        coefficients, level = solution[:-1], abs(float(solution[-1]))

        def error(x: Tensor, coefficients: Tensor = coefficients) -> Tensor:
            return basis(x) @ coefficients - target(x)

        peaks = _peaks(error, grid, grid_basis @ coefficients - grid_target)
        heights = error(peaks).abs()
        largest = float(heights.max())
        if level_reached or largest - level <= _ROUNDING * size:
            return coefficients, largest
        if len(peaks) < count + 1:
            break
        # Convergence is quadratic: one exchange more takes the coefficients to rounding too.
        level_reached = largest - level <= _LEVEL * level
        points = _best_run(peaks, heights, count + 1)
    raise ActivationError("The exchange of points did not level the error; is the function continuous?")


def _peaks(error: Callable[[Tensor], Tensor], grid: Tensor, on_grid: Tensor) -> Tensor:
    """Return where |error| is largest within each stretch of one sign, refined between the points of the grid."""
    positive = on_grid >= 0
    starts = torch.cat((torch.ones(1, dtype=torch.bool), positive[1:] != positive[:-1]))
    stretch = torch.cumsum(starts, dim=0) - 1
    highest = torch.zeros(int(stretch[-1]) + 1, dtype=torch.float64)
    highest = highest.scatter_reduce(0, stretch, on_grid.abs(), "amax")
    index = torch.nonzero(on_grid.abs() == highest[stretch])[:, 0]
    # Of equal heights within a stretch the first counts.
    index = index[torch.cat((torch.ones(1, dtype=torch.bool), stretch[index][1:] != stretch[index][:-1]))]
    low, high = grid[(index - 1).clamp(min=0)], grid[(index + 1).clamp(max=len(grid) - 1)]
    sign = torch.where(on_grid[index] >= 0, 1.0, -1.0)
    for _ in range(_SECTIONS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        lower = sign * error(left) < sign * error(right)
        low, high = torch.where(lower, left, low), torch.where(lower, high, right)
    refined = 0.5 * (low + high)
    # An end of the interval, or a kink on the grid, stays where it is.
    return torch.where(sign * error(refined) > sign * on_grid[index], refined, grid[index])


def _best_run(peaks: Tensor, heights: Tensor, count: int) -> Tensor:
    """Return `count` consecutive peaks: the lower of the two outermost goes until that many are left."""
    first, last = 0, len(peaks)
    while last - first > count:
        if heights[first] < heights[last - 1]:
            first += 1
        else:
            last -= 1
    return peaks[first:last]
