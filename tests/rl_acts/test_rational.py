"""Rational functions: values, asymptotes, gradients, sharing, groups and noise."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

import rl_acts
from rl_acts._ratio import ratio
from rl_acts.families.rational_tables import PUBLISHED, WIDE

POINTS = (-10.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 10.0)
# Version A with the published coefficients, evaluated in 40 digits.
PUBLISHED_VALUES = {
    "leaky_relu": """-2.72649299 -0.0418098527 -0.0106802184 0.00176274307 0.0297927787
        0.500725587 1.00078333 2.99648713 9.01888909""",
    "gelu": """-2.46131525 -0.0081861742 -0.157540781 -0.153432097 -0.00124235945
        0.345966872 0.841575708 2.99581804 12.4555056""",
    "swish": """-0.160625118 -0.142278818 -0.268941586 -0.188770531 3.05487974e-07
        0.311229595 0.731058343 2.85772119 9.8397476""",
    "tanh": """-0.980680068 -0.995014167 -0.76160154 -0.462105455 -1.08046226e-08
        0.462105424 0.761601493 0.995014181 0.980680492""",
}
EVERY_VERSION = ("rational", "rational(version=B)", "rational(version=C)", "rational(version=N)")


def make(spec: Any, features: int | None = None, dtype: torch.dtype | None = None) -> Any:
    """`rl_acts.make`, typed as what it returns here: a module with parameters `a` and `b`."""
    return rl_acts.make(spec, features, dtype=dtype)


def polynomial(x: Tensor, coefficients: Tensor, first: int = 0) -> Tensor:
    """Sum the powers of x as they stand."""
    return torch.stack([c * x**j for j, c in enumerate(coefficients.unbind(-1), start=first)]).sum(dim=0)


def plain(x: Tensor, a: Tensor, b: Tensor, version: str) -> Tensor:
    """The formula as it stands in the docstring; fine for moderate float64 numbers."""
    if version == "A":
        return polynomial(x, a) / (1 + polynomial(x.abs(), b.abs(), first=1))
    inner = polynomial(x, b, first=0 if version == "C" else 1)
    return polynomial(x, a) / {"B": 1 + inner.abs(), "C": 0.1 + inner.abs(), "N": 1 + inner}[version]


@pytest.mark.parametrize("init", PUBLISHED_VALUES)
def test_published_values(init: str) -> None:
    module = make({"name": "pau", "init": init, "fit": "published"}).double()
    for name, row in (("a", PUBLISHED["A", init][0]), ("b", PUBLISHED["A", init][1])):
        setattr(module, name, nn.Parameter(torch.tensor(row, dtype=torch.float64)))
    values = module(torch.tensor(POINTS, dtype=torch.float64))
    assert values.tolist() == pytest.approx([float(value) for value in PUBLISHED_VALUES[init].split()], rel=3e-9)


@pytest.mark.parametrize("version", ["A", "B", "C", "N"])
@pytest.mark.parametrize("degrees", [(5, 4), (1, 1), (2, 3), (4, 4), (10, 9), (4, 2)])
def test_values_and_gradients_are_those_of_the_formula(version: str, degrees: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    spec = {"name": "rational", "init": "identity", "version": version}
    module = make({**spec, "numerator": degrees[0], "denominator": degrees[1]}, dtype=torch.float64)
    with torch.no_grad():
        module.a.copy_(torch.randn(module.a.shape, generator=generator))
        # Version N: a positive sum over the positive numbers, where it has no pole.
        module.b.copy_(torch.randn(module.b.shape, generator=generator).abs() * (1 if version == "N" else -1))
        module.b[::2].abs_()
    x = torch.linspace(0.1, 3.1, 33, dtype=torch.float64)
    x = (x if version == "N" else torch.cat((-x, x))).requires_grad_()
    inputs = [x, module.a, module.b]
    weights = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    expected = plain(x, module.a, module.b, version)
    actual = module(x)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(expected, inputs, weights)
    for gradient, true in zip(torch.autograd.grad(actual, inputs, weights), wanted, strict=True):
        torch.testing.assert_close(gradient, true, rtol=1e-10, atol=1e-10)
    with torch.no_grad():
        torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spec", EVERY_VERSION)
def test_twice_differentiable_and_forward_mode(spec: str) -> None:
    module = make(spec, dtype=torch.float64)
    x = torch.tensor([-2.3, -0.4, 0.7, 1.9], dtype=torch.float64, requires_grad=True)
    a, b = (value.detach().requires_grad_() for value in (module.a, module.b + 0.05))

    def call(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.as_tensor(functional_call(module, {"a": a, "b": b}, (x,)))

    assert torch.autograd.gradgradcheck(call, (x, a, b))
    tangents = torch.randn_like(x), torch.randn_like(a), torch.randn_like(b)
    along = torch.func.jvp(call, (x, a, b), tangents)[1]
    gradients = torch.func.jacrev(call, argnums=(0, 1, 2))(x, a, b)
    expected = sum(jacobian @ tangent for jacobian, tangent in zip(gradients, tangents, strict=True))
    torch.testing.assert_close(along, torch.as_tensor(expected))


@pytest.mark.parametrize("batched", ["x", "coefficients"])
@pytest.mark.parametrize("version", ["A", "B"])
def test_vmap_with_one_side_shared(batched: str, version: str) -> None:
    generator = torch.Generator().manual_seed(2)
    module = make({"name": "rational", "version": version}, dtype=torch.float64)
    x = torch.randn(3 if batched == "x" else 1, 5, 4, generator=generator, dtype=torch.float64)
    change = 1 + 0.1 * torch.rand(1 if batched == "x" else 3, 1, generator=generator, dtype=torch.float64)
    a, b = (module.a * change).detach().requires_grad_(), (module.b * change).detach().requires_grad_()

    def one(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.as_tensor(functional_call(module, {"a": a, "b": b}, (x,)))

    if batched == "x":
        together = vmap(one, in_dims=(0, None, None))(x, a[0], b[0])
    else:
        together = vmap(one, in_dims=(None, 0, 0))(x[0], a, b)
    apart = torch.stack([one(x[i % len(x)], a[i % len(a)], b[i % len(b)]) for i in range(3)])
    torch.testing.assert_close(together, apart, rtol=1e-14, atol=1e-14)
    for actual, expected in zip(
        torch.autograd.grad(together.sum(), (a, b)), torch.autograd.grad(apart.sum(), (a, b)), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spec", EVERY_VERSION)
@pytest.mark.parametrize("recording", [True, False])
def test_asymptote_far_out(spec: str, recording: bool) -> None:
    module = make(spec)
    x = torch.tensor([-1e15, -1e12, -1e9, 1e9, 1e12, 1e15], requires_grad=recording)
    slope = float((module.a[-1] / module.b[-1].abs()).detach())
    with torch.set_grad_enabled(recording):
        values = module(x)
    assert values.tolist() == pytest.approx([slope * number for number in x.tolist()], rel=1e-6)
    if recording:
        (slopes,) = torch.autograd.grad(values.sum(), x)
        assert slopes.tolist() == pytest.approx([slope] * 6, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_high_degrees_stay_finite(dtype: torch.dtype) -> None:
    module = make("rational(init=identity, numerator=10, denominator=9)", dtype=dtype)
    with torch.no_grad():
        module.a.fill_(0.5)
        module.b.fill_(0.25)
    x = torch.tensor([-6e4, -1e3, 0.0, 1e3, 6e4], dtype=dtype, requires_grad=True)
    values = module(x)
    # An even degree over an odd one: the same value at both ends, up to the next powers.
    assert values[1:4].tolist() == pytest.approx([1996.0, 0.5, 2000.0], rel=0.01)
    gradients = torch.autograd.grad(values[1:4].float().mean(), [x, module.a, module.b])
    assert all(tensor.isfinite().all() for tensor in (values[1:4], *gradients))


def test_infinite_input_makes_no_nan_in_bounded_ratios() -> None:
    x = torch.tensor([-torch.inf, -1e38, 1e38, torch.inf])
    values = ratio(x, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.5, 2.0]), floor=None, even=True)
    assert values.tolist() == pytest.approx([1.5] * 4)


@pytest.mark.parametrize("version", ["A", "B", "C", "N"])
def test_identity_is_exact_and_its_zero_coefficients_learn(version: str) -> None:
    module = make({"name": "rational", "init": "identity", "version": version}, dtype=torch.float64)
    x = torch.tensor([-20.0, -1.5, 0.0, 0.25, 7.0], dtype=torch.float64)
    # C: 0.1 + |0.9| is 1 to rounding in the dtype that the module was made in.
    torch.testing.assert_close(module(x), x, rtol=1e-7 if version == "C" else 1e-15, atol=0.0)
    (gradient,) = torch.autograd.grad((module(x) * x).sum(), module.b)
    assert (gradient != 0).all()


def test_the_published_gelu_has_the_slope_of_its_source_at_zero() -> None:
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    module = make("raf", dtype=torch.float64)
    (slope,) = torch.autograd.grad(module(x), x)
    assert slope == module.a[1]


def test_one_object_for_a_network_and_one_for_each_unit() -> None:
    joint = rl_acts.mlp([3, 8, 8, 8, 1], "joint_rational")
    assert joint[1] is joint[3] is joint[5]
    learnt = [parameter for name, parameter in joint.named_parameters() if name.endswith((".a", ".b"))]
    assert sum(parameter.numel() for parameter in learnt) == 10
    units = make("rational(per=unit)", 4)
    with torch.no_grad():
        units.a[2] *= 2.0
    x = torch.full((5, 4), 1.25)
    ratios = units(x) / make("rational")(x)
    torch.testing.assert_close(ratios, torch.tensor([1.0, 1.0, 2.0, 1.0]).expand(5, 4))
    gradient = torch.autograd.grad(units(x)[:, 1].sum(), units.b)[0]
    assert (gradient[1] != 0).all()
    assert not gradient[[0, 2, 3]].any()


@pytest.mark.parametrize("share", [True, False])
def test_groups_are_consecutive_runs_with_a_denominator_each(share: bool) -> None:
    spec = {"name": "gr_kan", "groups": 3, "share_numerator": share, "init": "relu"}
    module = make(spec, 6, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in (module.a, module.b):
            parameter.add_(torch.rand(parameter.shape, generator=generator))
    assert tuple(module.a.shape) == (1 if share else 3, 6)
    assert tuple(module.b.shape) == (3, 4)
    x = torch.randn(7, 2, 6, generator=generator, dtype=torch.float64)
    columns = []
    for feature in range(6):
        group = feature // 2
        columns.append(plain(x[..., feature], module.a[0 if share else group], module.b[group], "A"))
    torch.testing.assert_close(module(x), torch.stack(columns, dim=-1), rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(module(x)[..., 3].sum(), module.b)
    assert (gradient[1] != 0).all()
    assert not gradient[[0, 2]].any()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (12, r"features=12 is not allowed with groups=8; the layer's width must be a multiple of 8"),
        (None, r"needs the layer's width"),
        (0, r"features=0 is not allowed; it must be a whole number from 1 on"),
        (2.0, r"features=2\.0 is not allowed; it must be a whole number from 1 on"),
    ],
)
def test_groups_must_divide_the_width(features: object, message: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=message):
        rl_acts.GroupRational(features=features)  # type: ignore[arg-type]


def test_noise_is_drawn_in_training_alone_and_multiplies_the_numerator() -> None:
    module = rl_acts.RationalNoisy(init="swish", spread=0.25)
    reference = make("rational(init=swish, version=B)")
    x = torch.linspace(-4, 4, 9)
    with torch.no_grad():
        assert torch.equal(module(x), reference(x))
    copied = copy.deepcopy(module).eval()
    torch.testing.assert_close(copied(x), reference(x))
    module.generator = torch.Generator().manual_seed(0)
    draws = torch.stack([module.draw(x, module.generator) for _ in range(400)])
    assert draws.shape == (400, 6)
    assert 0.75 <= draws.min() < 0.76
    assert 1.24 < draws.max() <= 1.25
    assert not torch.equal(module(x), module(x))
    noise = torch.tensor([1.25, 1.0, 1.0, 1.0, 1.0, 0.75])
    with torch.no_grad():
        reference.a *= noise
    torch.testing.assert_close(module(x, noise=noise), reference(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rl_acts.Rational(version="D"), "version='D'.*'rational_noisy'"),
        (lambda: rl_acts.Rational(version="B", init="relu", fit="published"), "identity, leaky_relu, swish, tanh"),
        (lambda: rl_acts.Rational(numerator=6, fit="published"), r"degrees \(6, 4\)"),
        (lambda: rl_acts.Rational(init="rational_noisy"), "init='rational_noisy' is not allowed"),
        (lambda: rl_acts.Rational(init="nothing"), "Unknown activation 'nothing'"),
        (lambda: rl_acts.Rational(numerator=0), "numerator=0 is not allowed.*from 1 up to 10"),
        (lambda: rl_acts.Rational(denominator=11), "denominator=11"),
        (lambda: rl_acts.RAF(init="swim"), "fit='published' has no coefficients for init='swim'"),
        (lambda: rl_acts.RationalNoisy(spread=1.5), "spread=1.5"),
    ],
)
def test_errors(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=message):
        build()


def test_specs_are_text() -> None:
    spec = rl_acts.parse("pau(version=B, init=silu)")
    assert str(spec) == "rational(version=B, init=silu)"
    assert torch.equal(make(spec).a, torch.tensor(WIDE["B", "swish"][0]))
    nested = make("rational(init=leaky_relu(slope=0.1), fit=published)")
    assert torch.equal(nested.a, torch.tensor(PUBLISHED["A", "leaky_relu(slope=0.1)"][0]))
