"""Rational functions with learnt coefficients: for a layer (Padé activation units, RAFT), for a network, with noise.

Groups of features have theirs in `group_rational.py`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rl_acts._base import PER, LearnableActivation, Noisy
from rl_acts._fit import DEGREE, FLOOR_OF_C, VERSIONS, fit_rational, target_function
from rl_acts._info import UNBOUNDED, Choice, Function, Parameter, Real
from rl_acts._ratio import magnitude, ratio
from rl_acts._registry import parse, register
from rl_acts.errors import ActivationError
from rl_acts.families.rational_tables import PUBLISHED, WIDE, Coefficients

_DEGREES = (5, 4)
_PADE = "Molina et al., arXiv 1907.06732, and their code ml-research/rational_activations"
_JOINT = "Delfosse et al., arXiv 2102.09407, and their code ml-research/rational_rl"
OUR_FITS = "The starts fitted on [-10, 10] are this library's; the authors' are fitted on [-3, 3] (fit=published)."
_FORMULA_A = "(a0 + a1*x + ... + a5*x^5) / (1 + |b1*x| + ... + |b4*x^4|), a and b learnt"

INIT = Parameter(
    "init", "leaky_relu", Function(other="swish"), "function that the coefficients are fitted to first", shape=(10,)
)
_VERSION = Parameter(
    "version", "A", Choice(tuple(v for v in VERSIONS if v != "D"), other="B"), "form of the denominator"
)
NUMERATOR = Parameter("numerator", _DEGREES[0], DEGREE, "degree of the numerator")
DENOMINATOR = Parameter("denominator", _DEGREES[1], DEGREE, "degree of the denominator")
FIT = Parameter(
    "fit", "wide", Choice(("wide", "published"), other="published"), "ours on [-10, 10] or the authors' on [-3, 3]"
)


@lru_cache(maxsize=256)
def _fitted(spec: str, degrees: tuple[int, int], version: str) -> Coefficients:
    fit = fit_rational(spec, degrees, version)
    return fit.numerator, fit.denominator


def start(owner: str, init: str, fit: str, version: str, degrees: tuple[int, int]) -> Coefficients:
    """Return the coefficients (a, b) that a rational function starts from.

    Raises:
        ActivationError: An unknown or unsuitable function, or one without a published fit if that is asked for.
    """
    target_function(owner, "init", init)
    spec = str(parse(init))
    if spec == "identity":
        constant = (1.0 - FLOOR_OF_C,) if version == "C" else ()
        return (0.0, 1.0) + (0.0,) * (degrees[0] - 1), constant + (0.0,) * degrees[1]
    table = PUBLISHED if fit == "published" else WIDE
    # Where B's inner sum is positive, as in every fit of the tables up to rounding, N is the same function.
    key = ("B" if version in "DN" else version, spec)
    if degrees == _DEGREES and key in table:
        return table[key]
    if fit == "published":
        known = ", ".join(sorted(name for form, name in PUBLISHED if form == key[0]))
        raise ActivationError(
            f"{owner}: fit='published' has no coefficients for init={init!r}, version={version!r}, degrees {degrees}; "
            f"for version {version} and degrees {_DEGREES} it has identity, {known}."
        )
    return _fitted(spec, degrees, version)


def evaluate(x: Tensor, a: Tensor, b: Tensor, version: str) -> Tensor:
    """Return the rational function with coefficients a and b (on the last axis), b for Q in the form of the version."""
    if version == "A":
        return ratio(x, a, F.pad(magnitude(b), (1, 0), value=1.0), floor=None, even=True)
    if version == "N":
        return ratio(x, a, F.pad(b, (1, 0), value=1.0), floor=None, even=False)
    if version == "C":
        return ratio(x, a, b, floor=FLOOR_OF_C, even=False)
    return ratio(x, a, F.pad(b, (1, 0), value=0.0), floor=1.0, even=False)


class _RationalBase(LearnableActivation):
    """Coefficients `a` and `b` of one version, a set for each of what `per` says."""

    version: str = "A"

    def __init__(self, init: str, fit: str, degrees: tuple[int, int], per: str, features: int | None) -> None:
        super().__init__(per, features)
        self.init = self.word("init", init)
        self.fit = self.word("fit", fit)
        self.numerator, self.denominator = degrees
        a, b = start(type(self).__name__, self.init, self.fit, self.version, degrees)
        self.a: nn.Parameter = self._coefficients(a)
        self.b: nn.Parameter = self._coefficients(b)

    def _coefficients(self, values: Sequence[float]) -> nn.Parameter:
        one = torch.tensor(values)
        return nn.Parameter(one if self.features is None else one.repeat(self.features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape."""
        return evaluate(x, self.a, self.b, self.version)

    def extra_repr(self) -> str:
        """Show the start too, although it stands for learnt values."""
        return f"init={self.init!r}, {super().extra_repr()}"


@register(
    "rational",
    aliases=("pau",),
    formula=_FORMULA_A,
    family="adaptive",
    range=UNBOUNDED,
    derivative_range=(-0.0807719726, 1.0351272246),
    smoothness="C0",
    source=_PADE,
    unverified=OUR_FITS,
)
class Rational(_RationalBase):
    """R(x) = P(x) / Q(x), P(x) = a_0 + a_1 x + ... + a_m x^m, with all coefficients learnt: a Padé activation unit.

    ======= ============================ ====================================================
    version Q(x)
    ======= ============================ ====================================================
    A       1 + sum_k abs(b_k) abs(x)^k  no poles; kinks at 0 alone, of 2 a_0 abs(b_1) in f'
    B       1 + abs(sum_k b_k x^k)       no poles; kinks where the sum is 0
    C       0.1 + abs(sum_k b_k x^k)     as B, with a b_0; Q can come down to 0.1
    N       1 + sum_k b_k x^k            poles where it is 0: nothing keeps it away from them
    ======= ============================ ====================================================

    Version D, which is B with noise on the coefficients, is `RationalNoisy`: it draws random numbers, and the registry
    marks whole entries as stochastic.

    f' = P'/Q - P Q'/Q^2; for A at its kink the mean of both sides, a_1. dR/da_j = x^j/Q, dR/db_k = -R/Q dQ/db_k with
    sign(0) = +1, as in the authors' GPU kernels: a coefficient that starts at 0 moves.

    The coefficients start as least-squares fits of a function. **The default is this library's fit on [-10, 10].** The
    published ones see [-3, 3] only, and with m = n + 1 = 5 every fit leaves its interval along one slope
    a_m / abs(b_n) on *both* sides: the published leaky ReLU falls to -2.73 at x = -10 (slope 0.72 at both ends), and
    the published GELU grows quadratically. Pre-activations in RL do leave [-3, 3]. The price is a coarser kink: the
    leaky ReLU is off by 0.099 at 0, the published one by 0.030. Beyond [-10, 10] ours leave the function in the same
    way: normalise the pre-activations or expect it.

    Most versions and degrees have no published fit. What the tables of the wide fits lack is fitted when the module is
    built, in some tenths of a second, once in a process. Keep weight decay off the coefficients: it moves the shape.

    Unverified: the wide fits are ours.

    Args:
        init: Spec of the function that the start is fitted to: elementwise, without noise. Default ``"leaky_relu"``
            (slope 0.01), the authors'. ``"identity"`` is exact.
        version: ``"A"`` (default, the authors'), ``"B"``, ``"C"`` or ``"N"``.
        numerator: Degree m of P, 1 to 10. Default 5.
        denominator: Degree n of Q, 1 to 10. Default 4.
        fit: ``"wide"`` (default) or ``"published"``.
        per: ``"layer"`` (default, as in the sources), ``"unit"`` or ``"net"``: what shares one set of coefficients.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or a published fit that does not exist.

    Attributes:
        a: Parameter of shape ``(m + 1,)``, or ``(features, m + 1)`` for ``per="unit"``.
        b: Parameter of shape ``(n,)``, for version C ``(n + 1,)``, with ``features`` before it likewise.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (INIT, _VERSION, NUMERATOR, DENOMINATOR, FIT, PER)

    def __init__(
        self,
        init: str = "leaky_relu",
        version: str = "A",
        numerator: int = 5,
        denominator: int = 4,
        fit: str = "wide",
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        if version == "D":
            raise ActivationError("Rational: version='D' draws noise and is an entry of its own: 'rational_noisy'.")
        # Assigned before nn.Module's constructor has run, which plain values survive.
        degrees = self.whole("numerator", numerator), self.whole("denominator", denominator)
        self.version = self.word("version", version)
        super().__init__(init, fit, degrees, per, features)


@register(
    "joint_rational",
    formula=_FORMULA_A,
    family="adaptive",
    range=UNBOUNDED,
    derivative_range=(-0.0807719726, 1.0351272246),
    smoothness="C0",
    source=_JOINT,
    unverified=OUR_FITS,
)
class JointRational(_RationalBase):
    """One rational function of version A behind every hidden layer of a network: `Rational` with ``per="net"``.

    Ten numbers for the whole network, trained by its optimiser; the paper calls it recurrent or joint. Since the
    numerator's degree is one higher, the family also contains x + any of its functions. Each critic and the actor have
    their own: nothing is shared between networks.

    Unverified: the wide fits are ours.

    Args:
        init: As for `Rational`. Default ``"leaky_relu"``, the authors'.
        numerator: Degree of P, 1 to 10. Default 5.
        denominator: Degree of Q, 1 to 10. Default 4.
        fit: ``"wide"`` (default, on [-10, 10], for the reason that `Rational` gives) or ``"published"``.

    Raises:
        ActivationError: A bad argument, or a published fit that does not exist.

    Attributes:
        a: Parameter of shape ``(m + 1,)``.
        b: Parameter of shape ``(n,)``.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (INIT, NUMERATOR, DENOMINATOR, FIT)

    def __init__(self, init: str = "leaky_relu", numerator: int = 5, denominator: int = 4, fit: str = "wide") -> None:
        degrees = self.whole("numerator", numerator), self.whole("denominator", denominator)
        super().__init__(init, fit, degrees, "net", None)


@register(
    "raf",
    formula=_FORMULA_A,
    family="adaptive",
    range=UNBOUNDED,
    derivative_range=UNBOUNDED,
    smoothness="C0",
    source="Fang et al., arXiv 2208.14111 (RAFT), and their code UKPLab/2022-RAFT",
)
class RAF(_RationalBase):
    """The rational function of RAFT: version A, degrees (5, 4), started from the published fit to GELU on [-3, 3].

    That fit has b_4 = 1.7e-10 and so grows quadratically, about 0.077 x^2, on both sides of [-3, 3]: R(-10) = -2.46,
    R(10) = 12.5, R(100) = 8e2. ``fit="wide"`` gives one that does not. The slope's jump at 0 is 2e-4. The authors train
    the coefficients at a rate of their own, 1e-2.

    Args:
        init: As for `Rational`. Default ``"gelu"``.
        fit: ``"published"`` (default) or ``"wide"``.
        per: ``"layer"`` (default, as in RAFT), ``"unit"`` or ``"net"``: what shares one set of coefficients.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or a published fit that does not exist.

    Attributes:
        a: Parameter of shape ``(6,)``, or ``(features, 6)`` for ``per="unit"``.
        b: Parameter of shape ``(4,)``, or ``(features, 4)`` for ``per="unit"``.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        Parameter("init", "gelu", Function(other="swish"), INIT.meaning, shape=(10,)),
        Parameter("fit", "published", Choice(("wide", "published"), other="wide"), FIT.meaning),
        PER,
    )

    def __init__(
        self, init: str = "gelu", fit: str = "published", per: str = "layer", features: int | None = None
    ) -> None:
        super().__init__(init, fit, _DEGREES, per, features)


@register(
    "rational_noisy",
    formula="(n0*a0 + ... + n5*a5*x^5) / (1 + |b1*x + ... + b4*x^4|), a and b learnt, n noise around 1",
    family="stochastic",
    range=UNBOUNDED,
    derivative_range=(-0.0592317225, 1.0692317183),
    smoothness="C0",
    source=_PADE,
    unverified=OUR_FITS,
    stochastic=True,
)
class RationalNoisy(Noisy, _RationalBase):
    """Version D: version B whose numerator's coefficients are multiplied by uniform noise while the network learns.

    The comment in the authors' code promises noise on all coefficients, the code multiplies the numerator's alone; this
    is the code. One draw for each coefficient and call. See `Noisy` for when it is drawn; the evaluation form is
    version B of `Rational`.

    Unverified: the wide fits are ours.

    Args:
        init: As for `Rational`. Default ``"leaky_relu"``.
        numerator: Degree of P, 1 to 10. Default 5.
        denominator: Degree of Q, 1 to 10. Default 4.
        fit: ``"wide"`` (default, on [-10, 10]) or ``"published"``.
        spread: Noise is uniform on [1 - spread, 1 + spread]; 0 to 1. Default 0.1.
        per: ``"layer"`` (default), ``"unit"`` or ``"net"``: what shares one set of coefficients.
        features: Width of the layer, needed for ``per="unit"``.

    Raises:
        ActivationError: A bad argument, or a published fit that does not exist.

    Attributes:
        a: Parameter of shape ``(m + 1,)``, or ``(features, m + 1)`` for ``per="unit"``.
        b: Parameter of shape ``(n,)``, or ``(features, n)`` for ``per="unit"``.
    """

    declared: ClassVar[tuple[Parameter, ...]] = (
        INIT,
        NUMERATOR,
        DENOMINATOR,
        FIT,
        Parameter("spread", 0.1, Real(other=0.2, minimum=0.0, maximum=1.0, open=False), "half width of the noise"),
        PER,
    )
    version = "D"

    def __init__(
        self,
        init: str = "leaky_relu",
        numerator: int = 5,
        denominator: int = 4,
        fit: str = "wide",
        spread: float = 0.1,
        per: str = "layer",
        features: int | None = None,
    ) -> None:
        degrees = self.whole("numerator", numerator), self.whole("denominator", denominator)
        super().__init__(init, fit, degrees, per, features)
        self.spread = self.real("spread", spread)

    def noise_shape(self, x_shape: torch.Size) -> torch.Size:
        """Return the shape of the numerator's coefficients, whatever that of the pre-activations is."""
        del x_shape
        return self.a.shape

    def from_uniform(self, u: Tensor) -> Tensor:
        """Return one factor for each of the numerator's coefficients, in [1 - spread, 1 + spread]."""
        return 1.0 + self.spread * (2.0 * u - 1.0)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map pre-activations ``(..., features)`` to the same shape; `noise` multiplies `a`."""
        noise = self.noise_for(x, noise)
        return evaluate(x, self.a if noise is None else self.a * noise, self.b, self.version)
