"""SiLU, GELU and ATLU with a gate whose range a learnt alpha expands from (0, 1) to (-alpha, 1 + alpha)."""

import math

import torch
from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, widened
from rl_acts._info import Parameter, Real
from rl_acts._registry import register

_SOURCE = "arXiv 2405.20768, after reading notes and an independent implementation"
_UNVERIFIED = "The paper itself was not seen."


class _ExpandedGate(LearnableActivation):
    """f(x) = x ((1 + 2 alpha) g(x) - alpha) with a learnt alpha; subclasses bring the gate g."""

    declared = (Parameter("alpha", 0.0, Real(other=0.1), "initial expansion of the gate's range", shape=()), PER)

    def __init__(self, alpha: float = 0.0, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.alpha: nn.Parameter = self.new_parameter(self.real("alpha", alpha))

    def gate(self, x: Tensor) -> Tensor:
        """Return the gate, between 0 and 1, with a left tail that keeps its digits."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        wide = widened(x)
        return (wide * ((1.0 + 2.0 * self.alpha) * self.gate(wide) - self.alpha)).to(x.dtype)


@register(
    "xsilu",
    formula="x * ((1 + 2*alpha) * sigmoid(x) - alpha), alpha learnt",
    family="parametric",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class XSiLU(_ExpandedGate):
    """f(x) = x ((1 + 2 alpha) s - alpha) with s = sigmoid(x) and a learnt alpha; df/dalpha = x (2 s - 1).

    f'(x) = (1 + 2 alpha)(s + x s (1 - s)) - alpha, f'(0) = 1/2. alpha = 0 is SiLU; for alpha > 0 the left side runs
    with slope -alpha, the right one with 1 + alpha.

    Unverified: the paper itself was not seen.

    Args:
        alpha: Initial expansion, any finite number. Default 0.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one alpha.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    def gate(self, x: Tensor) -> Tensor:
        """Return sigmoid(x)."""
        return x.sigmoid()


@register(
    "xgelu",
    formula="x * ((1 + 2*alpha) * Phi(x) - alpha), Phi the standard normal distribution function, alpha learnt",
    family="parametric",
    range=(-0.1699712075, math.inf),
    derivative_range=(-0.1289041452, 1.1289041452),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class XGELU(_ExpandedGate):
    """f(x) = x ((1 + 2 alpha) Phi(x) - alpha) with a learnt alpha; df/dalpha = x (2 Phi(x) - 1).

    f'(x) = (1 + 2 alpha)(Phi(x) + x phi(x)) - alpha, f'(0) = 1/2. alpha = 0 is the exact GELU; for alpha > 0 the left
    side runs with slope -alpha, the right one with 1 + alpha.

    Unverified: the paper itself was not seen.

    Args:
        alpha: Initial expansion, any finite number. Default 0.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one alpha.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    def gate(self, x: Tensor) -> Tensor:
        """Return Phi(x)."""
        return 0.5 * torch.erfc(x * -math.sqrt(0.5))


@register(
    "xatlu",
    formula="x * ((1 + 2*alpha) * (arctan(x)/pi + 1/2) - alpha), alpha learnt",
    family="parametric",
    range=(-1.0 / math.pi, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="Cinf",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class XATLU(_ExpandedGate):
    """f(x) = x ((1 + 2 alpha) g - alpha) with g = arctan(x)/pi + 1/2 and a learnt alpha; df/dalpha = x (2 g - 1).

    f'(x) = (1 + 2 alpha)(g + x / (pi (1 + x^2))) - alpha, f'(0) = 1/2. alpha = 0 is ATLU, which is monotone and tends
    to -1/pi on the left; for alpha > 0 the left side runs with slope -alpha, the right one with 1 + alpha.

    Unverified: the paper itself was not seen.

    Args:
        alpha: Initial expansion, any finite number. Default 0.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one alpha.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    def gate(self, x: Tensor) -> Tensor:
        """Return arctan(x)/pi + 1/2 as an angle, because the sum loses the left tail: float32 has 1e-3 at -1e4."""
        return torch.atan2(torch.ones_like(x), -x) / math.pi
