"""TAAF: any function between two learnt affine maps."""

import math

from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation
from rl_acts._info import Choice, Function, Parameter, Real
from rl_acts._registry import info, make, parse, register
from rl_acts.errors import ActivationError

_PER = Parameter("per", "unit", Choice(("net", "layer", "unit"), other="layer"), PER.meaning)


@register(
    "taaf",
    formula="alpha * base(beta * x + gamma) + delta, all four learnt",
    family="adaptive",
    range=(0.0, math.inf),
    derivative_range=(0.0, 1.0),
    smoothness="C0",
    source="Kunc, arXiv 2402.09249, as in the author's code",
    unverified="That ReLU is the base unless another is given is this library's choice; the author's code has sigmoid.",
)
class TAAF(LearnableActivation):
    """f(x) = alpha base(beta x + gamma) + delta, f'(x) = alpha beta base'(beta x + gamma); at the start f = base.

    Declared range, slopes and smoothness are those of the default base at the start. The author has a set for each
    neuron, hence ``per="unit"``, and no bias in the linear layer before it, whose place gamma takes. `rl_acts.mlp`
    keeps that bias unless ``bias=False`` takes all biases away: bias and gamma then move the same number, as beta does
    with the weights before and alpha with the weights behind, which changes the effective learning rate and no function
    that the network can represent. Keep weight decay off all four. A negative beta mirrors the base.

    Unverified: the default base is this library's choice; the author's code has sigmoid.

    Args:
        base: Spec of the function inside, any elementwise activation that draws no noise, such as ``"swim"`` or
            ``"prelu(per=unit)"``; what it learns is learnt too. Default ``"relu"``.
        alpha: Initial factor behind, any finite number. Default 1.
        beta: Initial factor before, any finite number. Default 1.
        gamma: Initial shift before, any finite number. Default 0.
        delta: Initial shift behind, any finite number. Default 0.
        per: ``"unit"`` (default), ``"layer"`` or ``"net"``: what shares one set of the four. A base with its own
            values has its own `per`, which is ``"net"`` only if this is.
        features: Width of the layer, needed for ``per="unit"``.

    Attributes:
        alpha: Parameter of shape ``(features,)``, or ``()`` unless ``per="unit"``; likewise beta, gamma, delta.
        phi: The module of the base.

    Raises:
        ActivationError: The base is unknown, changes the width, looks at other numbers than its own, or draws noise.
    """

    declared = (
        Parameter("base", "relu", Function(other="tanh"), "the function inside"),
        Parameter("alpha", 1.0, Real(other=1.5), "initial factor behind", shape=()),
        Parameter("beta", 1.0, Real(other=0.5), "initial factor before", shape=()),
        Parameter("gamma", 0.0, Real(other=0.3), "initial shift before", shape=()),
        Parameter("delta", 0.0, Real(other=0.3), "initial shift behind", shape=()),
        _PER,
    )

    def __init__(
        self,
        base: str = "relu",
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma: float = 0.0,
        delta: float = 0.0,
        per: str = "unit",
        features: int | None = None,
    ) -> None:
        # A bad value is refused as such before a missing width is.
        starts = [
            self.real(name, value)
            for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma), ("delta", delta))
        ]
        spec = parse(self.word("base", base))
        entry = info(spec.name)
        if not entry.elementwise or entry.changes_width or entry.stochastic:
            raise ActivationError(
                f"TAAF: base={base!r} is not allowed; base must be an elementwise activation that draws no noise."
            )
        super().__init__(per, features)
        self.base = str(spec)
        self.phi: nn.Module = make(spec, features)
        if self.per != "net" and getattr(self.phi, "per", None) == "net":
            raise ActivationError(
                f"TAAF: base={base!r} is not allowed with per={per!r}: one set of the base's values for the network "
                "needs per='net' outside too."
            )
        self.alpha, self.beta, self.gamma, self.delta = map(self.new_parameter, starts)

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        inside: Tensor = self.phi(self.beta * x + self.gamma)
        return self.alpha * inside + self.delta
