"""CRReLU: ReLU with the correction that EAFO derives, learnt or fixed."""

import math

from torch import Tensor, nn

from rl_acts._base import PER, Activation, LearnableActivation, widened
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import CRRELU
from rl_acts._info import Parameter, Real
from rl_acts._registry import register

_SOURCE = "Sun et al., arXiv 2405.12954, after two independent implementations, one of them the paper's listing"
_RANGE = (-0.006065306597, math.inf)
_DERIVATIVE_RANGE = (-0.004462603203, 1.01)


def crrelu(x: Tensor, eps: float | Tensor) -> Tensor:
    """Return max(x, 0) + eps x exp(-x^2 / 2).

    Args:
        x: Pre-activations of any shape. Half-precision ones are computed in float32, because the square overflows.
        eps: A number, or a tensor that broadcasts against `x`.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    return fused(CRRELU, widened(x), eps).to(x.dtype)


@register(
    "crrelu",
    formula="max(x, 0) + eps * x * exp(-x^2 / 2), eps learnt",
    family="parametric",
    range=_RANGE,
    derivative_range=_DERIVATIVE_RANGE,
    smoothness="C0",
    source=_SOURCE,
)
class CRReLU(LearnableActivation):
    """f(x) = max(x, 0) + eps x exp(-x^2 / 2) with a learnt eps; df/deps = x exp(-x^2 / 2).

    f'(x) = 1{x > 0} + eps (1 - x^2) exp(-x^2 / 2), f'(0) = eps. The correction is at most 0.60653 |eps|, at x = -/+ 1.
    eps can take either sign. The paper motivates the term by lowering the entropy of the output; by its own formula
    that is eps < 0 (see `rl_acts.eafo_correction`), while it starts at +0.01.

    Args:
        eps: Initial weight of the correction, any finite number. Default 0.01, the paper's.
        per: ``"layer"`` (default, as in the paper), ``"unit"`` or ``"net"``: what shares one eps.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        eps: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    declared = (Parameter("eps", 0.01, Real(other=-0.01), "initial weight of the correction", shape=()), PER)

    def __init__(self, eps: float = 0.01, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.eps: nn.Parameter = self.new_parameter(self.real("eps", eps))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return crrelu(x, self.eps)

    def stacked_form(self) -> Form:
        """Return the form."""
        return CRRELU


@register(
    "crrelu_fixed",
    formula="max(x, 0) + eps * x * exp(-x^2 / 2)",
    family="ReLU-based",
    range=_RANGE,
    derivative_range=_DERIVATIVE_RANGE,
    smoothness="C0",
    source=_SOURCE + "; the paper learns eps",
)
class CRReLUFixed(Activation):
    """CRReLU with a constant eps; value and f' as for `CRReLU`. eps = 0 is ReLU.

    Args:
        eps: Weight of the correction, any finite number. Default 0.01, where the paper's learnt one starts.
    """

    declared = (Parameter("eps", 0.01, Real(other=-0.01), "weight of the correction"),)

    def __init__(self, eps: float = 0.01) -> None:
        super().__init__()
        self.eps = self.real("eps", eps)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        return crrelu(x, self.eps)

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return CRReLU with its eps."""
        return CRRELU, (self.eps,)
