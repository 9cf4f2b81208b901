"""What the contract does not ask of learnt and piecewise entries: other values than the defaults, limits, refusals."""

import math

import pytest
import torch
from torch import nn

import rl_acts
from rl_acts import ActivationError
from tests.rl_acts.test_identities import module

X = torch.linspace(-4.0, 4.0, 42, dtype=torch.float64)


def learnt_number(f: nn.Module, name: str) -> float:
    """Return a learnt value that a layer shares."""
    return float(getattr(f, name).detach())


# Away from the defaults, where some gradients are zero: hinges with weight, learnt beta, mixed slopes.
SPECS = [
    *("apl(hinges=3, slope=0.1)", "acon_c(p1=1.25, p2=0.25, beta=1.5)", "smu(alpha=0.1, mu=2)"),
    *("xielu(train_beta=true)", "xielu(eps=-0.5, alpha_p=0.3)", "xatlu(alpha=0.2)", "xgelu(alpha=-0.2)"),
    *("pangaea(alpha=0.5, beta=2)", "sqish_learnable(alpha=0.1, beta=2, gamma=0.7)", "crrelu(eps=-0.3)"),
    *("aulu(b1=0.4, b2=1.2)", "pelu(a=0.7, b=1.5)", "apalu(a=0.7, b=0.3)", "talu_learnable(alpha=-1.3)"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_gradients_away_from_the_defaults(spec: str) -> None:
    f = module(spec)
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: f(x), (x, *f.parameters()))
    gradients = torch.autograd.grad(f(x).sum(), list(f.parameters()))
    assert all(bool((gradient != 0).all()) for gradient in gradients)


LEARNT = [
    *("acon_c", "apalu", "apl", "aulu", "crrelu", "pangaea", "pelu", "smu", "sqish_learnable", "talu_learnable"),
    *("threshold", "xatlu", "xgelu", "xielu", "xielu(train_beta=true)", "xsilu"),
]


@pytest.mark.parametrize("spec", LEARNT)
def test_units_start_as_the_layer_does_and_learn_apart(spec: str) -> None:
    entry = rl_acts.parse(spec)
    x = torch.linspace(-3.1, 3.3, 20).reshape(5, 4)
    layer = rl_acts.make(spec)
    units = rl_acts.make({"name": entry.name, **entry.arguments, "per": "unit"}, features=4)
    torch.testing.assert_close(units(x), layer(x))
    for parameter, shared in zip(units.parameters(), layer.parameters(), strict=True):
        (apart,) = torch.autograd.grad(units(x).sum(), parameter)
        (together,) = torch.autograd.grad(layer(x).sum(), shared)
        assert apart.shape == (4, *together.shape)
        torch.testing.assert_close(apart.sum(0), together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "learnt"),
    [
        ("sqish_learnable(alpha=0.1, beta=2, gamma=0.7)", {"alpha": 0.1, "beta": 2.0, "gamma": 0.7}),
        ("talu_learnable(alpha=-0.75)", {"alpha": -0.75}),
        ("aulu(b1=0.4, b2=1.2)", {"b1": 0.4, "b2": 1.2}),
        ("xielu(alpha_p=0.3, alpha_n=1.2, beta=0.25)", {"alpha_p": 0.3, "alpha_n": 1.2}),
        ("apalu(a=0.7, b=40)", {"a": 0.7, "b": 40.0}),
        ("pelu(a=0.7, b=1.5)", {"a": 0.7, "b": 1.5}),
        ("smu(mu=2)", {"mu": 2.0}),
    ],
)
def test_initial_values_are_what_was_asked_for(spec: str, learnt: dict[str, float]) -> None:
    f = module(spec)
    assert {name: learnt_number(f, name) for name in learnt} == pytest.approx(learnt, rel=1e-14)


def test_initial_values_of_xielu_are_the_references() -> None:
    f = module("xielu")
    assert learnt_number(f, "raw_p") == pytest.approx(0.2033823208, abs=1e-10)
    assert learnt_number(f, "raw_n") == pytest.approx(-1.0502256128, abs=1e-10)


def test_xielu_keeps_an_above_beta_and_grows_on_the_far_left() -> None:
    f = module("xielu(train_beta=true)")
    with torch.no_grad():
        f.raw_n.fill_(-30.0)  # type: ignore[operator]
        f.beta.fill_(2.0)  # type: ignore[operator]
    assert learnt_number(f, "alpha_n") > learnt_number(f, "beta")
    ideal = module("xielu")
    far = torch.tensor([-1e4, -1e3], dtype=torch.float64)
    torch.testing.assert_close(ideal(far), 0.3 * far.abs() - 0.8, rtol=1e-12, atol=0.0)
    minimum = torch.tensor(math.log(1 - 0.5 / 0.8), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ideal(minimum), minimum)
    assert ideal(minimum).item() == pytest.approx(-0.2057512241, abs=1e-10)
    assert abs(float(slope)) < 1e-15


def test_xielus_reference_clamp_shifts_zero_and_nothing_else() -> None:
    ideal, clamped = module("xielu"), module("xielu(eps=-0.000001)")
    assert clamped(torch.zeros((), dtype=torch.float64)).item() == pytest.approx(-7.999996e-7, rel=1e-9)
    elsewhere = X[X.abs() > 1e-6]
    assert torch.equal(clamped(elsewhere), ideal(elsewhere))
    assert "beta=0.5, eps=-1e-06, train_beta=False" in repr(clamped)
    assert "beta=learnt" in repr(rl_acts.make("xielu(train_beta=true)"))


@pytest.mark.parametrize("value", [0.5, 0.4, -0.9])
def test_xielu_refuses_a_weight_up_to_beta(value: float) -> None:
    with pytest.raises(ActivationError, match=rf"alpha_n={value} is not allowed; it must be above beta=0\.5"):
        rl_acts.make({"name": "xielu", "alpha_n": value})


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ("talu(alpha=0)", "alpha must be a finite number below 0"),
        ("ptalu(alpha=0.1)", "alpha must be a finite number below 0"),
        ("talu_learnable(alpha=0)", "alpha must be a finite number below 0"),
        ("xielu(eps=0.1)", "eps must be a finite number at most 0"),
        ("aulu(b1=0)", "b1 must be a finite number above 0"),
        ("threshold(surrogate=tanh)", "surrogate must be one of 'clipped', 'identity', 'sigmoid', 'triangle'"),
    ],
)
def test_values_out_of_bounds_are_refused(spec: str, allowed: str) -> None:
    with pytest.raises(ActivationError, match=allowed):
        rl_acts.make(spec)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("spec", "kink", "slopes"), [("hardsigmoid", 3.0, 0.0), ("hardsigmoid_keras", 2.5, 0.0)])
def test_hard_sigmoids_are_flat_at_their_kinks(spec: str, kink: float, slopes: float, dtype: torch.dtype) -> None:
    x = torch.tensor([-kink, kink], dtype=dtype, requires_grad=True)
    values = rl_acts.make(spec)(x)
    assert values.tolist() == [0.0, 1.0]
    assert torch.autograd.grad(values.sum(), x)[0].tolist() == [slopes, slopes]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gate_of_hardsigmoid_elu_is_flat_at_its_kinks(dtype: torch.dtype) -> None:
    x = torch.tensor([-2.5, 2.5], dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(rl_acts.make("hardsigmoid_elu")(x).sum(), x)
    assert slope.tolist() == pytest.approx([0.5 * math.exp(-2.5), 0.7], rel=1e-6)


def test_talus_switch_point_learns_from_the_constant_piece_alone() -> None:
    f = module("talu_learnable(alpha=-0.75)")
    x = torch.tensor([-2.0, -0.75 - 1e-9, -0.7, 0.0, 1.0], dtype=torch.float64)
    raw = f.raw_alpha
    by_raw = [float(torch.autograd.grad(f(point), raw)[0]) for point in x]  # type: ignore[arg-type]
    # d alpha / d raw = -sigmoid(raw) = -(1 - e^alpha)
    per_alpha = [gradient / -(1 - math.exp(-0.75)) for gradient in by_raw]
    piece = 1 - math.tanh(0.75) ** 2
    assert per_alpha == pytest.approx([piece, piece, 0.0, 0.0, 0.0], rel=1e-12)
    with torch.no_grad():
        raw.fill_(-50.0)  # type: ignore[operator]
    assert learnt_number(f, "alpha") < 0


def test_ptalu_jumps_at_b_to_the_identity() -> None:
    f = module("ptalu")
    below, at = f(torch.tensor([1 - 1e-12, 1.0], dtype=torch.float64)).tolist()
    assert at - below == pytest.approx(1 - math.tanh(1.0), abs=1e-9)


SURROGATES = {
    "identity": [2.0, 2.0, 2.0, 2.0, 2.0],
    "clipped": [0.0, 2.0, 2.0, 2.0, 0.0],
    "sigmoid": [2 * 4 * s * (1 - s) for s in (1 / (1 + math.exp(4 * x)) for x in (1.5, 1.0, 0.0, 0.5, 2.0))],
    "triangle": [0.0, 0.0, 2.0, 1.0, 0.0],
}


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_threshold_is_exact_forward_and_a_surrogate_backward(surrogate: str, dtype: torch.dtype) -> None:
    f = rl_acts.make({"name": "threshold", "s": 2.0, "surrogate": surrogate}, dtype=dtype)
    x = torch.tensor([-1.5, -1.0, 0.0, 0.5, 2.0], dtype=dtype, requires_grad=True)
    values = f(x)
    assert values.tolist() == [0.0, 0.0, 2.0, 2.0, 2.0]
    slopes, amplitude = torch.autograd.grad(values.sum(), (x, *f.parameters()))
    assert slopes.tolist() == pytest.approx(SURROGATES[surrogate], rel=1e-12 if dtype is torch.float64 else 2e-3)
    assert float(amplitude) == 3.0


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_threshold_is_exact_far_out(surrogate: str) -> None:
    x = torch.tensor([-1e30, -1e-30, 0.0, 1e30])
    f = rl_acts.make({"name": "threshold", "surrogate": surrogate})
    assert f(x).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert torch.isnan(f(torch.tensor(math.nan)))


def test_hinges_start_apart_and_have_sets_by_unit() -> None:
    layer = rl_acts.make("apl(hinges=4, spread=2)")
    assert layer.b.tolist() == [-1.5, -0.5, 0.5, 1.5]  # type: ignore[operator]
    assert rl_acts.make("apl(hinges=1)").b.tolist() == [0.0]  # type: ignore[operator]
    unit = rl_acts.make("apl(per=unit, slope=0.5, spread=2)", features=3).double()
    with torch.no_grad():
        unit.b.copy_(torch.tensor([[-1.0, 1.0], [0.0, 2.0], [3.0, 3.0]]))  # type: ignore[operator]
    x = torch.tensor([[-2.0, -2.0, -2.0], [0.5, 0.5, 0.5]], dtype=torch.float64)
    expected = [[0.5 * (1 + 3), 0.5 * (2 + 4), 0.5 * (5 + 5)], [0.5 + 0.25, 0.5 + 0.75, 0.5 + 2.5]]
    assert unit(x).tolist() == expected


@pytest.mark.parametrize(
    ("spec", "limit"),
    [("xatlu", -1 / math.pi), ("apalu", -0.065), ("pelu(a=0.7, b=1.5)", -0.7), ("talu", -math.tanh(0.2))],
)
def test_left_limits(spec: str, limit: float) -> None:
    values = rl_acts.make(spec)(torch.tensor([-1e5, -1e6]))
    assert values.tolist() == pytest.approx([limit, limit], rel=5e-6)


def test_tails_keep_their_digits_in_float32() -> None:
    x = torch.tensor([-8.0])
    assert rl_acts.make("wafbc")(x).item() == pytest.approx(6.220960574271785e-16, rel=1e-5)
    assert rl_acts.make("xgelu")(x).item() == pytest.approx(-8 * 6.220960574271785e-16, rel=1e-5)
    assert rl_acts.make("xatlu")(torch.tensor([-1e4])).item() == pytest.approx(-0.31830987512, rel=1e-6)
    # -100 sqrt(sigmoid(-200 * 0.4)): the sigmoid's root by its own is 0 from x = -110 on in float32.
    tail = rl_acts.make("sqish(alpha=0, gamma=0.4)")(torch.tensor([-100.0])).item()
    assert tail == pytest.approx(-100 * math.exp(-40), rel=1e-5)


@pytest.mark.parametrize("per", ["layer", "unit", "net"])
def test_asymmetry_of_a_network(per: str) -> None:
    network = rl_acts.mlp([3, 8, 8, 1], f"aulu(b1=0.5, b2=1, per={per})")
    measured = rl_acts.aulu_asymmetry(network)
    assert measured.mean == pytest.approx(math.log(4), rel=1e-6)
    assert len(measured.sharpness) == (1 if per == "net" else 2)
    assert measured.sharpness[0][0].shape == ((8,) if per == "unit" else ())
    assert not measured.sharpness[0][0].requires_grad


def test_asymmetry_is_the_mean_over_layers_and_signed() -> None:
    layers = nn.Sequential(rl_acts.make("aulu(b1=2, b2=1)"), nn.Linear(1, 1), rl_acts.make("aulu"))
    measured = rl_acts.aulu_asymmetry(layers)
    assert measured.mean == pytest.approx(-math.log(4) / 2, rel=1e-6)
    assert [tuple(map(float, pair)) for pair in measured.sharpness] == [
        pytest.approx((4.0, 1.0)),
        pytest.approx((0.5, 0.5)),
    ]
    with pytest.raises(ActivationError, match="there is no AULU in the Linear given"):
        rl_acts.aulu_asymmetry(nn.Linear(1, 1))
