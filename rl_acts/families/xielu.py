"""xIELU: an integrated function, quadratic on the right and exponential with a negative limit slope on the left."""

from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, LearnableActivation, inverse_softplus, widened
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import XIELU as XIELU_FORM
from rl_acts._info import Flag, Parameter, Real
from rl_acts._registry import register
from rl_acts.errors import ActivationError


def xielu(x: Tensor, ap: float | Tensor, an: float | Tensor, beta: float | Tensor, eps: float = 0.0) -> Tensor:
    """Return ap x^2 + beta x for x > 0, else an (expm1(min(x, eps)) - x) + beta x.

    Args:
        x: Pre-activations of any shape. Half-precision ones are computed in float32.
        ap: Curvature on the right; a number, or a tensor that broadcasts against `x`, as the next two.
        an: Weight of the exponential on the left.
        beta: Slope at 0.
        eps: Upper clamp inside the exponential, at most 0.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    wide = widened(x)
    value = fused(XIELU_FORM, wide, ap, an, beta) if eps == 0.0 else _clamped(wide, ap, an, beta, eps)
    return value.to(x.dtype)


def _clamped(x: Tensor, ap: float | Tensor, an: float | Tensor, beta: float | Tensor, eps: float) -> Tensor:
    positive = x.relu()
    negative = x - positive
    exponential = negative.clamp(max=eps).expm1() * (x <= 0)
    return ap * (positive * positive) + an * (exponential - negative) + beta * x


@register(
    "xielu",
    formula="ap*x^2 + beta*x if x > 0; an*(exp(x) - 1 - x) + beta*x if x <= 0; ap = softplus(raw_p) and "
    "an = beta + softplus(raw_n) learnt",
    family="parametric",
    range=(-0.205751224, float("inf")),
    derivative_range=(-0.3, float("inf")),
    smoothness="C1",
    source="arXiv 2411.13010, after the CUDA library rubber-duck-debug/xielu and its Python reference",
    unverified="The paper's text was not seen; formula and initial values are those of the library that its users "
    "share. A trainable beta is an option of ours.",
)
class XIELU(LearnableActivation):
    """f(x) = ap x^2 + beta x for x > 0, an (e^x - 1 - x) + beta x for x <= 0; f(0) = 0, f'(0) = beta from both sides.

    f'(x) = 2 ap x + beta on the right, an (e^x - 1) + beta on the left; df/dap = max(x, 0)^2, df/dan = e^x - 1 - x on
    the left. an >= beta is built in, so f' tends to beta - an < 0 on the far left: f is not monotone and grows there.
    The right side grows quadratically, as for ReLU^2, and leaves float16 above x = 286.

    The reference implementation clamps the exponent at eps = -1e-6, which makes f(0) = -8e-7 and the slope between eps
    and 0 equal to beta - an. Here eps = 0 by default, which is the function itself; ``eps=-1e-6`` gives its values.

    Unverified: the paper's text was not seen; formula and initial values are the shared library's.

    Args:
        alpha_p: Initial ap, above 0. Default 0.8.
        alpha_n: Initial an, above `beta`. Default 0.8.
        beta: Slope at 0, any finite number. Default 0.5.
        eps: Upper clamp inside the exponential, at most 0. Default 0.
        train_beta: Whether beta is learnt too; an = beta + softplus(raw_n) moves with it. Default False.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one set.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_p: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``; starts at ln(e^alpha_p - 1).
        raw_n: Likewise; starts at ln(e^(alpha_n - beta) - 1).
        beta: A number; a parameter like the others if `train_beta`.

    Raises:
        ActivationError: `alpha_n` is not above `beta`, besides what all arguments share.
    """

    declared = (
        Parameter("alpha_p", 0.8, Real(other=0.6, minimum=0.0), "initial curvature on the right", shape=()),
        Parameter("alpha_n", 0.8, Real(other=0.9), "initial weight of the exponential, above beta", shape=()),
        Parameter("beta", 0.5, Real(other=0.3), "slope at 0"),
        Parameter("eps", 0.0, Real(other=-0.5, maximum=0.0, open=False), "upper clamp inside the exponential"),
        Parameter("train_beta", default=False, constraint=Flag(other=True), meaning="whether beta is learnt too"),
        PER,
    )

    def __init__(
        self,
        alpha_p: float = 0.8,
        alpha_n: float = 0.8,
        beta: float = 0.5,
        eps: float = 0.0,
        train_beta: bool = False,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        start = self.real("beta", beta)
        above = self.real("alpha_n", alpha_n) - start
        if above <= 0:
            raise ActivationError(f"XIELU: alpha_n={alpha_n!r} is not allowed; it must be above beta={beta!r}.")
        self.raw_p: nn.Parameter = self.new_parameter(inverse_softplus(self.real("alpha_p", alpha_p)))
        self.raw_n: nn.Parameter = self.new_parameter(inverse_softplus(above))
        self.eps = self.real("eps", eps)
        self.train_beta = self.flag("train_beta", train_beta)
        self.beta: float | nn.Parameter = self.new_parameter(start) if self.train_beta else start

    @property
    def alpha_p(self) -> Tensor:
        """The curvature on the right of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(widened(self.raw_p))

    @property
    def alpha_n(self) -> Tensor:
        """The weight of the exponential of today, likewise."""
        return self.beta + F.softplus(widened(self.raw_n))

    def extra_repr(self) -> str:
        """Show the constants; a learnt beta is none."""
        learnt = "beta=learnt" if self.train_beta else f"beta={self.beta!r}"
        width = "" if self.features is None else f", features={self.features}"
        return f"{learnt}, eps={self.eps!r}, train_beta={self.train_beta!r}, per={self.per!r}{width}"

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return xielu(x, self.alpha_p, self.alpha_n, self.beta, self.eps)

    def stacked_form(self) -> Form | None:
        """Return the form, which the smoothing that eps stands for has not."""
        return XIELU_FORM if self.eps == 0.0 else None
