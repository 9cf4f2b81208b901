"""Fixed functions of the sigmoid family: bounded on both sides."""

from torch import Tensor
from torch.nn import functional as F

from rl_acts._base import Activation
from rl_acts._registry import register


@register(
    "sigmoid",
    aliases=("logistic",),
    formula="1 / (1 + exp(-x))",
    family="sigmoid-based",
    range=(0.0, 1.0),
    derivative_range=(0.0, 0.25),
    smoothness="Cinf",
    source="textbook",
)
class Sigmoid(Activation):
    """f(x) = 1 / (1 + e^-x), range (0, 1), f'(x) = f (1 - f) in (0, 1/4] with its maximum at 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return x.sigmoid()


@register(
    "tanh",
    formula="tanh(x)",
    family="sigmoid-based",
    range=(-1.0, 1.0),
    derivative_range=(0.0, 1.0),
    smoothness="Cinf",
    source="textbook",
)
class Tanh(Activation):
    """f(x) = tanh x, range (-1, 1), f'(x) = 1 - f^2 in (0, 1] with its maximum at 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return x.tanh()


@register(
    "softsign",
    formula="x / (1 + |x|)",
    family="sigmoid-based",
    range=(-1.0, 1.0),
    derivative_range=(0.0, 1.0),
    smoothness="C1",
    source="textbook",
)
class Softsign(Activation):
    """f(x) = x / (1 + |x|), range (-1, 1), f'(x) = 1 / (1 + |x|)^2 in (0, 1]; f'' jumps at 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.softsign(x)


@register(
    "hardtanh",
    formula="min(max(x, -1), 1)",
    family="sigmoid-based",
    range=(-1.0, 1.0),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="textbook",
)
class Hardtanh(Activation):
    """f(x) = clip(x, -1, 1), f'(x) = 1 inside and 0 outside (-1, 1); at both kinks f' = 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        return F.hardtanh(x)
