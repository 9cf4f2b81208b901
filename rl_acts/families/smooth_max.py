"""Smooth maxima of two lines through 0: ACON-C and SMU with learnt parameters, Smooth-Leaky with fixed ones."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, inverse_softplus, widened
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register


def smooth_leaky(x: Tensor, alpha: float | Tensor, sharpness: float) -> Tensor:
    """Return alpha x + (1 - alpha) x sigmoid(sharpness x).

    Args:
        x: Pre-activations of any shape.
        alpha: Slope on the left; a number, or a tensor that broadcasts against `x`.
        sharpness: Of the transition.

    Returns:
        Activations of the shape of `x`.
    """
    return x * (alpha + (1.0 - alpha) * (sharpness * x).sigmoid())


@register(
    "smooth_leaky",
    formula="alpha*x + (1-alpha)*x*sigmoid(c*x/p)",
    family="miscellaneous",
    range=UNBOUNDED,
    derivative_range=(0.72504017, 1.02495983),
    smoothness="Cinf",
    source="Lillo and Cheney, arXiv 2509.22562, after reading notes",
    unverified="The paper's defaults were not seen. alpha = 0.75 is the middle of the left slopes (0.6 to 0.9) that it "
    "finds good; c = p = 1 is this library's.",
)
class SmoothLeaky(Activation):
    """f(x) = alpha x + (1 - alpha) x sigmoid(c x / p): leaky ReLU with a smooth transition; f'(0) = (1 + alpha) / 2.

    f'(x) = alpha + (1 - alpha)(s + (c x / p) s (1 - s)) with s = sigmoid(c x / p). Only c / p matters; both are there
    because the source writes both. The randomised form is `RandomisedSmoothLeaky`.

    Unverified: the paper's defaults were not seen; those here are this library's, within the slopes it finds good.

    Args:
        alpha: Slope on the left, any finite number. Default 0.75.
        c: Sharpness, above 0. Default 1.
        p: Width of the transition, above 0. Default 1.
    """

    declared = (
        Parameter("alpha", 0.75, Real(other=0.1), "slope on the left"),
        Parameter("c", 1.0, Real(other=2.0, minimum=0.0), "sharpness"),
        Parameter("p", 1.0, Real(other=2.0, minimum=0.0), "width of the transition"),
    )

    def __init__(self, alpha: float = 0.75, c: float = 1.0, p: float = 1.0) -> None:
        super().__init__()
        self.alpha = self.real("alpha", alpha)
        self.c = self.real("c", c)
        self.p = self.real("p", p)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return smooth_leaky(x, self.alpha, self.c / self.p)


@register(
    "acon_c",
    formula="(p1-p2)*x * sigmoid(beta*(p1-p2)*x) + p2*x, p1, p2, beta learnt",
    family="parametric",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="Cinf",
    source="Ma et al., arXiv 2009.04759, as the survey of Kunc and Klema, arXiv 2402.09092, gives it",
    unverified="The paper was not seen; initial values are from the survey and reading notes.",
)
class ACONC(LearnableActivation):
    """f(x) = d x sigmoid(beta d x) + p2 x with d = p1 - p2 and learnt p1, p2, beta: max(p1 x, p2 x), smoothed.

    f'(x) = d (s + beta d x s (1 - s)) + p2 with s = sigmoid(beta d x), f'(0) = (p1 + p2) / 2. SiLU at the initial
    values. The paper's form has a set for each channel: ``per="unit"``.

    Unverified: the paper was not seen; initial values are from the survey and reading notes.

    Args:
        p1: Initial slope on the right, any finite number. Default 1.
        p2: Initial slope on the left, any finite number. Default 0.
        beta: Initial sharpness, any finite number. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one set.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        p1: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
        p2: Likewise.
        beta: Likewise.
    """

    declared = (
        Parameter("p1", 1.0, Real(other=1.25), "initial slope on the right", shape=()),
        Parameter("p2", 0.0, Real(other=0.25), "initial slope on the left", shape=()),
        Parameter("beta", 1.0, Real(other=1.5), "initial sharpness", shape=()),
        PER,
    )

    def __init__(
        self,
        p1: float = 1.0,
        p2: float = 0.0,
        beta: float = 1.0,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.p1: nn.Parameter = self.new_parameter(self.real("p1", p1))
        self.p2: nn.Parameter = self.new_parameter(self.real("p2", p2))
        self.beta: nn.Parameter = self.new_parameter(self.real("beta", beta))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        difference = self.p1 - self.p2
        return x * (difference * (self.beta * difference * x).sigmoid() + self.p2)


@register(
    "smu",
    formula="((1+alpha)*x + (1-alpha)*x*erf(mu*(1-alpha)*x)) / 2, mu = softplus(raw_mu) learnt",
    family="parametric",
    range=UNBOUNDED,
    derivative_range=(0.1533218911, 1.0966781089),
    smoothness="Cinf",
    source="Biswas et al., arXiv 2111.04682, after reading notes and independent implementations",
    unverified="The paper was not seen. Implementations start mu at 1e6, a leaky ReLU whose mu has no gradient left; "
    "mu = 1 and keeping mu above 0 are this library's.",
)
class SMU(LearnableActivation):
    """f(x) = ((1 + alpha) x + (1 - alpha) x erf(v)) / 2, v = mu (1 - alpha) x: max(x, alpha x), smoothed; mu learnt.

    f'(x) = alpha + (1 - alpha)(g + v exp(-v^2) / sqrt(pi)) with g = (1 + erf v) / 2, f'(0) = (1 + alpha) / 2;
    df/dmu = (1 - alpha)^2 x^2 exp(-v^2) / sqrt(pi). mu = softplus(raw_mu) stays above 0. alpha = 0 and mu = sqrt(1/2)
    is the exact GELU.

    Unverified: the paper was not seen; implementations start mu at 1e6, where it has no gradient.

    Args:
        alpha: Slope on the left, any finite number; not learnt. Default 0.25.
        mu: Initial sharpness, above 0. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one mu.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_mu: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^mu - 1).
    """

    declared = (
        Parameter("alpha", 0.25, Real(other=0.1), "slope on the left"),
        Parameter("mu", 1.0, Real(other=2.0, minimum=0.0), "initial sharpness", shape=()),
        PER,
    )

    def __init__(self, alpha: float = 0.25, mu: float = 1.0, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.alpha = self.real("alpha", alpha)
        self.raw_mu: nn.Parameter = self.new_parameter(inverse_softplus(self.real("mu", mu)))

    @property
    def mu(self) -> Tensor:
        """The sharpness of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(self.raw_mu)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        wide = widened(x)
        slope = 1.0 - self.alpha
        # erfc keeps the digits of the left tail for a small alpha, which 1 + erf loses.
        gate = 0.5 * torch.erfc(-slope * self.mu * wide)
        return (wide * (self.alpha + slope * gate)).to(x.dtype)
