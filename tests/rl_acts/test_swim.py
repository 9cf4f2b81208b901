"""Swim's values, tail and derivatives, where the published forms go wrong."""

import math

import numpy as np
import pytest
import torch
from torch.func import vmap

import rl_acts
from rl_acts.families.swim import swim

# The authors' form with k = 0.5; libraries that leave k out of the root give 0.6767767 at 1.
PUBLISHED = {1.0: 0.7236068, -1.0: -0.2763932, 3.0: 2.7480754, -3.0: -0.2519246, 10.0: 9.9029034, -10.0: -0.0970966}


def true_swim(x: float, k: float = 0.5) -> float:
    """Swim in float64 without cancellation: x/2 (1 + t/r) = x/2 / (r (r - t)) for negative x."""
    t = k * x
    r = math.hypot(1.0, t)
    return x / 2 / (r * (r - t)) if x < 0 else x / 2 * (1 + t / r)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_published_values_to_seven_digits(dtype: torch.dtype) -> None:
    values = rl_acts.make("swim")(torch.tensor(list(PUBLISHED), dtype=dtype))
    assert [round(value, 7) for value in values.tolist()] == pytest.approx(list(PUBLISHED.values()), abs=6e-7)
    if dtype is torch.float64:
        assert [round(value, 7) for value in values.tolist()] == list(PUBLISHED.values())


@pytest.mark.parametrize("recording", [True, False])
def test_the_left_tail_keeps_its_digits(recording: bool) -> None:
    points = [-100.0, -1000.0, -8192.0, -1e6, -1e12]
    with torch.set_grad_enabled(recording):
        values = rl_acts.make("swim")(torch.tensor(points, requires_grad=recording))
    assert values.tolist() == pytest.approx([true_swim(x) for x in points], rel=1e-6)


@pytest.mark.parametrize("recording", [True, False])
def test_float16_is_within_one_unit_in_the_last_place(recording: bool) -> None:
    points = [-100.0, -1000.0, -10.0, -1.0, 1.0, 100.0, 1000.0, 60000.0]
    with torch.set_grad_enabled(recording):
        values = rl_acts.make("swim")(torch.tensor(points, dtype=torch.float16, requires_grad=recording))
    for x, value in zip(points, values.tolist(), strict=True):
        true = true_swim(float(np.float16(x)))
        assert abs(value - true) <= float(np.spacing(np.float16(abs(true))))


@pytest.mark.parametrize("k", [0.5, 0.7, 1.0, 3.0])
def test_minimum_and_slope_bounds_scale_with_k(k: float) -> None:
    module = rl_acts.make({"name": "swim", "k": k}, dtype=torch.float64)
    x = torch.tensor([-0.7861513777574233, -math.sqrt(2), math.sqrt(2)], dtype=torch.float64, requires_grad=True)
    values = module(x / k)
    (slopes,) = torch.autograd.grad(values.sum(), x)
    assert values[0].item() == pytest.approx(-0.1501415529890152 / k, rel=1e-9)
    assert (slopes * k).tolist() == pytest.approx([0.0, -0.0443310539518174, 1.0443310539518174], abs=1e-12)


def test_the_slope_of_the_tail_keeps_its_digits() -> None:
    x = torch.tensor([-100.0, -1000.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(rl_acts.make("swim")(x).sum(), x)
    assert slopes.tolist() == pytest.approx([-9.99100499755e-05, -9.9999100005e-07], rel=2e-6)


def test_second_derivatives_are_right_too() -> None:
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    k = torch.tensor([0.3, 0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(swim, (x, k))
    assert torch.autograd.gradgradcheck(lambda x: swim(x, 0.5), (x,))


def test_vmap_over_k_alone_and_over_x_alone() -> None:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_()
    k = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    expected = torch.stack([swim(x, k[0]), swim(x, k[1])])
    torch.testing.assert_close(vmap(swim, in_dims=(None, 0))(x, k), expected, rtol=1e-14, atol=1e-14)
    both = torch.stack([x, 2 * x])
    torch.testing.assert_close(
        vmap(lambda row: swim(row, k[1]))(both), torch.stack([swim(row, k[1]) for row in both]), rtol=1e-14, atol=1e-14
    )


def test_recorded_and_unrecorded_values_are_equal_to_the_bit() -> None:
    x = torch.linspace(-30, 30, 100_001).requires_grad_()
    with torch.no_grad():
        unrecorded = swim(x, 0.5)
    assert torch.equal(swim(x, 0.5).detach(), unrecorded)


def test_forward_mode_and_hessians() -> None:
    x = torch.linspace(-3, 3, 6, dtype=torch.float64)
    k = torch.tensor(0.7, dtype=torch.float64)
    t = k * x
    # f'' = k/2 (2 - t^2) (1 + t^2)^(-5/2), df/dk = x^2/2 (1 + t^2)^(-3/2)
    curvature = 0.5 * k * (2 - t**2) * (1 + t**2) ** -2.5
    hessian = torch.func.hessian(lambda x: swim(x, 0.7).sum())(x)
    torch.testing.assert_close(hessian, torch.diag(curvature), rtol=1e-12, atol=1e-14)
    along_k = torch.func.jvp(lambda k: swim(x, k), (k,), (torch.ones_like(k),))[1]
    torch.testing.assert_close(along_k, 0.5 * x**2 * (1 + t**2) ** -1.5, rtol=1e-12, atol=1e-14)
    along_both = torch.func.jvp(swim, (x, k), (torch.ones_like(x), torch.ones_like(k)))[1]
    slope = 0.5 * (1 + t * (2 + t**2) * (1 + t**2) ** -1.5)
    torch.testing.assert_close(along_both, along_k + slope, rtol=1e-12, atol=1e-14)


def test_far_beyond_the_usual_range_the_value_is_its_limit() -> None:
    x = torch.tensor([-1e30, 1e30], requires_grad=True)
    values = swim(x, 0.5)
    (slopes,) = torch.autograd.grad(values.sum(), x)
    assert values.tolist() == [0.0, x[1].item()]
    assert slopes.tolist() == [0.0, 1.0]
