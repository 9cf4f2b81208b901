"""LSLU: a few ReLUs in a row or side by side, with learnt factors and shifts."""

import math

import torch
from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, needed_width
from rl_acts._info import Choice, Parameter, Whole
from rl_acts._registry import register

# Series: the first and the last shift of the start. With one ReLU its shift is 0.
_FARTHEST_SHIFT = 0.5


def lslu(x: Tensor, theta: Tensor, omega: Tensor, scale: Tensor) -> Tensor:
    """Return scale * relu(h_n) with h_0 = x and h_i = theta_i relu(h_(i-1)) + omega_i.

    Args:
        x: Pre-activations ``(..., features)``.
        theta: Factors, ``(n,)``, or ``(features, n)`` for a set of each unit.
        omega: Shifts, likewise.
        scale: ``(features,)``.
    """
    return _lslu_expression(x, theta, omega, scale)


def _lslu_expression(x: Tensor, theta: Tensor, omega: Tensor, scale: Tensor) -> Tensor:
    h = x
    for factor, shift in zip(theta.unbind(-1), omega.unbind(-1), strict=True):
        h = factor * h.relu() + shift
    return scale * h.relu()


def lslu_series(x: Tensor, theta: Tensor, omega: Tensor, shift: Tensor) -> Tensor:
    """Return sum_i (theta_i relu(x + b_i) + omega_i), b the shifts; arguments as for `lslu`."""
    parts = [factor * (x + inner).relu() for factor, inner in zip(theta.unbind(-1), shift.unbind(-1), strict=True)]
    return torch.stack(parts).sum(0) + omega.sum(-1)


def _learnt_numbers(mode: str, n: int, per: str, features: int) -> int:
    sets = features if per == "unit" else 1
    return sets * 2 * n + features if mode == "compose" else sets * 3 * n


@register(
    "lslu",
    formula="w * relu(h_n), h_0 = x, h_i = theta_i * relu(h_(i-1)) + omega_i; series: sum_i (theta_i * relu(x + b_i) + "
    "omega_i); all learnt",
    family="adaptive",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="arXiv 2409.08283: compose as in the authors' code, series as in their text",
    unverified=(
        "The printed equation was not seen, and code and text differ: mode chooses. The code's convolution and batch "
        "normalisation have no place in a network without space; of the convolution the factor of each unit is left. "
        "The start of series (theta = 1/n, b from -0.5 to 0.5) is this library's choice."
    ),
    learnt_numbers=_learnt_numbers,
)
class LSLU(LearnableActivation):
    """Learnable series linear unit, in one of two forms, because the authors' code and their text differ.

    ``mode="compose"``, as in the code: h_0 = x, h_i = theta_i relu(h_(i-1)) + omega_i, f = w relu(h_n); theta = 1,
    omega = 0, w = 1 at the start, which is ReLU exactly, with f'(0) = 0. With positive theta it is monotone. Where
    omega makes a link's input negative everywhere the unit is dead for all inputs. f' is w theta_1 ... theta_n where
    all links are active, else 0. Of the code's depthwise convolution w is what a layer without space leaves, one for
    each unit whatever `per` is; its batch normalisation is left out, because it would mix rows, and no other is put in
    its place, because the function is to act on each number alone.

    ``mode="series"``, as in the text: f = sum_i (theta_i relu(x + b_i) + omega_i); theta = 1/n, b evenly from -0.5 to
    0.5, omega = 0 at the start, near ReLU. At a kink f' is the left one.

    Unverified: the printed equation was not seen. The start of series is this library's choice.

    Args:
        mode: ``"compose"`` (default) or ``"series"``.
        n: Number of ReLUs in the row or sum, from 1 to 32. Default 3, as in the code.
        per: ``"layer"`` (default, as in the code), ``"unit"`` or ``"net"``: what shares theta, omega and b.
        features: Width of the layer, needed for ``mode="compose"`` and for ``per="unit"``.

    Attributes:
        theta: Parameter ``(n,)``, or ``(features, n)`` for ``per="unit"``.
        omega: Likewise.
        shift: Series: likewise, b.
        scale: Compose: parameter ``(features,)``, w.
    """

    declared = (
        Parameter("mode", "compose", Choice(("compose", "series"), other="series"), "ReLUs in a row or in a sum"),
        Parameter("n", 3, Whole(other=2, minimum=1, maximum=32), "number of ReLUs"),
        PER,
    )

    def __init__(self, mode: str = "compose", n: int = 3, per: str = "layer", features: int | None = None) -> None:
        mode, n = self.word("mode", mode), self.whole("n", n)
        super().__init__(per, features)
        self.mode, self.n = mode, n
        sets = () if self.features is None else (self.features,)
        compose = mode == "compose"
        self.theta = nn.Parameter(torch.full((*sets, n), 1.0 if compose else 1.0 / n))
        self.omega = nn.Parameter(torch.zeros(*sets, n))
        if compose:
            self.features = needed_width("LSLU", "mode='compose'", features)
            self.scale = nn.Parameter(torch.ones(self.features))
        else:
            start = torch.linspace(-_FARTHEST_SHIFT, _FARTHEST_SHIFT, n) if n > 1 else torch.zeros(1)
            self.shift = nn.Parameter(start.expand(*sets, n).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        if self.mode == "compose":
            return lslu(x, self.theta, self.omega, self.scale)
        return lslu_series(x, self.theta, self.omega, self.shift)
