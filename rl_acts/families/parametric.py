"""Functions with a learnt scalar: PReLU and Swish. Learnt Swim stands beside Swim in `swim.py`."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, LearnableActivation, inverse_softplus
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import SWISH_LEARNT
from rl_acts._info import UNBOUNDED, Flag, Parameter, Real
from rl_acts._registry import register
from rl_acts.errors import ActivationError


@register(
    "prelu",
    formula="x if x > 0 else slope * x, slope learnt",
    family="parametric",
    range=UNBOUNDED,
    derivative_range=(0.25, 1.0),
    smoothness="C0",
    source="He et al., arXiv 1502.01852",
    unverified="That its authors advise against weight decay on the slope is from memory.",
)
class PReLU(LearnableActivation):
    """f(x) = x for x > 0, else slope * x with a learnt slope; f'(0) = slope, df/dslope = min(x, 0).

    The slope is unconstrained and drifts; keep weight decay off it, which pulls towards ReLU. The paper's own form has
    a slope for each channel: ``per="unit"``.

    Args:
        slope: Initial slope, any finite number. Default 0.25.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one slope.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        slope: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    declared = (Parameter("slope", 0.25, Real(other=0.1), "initial slope on the left", shape=()), PER)

    def __init__(self, slope: float = 0.25, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.slope: nn.Parameter = self.new_parameter(self.real("slope", slope))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        # x - relu(x) is exactly min(x, 0), and at 0 its derivative is 1: f'(0) = slope, as for leaky_relu.
        positive = x.relu()
        return positive + self.slope * (x - positive)


@register(
    "swish_learnable",
    formula="x * sigmoid(beta * x), beta learnt",
    family="parametric",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="Cinf",
    source="Ramachandran et al., arXiv 1710.05941",
)
class SwishLearnable(LearnableActivation):
    """Swish with a learnt sharpness, df/dbeta = x^2 s (1 - s) with s = sigmoid(beta x).

    Args:
        beta: Initial sharpness, any finite number, above 0 if `positive`. Default 1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one beta.
        positive: Whether beta = softplus(raw_beta), so that the function stays on ReLU's side of x/2. Default False:
            beta itself is learnt.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        raw_beta: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    declared = (
        Parameter("beta", 1.0, Real(other=1.5), "initial sharpness", shape=()),
        PER,
        Parameter("positive", default=False, constraint=Flag(other=True), meaning="whether beta is kept above 0"),
    )

    def __init__(
        self, beta: float = 1.0, per: str = "layer", positive: bool = False, features: int | None = None
    ) -> None:
        super().__init__(per, features)
        self.positive = self.flag("positive", positive)
        start = self.real("beta", beta)
        if self.positive and start <= 0:
            raise ActivationError(
                f"SwishLearnable: beta={beta!r} is not allowed; with positive=True it must be above 0."
            )
        self.raw_beta: nn.Parameter = self.new_parameter(inverse_softplus(start) if self.positive else start)

    @property
    def beta(self) -> Tensor:
        """The sharpness of today: shape ``()``, or ``(features,)`` for ``per="unit"``."""
        return F.softplus(self.raw_beta) if self.positive else self.raw_beta

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return fused(SWISH_LEARNT, x, self.beta)

    def stacked_form(self) -> Form:
        """Return the form."""
        return SWISH_LEARNT
