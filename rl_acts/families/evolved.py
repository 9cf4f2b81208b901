"""Functions that searches over expression trees found, fixed and with learnt coefficients."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, Activation, LearnableActivation, widened
from rl_acts._info import Parameter, Real
from rl_acts._registry import register
from rl_acts.families.bounded import hard_sigmoid_keras

# Beyond this, ln(1 + e^x) equals x to the last bit of float64; PyTorch's own switch at 20 is off by 2e-9 there.
_SOFTPLUS_IS_LINEAR_FROM = 40.0
_PANGAEA_UNVERIFIED = "That this is the search's best find is from memory; its table of winners was not seen."


@register(
    "sigmoid_erf",
    formula="sigmoid(x) * erf(x)",
    family="ensemble",
    range=(-0.2307697696, 1.0),
    derivative_range=(-0.1225226358, 0.6787047984),
    smoothness="Cinf",
    source="Bingham et al., arXiv 2002.07224, after reading notes",
    unverified="Quoted as one of the strong finds; the paper's table was not seen.",
)
class SigmoidErf(Activation):
    """f(x) = s erf(x) with s = sigmoid(x); f(0) = 0, f'(0) = 1 / sqrt(pi), minimum -0.23077 at x = -0.85540.

    f'(x) = s (1 - s) erf(x) + s 2 exp(-x^2) / sqrt(pi).

    Unverified: quoted as one of the strong finds; the paper's table was not seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        wide = widened(x)
        return (wide.sigmoid() * wide.erf()).to(x.dtype)


@register(
    "hardsigmoid_elu",
    formula="h(h(x)) * elu(x), h(x) = min(max(0.2*x + 0.5, 0), 1)",
    family="ensemble",
    range=(-0.5, math.inf),
    derivative_range=(0.0, 0.8),
    smoothness="C0",
    source="Bingham and Miikkulainen, arXiv 2301.05785",
    unverified="That the function is this paper's is from memory; its list of best functions was not seen.",
)
class HardsigmoidELU(Activation):
    """f(x) = h(h(x)) ELU(x) with Keras's hard sigmoid h; f(0) = 0, f'(0) = 0.6.

    h(h(x)) = clip(0.6 + 0.04 x, 0.5, 0.7), so f is 0.7 x from x = 2.5 on and 0.5 (e^x - 1) up to x = -2.5; between,
    f'(x) = 0.04 ELU(x) + (0.6 + 0.04 x) ELU'(x). At both kinks f' takes the outer value.

    Unverified: that the function is this paper's is from memory; its list of best functions was not seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        wide = widened(x)
        # The inner hard sigmoid is within [0, 1], where the outer one is a line.
        gate = 0.2 * hard_sigmoid_keras(wide) + 0.5
        return (gate * F.elu(wide)).to(x.dtype)


@register(
    "erfc_softplus_squared",
    formula="erfc(ln(1 + exp(x)))^2",
    family="ensemble",
    range=(0.0, 1.0),
    derivative_range=(-0.3660192602, 0.0),
    smoothness="Cinf",
    source="Bingham and Miikkulainen, arXiv 2301.05785; the code of arXiv 2409.10594 names it too",
    unverified="That the function is this paper's is from memory; its list of best functions was not seen.",
)
class ErfcSoftplusSquared(Activation):
    """f(x) = erfc(softplus(x))^2: falls from 1 to 0, f(0) = 0.10690.

    f'(x) = -4 / sqrt(pi) erfc(t) exp(-t^2) sigmoid(x) with t = softplus(x), steepest at x = -0.84680.

    Unverified: that the function is this paper's is from memory; its list of best functions was not seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        rectified = F.softplus(widened(x), threshold=_SOFTPLUS_IS_LINEAR_FROM)
        return torch.erfc(rectified).square().to(x.dtype)


def pangaea(x: Tensor, alpha: float | Tensor, beta: float | Tensor) -> Tensor:
    """Return log(sigmoid(alpha x)) beta asinh(x), in float32 for half-precision pre-activations."""
    wide = widened(x)
    return (F.logsigmoid(alpha * wide) * (beta * wide.asinh())).to(x.dtype)


@register(
    "log_sigmoid_asinh",
    formula="log(sigmoid(x)) * asinh(x)",
    family="ensemble",
    range=(-0.276467546, math.inf),
    derivative_range=(-math.inf, 0.1173420194),
    smoothness="Cinf",
    source="Bingham and Miikkulainen, arXiv 2006.03179",
    unverified=_PANGAEA_UNVERIFIED,
)
class LogSigmoidAsinh(Activation):
    """f(x) = -softplus(-x) asinh(x); f(0) = 0, f'(0) = -ln 2, minimum -0.27647 at x = 0.95349.

    f'(x) = (1 - s) asinh(x) + ln(s) / sqrt(1 + x^2) with s = sigmoid(x). On the left it grows as |x| ln(2 |x|): steep,
    so it needs small weights; on the right it tends to 0.

    Unverified: that this is the search's best find is from memory; its table of winners was not seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        return pangaea(x, 1.0, 1.0)


@register(
    "pangaea",
    formula="log(sigmoid(alpha*x)) * beta * asinh(x), alpha, beta learnt",
    family="ensemble",
    range=(-0.276467546, math.inf),
    derivative_range=(-math.inf, 0.1173420194),
    smoothness="Cinf",
    source="Bingham and Miikkulainen, arXiv 2006.03179",
    unverified=_PANGAEA_UNVERIFIED + " Initial values of 1 and one pair per channel are from memory too.",
)
class Pangaea(LearnableActivation):
    """f(x) = -softplus(-alpha x) beta asinh(x) with learnt alpha and beta; at 1 and 1 `LogSigmoidAsinh`.

    f'(x) = beta (alpha (1 - s) asinh(x) + ln(s) / sqrt(1 + x^2)) with s = sigmoid(alpha x), f'(0) = -beta ln 2;
    df/dalpha = x (1 - s) beta asinh(x). The search gives each channel its own pair: ``per="unit"``.

    Unverified: that this is the search's best find, its initial values and one pair per channel are from memory; its
    table of winners was not seen.

    Args:
        alpha: Initial sharpness, any finite number. Default 1.
        beta: Initial scale, any finite number. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one pair.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
        beta: Likewise.
    """

    declared = (
        Parameter("alpha", 1.0, Real(other=0.5), "initial sharpness", shape=()),
        Parameter("beta", 1.0, Real(other=0.5), "initial scale", shape=()),
        PER,
    )

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.alpha: nn.Parameter = self.new_parameter(self.real("alpha", alpha))
        self.beta: nn.Parameter = self.new_parameter(self.real("beta", beta))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return pangaea(x, self.alpha, self.beta)
