"""The entropy correction: its sign on ReLU, its fixed point, and that it lowers the entropy it is made to lower."""

import math

import pytest
import torch
from torch import Tensor

import rl_acts
from rl_acts import ActivationError, eafo_correction


def density(x: Tensor) -> Tensor:
    return (-x * x / 2).exp() / math.sqrt(2 * math.pi)


def test_relu_gets_crrelus_term_with_a_negative_weight() -> None:
    step = 1e-3
    corrected = eafo_correction(torch.relu, low=0.0, high=5.0, points=4000, step=step)
    x = corrected.x
    torch.testing.assert_close(corrected.eta, x * density(x), rtol=1e-12, atol=1e-15)
    eps = -step / math.sqrt(2 * math.pi)
    as_crrelu = rl_acts.make(f"crrelu_fixed(eps={eps!r})")(x)
    # What is left is of second order in the step, and far smaller than the correction of 2.4e-4 itself.
    assert float((as_crrelu - x).abs().max()) == pytest.approx(0.6065306597 * abs(eps), rel=1e-6)
    assert float((corrected.values - as_crrelu).abs().max()) < 2 * step**2
    assert bool((corrected.values < x).all())


def log_slope(values: Tensor, x: Tensor) -> Tensor:
    """Return E[ln f'(z)] over the grid: the output's entropy up to that of the input."""
    middles = (x[1:] + x[:-1]) / 2
    weight = density(middles)
    return (weight * (values.diff() / x.diff()).log()).sum() / weight.sum()


@pytest.mark.parametrize(
    ("spec", "low", "step"),
    [("relu", 0.0, 0.01), ("xsilu(alpha=-0.45)", -3.0, 0.01), ("elu", -3.0, 1e-3), ("sigmoid", -3.0, 1e-3)],
)
def test_a_small_step_lowers_the_entropy_and_the_opposite_step_raises_it(spec: str, low: float, step: float) -> None:
    f = rl_acts.make(spec)
    lower = eafo_correction(f, low=low, high=3.0, points=3000, step=step)
    higher = eafo_correction(f, low=low, high=3.0, points=3000, step=-step)
    unchanged = eafo_correction(f, low=low, high=3.0, points=3000, step=0.0)
    torch.testing.assert_close(unchanged.values, f(unchanged.x).detach(), rtol=1e-13, atol=1e-15)
    before = log_slope(unchanged.values, unchanged.x)
    assert log_slope(lower.values, lower.x) < before < log_slope(higher.values, higher.x)


def test_the_worst_function_is_the_fixed_point() -> None:
    corrected = eafo_correction(rl_acts.make("wafbc(c1=2, c2=-1)"), step=1.0)
    assert float(corrected.eta.abs().max()) < 1e-11
    other = eafo_correction(torch.tanh, step=0.0)
    assert float(other.eta.abs().max()) > 0.1


def test_another_density_and_a_learnt_activation() -> None:
    # p = exp(-x): eta = -p'/f' for a line of slope 2.
    line = rl_acts.make("prelu(slope=2)")
    corrected = eafo_correction(lambda x: line(x) * 2, lambda x: torch.exp(-x), low=0.5, high=2.0, points=10)
    torch.testing.assert_close(corrected.eta, torch.exp(-corrected.x) / 2, rtol=1e-12, atol=0.0)
    assert not any(part.requires_grad for part in corrected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": float("nan")}, "low=nan is not allowed"),
        ({"points": 3}, "points=3 is not allowed; points must be a whole number from 4"),
        ({"low": 1.0, "high": 1.0}, "low=1.0 is not allowed; it must be below high=1.0"),
        ({"step": "big"}, "step='big' is not allowed"),
        ({"low": 0.0, "step": -100.0}, "step=-100.0 is not allowed; it must be so small"),
        ({}, r"f must rise strictly between low=-4.0 and high=4.0, but f'\(-3.998\) = 0"),
    ],
)
def test_refusals(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ActivationError, match=message):
        eafo_correction(torch.relu, **arguments)  # type: ignore[arg-type]
