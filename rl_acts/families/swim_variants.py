"""What stands near Swim: its special case PFLU, and the other function that a survey prints under Swim's name."""

import math

from torch import Tensor

from rl_acts._base import Activation, widened
from rl_acts._fused import Form
from rl_acts._fused_forms import SWIM
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register
from rl_acts.families.swim import swim


@register(
    "pflu",
    formula="x/2 * (1 + x / sqrt(1 + x^2))",
    family="miscellaneous",
    range=(-0.150141553, math.inf),
    derivative_range=(-0.044331054, 1.044331054),
    smoothness="Cinf",
    source="PFLU (2021), as the survey of Kunc and Klema, arXiv 2402.09092, gives it",
    unverified="The paper of PFLU was not seen.",
)
class PFLU(Activation):
    """f(x) = x/2 (1 + x / sqrt(1 + x^2)), f'(0) = 1/2: Swim with k = 1, and earlier than it.

    f'(x) = 1/2 (1 + x (2 + x^2) / (1 + x^2)^(3/2)). Minimum -0.1501415530 at x = -0.7861513778.

    Unverified: the paper was not seen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        return swim(x, 1.0)

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return Swim with k = 1."""
        return SWIM, (1.0,)


@register(
    "swim_survey",
    formula="x/2 * (1 + a*x / sqrt(1 + x^2))",
    family="miscellaneous",
    range=UNBOUNDED,
    derivative_range=(0.227834473, 0.772165527),
    smoothness="Cinf",
    source="Kunc and Klema, arXiv 2402.09092, Eq. 367, as two independent implementations copy it",
    unverified="The survey's own page was not seen. The code of Swim's authors has another function: `swim`.",
)
class SwimSurvey(Activation):
    """f(x) = x/2 (1 + a x / sqrt(1 + x^2)), f'(0) = 1/2: what a survey prints as Swim. Not the authors' Swim.

    Without the sharpness inside the root it is another function: it runs with slope (1 + a) / 2 on the right and
    (1 - a) / 2 on the left, and is monotone for |a| <= 0.9186. f'(x) = 1/2 (1 + a x (2 + x^2) / (1 + x^2)^(3/2)). Here
    for comparison with libraries that have this form. Beyond |x| = 1e19 in float32 the value is x/2.

    Unverified: the survey's own page was not seen; two independent implementations agree on this form.

    Args:
        a: Asymmetry, any finite number. Default 0.5; a = 1 is PFLU.
    """

    declared = (Parameter("a", 0.5, Real(other=0.8), "asymmetry; the slopes far out are (1 - a)/2 and (1 + a)/2"),)

    def __init__(self, a: float = 0.5) -> None:
        super().__init__()
        self.a = self.real("a", a)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape; half-precision ones are computed in float32."""
        wide = widened(x)
        gate = wide * (1.0 + wide * wide).rsqrt()
        return (0.5 * wide * (1.0 + self.a * gate)).to(x.dtype)
