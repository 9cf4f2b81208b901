"""Swim, the activation that this project started from: an algebraic gate in place of Swish's exponential one."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, inverse_softplus, widened
from rl_acts._info import Parameter, Real
from rl_acts._registry import register

_SOURCE = "Abdool and Dear, arXiv 2303.02640, as in the authors' code; PFLU (2021) is k = 1"
_UNVERIFIED = (
    "The printed equation was not seen. The authors' code has (k x)^2 inside the root, which is the form here; a "
    "survey (Kunc and Klema, arXiv 2402.09092, Eq. 367) and libraries after it have x^2 there, another function."
)


def swim(x: Tensor, k: float | Tensor) -> Tensor:
    """Return Swim(x; k) = x/2 (1 + k x / sqrt(1 + (k x)^2)) in a form without cancellation or overflow.

    With a = |x| and u = 1 / sqrt(1 + (k a)^2), x/2 (1 + k x u) equals relu(x) - a/2 u^2 / (1 + k a u). For negative x
    the printed form is a difference of nearly equal numbers (float32: off by 1e-4 at x = -100, 0 below -8000); here
    nothing cancels, and k a u stays below 1. Beyond |k x| = 1e19 in float32 the value is its limit max(x, 0) and the
    slope 0 or 1; infinities give NaN.

    Eager calls go through a hand-written derivative, at about half the cost of differentiating the plain expression
    automatically. Compiled code gets the plain expression, which the compiler fuses.

    Args:
        x: Pre-activations of any shape. Half-precision ones are computed in float32.
        k: Above 0; a number, or a tensor that broadcasts against `x`.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    wide = widened(x)
    if torch.compiler.is_compiling():
        return _swim_expression(wide, k).to(x.dtype)
    if not torch.is_grad_enabled():
        return _swim_value(wide, k)[0].to(x.dtype)
    value, _, _ = _Swim.apply(wide, k)  # type: ignore[no-untyped-call]
    return torch.as_tensor(value).to(x.dtype)


def _swim_expression(x: Tensor, k: float | Tensor) -> Tensor:
    a = x.abs()
    scaled = k * a
    u = (1.0 + scaled * scaled).rsqrt()
    # (x + a) / 2 is relu(x), but with the slope 1/2 at 0 that Swim has there.
    return 0.5 * ((x + a) - a * (u * u) / (1.0 + scaled * u))


def _swim_slope(x: Tensor, k: float | Tensor) -> Tensor:
    scaled = k * x
    u2 = 1.0 / (1.0 + scaled * scaled)
    return 0.5 * (1.0 + scaled * u2.sqrt() * (1.0 + u2))


def _swim_value(x: Tensor, k: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the value and what the slopes are made of: u^2, u, m = k a u and q = u^2 / (1 + m)."""
    a = x.abs()
    scaled = a * k
    u2 = (scaled * scaled).add_(1.0).reciprocal_()
    u = u2.sqrt()
    m = scaled.mul_(u)
    q = (m + 1.0).reciprocal_().mul_(u2)
    return torch.sub(x.relu(), a * q, alpha=0.5), u2, u, m, q


class _Swim(torch.autograd.Function):
    """Value, slope df/dx and, up to a constant, df/dk in one sweep, kept for the backward pass.

    Few passes and few new tensors: at the usual sizes the memory traffic is the cost. In place are only operations on
    tensors that depend on both x and k, because under `vmap` either can be the batched one.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, k: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        value, u2, u, m, q = _swim_value(x, k)
        # df/dk = x^2 u^3 / 2 = m^2 u / (2 k^2)
        by_k = u.mul_(m).mul_(m) if isinstance(k, Tensor) else u
        # 2 f'(x) = q - m u^2 for negative x, and 2 minus that for positive x; at 0 both are 1. sign + 1 is exactly 0
        # for negative x, so the tail of the slope keeps its digits too.
        sign = x.sign()
        doubled_slope = q.sub_(u2.mul_(m)).mul_(sign).neg_().add_(sign.add_(1.0))
        return value, doubled_slope, by_k

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float | Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, k = inputs
        _, doubled_slope, by_k = output
        ctx.mark_non_differentiable(doubled_slope, by_k)
        ctx.set_materialize_grads(False)
        ctx.constant = None if isinstance(k, Tensor) else k
        kept = (x, doubled_slope, *((k, by_k) if isinstance(k, Tensor) else ()))
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)

    @staticmethod
    def jvp(ctx: Any, tangent_x: Any, tangent_k: Any) -> tuple[Tensor | None, None, None]:
        x, doubled_slope, *of_k = ctx.saved_tensors
        tangent = None if tangent_x is None else 0.5 * doubled_slope * tangent_x
        if of_k and tangent_k is not None:
            k, by_k = of_k
            along_k = by_k / (2.0 * k * k) * tangent_k
            tangent = along_k.expand_as(x) if tangent is None else tangent + along_k
        return tangent, None, None

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, Tensor | None]:
        gradient: Tensor | None = gradients[0]
        if gradient is None:
            return None, None
        x, doubled_slope, *of_k = ctx.saved_tensors
        k, by_k = of_k or (ctx.constant, None)
        if torch.is_grad_enabled():
            # Somebody differentiates twice: then the slopes must be functions of x and k themselves.
            doubled_slope = 2.0 * _swim_slope(x, k)
            by_k = by_k if by_k is None else (k * x).square() * (1.0 + (k * x).square()).pow(-1.5)
        gradient_x = (gradient * doubled_slope).mul_(0.5)
        if by_k is None:
            return gradient_x, None
        return gradient_x, (gradient * by_k).sum_to_size(k.shape) / (2.0 * k * k)


@register(
    "swim",
    formula="x/2 * (1 + k*x / sqrt(1 + (k*x)^2))",
    family="miscellaneous",
    range=(-0.300283106, math.inf),
    derivative_range=(-0.044331054, 1.044331054),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class Swim(Activation):
    """f(x) = x/2 (1 + k x / sqrt(1 + (k x)^2)), f'(0) = 1/2, f''(0) = k.

    Minimum -0.1501415530 / k at x = -0.7861513778 / k. f' lies in [-0.0443310540, 1.0443310540] for every k, reached at
    x = -/+ sqrt(2) / k. The left tail is algebraic, f ~ 1 / (4 k^2 x): its gradient does not vanish where Swish's does.
    Swim(x; k) = Swim(k x; 1) / k, and Swim(x; 1) is PFLU.

    Unverified: the paper's printed equation was not seen; this is the form of the authors' code (k inside the root).

    Args:
        k: Sharpness, above 0. Default 0.5, the authors' value.
    """

    declared = (Parameter("k", 0.5, Real(other=0.7, minimum=0.0), "sharpness"),)

    def __init__(self, k: float = 0.5) -> None:
        super().__init__()
        self.k = self.real("k", k)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return swim(x, self.k)


@register(
    "swim_learnable",
    formula="x/2 * (1 + k*x / sqrt(1 + (k*x)^2)), k = softplus(raw_k) learnt",
    family="parametric",
    range=(-0.300283106, math.inf),
    derivative_range=(-0.044331054, 1.044331054),
    smoothness="Cinf",
    source=_SOURCE + "; learnt k after the survey's note that k may be trainable",
    unverified=_UNVERIFIED + " The authors ran k fixed only.",
)
class SwimLearnable(LearnableActivation):
    """Swim with a learnt sharpness, df/dk = x^2/2 (1 + (k x)^2)^(-3/2).

    k = softplus(raw_k) stays above 0; a negative k would mirror the function and k = 0 is the line x/2.

    Unverified: as for `Swim`; the authors only ran a fixed k.

    Args:
        k: Initial sharpness, above 0. Default 0.5.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one k.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_k: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^k - 1).
    """

    declared = (Parameter("k", 0.5, Real(other=0.7, minimum=0.0), "initial sharpness", shape=()), PER)

    def __init__(self, k: float = 0.5, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.raw_k: nn.Parameter = self.new_parameter(inverse_softplus(self.real("k", k)))

    @property
    def k(self) -> Tensor:
        """The sharpness of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(self.raw_k)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return swim(x, self.k)
