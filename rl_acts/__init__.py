"""Activation functions for reinforcement learning, by name, with what is known about each.

Example:
    >>> import torch, rl_acts
    >>> swim = rl_acts.make("swim(k=0.5)")
    >>> swim(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2764,  0.0000,  0.7236])
    >>> rl_acts.mlp([3, 64, 64, 1], "swim_learnable(per=unit)")(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
"""

from rl_acts._base import Activation, LearnableActivation, Noisy
from rl_acts._bench import BenchRow, bench, bench_table
from rl_acts._fit import RationalFit, fit_rational
from rl_acts._info import FAMILIES, ActivationInfo, Choice, Family, Flag, Function, Parameter, Real, Several, Whole
from rl_acts._mlp import NetworkActivation, check, mlp
from rl_acts._registry import info, make, names, parse, register, unregister
from rl_acts._remez import PolynomialFit, fit_polynomial
from rl_acts._spec import ActivationSpec, Spec
from rl_acts._version import __version__
from rl_acts.errors import ActivationError
from rl_acts.families.elu import ELU, SELU
from rl_acts.families.group_rational import GroupRational
from rl_acts.families.parametric import PReLU, SwishLearnable
from rl_acts.families.polynomial import PolyChebyshev, PolyComposite, PolyLearnable, PolyReLU
from rl_acts.families.rational import RAF, JointRational, Rational, RationalNoisy
from rl_acts.families.relu import LeakyReLU, ReLU, ReLUSquared
from rl_acts.families.series import Fourier, LinearCombination
from rl_acts.families.sigmoid import Hardtanh, Sigmoid, Softsign, Tanh
from rl_acts.families.smooth import GELU, GELUQuick, GELUTanh, Hardswish, Identity, Mish, Softplus, Swish
from rl_acts.families.swim import Swim, SwimLearnable

__all__ = [
    "ELU",
    "FAMILIES",
    "GELU",
    "RAF",
    "SELU",
    "Activation",
    "ActivationError",
    "ActivationInfo",
    "ActivationSpec",
    "BenchRow",
    "Choice",
    "Family",
    "Flag",
    "Fourier",
    "Function",
    "GELUQuick",
    "GELUTanh",
    "GroupRational",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "JointRational",
    "LeakyReLU",
    "LearnableActivation",
    "LinearCombination",
    "Mish",
    "NetworkActivation",
    "Noisy",
    "PReLU",
    "Parameter",
    "PolyChebyshev",
    "PolyComposite",
    "PolyLearnable",
    "PolyReLU",
    "PolynomialFit",
    "Rational",
    "RationalFit",
    "RationalNoisy",
    "ReLU",
    "ReLUSquared",
    "Real",
    "Several",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Spec",
    "Swim",
    "SwimLearnable",
    "Swish",
    "SwishLearnable",
    "Tanh",
    "Whole",
    "__version__",
    "bench",
    "bench_table",
    "check",
    "fit_polynomial",
    "fit_rational",
    "info",
    "make",
    "mlp",
    "names",
    "parse",
    "register",
    "unregister",
]
