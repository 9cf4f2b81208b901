"""Relations between activations that hold for every number, and their moments under a standard normal."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import rl_acts

X = torch.linspace(-12.0, 12.0, 4801, dtype=torch.float64)


def module(spec: str) -> torch.nn.Module:
    """Make an activation in float64, its evaluation form, with initial values exact to float64."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return rl_acts.make(spec).eval()
    finally:
        torch.set_default_dtype(default)


def value_and_slope(function: Callable[[Tensor], Tensor], x: Tensor = X) -> Tensor:
    x = x.clone().requires_grad_()
    value = function(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    return torch.stack((value.detach(), slope))


EQUAL = [
    ("ulu(a1=0.5, a2=0.5)", "silu"),
    ("ulu(a1=0.75, a2=0.75)", "swish(beta=1.5)"),
    ("aulu", "silu"),
    ("aulu(b1=0.5, b2=1)", "ulu(a1=0.25, a2=1)"),
    ("pflu", "swim(k=1)"),
    ("swim_learnable", "swim"),
    ("swim_survey(a=1)", "pflu"),
    ("swim_survey(a=0)", "swish(beta=0)"),
    ("crrelu_fixed(eps=0)", "relu"),
    ("crrelu(eps=0)", "relu"),
    ("crrelu", "crrelu_fixed"),
    ("leaky_relu(slope=0)", "relu"),
    ("prelu(slope=0)", "relu"),
    ("prelu(slope=1)", "identity"),
    ("apl", "relu"),
    ("apl(hinges=5)", "relu"),
    ("xsilu", "silu"),
    ("xgelu", "gelu"),
    ("acon_c", "silu"),
    ("acon_c(p2=0.75)", "smooth_leaky(c=0.25)"),
    ("acon_c(p1=0.5, p2=0.5)", "swish(beta=0)"),
    ("smooth_leaky(alpha=0, c=3, p=2)", "swish(beta=1.5)"),
    ("smooth_leaky(alpha=1)", "identity"),
    ("randomised_smooth_leaky", "smooth_leaky"),
    ("rrelu(lower=0.01, upper=0.01)", "leaky_relu"),
    ("rrelu(lower=0, upper=0.02)", "leaky_relu"),
    (f"smu(alpha=0, mu={math.sqrt(0.5)!r})", "gelu"),
    ("sqish(alpha=1)", "identity"),
    ("sqish_learnable", "sqish"),
    ("talu(alpha=-0.75)", "ptalu(b=0)"),
    ("talu_learnable", "talu"),
    ("pelu", "elu"),
    ("pangaea", "log_sigmoid_asinh"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=lambda spec: spec)
def test_equal_functions_and_slopes(one: str, other: str) -> None:
    torch.testing.assert_close(value_and_slope(module(one)), value_and_slope(module(other)), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("spec", ["swim(k=0.7)", "swish(beta=1.5)", "gelu", "mish"])
def test_functions_that_differ_are_told_apart(spec: str) -> None:
    assert not torch.allclose(value_and_slope(module(spec)), value_and_slope(module("silu")), rtol=1e-6)


@pytest.mark.parametrize("k", [0.25, 0.5, 3.0])
def test_swim_and_swish_scale(k: float) -> None:
    torch.testing.assert_close(module(f"swim(k={k})")(X), module("pflu")(k * X) / k, rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(module(f"swish(beta={k})")(X), module("silu")(k * X) / k, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_a_negative_beta_mirrors_swish(k: float) -> None:
    torch.testing.assert_close(module(f"swish(beta={-k})")(X), -module(f"swish(beta={k})")(-X), rtol=1e-15, atol=0.0)


GATED_EVENLY = [
    *("swim", "pflu", "silu", "swish(beta=1.5)", "gelu", "gelu_tanh", "gelu_quick", "swim_survey", "relu"),
    *("ulu(a1=1, a2=1)", "aulu", "xsilu", "xgelu", "xatlu", "acon_c", "crrelu(eps=0)"),
]


@pytest.mark.parametrize("spec", GATED_EVENLY)
def test_gates_that_add_up_to_one_give_back_x(spec: str) -> None:
    f = module(spec)
    torch.testing.assert_close(f(X) - f(-X), X, rtol=1e-14, atol=1e-14)


def test_smooth_maxima_of_x_and_alpha_x_add_up_to_both() -> None:
    for spec in ("smooth_leaky(alpha=0.25)", "smu(alpha=0.25)"):
        f = module(spec)
        torch.testing.assert_close(f(X) - f(-X), 1.25 * X, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("spec", ["tanh", "identity", "softsign", "hardtanh", "wafbc(c1=2, c2=-1)"])
def test_odd_functions(spec: str) -> None:
    torch.testing.assert_close(module(spec)(-X), -module(spec)(X), rtol=1e-15, atol=3e-16)


def test_dsilu_is_the_slope_of_silu_and_adds_up_to_one() -> None:
    dsilu = module("dsilu")
    torch.testing.assert_close(dsilu(X), value_and_slope(module("silu"))[1], rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(dsilu(X) + dsilu(-X), torch.ones_like(X), rtol=1e-14, atol=0.0)


def test_tanh_is_a_sigmoid_and_wafbc_an_error_function() -> None:
    torch.testing.assert_close(module("tanh")(X), 2 * module("sigmoid")(2 * X) - 1, rtol=1e-14, atol=1e-15)
    erf = torch.erf(X / math.sqrt(2))
    torch.testing.assert_close(module("wafbc(c1=2, c2=-1)")(X), erf, rtol=1e-14, atol=3e-16)


def test_evolved_functions_are_made_of_their_parts() -> None:
    hard, elu, asinh = module("hardsigmoid_keras"), module("elu"), torch.asinh(X)
    torch.testing.assert_close(module("hardsigmoid_elu")(X), hard(hard(X)) * elu(X), rtol=1e-14, atol=0.0)
    torch.testing.assert_close(module("sigmoid_erf")(X), module("sigmoid")(X) * torch.erf(X), rtol=1e-15, atol=0.0)
    torch.testing.assert_close(module("log_sigmoid_asinh")(X), -module("softplus")(-X) * asinh, rtol=1e-14, atol=0.0)
    torch.testing.assert_close(
        module("erfc_softplus_squared")(X), torch.erfc(module("softplus")(X)) ** 2, rtol=1e-13, atol=0.0
    )
    torch.testing.assert_close(
        module("pangaea(alpha=0.5, beta=2)")(X), -module("softplus")(-X / 2) * 2 * asinh, rtol=1e-14, atol=0.0
    )


def test_sqish_without_leak_is_a_root_of_a_sigmoid() -> None:
    for gamma in (1.0, 0.5):
        expected = X * torch.sigmoid(2 * gamma * X).sqrt()
        torch.testing.assert_close(module(f"sqish(alpha=0, gamma={gamma})")(X), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    "spec",
    ["swish(beta=50)", "swim(k=5000)", "gelu_quick", "smu(alpha=0, mu=1000)", "sqish(alpha=0, gamma=1000)"],
)
def test_sharp_gates_come_near_relu(spec: str) -> None:
    scale = 30.0 if spec == "gelu_quick" else 1.0
    difference = module(spec)(scale * X) / scale - X.relu()
    assert difference.abs().max() < 0.02


# E[f(z)] and E[f(z)^2] for a standard normal z, as the project's reference lists them.
MOMENTS = {
    "gelu": (0.2820948, 0.4252215),
    "silu": (0.206621, 0.3557755),
    "swim": (0.1961561, 0.3427385),
    "dsilu": (0.5, 0.3794824),
    "pflu": (0.2824454, 0.4139199),
    "swim_survey": (0.1412227, 0.29098),
    "crrelu": (0.3989423, 0.5035548),
    "sqish": (0.1572693, 0.5785552),
    "sqish(alpha=0)": (0.2494364, 0.5),
    "talu(alpha=-0.75)": (0.1648382, 0.6304873),
    "talu": (0.3080509, 0.5174254),
    "ulu(a1=1, a2=1)": (0.3028528, 0.4394725),
    "ulu": (0.2547369, 0.455917),
    "threshold": (0.5, 0.5),
    "xielu": (0.5284165, 1.735515),
    "xielu(eps=-0.000001)": (0.5284165, 1.735515),
    "apalu": (0.3912709, 0.5513174),
    "xsilu(alpha=0.1)": (0.2479452, 0.4023167),
    "wafbc": (0.5, 0.3333333),
    "hardsigmoid_elu": (0.1264508, 0.2633311),
    "erfc_softplus_squared": (0.19218, 0.08261191),
    "sigmoid_erf": (0.1396774, 0.1509789),
    "log_sigmoid_asinh": (0.39482, 0.9989933),
}


@pytest.mark.parametrize("spec", MOMENTS)
def test_moments_under_a_standard_normal(spec: str) -> None:
    # Midpoints of cells of 1e-4: none falls on a kink or jump, so the rule stays of second order.
    z = torch.arange(-120_000, 120_000, dtype=torch.float64) * 1e-4 + 5e-5
    weight = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 1e-4
    values = module(spec)(z).detach()
    moments = (float((weight * values).sum()), float((weight * values.square()).sum()))
    assert moments == pytest.approx(MOMENTS[spec], rel=2e-6)
