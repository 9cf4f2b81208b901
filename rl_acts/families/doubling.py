"""Activations that double the width, so that something of each number always passes: CReLU, deep Fourier."""

import math

import torch
from torch import Tensor

from rl_acts._base import WidthChanging
from rl_acts._registry import register


@register(
    "crelu",
    formula="(max(x, 0), max(-x, 0)) side by side",
    family="non-standard",
    range=(0.0, math.inf),
    derivative_range=(-1.0, 1.0),
    smoothness="C0",
    source="Shang et al., arXiv 1603.05201; against lost plasticity in RL: Abbas et al., arXiv 2303.07507",
    unverified="That it restores plasticity in Abbas et al. is from memory of the abstract; no text was read.",
    elementwise=False,
)
class CReLU(WidthChanging):
    """f(x) = [max(x, 0), max(-x, 0)] on the last axis: twice as wide, and never without a way through but at x = 0.

    Slopes 0 or 1 in the first half, 0 or -1 in the second; both are 0 at x = 0.

    Unverified: what it restores in Abbas et al. is from memory of the abstract.

    Args:
        features: Width of the linear layer before it.
    """

    width_factor = 2.0

    def __init__(self, features: int | None = None) -> None:
        super().__init__(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to ``(..., 2 features)``."""
        self.check_width(x)
        return torch.cat((x, -x), dim=-1).relu()


@register(
    "deep_fourier",
    aliases=("deep_fourier_features",),
    formula="(sin(x), cos(x)) side by side",
    family="non-standard",
    range=(-1.0, 1.0),
    derivative_range=(-1.0, 1.0),
    smoothness="Cinf",
    source="arXiv 2410.20634, as in the Plasticine library",
    elementwise=False,
)
class DeepFourier(WidthChanging):
    """f(x) = [sin(x), cos(x)] on the last axis: twice as wide, and always one of the two is nearly linear.

    Slopes cos(x) and -sin(x).

    Args:
        features: Width of the linear layer before it.
    """

    width_factor = 2.0

    def __init__(self, features: int | None = None) -> None:
        super().__init__(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to ``(..., 2 features)``."""
        self.check_width(x)
        return torch.cat((x.sin(), x.cos()), dim=-1)
