"""ULU and AULU: Swish with a sharpness of its own on each side of zero."""

import math
from typing import NamedTuple

from torch import Tensor, nn

from rl_acts._base import PER, Activation, LearnableActivation
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import ULU as ULU_FORM
from rl_acts._info import Parameter, Real
from rl_acts._registry import register
from rl_acts.errors import ActivationError

_SOURCE = "Huo, arXiv 2508.05073"


def ulu(x: Tensor, a1: float | Tensor, a2: float | Tensor) -> Tensor:
    """Return x sigmoid(2 a x), with a = a1 for negative and a = a2 for positive x.

    Args:
        x: Pre-activations of any shape.
        a1: Sharpness on the left; a number, or a tensor that broadcasts against `x`.
        a2: Sharpness on the right, likewise.

    Returns:
        Activations of the shape of `x`.
    """
    return fused(ULU_FORM, x, a1, a2)


@register(
    "ulu",
    formula="x/2 * (tanh(a1*x) + 1) if x < 0; x/2 * (tanh(a2*x) + 1) if x >= 0",
    family="miscellaneous",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="C1",
    source=_SOURCE,
    unverified="The paper's defaults were not seen; a1 = 0.5 (SiLU on the left) and a2 = 1 are this library's.",
)
class ULU(Activation):
    """f(x) = x/2 (tanh(a x) + 1) = x sigmoid(2 a x), a = a1 for x < 0 and a2 for x >= 0; f(0) = 0, f'(0) = 1/2.

    f'(x) = s + 2 a x s (1 - s) with s = sigmoid(2 a x). Swish with beta = 2 a on each side: a1 = a2 = 0.5 is SiLU.
    f'' jumps from a1 to a2 at 0. Minimum -0.1392322714 / a1 at x = -0.6392322714 / a1.

    Unverified: the paper's defaults were not seen; those here are this library's.

    Args:
        a1: Sharpness on the left, above 0. Default 0.5.
        a2: Sharpness on the right, above 0. Default 1.
    """

    declared = (
        Parameter("a1", 0.5, Real(other=1.0, minimum=0.0), "sharpness on the left"),
        Parameter("a2", 1.0, Real(other=0.5, minimum=0.0), "sharpness on the right"),
    )

    def __init__(self, a1: float = 0.5, a2: float = 1.0) -> None:
        super().__init__()
        self.a1 = self.real("a1", a1)
        self.a2 = self.real("a2", a2)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return ulu(x, self.a1, self.a2)

    def constant_form(self) -> tuple[Form, tuple[float, ...]]:
        """Return ULU with its a1 and a2."""
        return ULU_FORM, (self.a1, self.a2)


@register(
    "aulu",
    formula="x * sigmoid(2 * b1^2 * x) if x < 0; x * sigmoid(2 * b2^2 * x) if x >= 0; b1, b2 learnt",
    family="parametric",
    range=(-0.2784645428, math.inf),
    derivative_range=(-0.0998393201, 1.0998393201),
    smoothness="C1",
    source=_SOURCE,
    unverified="Initial values and granularity were not seen; SiLU at the start and one pair per layer are this "
    "library's.",
)
class AULU(LearnableActivation):
    """ULU with learnt sharpness a1 = b1^2 and a2 = b2^2.

    df/db = 4 b x^2 s (1 - s) on b's own side, s = sigmoid(2 b^2 x), and 0 on the other; f' as for `ULU`. The squares
    keep both sides active; b = 0 is a stationary point (its side is then x/2 for good), so no start there. What a
    network has learnt: `rl_acts.aulu_asymmetry`.

    Unverified: initial values and granularity were not seen; those here are this library's, SiLU at the start.

    Args:
        b1: Initial root of the sharpness on the left, above 0. Default sqrt(1/2).
        b2: Initial root of the sharpness on the right, above 0. Default sqrt(1/2).
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one pair.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        b1: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
        b2: Likewise.
    """

    declared = (
        Parameter("b1", math.sqrt(0.5), Real(other=1.0, minimum=0.0), "initial root of the left sharpness", shape=()),
        Parameter("b2", math.sqrt(0.5), Real(other=1.0, minimum=0.0), "initial root of the right sharpness", shape=()),
        PER,
    )

    def __init__(
        self,
        b1: float = math.sqrt(0.5),
        b2: float = math.sqrt(0.5),
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.b1: nn.Parameter = self.new_parameter(self.real("b1", b1))
        self.b2: nn.Parameter = self.new_parameter(self.real("b2", b2))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return ulu(x, self.b1.square(), self.b2.square())

    def stacked_form(self) -> Form:
        """Return the form."""
        return ULU_FORM


class AULUAsymmetry(NamedTuple):
    """What `aulu_asymmetry` returns.

    Attributes:
        mean: Mean over the layers of ln(b2^2 / b1^2); above 0 if the right side is the sharper one.
        sharpness: (b1^2, b2^2) of each layer, in the network's order; tensors of shape ``()`` or ``(features,)``.
    """

    mean: float
    sharpness: list[tuple[Tensor, Tensor]]


def aulu_asymmetry(module: nn.Module) -> AULUAsymmetry:
    """Return how far the AULUs of a network have moved from equal sharpness on both sides.

    This library's own statistic. With ``per="unit"`` a layer counts with the mean over its units; one AULU behind
    several layers (``per="net"``) counts once.

    Args:
        module: A network, or one AULU.

    Raises:
        ActivationError: There is no AULU in it.

    Example:
        >>> import rl_acts
        >>> rl_acts.aulu_asymmetry(rl_acts.mlp([3, 8, 8, 1], "aulu(b1=0.5, b2=1)")).mean  # ln 4
        1.3862943649291992
    """
    layers = [layer for layer in module.modules() if isinstance(layer, AULU)]
    if not layers:
        raise ActivationError(f"aulu_asymmetry: there is no AULU in the {type(module).__name__} given.")
    sharpness = [(layer.b1.detach().square(), layer.b2.detach().square()) for layer in layers]
    ratios = [float((right / left).log().mean()) for left, right in sharpness]
    return AULUAsymmetry(sum(ratios) / len(ratios), sharpness)
