"""Fixed functions of the ReLU family: piecewise polynomial, zero or linear on the left."""

import math

from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import Activation
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register


@register(
    "relu",
    formula="max(x, 0)",
    family="ReLU-based",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="textbook",
)
class ReLU(Activation):
    """f(x) = max(x, 0), f'(x) = 1 for x > 0 and 0 for x <= 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return x.relu()


@register(
    "leaky_relu",
    formula="x if x > 0 else slope * x",
    family="ReLU-based",
    range=UNBOUNDED,
    derivative_range=(0.01, 1.0),
    smoothness="C0",
    source="textbook",
)
class LeakyReLU(Activation):
    """f(x) = x for x > 0, else slope * x; f'(0) = slope.

    Args:
        slope: Slope on the left, any finite number. Default 0.01.
    """

    declared = (Parameter("slope", 0.01, Real(other=0.2), "slope on the left"),)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = self.real("slope", slope)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.leaky_relu(x, self.slope)


@register(
    "relu_squared",
    aliases=("relu2", "squared_relu"),
    formula="max(x, 0)^2",
    family="ReLU-based",
    range=(0.0, math.inf),
    derivative_range=(0.0, math.inf),
    smoothness="C1",
    source="Zhang et al., ReLU^2 Wins, arXiv 2402.03804",
)
class ReLUSquared(Activation):
    """f(x) = max(x, 0)^2, f'(x) = 2 max(x, 0), f(0) = f'(0) = 0.

    The derivative is unbounded: in a value network it amplifies large pre-activations quadratically. The value leaves
    float16 above x = 255.9.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return x.relu().square()
