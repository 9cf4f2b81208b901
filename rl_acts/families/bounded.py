"""More fixed functions of the sigmoid family: hard sigmoids, dSiLU, and the worst function that EAFO names."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import Activation, widened
from rl_acts._info import Parameter, Real
from rl_acts._registry import register


def hard_sigmoid_keras(x: Tensor) -> Tensor:
    """Return clip(0.2 x + 0.5, 0, 1), with the slope 0 at both kinks."""
    return F.hardtanh(0.2 * x + 0.5, 0.0, 1.0)


@register(
    "hardsigmoid",
    aliases=("hard_sigmoid",),
    formula="min(max(x/6 + 1/2, 0), 1)",
    family="sigmoid-based",
    range=(0.0, 1.0),
    derivative_range=(0.0, 1.0 / 6.0),
    smoothness="C0",
    source="textbook, as in PyTorch",
)
class Hardsigmoid(Activation):
    """f(x) = clip(x/6 + 1/2, 0, 1), f'(x) = 1/6 inside and 0 outside (-3, 3); at both kinks f' = 0.

    PyTorch's form. Keras has other kinks and another slope: `HardsigmoidKeras`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        # In float64 PyTorch's own backward pass has the slope 1/6 to float32 only.
        return F.hardtanh(x / 6.0 + 0.5, 0.0, 1.0) if x.dtype is torch.float64 else F.hardsigmoid(x)


@register(
    "hardsigmoid_keras",
    aliases=("hard_sigmoid_keras",),
    formula="min(max(0.2 * x + 0.5, 0), 1)",
    family="sigmoid-based",
    range=(0.0, 1.0),
    derivative_range=(0.0, 0.2),
    smoothness="C0",
    source="textbook, as in Keras; AQuaSurF's functions (arXiv 2301.05785) use it",
)
class HardsigmoidKeras(Activation):
    """f(x) = clip(0.2 x + 0.5, 0, 1), f'(x) = 0.2 inside and 0 outside (-2.5, 2.5); at both kinks f' = 0.

    Keras's form. PyTorch's is `Hardsigmoid`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return hard_sigmoid_keras(x)


@register(
    "dsilu",
    formula="s * (1 + x * (1 - s)), s = sigmoid(x)",
    family="sigmoid-based",
    range=(-0.0998393201, 1.0998393201),
    derivative_range=(-0.0369143732, 0.5),
    smoothness="Cinf",
    source="Elfwing et al., arXiv 1702.03118; the same in the code of arXiv 2102.09407",
)
class DSiLU(Activation):
    """The derivative of SiLU as an activation: f(x) = s (1 + x (1 - s)) with s = sigmoid(x), f(0) = 1/2.

    f'(x) = s (1 - s) (2 + x (1 - 2 s)), f'(0) = 1/2. f(x) + f(-x) = 1; f tends to 0 and 1 and overshoots both, by
    0.0998 at x = -/+ 2.39936.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        wide = widened(x)
        s = wide.sigmoid()
        return (s * (1.0 + wide * (1.0 - s))).to(x.dtype)


@register(
    "wafbc",
    formula="c1 * Phi(x) + c2, Phi the standard normal distribution function",
    family="sigmoid-based",
    range=(0.0, 1.0),
    derivative_range=(0.0, 0.3989422805),
    smoothness="Cinf",
    source="Sun et al., arXiv 2405.12954; the case of standard normal pre-activations",
    unverified="The paper was not seen; the function is derived from its stated principle.",
)
class WAFBC(Activation):
    """f(x) = c1 Phi(x) + c2, f'(x) = c1 phi(x): the Worst Activation Function with Boundary Conditions, a control.

    Among the functions with these limits it gives standard normal pre-activations the largest output entropy, which
    EAFO (`rl_acts.eafo_correction`) calls worst. c1 = 2, c2 = -1 makes it erf(x / sqrt 2), which looks like tanh.

    Unverified: the paper was not seen; the function is derived from its stated principle.

    Args:
        c1: Height of the step, any finite number. Default 1.
        c2: Limit at minus infinity, any finite number. Default 0.
    """

    declared = (
        Parameter("c1", 1.0, Real(other=2.0), "height of the step"),
        Parameter("c2", 0.0, Real(other=-1.0), "limit at minus infinity"),
    )

    def __init__(self, c1: float = 1.0, c2: float = 0.0) -> None:
        super().__init__()
        self.c1 = self.real("c1", c1)
        self.c2 = self.real("c2", c2)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        # erfc keeps the digits of the left tail, which 1 + erf loses.
        phi = 0.5 * torch.erfc(widened(x) * -math.sqrt(0.5))
        return (self.c1 * phi + self.c2).to(x.dtype)
