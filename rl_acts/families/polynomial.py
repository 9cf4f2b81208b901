"""Polynomials in place of ReLU, as privacy-preserving inference needs them, and a polynomial with learnt coefficients.

Networks of such polynomials are called PANN in Zhang, Fan, Au and Yiu, *Neural Networks with (Low-Precision) Polynomial
Approximations*. Their precision 2^-alpha is the largest error on [-1, 1]; each class here reports alpha as `precision`.
The paper finds that weight regularisation costs a PANN much of its accuracy: measure before combining the two.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from rl_acts._base import PER, Activation, LearnableActivation, widened
from rl_acts._fit import CPU, target_function
from rl_acts._info import Flag, Function, Parameter, Real, Several, Whole
from rl_acts._registry import parse, register
from rl_acts._remez import PolynomialFit, fit_polynomial, minimax
from rl_acts.errors import ActivationError

_SOURCE = "Zhang et al., Neural Networks with (Low-Precision) Polynomial Approximations (PANN)"
_UNVERIFIED = (
    "The paper's body was not seen: the construction is the standard one that its precision 2^-alpha refers to, and "
    "the bound 4 (mean + 4 standard deviations of normal pre-activations) and the clamp are this library's."
)
_BOUND = Parameter("bound", 4.0, Real(other=3.0, minimum=0.0), "the polynomial stands for ReLU on [-bound, bound]")
_CLAMP = Parameter("clamp", default=True, constraint=Flag(other=False), meaning="whether x is clamped to the interval")
_EVEN_DEGREE = Whole(other=4, minimum=2, maximum=20)
# eps = 2^(-k/2) with k below this; what is closer to the sign than _EXACT needs no further stage.
_MOST_HALF_OCTAVES, _EXACT = 40, 1e-6
_POINTS = 20_001


def chebyshev_series(u: Tensor, coefficients: Sequence[Tensor | float]) -> Tensor:
    """Return sum_k c_k T_k(u) by Clenshaw's scheme, which loses no digits where a sum of powers does."""
    doubled = 2.0 * u
    now, before = torch.zeros_like(u) + coefficients[-1], torch.zeros_like(u)
    for coefficient in reversed(coefficients[1:-1]):
        now, before = coefficient + doubled * now - before, now
    return coefficients[0] + u * now - before if len(coefficients) > 1 else now


def odd_chebyshev_series(u: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Return sum_k c_k T_{2k+1}(u) likewise."""
    doubled = 4.0 * u * u - 2.0
    now, before = torch.zeros_like(u), torch.zeros_like(u)
    for coefficient in reversed(coefficients):
        now, before = coefficient + doubled * now - before, now
    return u * (now - before)


def _checked_even(owner: str, degree: int) -> int:
    if degree % 2:
        raise ActivationError(
            f"{owner}: degree={degree!r} is not allowed; it must be even, because the odd part of ReLU is x/2 exactly."
        )
    return degree


@lru_cache(maxsize=64)
def _fitted(spec: str, degree: int, interval: tuple[float, float]) -> PolynomialFit:
    return fit_polynomial(spec, degree, interval)


class _PolynomialReLU(Activation):
    """x/2 + bound * (something like |u|/2) with u = x / bound.

    Attributes:
        precision: alpha: the largest error to ReLU is 2^-alpha on [-1, 1], and bound * 2^-alpha on [-bound, bound].
    """

    max_error: float

    def __init__(self, bound: float, clamp: bool) -> None:
        super().__init__()
        self.bound = self.real("bound", bound)
        self.clamp = self.flag("clamp", clamp)

    @property
    def precision(self) -> float:
        """Alpha, where 2^-alpha is the largest error to ReLU on [-1, 1]."""
        return -math.log2(self.max_error)

    def half_magnitude(self, u: Tensor) -> Tensor:
        """Return the polynomial that stands for |u|/2 on [-1, 1]."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations of any shape to the same shape."""
        wide = widened(x)
        inside = wide.clamp(-self.bound, self.bound) if self.clamp else wide
        return (0.5 * inside + self.bound * self.half_magnitude(inside / self.bound)).to(x.dtype)


@register(
    "poly_relu",
    formula="bound * r(x / bound), r the polynomial nearest to ReLU on [-1, 1]; x clamped to +-bound",
    family="ReLU-based",
    range=(-0.0693794597, 3.9336626357),
    derivative_range=(-0.2777716485, 1.2777716485),
    smoothness="C0",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class PolyReLU(_PolynomialReLU):
    """B r(x / B) with the polynomial r of smallest largest error to ReLU on [-1, 1]: r(u) = u/2 + sum_k c_k u^(2k).

    The error falls like 0.14 / degree only: 0.0625, 0.0338, 0.0230, 0.0173, 0.0139, 0.0100 for the degrees 2, 4, 6, 8,
    10, 14; it is reached at 0 too, where f(0) = B c_0. Found by Remez's exchange when the module is built, and
    evaluated as a Chebyshev series. Outside [-B, B] the polynomial explodes (degree 10 at 2 B: 4000 B), so x is clamped
    there, with f' = 0 beyond. Encrypted inference has no clamp: ``clamp=False``, and keep pre-activations inside.

    Unverified: the paper's body was not seen; bound and clamp are ours.

    Args:
        degree: Even, 2 to 20. Default 8.
        bound: B, above 0. Default 4.
        clamp: Whether x is clamped to [-B, B]. Default True.

    Raises:
        ActivationError: A bad argument, an odd degree.

    Attributes:
        max_error: Largest error on [-1, 1].
        precision: alpha with 2^-alpha = max_error.
    """

    declared = (Parameter("degree", 8, _EVEN_DEGREE, "degree of the polynomial, even"), _BOUND, _CLAMP)

    def __init__(self, degree: int = 8, bound: float = 4.0, clamp: bool = True) -> None:
        super().__init__(bound, clamp)
        self.degree = _checked_even("PolyReLU", self.whole("degree", degree))
        fit = _fitted("relu", self.degree, (-1.0, 1.0))
        self.max_error = fit.max_error
        # T_2k(u) = T_k(2 u^2 - 1)
        self._even = fit.chebyshev[::2]

    def half_magnitude(self, u: Tensor) -> Tensor:
        """Return the even part of r."""
        return chebyshev_series(2.0 * u * u - 1.0, self._even)


@register(
    "poly_chebyshev",
    formula="bound * t(x / bound), t ReLU's Chebyshev series on [-1, 1], cut; x clamped to +-bound",
    family="ReLU-based",
    range=(-0.0499295706, 3.9846368777),
    derivative_range=(-0.0983251724, 1.0983251724),
    smoothness="C0",
    source="textbook; for networks as in " + _SOURCE,
    unverified=_UNVERIFIED,
)
class PolyChebyshev(_PolynomialReLU):
    """B t(x / B), t(u) = u/2 + 1/pi + (2/pi) sum_{k=1..m} (-1)^(k+1) T_2k(u) / (4 k^2 - 1), degree 2 m: a closed form.

    Its largest error on [-1, 1] is 1 / (pi (2 m + 1)), at 0: about twice that of `PolyReLU`.

    Unverified: the paper's body was not seen; bound and clamp are ours.

    Args:
        degree: Even, 2 to 20. Default 8.
        bound: B, above 0. Default 4.
        clamp: Whether x is clamped to [-B, B], with f' = 0 beyond. Default True; outside the polynomial explodes.

    Raises:
        ActivationError: A bad argument, an odd degree.

    Attributes:
        max_error: Largest error on [-1, 1].
        precision: alpha with 2^-alpha = max_error.
    """

    declared = (Parameter("degree", 8, _EVEN_DEGREE, "degree of the polynomial, even"), _BOUND, _CLAMP)

    def __init__(self, degree: int = 8, bound: float = 4.0, clamp: bool = True) -> None:
        super().__init__(bound, clamp)
        self.degree = _checked_even("PolyChebyshev", self.whole("degree", degree))
        terms = self.degree // 2
        series = (2.0 / math.pi * (-1.0) ** (k + 1) / (4.0 * k * k - 1.0) for k in range(1, terms + 1))
        self._even = (1.0 / math.pi, *series)
        self.max_error = 1.0 / (math.pi * (2.0 * terms + 1.0))

    def half_magnitude(self, u: Tensor) -> Tensor:
        """Return the even part of t."""
        return chebyshev_series(2.0 * u * u - 1.0, self._even)


class Stage:
    """One odd polynomial of a composite: sum_k c_k T_{2k+1}(s / reach), near 1 where the previous one leaves s > 0."""

    def __init__(self, degree: int, low: float, high: float) -> None:
        self.reach = high
        powers = 2.0 * torch.arange((degree + 1) // 2, dtype=torch.float64) + 1.0

        def basis(s: Tensor) -> Tensor:
            return torch.cos(powers * torch.arccos((s / high).clamp(-1.0, 1.0))[:, None])

        series, self.error = minimax(basis, torch.ones_like, len(powers), (low, high))
        self.series = tuple(series.tolist())

    def __call__(self, s: Tensor) -> Tensor:
        """Return the polynomial at s."""
        return odd_chebyshev_series(s / self.reach, self.series)


def _stages(degrees: tuple[int, ...], start: float) -> tuple[Stage, ...] | None:
    """Return the stages for eps = start, or None where they leave an error so small that eps should be smaller."""
    stages = [Stage(degrees[0], start, 1.0)]
    for degree in degrees[1:]:
        error = stages[-1].error
        if error < _EXACT:
            return None
        stages.append(Stage(degree, 1.0 - error, 1.0 + error))
    return tuple(stages)


@lru_cache(maxsize=32)
def composite(degrees: tuple[int, ...]) -> tuple[tuple[Stage, ...], float]:
    """Return the stages of an approximate sign, and the largest error of x (1 + sign(x)) / 2 to ReLU on [-1, 1].

    The first stage is fitted from some eps on. The larger eps, the larger the error below it and the smaller the one
    above it, which the last stage leaves; of eps = 2^(-k/2) the best is found by bisection.
    """
    best: tuple[tuple[Stage, ...], float] | None = None
    fewest, most = 0, _MOST_HALF_OCTAVES
    while most - fewest > 1:
        middle = (fewest + most) // 2
        start = 2.0 ** (-middle / 2.0)
        with CPU:
            stages = _stages(degrees, start)
            if stages is None:
                fewest = middle
                continue
            below, above = (_largest_error(stages, low, high) for low, high in ((0.0, start), (start, 1.0)))
        fewest, most = (middle, most) if below > above else (fewest, middle)
        if best is None or max(below, above) < best[1]:
            best = stages, max(below, above)
    if best is None:
        raise ActivationError(f"poly_composite: degrees={list(degrees)!r} is not allowed; lower ones do.")
    return best


def _largest_error(stages: Sequence[Stage], low: float, high: float) -> float:
    u = torch.linspace(low, high, _POINTS, dtype=torch.float64)
    return float((0.5 * u * (1.0 - _composed(stages, u))).abs().max())


def _composed(stages: Sequence[Stage], s: Tensor) -> Tensor:
    for stage in stages:
        s = stage(s)
    return s


@register(
    "poly_composite",
    formula="x/2 * (1 + s(x / bound)), s = p_m(... p_1(u)) near sign(u); x clamped to +-bound",
    family="ReLU-based",
    range=(-0.0308071593, 4.0011907738),
    derivative_range=(-3.0539413547, 4.0539413547),
    smoothness="C0",
    source=_SOURCE,
    unverified=_UNVERIFIED,
)
class PolyComposite(_PolynomialReLU):
    """x/2 (1 + s(x / B)) with s a composition of odd polynomials near the sign: far fewer multiplications for an error.

    Each polynomial is the odd one nearest to 1 on the interval that the previous one leaves around 1, the first on
    [eps, 1] with the best eps among the powers of sqrt(2). Largest errors on [-1, 1]: 0.0343 for the degrees (3, 3),
    0.0162 (3, 7), 0.00770 (7, 7), 0.00443 (7, 15), 0.00218 (15, 15), 0.00102 (7, 7, 13), 0.000115 (15, 15, 27); the
    paper's 2^-9 against the former 2^-12 is about (15, 15) against something below (15, 15, 27). Found by Remez's
    exchange when the module is built. f(0) = 0, f'(0) = 1/2, and f' is steep at the ends of the interval, where the
    stages equioscillate: between -3.1 and 4.1 for the default.

    Unverified: the paper's body was not seen; bound and clamp are ours.

    Args:
        degrees: Of the polynomials in the order of their application, each odd, 3 to 31. Default (7, 7).
        bound: B, above 0. Default 4.
        clamp: Whether x is clamped to [-B, B], with f' = 0 beyond. Default True; outside the polynomial explodes.

    Raises:
        ActivationError: A bad argument, an even degree.

    Attributes:
        max_error: Largest error on [-1, 1].
        precision: alpha with 2^-alpha = max_error.
    """

    declared = (
        Parameter(
            "degrees",
            (7, 7),
            Several(Whole(other=7, minimum=3, maximum=31), other=(3, 7)),
            "degrees of the polynomials, odd",
        ),
        _BOUND,
        _CLAMP,
    )

    def __init__(self, degrees: Sequence[int] = (7, 7), bound: float = 4.0, clamp: bool = True) -> None:
        super().__init__(bound, clamp)
        self.degrees = self.several("degrees", degrees)
        if any(degree % 2 == 0 for degree in self.degrees):
            raise ActivationError(
                f"PolyComposite: degrees={list(self.degrees)!r} is not allowed; each must be odd, as the sign is."
            )
        self._stages, self.max_error = composite(self.degrees)

    def half_magnitude(self, u: Tensor) -> Tensor:
        """Return u/2 s(u)."""
        return 0.5 * u * _composed(self._stages, u)


@register(
    "poly_learnable",
    formula="sum_k c_k T_k(u), u = (2*x - low - high) / (high - low) clamped to [-1, 1], c learnt",
    family="adaptive",
    range=(-0.0693794709, 3.9336626643),
    derivative_range=(-0.2777716485, 1.2777716485),
    smoothness="C0",
    source="after " + _SOURCE,
    unverified=_UNVERIFIED + " Learnt coefficients, their basis and their start are ours.",
)
class PolyLearnable(LearnableActivation):
    """A polynomial with learnt coefficients, started as the one nearest to a function on an interval.

    The coefficients are those of the Chebyshev polynomials, not of the powers: all of them move the function by as much
    as they move themselves. Give them a low learning rate and no weight decay.

    Unverified: the paper's body was not seen, and the learnt form is ours.

    Args:
        init: Spec of the function at the start: elementwise, without noise. Default ``"relu"``.
        degree: 1 to 20. Default 8.
        low: Lower end of the interval. Default -4.
        high: Upper end, above `low`. Default 4.
        clamp: Whether x is clamped to [low, high], with f' = 0 beyond. Default True; outside the polynomial explodes.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one polynomial.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or an empty interval.

    Attributes:
        coefficients: Parameter of shape ``(degree + 1,)``, or ``(features, degree + 1)`` for ``per="unit"``.
        precision: alpha of the start: 2^-alpha is its largest error to `init`, relative to half the interval's length.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter("init", "relu", Function(other="swish"), "function at the start", shape=(9,)),
        Parameter("degree", 8, Whole(other=4, minimum=1, maximum=20), "degree of the polynomial"),
        Parameter("low", -4.0, Real(other=-3.0), "lower end of the interval"),
        Parameter("high", 4.0, Real(other=3.0), "upper end of the interval"),
        _CLAMP,
        PER,
    )

    def __init__(
        self,
        init: str = "relu",
        degree: int = 8,
        low: float = -4.0,
        high: float = 4.0,
        clamp: bool = True,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        super().__init__(per, features)
        self.init = self.word("init", init)
        self.degree = self.whole("degree", degree)
        self.low, self.high = self.real("low", low), self.real("high", high)
        self.clamp = self.flag("clamp", clamp)
        if self.low >= self.high:
            raise ActivationError(f"PolyLearnable: low={low!r}, high={high!r} is not allowed; low must be below high.")
        target_function("PolyLearnable", "init", self.init)
        fit = _fitted(str(parse(self.init)), self.degree, (self.low, self.high))
        self.precision = -math.log2(max(fit.max_error, 2.0**-52) / (0.5 * (self.high - self.low)))
        start = torch.tensor(fit.chebyshev)
        self.coefficients = nn.Parameter(start if self.features is None else start.repeat(self.features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        wide = widened(x)
        inside = wide.clamp(self.low, self.high) if self.clamp else wide
        u = (2.0 * inside - (self.low + self.high)) / (self.high - self.low)
        return chebyshev_series(u, self.coefficients.unbind(-1)).to(x.dtype)

    def extra_repr(self) -> str:
        """Show the start too, although it stands for learnt values."""
        return f"init={self.init!r}, {super().extra_repr()}"
