"""Sqish, a smooth maximum of x and alpha * x, with fixed and with learnt parameters."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, inverse_softplus, widened
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register

_FORMULA = "alpha*x + (1-alpha)*x / sqrt(1 + beta*exp(-2*gamma*(1-alpha)*x))"
_SOURCE = "Biswas et al., arXiv 2310.10126, after an independent implementation with hand-written derivatives"
_UNVERIFIED = (
    "The paper was not seen, and the defaults are this library's: alpha = 0.25 is what the same group used for SMU. An "
    "implementation without the square root exists; it is taken to be wrong, because only the root makes the function "
    "a smoothing of max(x, alpha*x)."
)


def sqish(x: Tensor, alpha: float | Tensor, log_beta: float | Tensor, gamma: float | Tensor) -> Tensor:
    """Return Sqish in the form alpha x + u exp(-softplus(log_beta - 2 gamma u) / 2), u = (1 - alpha) x.

    The printed exp(-2 gamma u) leaves float32 below u = -44 / gamma, and then the gradient is 0 * inf.

    Args:
        x: Pre-activations of any shape. Half-precision ones are computed in float32.
        alpha: Slope on the left; a number, or a tensor that broadcasts against `x`, as the others.
        log_beta: Logarithm of beta.
        gamma: Sharpness.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    wide = widened(x)
    u = (1.0 - alpha) * wide
    gate = (0.5 * F.logsigmoid(2.0 * gamma * u - log_beta)).exp()
    return (alpha * wide + u * gate).to(x.dtype)


@register(
    "sqish",
    formula=_FORMULA,
    family="miscellaneous",
    range=UNBOUNDED,
    derivative_range=(0.1525489391, 1.039942938),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class Sqish(Activation):
    """f(x) = alpha x + u / sqrt(1 + beta E), u = (1 - alpha) x, E = exp(-2 gamma u): max(x, alpha x), smoothed.

    f'(x) = alpha + (1 - alpha) ((1 + beta E)^(-1/2) + u beta gamma E (1 + beta E)^(-3/2)), f(0) = 0,
    f'(0) = alpha + (1 - alpha) / sqrt(1 + beta). Monotone at the defaults; with alpha = 0, beta = 1 it is
    x sqrt(sigmoid(2 gamma x)), with a minimum of -0.34743 / gamma.

    Unverified: the paper was not seen, and the defaults are this library's (alpha = 0.25 after the same group's SMU).

    Args:
        alpha: Slope on the left, any finite number. Default 0.25.
        beta: Weight of the exponential, above 0. Default 1.
        gamma: Sharpness, above 0. Default 1.
    """

    declared = (
        Parameter("alpha", 0.25, Real(other=0.0), "slope on the left"),
        Parameter("beta", 1.0, Real(other=2.0, minimum=0.0), "weight of the exponential"),
        Parameter("gamma", 1.0, Real(other=2.0, minimum=0.0), "sharpness"),
    )

    def __init__(self, alpha: float = 0.25, beta: float = 1.0, gamma: float = 1.0) -> None:
        super().__init__()
        self.alpha = self.real("alpha", alpha)
        self.beta = self.real("beta", beta)
        self.gamma = self.real("gamma", gamma)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        return sqish(x, self.alpha, math.log(self.beta), self.gamma)


@register(
    "sqish_learnable",
    formula=_FORMULA + ", alpha, beta = softplus(raw_beta), gamma = softplus(raw_gamma) learnt",
    family="parametric",
    range=UNBOUNDED,
    derivative_range=(0.1525489391, 1.039942938),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class SqishLearnable(LearnableActivation):
    """Sqish with learnt alpha, beta and gamma; beta = softplus(raw_beta) and gamma = softplus(raw_gamma) stay above 0.

    Value and f' as for `Sqish`.

    Unverified: the paper was not seen; the initial values and the sharing by layer are this library's.

    Args:
        alpha: Initial slope on the left, any finite number. Default 0.25.
        beta: Initial weight of the exponential, above 0. Default 1.
        gamma: Initial sharpness, above 0. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one set.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
        raw_beta: Likewise; starts at ln(e^beta - 1).
        raw_gamma: Likewise.
    """

    declared = (
        Parameter("alpha", 0.25, Real(other=0.0), "initial slope on the left", shape=()),
        Parameter("beta", 1.0, Real(other=2.0, minimum=0.0), "initial weight of the exponential", shape=()),
        Parameter("gamma", 1.0, Real(other=2.0, minimum=0.0), "initial sharpness", shape=()),
        PER,
    )

    def __init__(
        self,
        alpha: float = 0.25,
        beta: float = 1.0,
        gamma: float = 1.0,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.alpha: nn.Parameter = self.new_parameter(self.real("alpha", alpha))
        self.raw_beta: nn.Parameter = self.new_parameter(inverse_softplus(self.real("beta", beta)))
        self.raw_gamma: nn.Parameter = self.new_parameter(inverse_softplus(self.real("gamma", gamma)))

    @property
    def beta(self) -> Tensor:
        """The weight of the exponential of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(self.raw_beta)

    @property
    def gamma(self) -> Tensor:
        """The sharpness of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(self.raw_gamma)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return sqish(x, self.alpha, self.beta.log(), self.gamma)
