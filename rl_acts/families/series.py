"""Learnt sums of fixed functions: a Fourier series and a normalised linear combination (arXiv 2004.13271)."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from rl_acts._base import PER, LearnableActivation, widened
from rl_acts._fit import CPU, sampled, target_function
from rl_acts._info import Choice, Function, Parameter, Real, Several, Whole
from rl_acts._registry import info, make, parse, register
from rl_acts.errors import ActivationError

_SOURCE = "Trainable Activation Function in Image Classification, arXiv 2004.13271"
_SAMPLES = 4096
# The normalised combination divides by a sum of weights of at least this size.
_SMALLEST_SUM = 1e-3


@lru_cache(maxsize=64)
def _fourier_fit(spec: str, order: int, half_period: float) -> tuple[tuple[float, ...], ...]:
    """Return offset, cosines and sines of the least-squares fit over equally spaced points, where it is plain sums."""
    with CPU:
        turn = (torch.arange(_SAMPLES, dtype=torch.float64) + 0.5) / _SAMPLES - 0.5
        values = sampled("Fourier", spec, 2.0 * half_period * turn)
        angles = 2.0 * math.pi * torch.arange(1, order + 1, dtype=torch.float64)[:, None] * turn
        cosines, sines = (2.0 * (wave * values).mean(dim=1) for wave in (angles.cos(), angles.sin()))
        return (float(values.mean()),), tuple(cosines.tolist()), tuple(sines.tolist())


@register(
    "fourier",
    formula="offset + sum_{n=1..5} a_n cos(n*w*x) + b_n sin(n*w*x), all learnt",
    family="adaptive",
    range=(-1.1786590078, 1.1786590078),
    derivative_range=(-2.7498131154, 1.2430564606),
    smoothness="Cinf",
    source=_SOURCE,
    unverified="Formula from reading notes. Neither start nor period are given there: fit and half period 4 are ours.",
)
class Fourier(LearnableActivation):
    """f(x) = A + sum_n a_n cos(n w x) + b_n sin(n w x) with A, w = pi frequency / half_period, a and b learnt.

    f'(x) = sum_n n w (b_n cos(n w x) - a_n sin(n w x)); |f - A| <= sum_n sqrt(a_n^2 + b_n^2). It starts as the
    least-squares fit to `base` on [-half_period, half_period] and repeats outside: behind a tanh-like fit x = 5 looks
    like x = -3. df/dfrequency grows with |x|: give it a small learning rate.

    The angle is taken in turns and reduced to [-1/2, 1/2] before the sine, so that large x lose as little as they can.

    Unverified: the formula is from reading notes; start, period and the relative frequency are ours.

    Args:
        base: Spec of the function at the start: elementwise, without noise. Default ``"tanh"``.
        order: Number of harmonics, 1 to 64. Default 5, the authors'.
        half_period: Half the period at the start, above 0. Default 4.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one series.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or a base that is not finite on the interval.

    Attributes:
        offset: Parameter A of shape ``()``, or ``(features,)`` for ``per="unit"``.
        frequency: Parameter of the same shape; starts at 1.
        cosines: Parameter a of shape ``(order,)``, or ``(features, order)`` for ``per="unit"``.
        sines: Parameter b likewise.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter("base", "tanh", Function(other="swim"), "function at the start", shape=(12,)),
        Parameter("order", 5, Whole(other=3, minimum=1, maximum=64), "number of harmonics"),
        Parameter("half_period", 4.0, Real(other=3.0, minimum=0.0), "half the period at the start"),
        PER,
    )

    def __init__(
        self,
        base: str = "tanh",
        order: int = 5,
        half_period: float = 4.0,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.base = self.word("base", base)
        self.order = self.whole("order", order)
        self.half_period = self.real("half_period", half_period)
        target_function("Fourier", "base", self.base)
        (offset,), cosines, sines = _fourier_fit(str(parse(self.base)), self.order, self.half_period)
        self.offset: nn.Parameter = self.new_parameter(offset)
        self.frequency: nn.Parameter = self.new_parameter(1.0)
        self.cosines, self.sines = self._coefficients(cosines), self._coefficients(sines)

    def _coefficients(self, values: Sequence[float]) -> nn.Parameter:
        one = torch.tensor(values)
        return nn.Parameter(one if self.features is None else one.repeat(self.features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        turns = widened(x) * (self.frequency / (2.0 * self.half_period))
        angle = 2.0 * math.pi * (turns - turns.detach().round())
        value: Tensor = self.offset
        for index, (a, b) in enumerate(zip(self.cosines.unbind(-1), self.sines.unbind(-1), strict=True), start=1):
            wave = index * angle
            value = value + a * wave.cos() + b * wave.sin()
        return value.to(x.dtype)

    def extra_repr(self) -> str:
        """Show the start too, although it stands for learnt values."""
        return f"base={self.base!r}, {super().extra_repr()}"


@register(
    "linear_combination",
    formula="sum_i w_i f_i(x) / sum_i w_i over relu, sigmoid, tanh, identity; w learnt",
    family="ensemble",
    range=(-math.inf, math.inf),
    derivative_range=(0.25, 0.8125),
    smoothness="C0",
    source=_SOURCE,
    unverified="Formula from reading notes; that all weights start at 1, and both other normalisations, are ours.",
)
class LinearCombination(LearnableActivation):
    """f(x) = sum_i w_i f_i(x) / S, S = sum_i w_i, with learnt weights that start equal: at 1, for softmax at 0.

    Nothing keeps S of the source away from 0 (``weighting="sum"``). The default divides by sign(S) max(|S|, 0.001),
    which is the same function where |S| >= 0.001; ``"softmax"`` makes the weights positive with sum 1 and so allows
    convex combinations alone. One weight alone gives its function.

    Unverified: the formula is from reading notes; the start at 1 and the normalisations but the plain sum are ours.

    Args:
        members: List of specs of the f_i: elementwise, without noise and learnt values. Default relu, sigmoid, tanh and
            identity, the source's.
        weighting: ``"safe"`` (default), ``"sum"`` or ``"softmax"``.
        per: ``"layer"`` (default, as in the source), ``"unit"`` or ``"net"``: what shares one set of weights.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or a member with learnt values or noise.

    Attributes:
        weights: Parameter of shape ``(k,)``, or ``(features, k)`` for ``per="unit"``, for k members.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "members",
            ("relu", "sigmoid", "tanh", "identity"),
            Several(Function(other="swim"), other=("relu", "swim")),
            "the functions",
            shape=(4,),
        ),
        Parameter(
            "weighting", "safe", Choice(("safe", "sum", "softmax"), other="softmax"), "how weights are normalised"
        ),
        PER,
    )

    def __init__(
        self,
        members: Sequence[str] = ("relu", "sigmoid", "tanh", "identity"),
        weighting: str = "safe",
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.members: tuple[str, ...] = self.several("members", members)
        self.weighting = self.word("weighting", weighting)
        for member in self.members:
            target_function("LinearCombination", "members", member)
            if info(parse(member).name).learnable:
                raise ActivationError(
                    f"LinearCombination: members={list(self.members)!r} is not allowed; {member!r} has learnt values."
                )
        self.functions = nn.ModuleList(make(member) for member in self.members)
        count = len(self.members)
        start = 0.0 if self.weighting == "softmax" else 1.0
        self.weights = nn.Parameter(torch.full((count,) if self.features is None else (self.features, count), start))

    def shares(self) -> Tensor:
        """Return the weights as normalised today: their sum is 1 but for a sum that the safe form keeps from 0."""
        if self.weighting == "softmax":
            return self.weights.softmax(dim=-1)
        total = self.weights.sum(dim=-1, keepdim=True)
        if self.weighting == "safe":
            total = torch.copysign(total.abs().clamp(min=_SMALLEST_SUM), total)
        return self.weights / total

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        terms = [share * function(x) for share, function in zip(self.shares().unbind(-1), self.functions, strict=True)]
        value: Tensor = terms[0]
        for term in terms[1:]:
            value = value + term
        return value

    def extra_repr(self) -> str:
        """Show the members too, although they stand for learnt values."""
        return f"members={list(self.members)!r}, {super().extra_repr()}"
