"""Fixed functions that the survey calls miscellaneous: the identity, softplus and the self-gated ones.

Swim, which is one of them, has a file of its own.
"""

import math

from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import Activation
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import SILU, SWISH
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register

# Beyond this, ln(1 + e^x) equals x to the last bit of float64; PyTorch's own switch at 20 is off by 2e-9 there.
_SOFTPLUS_IS_LINEAR_FROM = 40.0


@register(
    "identity",
    aliases=("linear",),
    formula="x",
    family="miscellaneous",
    range=UNBOUNDED,
    derivative_range=(1.0, 1.0),
    smoothness="Cinf",
    source="textbook",
)
class Identity(Activation):
    """f(x) = x, f'(x) = 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the pre-activations as they are."""
        return x


@register(
    "softplus",
    formula="ln(1 + exp(beta * x)) / beta",
    family="miscellaneous",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="Cinf",
    source="textbook",
)
class Softplus(Activation):
    """f(x) = ln(1 + e^(beta x)) / beta, f'(x) = sigmoid(beta x), f(0) = ln 2 / beta, f'(0) = 1/2.

    Args:
        beta: Sharpness, above 0. Default 1.
    """

    declared = (Parameter("beta", 1.0, Real(other=2.0, minimum=0.0), "sharpness"),)

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = self.real("beta", beta)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.softplus(x, self.beta, threshold=_SOFTPLUS_IS_LINEAR_FROM)


@register(
    "gelu",
    formula="x * Phi(x), Phi the standard normal distribution function",
    family="miscellaneous",
    range=(-0.1699712075, math.inf),
    derivative_range=(-0.1289041452, 1.1289041452),
    smoothness="Cinf",
    source="Hendrycks and Gimpel, arXiv 1606.08415; analysed in arXiv 2305.12073",
)
class GELU(Activation):
    """f(x) = x Phi(x) = x/2 (1 + erf(x / sqrt 2)), the exact form; f'(0) = 1/2, minimum -0.16997 at x = -0.75179."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.gelu(x)


@register(
    "gelu_tanh",
    formula="x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))",
    family="miscellaneous",
    range=(-0.1700407506, math.inf),
    derivative_range=(-0.1289930687, 1.1289930687),
    smoothness="Cinf",
    source="Hendrycks and Gimpel, arXiv 1606.08415",
)
class GELUTanh(Activation):
    """GELU by a tanh, off the exact form by at most 4.732e-4 (at |x| = 2.699); f'(0) = 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.gelu(x, approximate="tanh")


@register(
    "gelu_quick",
    aliases=("gelu_sigmoid",),
    formula="x * sigmoid(1.702 * x)",
    family="miscellaneous",
    range=(-0.1636101896, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="Cinf",
    source="Hendrycks and Gimpel, arXiv 1606.08415",
)
class GELUQuick(Activation):
    """GELU by a sigmoid, off the exact form by at most 2.033e-2 (at |x| = 2.270); f'(0) = 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return fused(SWISH, x, 1.702)

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return Swish with beta = 1.702."""
        return SWISH, (1.702,)


@register(
    "swish",
    aliases=("silu",),
    formula="x * sigmoid(beta * x)",
    family="miscellaneous",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="Cinf",
    source="Ramachandran et al., arXiv 1710.05941; as SiLU for RL: Elfwing et al., arXiv 1702.03118",
)
class Swish(Activation):
    """f(x) = x sigmoid(beta x), f'(0) = 1/2, minimum -0.27846 / beta at x = -1.27846 / beta. beta = 1 is SiLU.

    beta = 0 is x/2, a large beta comes near ReLU, a negative one mirrors the function: active on the left.

    Args:
        beta: Sharpness, any finite number. Default 1.
    """

    declared = (Parameter("beta", 1.0, Real(other=1.5), "sharpness; 1 is SiLU, negative values mirror the function"),)

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = self.real("beta", beta)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return fused(SILU if self.beta == 1.0 else SWISH, x, self.beta)

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return Swish with its beta."""
        return SWISH, (self.beta,)


@register(
    "mish",
    formula="x * tanh(ln(1 + exp(x)))",
    family="miscellaneous",
    range=(-0.308843413, math.inf),
    derivative_range=(-0.1125261224, 1.088498161),
    smoothness="Cinf",
    source="Misra, arXiv 1908.08681",
)
class Mish(Activation):
    """f(x) = x tanh(softplus(x)), f'(0) = 0.6, minimum -0.30884 at x = -1.19243."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.mish(x)


@register(
    "hardswish",
    aliases=("hard_swish",),
    formula="x * min(max(x + 3, 0), 6) / 6",
    family="miscellaneous",
    range=(-0.375, math.inf),
    derivative_range=(-0.5, 1.5),
    smoothness="C0",
    source="Howard et al., arXiv 1905.02244",
)
class Hardswish(Activation):
    """f(x) = x clip(x + 3, 0, 6) / 6, f'(x) = x/3 + 1/2 between the kinks at -3 and 3, minimum -0.375 at x = -1.5.

    At the kinks f' takes the outer value: 0 at -3 and 1 at 3.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.hardswish(x)
