"""ASH: a gate that compares each pre-activation with the mean and spread of its row."""

from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, widened
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register
from rl_acts.errors import ActivationError

# Under the root of the spread, whose slope at 0 would be infinite.
_SMALLEST_VARIANCE = 1e-5


@register(
    "ash",
    formula="x * sigmoid(2 * alpha * (x - mean - z * std)), mean and std of the row, alpha and z learnt",
    family="context-dependent",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="Cinf",
    source="Lee et al., arXiv 2210.11672: the derivation in the authors' text, not their code",
    unverified="The paper was not seen, only its repository, whose code and last formula contradict its derivation; of "
    "two layers there the start z = 0.001, alpha = 1 of the first is taken.",
    elementwise=False,
)
class ASH(LearnableActivation):
    """Adaptive SwisH, f(x)_i = x_i sigmoid(2 alpha (x_i - mu - z s)): smoothly keeps a row's largest.

    mu and s = sqrt(variance + 1e-5) are of the row (the last axis; variance divided by its length), and gradients flow
    through them. No noise is drawn. z counts the spreads above the mean from which a number is kept, so no bounds hold:
    a negative number passes where its row is lower still. On a row of mean 0 with z = 0 it is Swish with beta = 2
    alpha.

    The authors' code has the sign of the exponent wrong, multiplies by the shifted number, and takes the statistics
    over the whole batch, under which a Q-value would depend on the other samples. This is their derivation, by row.

    Unverified: the paper was not seen, only its repository.

    Args:
        z: Initial threshold in spreads above the mean, any finite number. Default 0.001.
        alpha: Initial sharpness, any finite number. Default 1.
        per: ``"layer"`` (default, as in the code), ``"unit"`` or ``"net"``: what shares one z and alpha.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        z: Parameter of shape ``()``, or ``(features,)`` for ``per="unit"``.
        alpha: Likewise.
    """

    declared = (
        Parameter("z", 1e-3, Real(other=0.5), "initial threshold, in spreads above the mean", shape=()),
        Parameter("alpha", 1.0, Real(other=0.5), "initial sharpness", shape=()),
        PER,
    )

    def __init__(self, z: float = 1e-3, alpha: float = 1.0, per: str = "layer", features: int | None = None) -> None:
        super().__init__(per, features)
        self.z: nn.Parameter = self.new_parameter(self.real("z", z))
        self.alpha: nn.Parameter = self.new_parameter(self.real("alpha", alpha))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)``, at least 2 features, to the same shape, each row for itself."""
        if x.dim() == 0 or x.shape[-1] < 2:
            raise ActivationError(f"ASH: rows of at least 2 numbers have a spread; got the shape {tuple(x.shape)}.")
        wide = widened(x)
        centred = wide - wide.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + _SMALLEST_VARIANCE).sqrt()
        return (wide * (2.0 * self.alpha * (centred - self.z * spread)).sigmoid()).to(x.dtype)
