"""Activations that draw their left slope while the network that they are in learns; a fixed form everywhere else."""

import torch
from torch import Tensor

from rl_acts._base import Activation, Noisy
from rl_acts._info import UNBOUNDED, Parameter, Real
from rl_acts._registry import register
from rl_acts.errors import ActivationError
from rl_acts.families.smooth_max import smooth_leaky


class _RandomSlope(Noisy, Activation):
    """A slope drawn uniformly from [lower, upper], with its mean in the evaluation form."""

    lower: float
    upper: float

    def _set_bounds(self, lower: float, upper: float) -> None:
        self.lower = self.real("lower", lower)
        self.upper = self.real("upper", upper)
        if self.lower > self.upper:
            raise ActivationError(
                f"{type(self).__name__}: lower={lower!r} is not allowed; it must be at most upper={upper!r}."
            )

    @property
    def mean(self) -> float:
        """The slope of the evaluation form."""
        return 0.5 * (self.lower + self.upper)

    def from_uniform(self, u: Tensor) -> Tensor:
        """Return the slopes that numbers drawn uniformly from (0, 1) stand for."""
        return self.lower + (self.upper - self.lower) * u


@register(
    "rrelu",
    formula="x if x > 0 else slope * x, slope drawn from U(lower, upper) in training, its mean otherwise",
    family="stochastic",
    range=UNBOUNDED,
    derivative_range=(11.0 / 48.0, 1.0),
    smoothness="C0",
    source="Xu et al., arXiv 1505.00853; bounds as in PyTorch",
    stochastic=True,
)
class RReLU(_RandomSlope):
    """f(x) = x for x > 0, else r x; r is drawn for each number from U(lower, upper) while learning, else their mean.

    f'(0) = r. "While learning" is: in training mode and with gradients recorded. Target networks, acting and evaluation
    see the mean, (lower + upper) / 2. Declared ranges are those of the evaluation form.

    Args:
        lower: Lower bound of the slope, any finite number up to `upper`. Default 1/8.
        upper: Upper bound of the slope, any finite number. Default 1/3.

    Attributes:
        generator: Source of the noise on the device of the pre-activations; None (default) for PyTorch's global one.

    Raises:
        ActivationError: `lower` is above `upper`, besides what all arguments share.
    """

    declared = (
        Parameter("lower", 1.0 / 8.0, Real(other=0.0), "lower bound of the slope on the left"),
        Parameter("upper", 1.0 / 3.0, Real(other=0.5), "upper bound of the slope on the left"),
    )

    def __init__(self, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0) -> None:
        super().__init__()
        self._set_bounds(lower, upper)

    def noise_shape(self, x_shape: torch.Size) -> torch.Size:
        """Return the shape of `x`: a slope for each of its numbers."""
        return x_shape

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map pre-activations of any shape to the same shape.

        Args:
            x: Pre-activations.
            noise: Slopes to use, as `draw` returns them; None to draw them where noise is due.
        """
        drawn = self.noise_for(x, noise)
        positive = x.relu()
        return positive + (self.mean if drawn is None else drawn) * (x - positive)


@register(
    "randomised_smooth_leaky",
    aliases=("randomized_smooth_leaky",),
    formula="alpha*x + (1-alpha)*x*sigmoid(c*x/p), alpha drawn from U(lower, upper) in training, its mean otherwise",
    family="stochastic",
    range=UNBOUNDED,
    derivative_range=(0.72504017, 1.02495983),
    smoothness="Cinf",
    source="Lillo and Cheney, arXiv 2509.22562, after reading notes",
    unverified="The paper's defaults were not seen, nor whether a draw is shared by the layer. The bounds 0.6 and 0.9 "
    "are the left slopes that it finds good; one draw per forward pass follows the notes; c = p = 1 is this library's.",
    stochastic=True,
)
class RandomisedSmoothLeaky(_RandomSlope):
    """Smooth-Leaky with a left slope alpha drawn from U(lower, upper) in each forward pass while learning.

    f(x) = alpha x + (1 - alpha) x sigmoid(c x / p); one draw for all numbers of a call. "While learning" is: in
    training mode and with gradients recorded. Target networks, acting and evaluation see alpha = (lower + upper) / 2.
    Declared ranges are those of the evaluation form; f' as for `SmoothLeaky`.

    Unverified: the paper's defaults were not seen, nor whether a draw is shared by the layer.

    Args:
        lower: Lower bound of alpha, any finite number up to `upper`. Default 0.6.
        upper: Upper bound of alpha, any finite number. Default 0.9.
        c: Sharpness, above 0. Default 1.
        p: Width of the transition, above 0. Default 1.

    Attributes:
        generator: Source of the noise on the device of the pre-activations; None (default) for PyTorch's global one.

    Raises:
        ActivationError: `lower` is above `upper`, besides what all arguments share.
    """

    declared = (
        Parameter("lower", 0.6, Real(other=0.1), "lower bound of the slope on the left"),
        Parameter("upper", 0.9, Real(other=0.7), "upper bound of the slope on the left"),
        Parameter("c", 1.0, Real(other=2.0, minimum=0.0), "sharpness"),
        Parameter("p", 1.0, Real(other=2.0, minimum=0.0), "width of the transition"),
    )

    def __init__(self, lower: float = 0.6, upper: float = 0.9, c: float = 1.0, p: float = 1.0) -> None:
        super().__init__()
        self._set_bounds(lower, upper)
        self.c = self.real("c", c)
        self.p = self.real("p", p)

    def noise_shape(self, x_shape: torch.Size) -> torch.Size:
        """Return the shape of one slope for all numbers of `x`, ``()``."""
        del x_shape
        return torch.Size()

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map pre-activations of any shape to the same shape.

        Args:
            x: Pre-activations.
            noise: The slope to use, as `draw` returns it; None to draw it where noise is due.
        """
        drawn = self.noise_for(x, noise)
        return smooth_leaky(x, self.mean if drawn is None else drawn, self.c / self.p)
