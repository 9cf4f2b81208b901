"""Swim, the activation that this project started from: an algebraic gate in place of Swish's exponential one."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, inverse_softplus, widened
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import SWIM
from rl_acts._info import Parameter, Real
from rl_acts._registry import register

_SOURCE = "Abdool and Dear, arXiv 2303.02640, as in the authors' code; PFLU (2021) is k = 1"
_UNVERIFIED = (
    "The printed equation was not seen. The authors' code has (k x)^2 inside the root, which is the form here; a "
    "survey (Kunc and Klema, arXiv 2402.09092, Eq. 367) and libraries after it have x^2 there, another function."
)


def swim(x: Tensor, k: float | Tensor) -> Tensor:
    """Return Swim(x; k) = x/2 (1 + k x / sqrt(1 + (k x)^2)) in a form without cancellation or overflow.

    With t = k x and w = sqrt(1 + t^2) - t this is x / (1 + w^2). For negative x the printed form is a difference of
    nearly equal numbers (float32: off by 1e-4 at x = -100, 0 below -8000); here nothing cancels there, and where w
    does, 1 + w^2 is 1 to rounding. Beyond |k x| = 1e19 in float32 the value is its limit max(x, 0) and the slope 0 or
    1; infinities give NaN. Compiled code and second derivatives use an equal form, whose slopes are NaN beyond that.

    Args:
        x: Pre-activations of any shape. Half-precision ones are computed in float32.
        k: Above 0; a number, or a tensor that broadcasts to the shape of `x`.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    wide = widened(x)
    return fused(SWIM, x, k) if wide is x else fused(SWIM, wide, k).to(x.dtype)


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

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return Swim with its k."""
        return SWIM, (self.k,)


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

    def stacked_form(self) -> Form:
        """Return the form."""
        return SWIM
