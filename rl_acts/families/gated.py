"""Gated layers: the first half of the last axis, through a function, times the second half."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import WidthChanging
from rl_acts._info import UNBOUNDED
from rl_acts._registry import register
from rl_acts.errors import ActivationError

_SOURCE = "Shazeer, arXiv 2002.05202"


class Gated(WidthChanging):
    """Base of gated layers: f(a, b) = act(a) * b, with a the first half of the last axis and b the second.

    With the linear layer before it this is Shazeer's act(x W + c) * (x V + d). Several libraries gate the other half.
    Values and gradients grow with the square of the pre-activations. Shazeer leaves the biases out and makes the layer
    2/3 as wide; `rl_acts.mlp` keeps the width behind the gate, or the parameters if ``keep="parameters"``, and the
    biases unless ``bias=False``.

    Args:
        features: Width of the linear layer before it, even.
    """

    width_factor = 0.5

    def __init__(self, features: int | None = None) -> None:
        super().__init__(features)
        if self.features % 2:
            raise ActivationError(
                f"{type(self).__name__}: features={features!r} is not allowed; a gate halves the width, so it must be "
                "even."
            )

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to ``(..., features / 2)``."""
        self.check_width(x)
        a, b = x.chunk(2, dim=-1)
        return self.act(a) * b


@register(
    "glu",
    formula="sigmoid(a) * b; a, b the halves of x",
    family="non-standard",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="Cinf",
    source="Dauphin et al., arXiv 1612.08083; " + _SOURCE,
    elementwise=False,
)
class GLU(Gated):
    """f(a, b) = sigmoid(a) b, df/da = s (1 - s) b with s = sigmoid(a).

    Args:
        features: Width of the linear layer before it, even.
    """

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        return a.sigmoid()


@register(
    "swiglu",
    formula="a * sigmoid(a) * b; a, b the halves of x",
    family="non-standard",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="Cinf",
    source=_SOURCE,
    elementwise=False,
)
class SwiGLU(Gated):
    """f(a, b) = a sigmoid(a) b: Swish with beta = 1 as the function.

    Args:
        features: Width of the linear layer before it, even.
    """

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        return F.silu(a)


@register(
    "reglu",
    formula="max(a, 0) * b; a, b the halves of x",
    family="non-standard",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="C0",
    source=_SOURCE,
    elementwise=False,
)
class ReGLU(Gated):
    """f(a, b) = max(a, 0) b, df/da = 0 at a = 0; for a = b it is ReLU squared.

    Args:
        features: Width of the linear layer before it, even.
    """

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        return a.relu()


@register(
    "geglu",
    formula="a * Phi(a) * b, Phi the standard normal distribution function; a, b the halves of x",
    family="non-standard",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="Cinf",
    source=_SOURCE,
    elementwise=False,
)
class GEGLU(Gated):
    """f(a, b) = a Phi(a) b: the exact GELU as the function.

    Args:
        features: Width of the linear layer before it, even.
    """

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        # PyTorch's own GELU loses the left tail to 1 + erf (a thousandth of the value at -3), and b makes it larger.
        gelu: Tensor = (0.5 * a) * torch.special.erfc(-math.sqrt(0.5) * a)
        return gelu


@register(
    "bilinear",
    formula="a * b; a, b the halves of x",
    family="non-standard",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="Cinf",
    source=_SOURCE,
    elementwise=False,
)
class Bilinear(Gated):
    """f(a, b) = a b: no function at all.

    Args:
        features: Width of the linear layer before it, even.
    """

    def act(self, a: Tensor) -> Tensor:
        """Return the first half after the function."""
        return a
