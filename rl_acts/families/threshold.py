"""The threshold function, with surrogate gradients and a learnt amplitude."""

from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, widened
from rl_acts._info import Choice, Parameter, Real
from rl_acts._registry import register

_SIGMOID_SHARPNESS = 4.0  # makes the peak of the sigmoid's slope 1


def _ramp(x: Tensor, surrogate: str) -> Tensor:
    """Return a function whose derivative is the surrogate: 1, 1{|x| <= 1}, 4 s (1 - s) or max(0, 1 - |x|)."""
    if surrogate == "identity":
        return x
    if surrogate == "sigmoid":
        return (_SIGMOID_SHARPNESS * x).sigmoid()
    # clamp passes the gradient on at both ends, which is 1{|x| <= 1}.
    clipped = x.clamp(-1.0, 1.0)
    return clipped if surrogate == "clipped" else clipped - 0.5 * clipped * clipped.abs()


@register(
    "threshold",
    aliases=("heaviside", "step"),
    formula="s * (1 if x >= 0 else 0), s learnt",
    family="sigmoid-based",
    range=(0.0, 1.0),
    derivative_range=(0.0, 1.0),
    smoothness="discontinuous",
    source="Ergen et al., arXiv 2303.03382; the surrogate gradients are textbook and not from there",
    unverified="That the paper trains one amplitude per neuron is from memory. The choice of surrogates is this "
    "library's: the paper trains without gradients through the step.",
    surrogate=True,
)
class Threshold(LearnableActivation):
    """f(x) = s for x >= 0, else 0, with a learnt amplitude s; df/ds = 1{x >= 0} exactly.

    The true f' is 0 almost everywhere. What flows back instead is s times the surrogate: 1 (``"identity"``),
    1{|x| <= 1} (``"clipped"``), 4 sigmoid(4x) (1 - sigmoid(4x)) (``"sigmoid"``, 1 at 0) or max(0, 1 - |x|)
    (``"triangle"``). ``derivative_range`` declares the surrogate's. As far as remembered, the paper has an amplitude
    for each neuron: ``per="unit"``.

    Args:
        s: Initial amplitude, any finite number. Default 1.
        surrogate: ``"clipped"`` (default), ``"identity"``, ``"sigmoid"`` or ``"triangle"``.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one amplitude.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        s: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
    """

    declared = (
        Parameter("s", 1.0, Real(other=2.0), "initial amplitude", shape=()),
        Parameter(
            "surrogate",
            "clipped",
            Choice(("clipped", "identity", "sigmoid", "triangle"), other="triangle"),
            "what stands for the derivative of the step",
        ),
        PER,
    )

    def __init__(
        self, s: float = 1.0, surrogate: str = "clipped", per: str = "layer", features: int | None = None
    ) -> None:
        super().__init__(per, features)
        self.s: nn.Parameter = self.new_parameter(self.real("s", s))
        self.surrogate = self.word("surrogate", surrogate)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        wide = widened(x)
        ramp = _ramp(wide, self.surrogate)
        # The difference is exactly 0 and brings the ramp's derivative: no autograd function of one's own is needed,
        # so transforms (vmap, forward mode, compilation) work as for any other expression.
        step = (wide >= 0).to(wide.dtype) + (ramp - ramp.detach())
        return (self.s * step).to(x.dtype)
