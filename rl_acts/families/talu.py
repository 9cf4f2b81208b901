"""TaLU: ReLU that is tanh, then constant, on the left; with fixed and with learnt switch point."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, inverse_softplus
from rl_acts._info import Parameter, Real
from rl_acts._registry import register

_SOURCE = "Hasan et al., arXiv 2305.04402, as the survey of Kunc and Klema, arXiv 2402.09092, gives it"
_UNVERIFIED = (
    "The paper was not seen. The default alpha = -0.2 is from a weak memory of its authors' scan of small negative "
    "values."
)


def talu(x: Tensor, alpha: float | Tensor) -> Tensor:
    """Return max(x, 0) + tanh(max(min(x, 0), alpha)): TaLU for alpha < 0.

    Args:
        x: Pre-activations of any shape.
        alpha: Below 0; a number, or a tensor that broadcasts against `x`. Its gradient is that of the constant piece,
            (1 - tanh^2 alpha) 1{x <= alpha}.

    Returns:
        Activations of the shape of `x`.
    """
    positive = x.relu()
    # Exactly min(x, 0), and at 0 its derivative is 1: with relu'(0) = 0 the two pieces make f'(0) = 1.
    negative = x - positive
    return positive + torch.where(negative > alpha, negative, alpha).tanh()


@register(
    "talu",
    formula="x if x >= 0; tanh(x) if alpha < x < 0; tanh(alpha) if x <= alpha",
    family="ReLU-based",
    range=(-0.1973753203, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class TaLU(Activation):
    """f(x) = x for x >= 0, tanh x for alpha < x < 0, tanh alpha for x <= alpha.

    f'(x) is 1, 1 - tanh^2 x and 0 there; f'(0) = 1 from both sides, f'(alpha) = 0. The gradient is zero below alpha, a
    dead region like ReLU's, further left.

    Unverified: the paper was not seen; the default alpha is from a weak memory of it.

    Args:
        alpha: Where the constant piece ends, below 0. Default -0.2.
    """

    declared = (Parameter("alpha", -0.2, Real(other=-0.75, maximum=0.0), "where the constant piece ends"),)

    def __init__(self, alpha: float = -0.2) -> None:
        super().__init__()
        self.alpha = self.real("alpha", alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return talu(x, self.alpha)


@register(
    "talu_learnable",
    formula="x if x >= 0; tanh(x) if alpha < x < 0; tanh(alpha) if x <= alpha; alpha = -softplus(raw_alpha) learnt",
    family="parametric",
    range=(-0.1973753203, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source=_SOURCE + "; the learnt alpha is this library's",
    unverified=_UNVERIFIED + " Learning alpha, and keeping it negative, is this library's.",
)
class TaLULearnable(LearnableActivation):
    """TaLU with a learnt switch point, df/dalpha = (1 - tanh^2 alpha) 1{x <= alpha}: only the constant piece has it.

    alpha = -softplus(raw_alpha) stays below 0, where the formula is continuous. Value and f' as for `TaLU`.

    Unverified: the paper was not seen; a learnt alpha is this library's.

    Args:
        alpha: Initial end of the constant piece, below 0. Default -0.2.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one alpha.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^-alpha - 1).
    """

    declared = (
        Parameter("alpha", -0.2, Real(other=-0.75, maximum=0.0), "initial end of the constant piece", shape=()),
        PER,
    )

    def __init__(self, alpha: float = -0.2, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.raw_alpha: nn.Parameter = self.new_parameter(inverse_softplus(-self.real("alpha", alpha)))

    @property
    def alpha(self) -> Tensor:
        """The switch point of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return -F.softplus(self.raw_alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return talu(x, self.alpha)


@register(
    "ptalu",
    formula="x if x >= b; tanh(x) if alpha < x < b; tanh(alpha) if x <= alpha",
    family="parametric",
    range=(-0.6351489524, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="discontinuous",
    source="The variant of TaLU (arXiv 2305.04402) in the survey of Kunc and Klema, arXiv 2402.09092",
    unverified="The paper was not seen; the survey starts from alpha = -0.75 and b = 1, which are fixed here.",
)
class PTaLU(Activation):
    """f(x) = x for x >= b, tanh x for alpha < x < b, tanh alpha for x <= alpha, with fixed switch points.

    f'(x) is 1, 1 - tanh^2 x and 0 there; f'(b) = 1 and f'(alpha) = 0. It jumps from tanh b to b at b (by 0.238 for
    b = 1); b = 0 is TaLU.

    Unverified: the paper was not seen; alpha = -0.75 and b = 1 are the survey's starting values.

    Args:
        alpha: Where the constant piece ends, below 0. Default -0.75.
        b: Where the identity begins, at least 0. Default 1.
    """

    declared = (
        Parameter("alpha", -0.75, Real(other=-0.2, maximum=0.0), "where the constant piece ends"),
        Parameter("b", 1.0, Real(other=0.5, minimum=0.0, open=False), "where the identity begins"),
    )

    def __init__(self, alpha: float = -0.75, b: float = 1.0) -> None:
        super().__init__()
        self.alpha = self.real("alpha", alpha)
        self.b = self.real("b", b)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        # F.threshold has the slope 0 at alpha itself.
        return torch.where(x >= self.b, x, F.threshold(x, self.alpha, self.alpha).tanh())
