"""One step of EAFO (entropy-based activation function optimisation), computed numerically for any rising function."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rl_acts._info import Parameter, Real, Whole, checked
from rl_acts.errors import ActivationError

_ARGUMENTS = (
    Parameter("low", -4.0, Real(other=0.0), "lower end of the pre-activations"),
    Parameter("high", 4.0, Real(other=3.0), "upper end of the pre-activations"),
    Parameter("points", 2000, Whole(other=500, minimum=4), "number of points between them"),
    Parameter("step", 0.01, Real(other=0.1), "how much of the correction is taken"),
)


class EAFOCorrection(NamedTuple):
    """What `eafo_correction` returns, all of shape ``(points,)`` and in float64.

    Attributes:
        x: Pre-activations, rising.
        eta: Correction of the inverse of f at the outputs f(x).
        values: The corrected activation at x.
    """

    x: Tensor
    eta: Tensor
    values: Tensor


def standard_normal(x: Tensor) -> Tensor:
    """Return the density of the standard normal distribution."""
    return (-0.5 * x * x).exp() / math.sqrt(2.0 * math.pi)


def eafo_correction(
    f: Callable[[Tensor], Tensor],
    p: Callable[[Tensor], Tensor] = standard_normal,
    *,
    low: float = -4.0,
    high: float = 4.0,
    points: int = 2000,
    step: float = 0.01,
) -> EAFOCorrection:
    """Correct an activation against the functional derivative of its output's entropy (Sun et al., arXiv 2405.12954).

    With y the inverse of f, the output of pre-activations of density p has the density p(y) y', and its differential
    entropy H has the functional derivative dH/dy = p(y) y''/y' + p'(y) y'. The step is eta = -dH/dy, the new inverse is
    y + step * eta, and the new activation is the inverse of that. So a small positive `step` lowers the entropy.

    For ReLU at x > 0 and standard normal p, eta = +x exp(-x^2/2) / sqrt(2 pi), so the corrected activation is
    x - step / sqrt(2 pi) x exp(-x^2/2) to first order: CRReLU's term with a negative weight, while CRReLU starts at
    +0.01. The sign is derived here; reading notes of the paper have the other one, by a lost minus.

    Args:
        f: Activation that maps each number alone, twice differentiable and strictly rising between `low` and `high`.
        p: Density of the pre-activations, differentiable; need not be normalised. Default standard normal.
        low: Lower end of the pre-activations, finite. Default -4; for ReLU 0.
        high: Upper end, above `low`. Default 4.
        points: Number of points, from 4 on; they are the middles of equal cells, so a kink at an end does no harm.
            Default 2000.
        step: How much of eta is taken, finite. Default 0.01.

    Returns:
        The points, eta there, and the corrected activation there: interpolated linearly, beyond the corrected ends
        continued by the outermost segment.

    Raises:
        ActivationError: A bad argument, an f that does not rise strictly, or a step so large that the corrected inverse
            does not.

    Example:
        >>> import torch
        >>> corrected = eafo_correction(torch.relu, low=0.0, step=0.1)
        >>> bool((corrected.values < corrected.x).all())
        True
    """
    given: dict[str, object] = {"low": low, "high": high, "points": points, "step": step}
    for name, value in given.items():
        checked("eafo_correction", _ARGUMENTS, name, value)
    if low >= high:
        raise ActivationError(f"eafo_correction: low={low!r} is not allowed; it must be below high={high!r}.")
    x = low + (high - low) * (torch.arange(points, dtype=torch.float64) + 0.5) / points
    values = f(x).detach()
    slope, curvature = _derivatives(f, x)
    if not bool((slope > 0).all()):
        worst = int((slope > 0).logical_not().nonzero()[0])
        raise ActivationError(
            f"eafo_correction: f must rise strictly between low={low!r} and high={high!r}, but f'({float(x[worst]):g}) "
            f"= {float(slope[worst]):g}."
        )
    # In terms of f itself y' = 1 / f' and y''/y' = -f''/f'^2, at y = x.
    density_slope, _ = _derivatives(p, x)
    eta = p(x).detach() * curvature / slope.square() - density_slope / slope
    inverse = x + step * eta
    if not bool((inverse.diff() > 0).all()):
        raise ActivationError(
            f"eafo_correction: step={step!r} is not allowed; it must be so small that the corrected inverse rises."
        )
    return EAFOCorrection(x, eta, _interpolated(x, inverse, values))


def _derivatives(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the second derivative of a function that maps each number alone."""

    def first(x: Tensor) -> Tensor:
        return torch.as_tensor(torch.func.grad(lambda x: function(x).sum())(x))

    return first(x).detach(), torch.as_tensor(torch.func.grad(lambda x: first(x).sum())(x)).detach()


def _interpolated(at: Tensor, x: Tensor, y: Tensor) -> Tensor:
    right = torch.searchsorted(x, at).clamp(1, len(x) - 1)
    left = right - 1
    share = (at - x[left]) / (x[right] - x[left])
    return y[left] + share * (y[right] - y[left])
