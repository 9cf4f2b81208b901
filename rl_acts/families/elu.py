"""Fixed functions of the ELU family: exponential on the left."""

import math

from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import Activation
from rl_acts._info import Parameter, Real
from rl_acts._registry import register


@register(
    "elu",
    formula="x if x > 0 else alpha * (exp(x) - 1)",
    family="ELU-based",
    range=(-1.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C1",
    source="Clevert et al., arXiv 1511.07289",
)
class ELU(Activation):
    """f(x) = x for x > 0, else alpha (e^x - 1); f'(0) = alpha. Continuously differentiable only for alpha = 1.

    Args:
        alpha: Minus the limit at minus infinity, above 0. Default 1.
    """

    declared = (Parameter("alpha", 1.0, Real(other=0.5, minimum=0.0), "minus the limit at minus infinity"),)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = self.real("alpha", alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.elu(x, self.alpha)


@register(
    "selu",
    formula="1.0507009874 * (x if x > 0 else 1.6732632424 * (exp(x) - 1))",
    family="ELU-based",
    range=(-1.7580993408, math.inf),
    derivative_range=(0.0, 1.7580993408),
    smoothness="C0",
    source="Klambauer et al., arXiv 1706.02515",
)
class SELU(Activation):
    """ELU scaled so that a standard normal input gives mean 0 and variance 1; f'(0) = 1.7581 from the left.

    Made for weights drawn with variance 1 / fan_in.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.selu(x)
