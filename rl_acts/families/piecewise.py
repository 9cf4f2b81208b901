"""Learnt functions that switch at 0 or at learnt points: APALU, PELU and APL."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, LearnableActivation, inverse_softplus, widened
from rl_acts._info import Parameter, Real, Whole
from rl_acts._registry import register


@register(
    "apalu",
    formula="a*(x + x*sigmoid(1.702*x)) if x >= 0; b*(exp(x) - 1) if x < 0; a, b = softplus(raw) learnt",
    family="parametric",
    range=(-0.065, math.inf),
    derivative_range=(0.0, 1.1549116261),
    smoothness="C0",
    source="arXiv 2402.08244, after two independent implementations",
    unverified="The paper was not seen; a = 0.55 and b = 0.065 are from two implementations that may share an origin.",
)
class APALU(LearnableActivation):
    """f(x) = a (x + x s) with s = sigmoid(1.702 x) for x >= 0, b (e^x - 1) for x < 0; a and b learnt.

    f'(x) = a (1 + s (1 + 1.702 x (1 - s))) on the right and b e^x on the left; at 0 it jumps from b to f'(0) = 1.5 a
    (smooth only for b = 1.5 a), and it tends to 2 a. a = softplus(raw_a) and b = softplus(raw_b) stay above 0, which
    keeps it monotone.

    Unverified: the paper was not seen; the initial values are second-hand.

    Args:
        a: Initial scale on the right, above 0. Default 0.55.
        b: Initial scale on the left, above 0. Default 0.065.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one pair.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_a: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^a - 1).
        raw_b: Likewise.
    """

    declared = (
        Parameter("a", 0.55, Real(other=0.7, minimum=0.0), "initial scale on the right", shape=()),
        Parameter("b", 0.065, Real(other=0.1, minimum=0.0), "initial scale on the left", shape=()),
        PER,
    )

    def __init__(self, a: float = 0.55, b: float = 0.065, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.raw_a: nn.Parameter = self.new_parameter(inverse_softplus(self.real("a", a)))
        self.raw_b: nn.Parameter = self.new_parameter(inverse_softplus(self.real("b", b)))

    @property
    def a(self) -> Tensor:
        """The scale on the right of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(widened(self.raw_a))

    @property
    def b(self) -> Tensor:
        """The scale on the left of today, likewise."""
        return F.softplus(widened(self.raw_b))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        wide = widened(x)
        # Unlike relu, clamp has the slope 1 at 0: there the right branch counts.
        positive = wide.clamp(min=0.0)
        right = positive * (1.0 + (1.702 * positive).sigmoid())
        return (self.a * right + self.b * (wide - positive).expm1()).to(x.dtype)


@register(
    "pelu",
    formula="(a/b)*x if x >= 0; a*(exp(x/b) - 1) if x < 0; a, b = softplus(raw) learnt",
    family="parametric",
    range=(-1.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C1",
    source="Trottier et al., arXiv 1605.09332, as the survey of Kunc and Klema, arXiv 2402.09092, gives it",
    unverified="The paper was not seen; how it keeps a and b above 0 is not known, softplus is this library's.",
)
class PELU(LearnableActivation):
    """f(x) = (a/b) x for x >= 0, a (e^(x/b) - 1) for x < 0; f'(0) = a/b from both sides; a and b learnt.

    f'(x) = (a/b) e^(x/b) on the left, -a the limit there. a = softplus(raw_a) and b = softplus(raw_b) stay above 0.
    a = b = 1 is ELU.

    Unverified: the paper was not seen; softplus for the constraint is this library's.

    Args:
        a: Initial scale, above 0. Default 1.
        b: Initial width, above 0. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one pair.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_a: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^a - 1).
        raw_b: Likewise.
    """

    declared = (
        Parameter("a", 1.0, Real(other=0.7, minimum=0.0), "initial scale", shape=()),
        Parameter("b", 1.0, Real(other=1.5, minimum=0.0), "initial width", shape=()),
        PER,
    )

    def __init__(self, a: float = 1.0, b: float = 1.0, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.raw_a: nn.Parameter = self.new_parameter(inverse_softplus(self.real("a", a)))
        self.raw_b: nn.Parameter = self.new_parameter(inverse_softplus(self.real("b", b)))

    @property
    def a(self) -> Tensor:
        """The scale of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(widened(self.raw_a))

    @property
    def b(self) -> Tensor:
        """The width of today, likewise."""
        return F.softplus(widened(self.raw_b))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        scaled = widened(x) / self.b
        positive = scaled.relu()
        return (self.a * (positive + (scaled - positive).expm1())).to(x.dtype)


@register(
    "apl",
    formula="max(x, 0) + sum over s of a_s * max(b_s - x, 0), a_s and b_s learnt",
    family="parametric",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="Agostinelli et al., arXiv 1412.6830, after reading notes",
    unverified="The paper's initial values and number of hinges were not seen; those here are this library's.",
)
class APL(LearnableActivation):
    """f(x) = max(x, 0) + sum_s a_s max(b_s - x, 0) with S learnt hinges: piecewise linear, slope 1 far right.

    f'(x) = 1{x > 0} - sum_s a_s 1{x < b_s}; at a kink b_s the hinge counts with slope 0. df/da_s = max(b_s - x, 0),
    df/db_s = a_s 1{x < b_s}. Starts as ReLU: all a_s = `slope` = 0, the b_s spread out, because hinges that start equal
    stay equal. The paper's form has a set for each neuron: ``per="unit"``.

    Unverified: the paper's initial values and number of hinges were not seen; those here are this library's.

    Args:
        hinges: Number S of hinges, from 1 on. Default 2.
        slope: Initial value of every a_s, any finite number. Default 0.
        spread: The b_s start in the middles of S equal parts of (-spread, spread), above 0. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one set.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        a: Parameter of shape ``(hinges,)``, or ``(features, hinges)`` for ``per="unit"``.
        b: Likewise.
    """

    declared = (
        Parameter("hinges", 2, Whole(other=3, minimum=1), "number of hinges"),
        Parameter("slope", 0.0, Real(other=0.1), "initial weight of each hinge", shape=(2,)),
        Parameter(
            "spread", 1.0, Real(other=2.0, minimum=0.0), "initial half-width of the hinges' interval", shape=(2,)
        ),
        PER,
    )

    def __init__(
        self,
        hinges: int = 2,
        slope: float = 0.0,
        spread: float = 1.0,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.hinges = self.whole("hinges", hinges)
        half_width = self.real("spread", spread)
        middles = [half_width * (2 * index + 1 - self.hinges) / self.hinges for index in range(self.hinges)]
        shape = (self.hinges,) if self.features is None else (self.features, self.hinges)
        self.a = nn.Parameter(torch.full(shape, self.real("slope", slope)))
        self.b = nn.Parameter(torch.tensor(middles).expand(shape).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        output = x.relu()
        for weight, hinge in zip(self.a.unbind(-1), self.b.unbind(-1), strict=True):
            output = output + weight * (hinge - x).relu()
        return output
