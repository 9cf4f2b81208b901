"""Dynamic ReLU and a graph form of it: the larger of two lines whose coefficients the sample itself decides."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import Activation, needed_width, widened
from rl_acts._info import Flag, Parameter, Whole
from rl_acts._registry import register
from rl_acts.errors import ActivationError

# How far the coefficients move from ReLU's: slopes by less than 1, intercepts by less than 1/2.
_SLOPES, _INTERCEPTS = 1.0, 0.5
_DECLARED = (
    Parameter("r", 4, Whole(other=2, minimum=1), "how many times narrower the hyper-network is than the layer"),
    Parameter(
        "start_at_relu",
        default=True,
        constraint=Flag(other=False),
        meaning="whether the hyper-network's last layer starts at 0, and the function at ReLU",
    ),
)
_SOURCE = "Chen et al., arXiv 2003.10027"
_UNVERIFIED = (
    "The reduction ratio was read in an implementation (4); the paper's may be 8. The hyper-network on the feature "
    "vector itself, without pooling, and the start at ReLU are this library's reading for networks without space."
)


class HyperActivation(Activation):
    """Base of y_c = max(a1_c x_c + b1_c, a2_c x_c + b2_c), whose coefficients a small network makes of the whole row.

    Args:
        outputs: How many numbers the small network puts out.
        r: How many times narrower its hidden layer is than the layer.
        start_at_relu: Whether its last layer starts at 0.
        features: Width of the layer.

    Attributes:
        squeeze: Linear layer ``features -> max(1, features // r)``.
        excite: Linear layer from there to the coefficients.
    """

    def __init__(self, outputs: int, r: int, start_at_relu: bool, features: int) -> None:
        super().__init__()
        self.r, self.start_at_relu, self.features = r, start_at_relu, features
        self.squeeze = nn.Linear(features, _hidden(features, r))
        self.excite = nn.Linear(_hidden(features, r), outputs)
        if start_at_relu:
            nn.init.zeros_(self.excite.weight)
            nn.init.zeros_(self.excite.bias)

    def hyper(self, x: Tensor) -> Tensor:
        """Return what the small network makes of ``(..., features)``, of the dtype of `x`."""
        hidden = F.linear(x, self.squeeze.weight.to(x.dtype), self.squeeze.bias.to(x.dtype)).relu()
        return F.linear(hidden, self.excite.weight.to(x.dtype), self.excite.bias.to(x.dtype))

    def extra_repr(self) -> str:
        """Show the declared arguments and the width."""
        return f"{super().extra_repr()}, features={self.features}"


def _hidden(features: int, r: int) -> int:
    return max(1, features // r)


def _hyper_numbers(features: int, r: int, outputs: int) -> int:
    return _hidden(features, r) * (features + 1) + outputs * (_hidden(features, r) + 1)


def _larger_line(x: Tensor, moved: Tensor) -> Tensor:
    """Return the larger of the two lines.

    Args:
        x: Pre-activations ``(..., features)``.
        moved: How far the coefficients are from ReLU's, in (-1, 1), ``(..., 4, features or 1)``: the slopes of the
            first and the second line, then their intercepts.
    """
    slope_1, slope_2, intercept_1, intercept_2 = moved.unbind(-2)
    first = (1.0 + _SLOPES * slope_1) * x + _INTERCEPTS * intercept_1
    second = _SLOPES * slope_2 * x + _INTERCEPTS * intercept_2
    return torch.where(first > second, first, second)


class DyReLU(HyperActivation):
    """Base of the three forms of dynamic ReLU; `by_feature` says whether each feature has coefficients of its own."""

    declared = _DECLARED
    by_feature = True

    def __init__(self, r: int = 4, start_at_relu: bool = True, features: int | None = None) -> None:
        ratio, at_relu = self.whole("r", r), self.flag("start_at_relu", start_at_relu)
        width = needed_width(type(self).__name__, "its hyper-network", features)
        super().__init__(4 * (width if self.by_feature else 1), ratio, at_relu, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape, each row for itself."""
        wide = widened(x)
        # 2 sigmoid(z) - 1 = tanh(z / 2), without the difference of nearly equal numbers around z = 0.
        moved = (0.5 * self.hyper(wide)).tanh()
        return _larger_line(wide, moved.reshape(*x.shape[:-1], 4, moved.shape[-1] // 4)).to(x.dtype)


@register(
    "dy_relu_b",
    formula="max(a1*x + b1, a2*x + b2) with coefficients of each row and feature, made from the row by a small network",
    family="context-dependent",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source=_SOURCE,
    unverified=_UNVERIFIED,
    elementwise=False,
    learnt_numbers=lambda features, r, **_: _hyper_numbers(features, r, 4 * features),
)
class DyReLUB(DyReLU):
    """Dynamic ReLU, one function for each row and feature: the form for a batch of feature vectors.

    f(x)_c = max(a1_c x_c + b1_c, a2_c x_c + b2_c) with a1 = 1 + D1, a2 = D2, b1 = D3 / 2, b2 = D4 / 2 and D = 2
    sigmoid(W2 relu(W1 x + c1) + c2) - 1 in (-1, 1), x being the row. At the start D = 0, which is ReLU; the declared
    range and slopes are those. Where the two lines meet f' is the second one's, at the start 0. The lines' slopes are
    in (0, 2) and (-1, 1), but the coefficients depend on x too, so the function's slope has no bound. The hyper-network
    has C/r (C + 1) + 4C (C/r + 1) numbers for C features, 5/r of a square layer: report parameter counts.

    Unverified: the reduction ratio was read in an implementation (4); the paper's may be 8. No pooling, and the start
    at ReLU, are this library's reading for networks without space.

    Args:
        r: How many times narrower the hyper-network's hidden layer is than the layer (it has at least one unit); a
            whole number from 1. Default 4.
        start_at_relu: Whether W2 and c2 start at 0. Default True. Otherwise they start as linear layers of PyTorch do,
            as in the implementation that was read: a random change of ReLU.
        features: Width of the layer; needed.

    Attributes:
        squeeze: Linear layer of W1 and c1.
        excite: Linear layer of W2 and c2.
    """


@register(
    "dy_relu_a",
    formula="max(a1*x + b1, a2*x + b2) with coefficients of each row, made from the row by a small network",
    family="context-dependent",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source=_SOURCE,
    unverified=_UNVERIFIED,
    elementwise=False,
    learnt_numbers=lambda features, r, **_: _hyper_numbers(features, r, 4),
)
class DyReLUA(DyReLU):
    """Dynamic ReLU, one function for each row, the same for all its features; formulas as for `DyReLUB`.

    The hyper-network puts out 4 numbers, so it has C/r (C + 1) + 4 (C/r + 1) for C features.

    Unverified: the reduction ratio was read in an implementation (4); the paper's may be 8. No pooling, and the start
    at ReLU, are this library's reading for networks without space.

    Args:
        r: How many times narrower the hyper-network's hidden layer is than the layer (it has at least one unit); a
            whole number from 1. Default 4.
        start_at_relu: Whether W2 and c2 start at 0. Default True. Otherwise they start as linear layers of PyTorch do,
            as in the implementation that was read: a random change of ReLU.
        features: Width of the layer; needed.

    Attributes:
        squeeze: Linear layer of W1 and c1.
        excite: Linear layer of W2 and c2.
    """

    by_feature = False


@register(
    "dy_relu_c",
    formula="as dy_relu_b: without space there is nothing else",
    family="context-dependent",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source=_SOURCE,
    unverified=(
        _UNVERIFIED + " The attention over positions (its constants are from memory) needs positions and is left out."
    ),
    elementwise=False,
    learnt_numbers=lambda features, r, **_: _hyper_numbers(features, r, 4 * features),
)
class DyReLUC(DyReLUB):
    """Dynamic ReLU with attention over positions; a feature vector has none, so this is `DyReLUB` under its third name.

    Unverified: the attention's constants are from memory, and it is left out. The reduction ratio was read in an
    implementation (4); the paper's may be 8.

    Args:
        r: How many times narrower the hyper-network's hidden layer is than the layer (it has at least one unit); a
            whole number from 1. Default 4.
        start_at_relu: Whether W2 and c2 start at 0. Default True. Otherwise they start as linear layers of PyTorch do,
            as in the implementation that was read: a random change of ReLU.
        features: Width of the layer; needed.

    Attributes:
        squeeze: Linear layer of W1 and c1.
        excite: Linear layer of W2 and c2.
    """


@register(
    "graph_relu",
    formula="max(a1*x + b1, a2*x + b2), coefficients ReLU's + tanh(u_n * v_c): u from a small network of the node's "
    "neighbourhood, v learnt",
    family="context-dependent",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="after GReLU, arXiv 2202.06281",
    unverified="Not GReLU itself: its hyper-function was not seen. The factorisation into node and feature follows the "
    "abstract; all else is this library's reading.",
    elementwise=False,
    learnt_numbers=lambda features, r, **_: _hyper_numbers(features, r, 4) + 4 * features,
)
class GraphReLU(HyperActivation):
    """After GReLU: the larger of two lines whose coefficients come from a node's neighbourhood, times a feature factor.

    y_nc = max(a1_nc x_nc + b1_nc, a2_nc x_nc + b2_nc) for node n and feature c, with a1 = 1 + D1, a2 = D2, b1 = D3 / 2,
    b2 = D4 / 2, Dk_nc = tanh(uk_n vk_c), u = W2 relu(W1 (A x)_n + c1) + c2 and v learnt. A is the adjacency. Without
    one it is the identity: each row is its own neighbourhood, and this is a dynamic ReLU with factorised coefficients,
    under which a Q-value never depends on other rows. With one, rows are nodes and depend on their neighbours; the
    states of MuJoCo's tasks are no graph.

    At the start u = 0 and v = 1, which is ReLU; the declared range and slopes are those. Where the lines meet f' is the
    second one's, at the start 0.

    Unverified: not GReLU itself, whose hyper-function was not seen.

    Args:
        r: How many times narrower the hyper-network's hidden layer is than the layer (it has at least one unit); a
            whole number from 1. Default 4.
        start_at_relu: Whether W2 and c2 start at 0. Default True; otherwise as linear layers of PyTorch do.
        features: Width of the layer; needed.
        adjacency: Not part of specs; give ``lambda features: GraphReLU(features=features, adjacency=A)``. A square
            matrix, normalised as you like, that is kept as a buffer; or a callable that maps ``(..., nodes, features)``
            to neighbourhoods of the same shape; None for the identity.

    Attributes:
        squeeze: Linear layer of W1 and c1.
        excite: Linear layer of W2 and c2.
        v: Parameter ``(4, features)``.
        adjacency: Buffer with the matrix, or None.

    Raises:
        ActivationError: The adjacency is no square matrix, or does not fit the rows of a call.
    """

    declared = _DECLARED
    adjacency: Tensor | None

    def __init__(
        self,
        r: int = 4,
        start_at_relu: bool = True,
        features: int | None = None,
        adjacency: Tensor | Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        ratio, at_relu = self.whole("r", r), self.flag("start_at_relu", start_at_relu)
        super().__init__(4, ratio, at_relu, needed_width("GraphReLU", "its hyper-network", features))
        self.v = nn.Parameter(torch.ones(4, self.features))
        matrix = adjacency if isinstance(adjacency, Tensor) else None
        if matrix is not None and (matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]):
            raise ActivationError(
                f"GraphReLU: an adjacency of shape {tuple(matrix.shape)} is not allowed; it must be a square matrix."
            )
        self.register_buffer("adjacency", matrix)
        self.neighbours = None if isinstance(adjacency, Tensor) else adjacency

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., nodes, features)`` to the same shape."""
        wide = widened(x)
        u = self.hyper(self._neighbourhoods(wide)).unsqueeze(-1)
        return _larger_line(wide, (u * self.v).tanh()).to(x.dtype)

    def _neighbourhoods(self, x: Tensor) -> Tensor:
        if self.adjacency is None:
            return x if self.neighbours is None else self.neighbours(x)
        if x.dim() < 2 or x.shape[-2] != self.adjacency.shape[0]:
            raise ActivationError(
                f"GraphReLU: the adjacency is of {self.adjacency.shape[0]} nodes, and the pre-activations have the "
                f"shape {tuple(x.shape)}; they must be (..., nodes, features)."
            )
        return self.adjacency.to(x.dtype) @ x
