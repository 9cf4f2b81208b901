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
from rl_acts._character import Character, character, init_gain
from rl_acts._eafo import EAFOCorrection, eafo_correction
from rl_acts._extremes import Extreme
from rl_acts._fit import RationalFit, fit_rational
from rl_acts._info import FAMILIES, ActivationInfo, Choice, Family, Flag, Function, Parameter, Real, Several, Whole
from rl_acts._kernels import native_kernels
from rl_acts._mlp import check, mlp
from rl_acts._populations import InPlace, in_place, takes_stack
from rl_acts._registry import info, make, names, parse, register, unregister
from rl_acts._remez import PolynomialFit, fit_polynomial
from rl_acts._spec import ActivationSpec, Spec
from rl_acts._version import __version__
from rl_acts._widths import NetworkActivation
from rl_acts.errors import ActivationError
from rl_acts.families.bounded import WAFBC, DSiLU, Hardsigmoid, HardsigmoidKeras
from rl_acts.families.context import ASH
from rl_acts.families.crrelu import CRReLU, CRReLUFixed
from rl_acts.families.doubling import CReLU, DeepFourier
from rl_acts.families.dynamic import DyReLUA, DyReLUB, DyReLUC, GraphReLU
from rl_acts.families.elu import ELU, SELU
from rl_acts.families.evolved import ErfcSoftplusSquared, HardsigmoidELU, LogSigmoidAsinh, Pangaea, SigmoidErf
from rl_acts.families.expanded_gates import XATLU, XGELU, XSiLU
from rl_acts.families.gated import GEGLU, GLU, Bilinear, ReGLU, SwiGLU
from rl_acts.families.group_rational import GroupRational
from rl_acts.families.lslu import LSLU
from rl_acts.families.parametric import PReLU, SwishLearnable
from rl_acts.families.piecewise import APALU, APL, PELU
from rl_acts.families.polynomial import PolyChebyshev, PolyComposite, PolyLearnable, PolyReLU
from rl_acts.families.pwlu import PWLU
from rl_acts.families.rational import RAF, JointRational, Rational, RationalNoisy
from rl_acts.families.relu import LeakyReLU, ReLU, ReLUSquared
from rl_acts.families.series import Fourier, LinearCombination
from rl_acts.families.sigmoid import Hardtanh, Sigmoid, Softsign, Tanh
from rl_acts.families.smooth import GELU, GELUQuick, GELUTanh, Hardswish, Identity, Mish, Softplus, Swish
from rl_acts.families.smooth_max import ACONC, SMU, SmoothLeaky
from rl_acts.families.sqish import Sqish, SqishLearnable
from rl_acts.families.stochastic import RandomisedSmoothLeaky, RReLU
from rl_acts.families.swim import Swim, SwimLearnable
from rl_acts.families.swim_variants import PFLU, SwimSurvey
from rl_acts.families.taaf import TAAF
from rl_acts.families.talu import PTaLU, TaLU, TaLULearnable
from rl_acts.families.threshold import Threshold
from rl_acts.families.ulu import AULU, ULU, AULUAsymmetry, aulu_asymmetry
from rl_acts.families.xielu import XIELU

__all__ = [
    "ACONC",
    "APALU",
    "APL",
    "ASH",
    "AULU",
    "ELU",
    "FAMILIES",
    "GEGLU",
    "GELU",
    "GLU",
    "LSLU",
    "PELU",
    "PFLU",
    "PWLU",
    "RAF",
    "SELU",
    "SMU",
    "TAAF",
    "ULU",
    "WAFBC",
    "XATLU",
    "XGELU",
    "XIELU",
    "AULUAsymmetry",
    "Activation",
    "ActivationError",
    "ActivationInfo",
    "ActivationSpec",
    "BenchRow",
    "Bilinear",
    "CRReLU",
    "CRReLUFixed",
    "CReLU",
    "Character",
    "Choice",
    "DSiLU",
    "DeepFourier",
    "DyReLUA",
    "DyReLUB",
    "DyReLUC",
    "EAFOCorrection",
    "ErfcSoftplusSquared",
    "Extreme",
    "Family",
    "Flag",
    "Fourier",
    "Function",
    "GELUQuick",
    "GELUTanh",
    "GraphReLU",
    "GroupRational",
    "Hardsigmoid",
    "HardsigmoidELU",
    "HardsigmoidKeras",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "InPlace",
    "JointRational",
    "LeakyReLU",
    "LearnableActivation",
    "LinearCombination",
    "LogSigmoidAsinh",
    "Mish",
    "NetworkActivation",
    "Noisy",
    "PReLU",
    "PTaLU",
    "Pangaea",
    "Parameter",
    "PolyChebyshev",
    "PolyComposite",
    "PolyLearnable",
    "PolyReLU",
    "PolynomialFit",
    "RReLU",
    "RandomisedSmoothLeaky",
    "Rational",
    "RationalFit",
    "RationalNoisy",
    "ReGLU",
    "ReLU",
    "ReLUSquared",
    "Real",
    "Several",
    "Sigmoid",
    "SigmoidErf",
    "SmoothLeaky",
    "Softplus",
    "Softsign",
    "Spec",
    "Sqish",
    "SqishLearnable",
    "SwiGLU",
    "Swim",
    "SwimLearnable",
    "SwimSurvey",
    "Swish",
    "SwishLearnable",
    "TaLU",
    "TaLULearnable",
    "Tanh",
    "Threshold",
    "Whole",
    "XSiLU",
    "__version__",
    "aulu_asymmetry",
    "bench",
    "bench_table",
    "character",
    "check",
    "eafo_correction",
    "fit_polynomial",
    "fit_rational",
    "in_place",
    "info",
    "init_gain",
    "make",
    "mlp",
    "names",
    "native_kernels",
    "parse",
    "register",
    "takes_stack",
    "unregister",
]
