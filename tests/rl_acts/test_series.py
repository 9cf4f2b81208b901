"""The Fourier series and the linear combination."""

import math
from typing import Any

import numpy as np
import pytest
import torch

import rl_acts


def make(spec: Any, features: int | None = None, dtype: torch.dtype | None = None) -> Any:
    return rl_acts.make(spec, features, dtype=dtype)


@pytest.mark.parametrize(("base", "order", "half_period"), [("tanh", 5, 4.0), ("swim", 3, 2.5), ("softplus", 8, 6.0)])
def test_fourier_start_is_the_least_squares_fit(base: str, order: int, half_period: float) -> None:
    module = rl_acts.Fourier(base=base, order=order, half_period=half_period).double()
    x = half_period * (np.arange(20_000) + 0.5) / 10_000 - half_period
    waves = [np.ones_like(x)]
    for n in range(1, order + 1):
        waves += [np.cos(n * math.pi * x / half_period), np.sin(n * math.pi * x / half_period)]
    matrix = np.stack(waves, axis=1)
    target = rl_acts.make(base)(torch.from_numpy(x)).numpy()
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    with torch.no_grad():
        values = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(values, matrix @ solution, rtol=0, atol=1e-6 * half_period)


def test_fourier_repeats_exactly_however_far_out() -> None:
    module = make("fourier(base=swim)")
    x = torch.tensor([-3.0, -0.5, 0.25, 3.5])
    assert torch.equal(module(x + 8.0 * 1024), module(x))
    bound = (module.cosines.square() + module.sines.square()).sqrt().sum()
    assert ((module(torch.linspace(-9, 9, 1001)) - module.offset).abs() <= bound).all()


def test_fourier_gradients_are_those_of_the_formula() -> None:
    module = make("fourier(base=swim)", dtype=torch.float64)
    with torch.no_grad():
        module.frequency.mul_(1.3)
    x = torch.tensor(2.7, dtype=torch.float64, requires_grad=True)
    w = 1.3 * math.pi / 4
    n = torch.arange(1, 6, dtype=torch.float64)
    cosine, sine = (n * w * 2.7).cos(), (n * w * 2.7).sin()
    inner = float((n * (module.sines * cosine - module.cosines * sine)).sum().detach())
    wanted = {"offset": 1.0, "frequency": inner * 2.7 * math.pi / 4, "cosines": cosine, "sines": sine}
    gradients = torch.autograd.grad(module(x), [x, *(getattr(module, name) for name in wanted)])
    for gradient, expected in zip(gradients, (w * inner, *wanted.values()), strict=True):
        torch.testing.assert_close(gradient, torch.as_tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_one_weight_alone_gives_its_function() -> None:
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    for index, member in enumerate(("relu", "sigmoid", "tanh", "identity")):
        module = make("linear_combination", dtype=torch.float64)
        with torch.no_grad():
            module.weights.zero_()[index] = -2.5
        torch.testing.assert_close(module(x), rl_acts.make(member)(x), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("weighting", ["safe", "sum", "softmax"])
def test_a_vanishing_sum(weighting: str) -> None:
    module = make({"name": "linear_combination", "weighting": weighting})
    with torch.no_grad():
        module.weights.copy_(torch.tensor([1.0, -1.0, 0.5, -0.5]))
    x = torch.tensor([-1.0, 2.0])
    (gradient,) = torch.autograd.grad(module(x).sum(), module.weights)
    finite = bool(module(x).isfinite().all() and gradient.isfinite().all())
    assert finite == (weighting != "sum")
    if weighting == "safe":
        torch.testing.assert_close(module(x)[1], 1000 * (2 - x[1].sigmoid() + 0.5 * x[1].tanh() - 1))


def test_safe_is_the_plain_quotient_where_the_sum_is_large_enough() -> None:
    x = torch.linspace(-3, 3, 7)
    safe, plain = make("linear_combination"), make("linear_combination(weighting=sum)")
    for module in (safe, plain):
        with torch.no_grad():
            module.weights.copy_(torch.tensor([0.3, -0.7, 0.2, -0.1]))
    torch.testing.assert_close(safe(x), plain(x), rtol=0, atol=0)
    gradients = [torch.autograd.grad(module(x).sum(), module.weights)[0] for module in (safe, plain)]
    torch.testing.assert_close(*gradients)


def test_softmax_weights_are_convex() -> None:
    module = make("linear_combination(weighting=softmax, members=[relu, identity], per=unit)", 3)
    with torch.no_grad():
        module.weights.copy_(torch.tensor([[9.0, -9.0], [0.0, 0.0], [-3.0, 1.0]]))
    shares = module.shares()
    assert (shares > 0).all()
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(3))
    x = torch.tensor([[-1.0, -1.0, -1.0]])
    torch.testing.assert_close(module(x)[0], -shares[:, 1])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("linear_combination(members=[])", "a list of at least one item"),
        ("linear_combination(members=relu)", "members='relu' is not allowed"),
        ("linear_combination(members=[relu, 3])", "the spec of an activation"),
        ("linear_combination(members=[relu, prelu])", "'prelu' has learnt values"),
        ("linear_combination(members=[relu, rational_noisy])", "members='rational_noisy' is not allowed"),
        ("linear_combination(members=[relu, nothing])", "Unknown activation 'nothing'"),
        ("fourier(order=0)", "order=0"),
        ("fourier(half_period=-1)", "half_period=-1"),
        ("fourier(base=group_rational)", "base='group_rational' is not allowed"),
    ],
)
def test_errors(spec: str, message: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=message):
        rl_acts.make(spec)


def test_members_with_arguments_in_specs() -> None:
    spec = rl_acts.parse("linear_combination(members=[relu, swim(k=0.7)])")
    assert rl_acts.parse(str(spec)) == spec
    assert [type(function).__name__ for function in make(spec).functions] == ["ReLU", "Swim"]
