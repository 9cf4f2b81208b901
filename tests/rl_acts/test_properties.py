"""Properties of every registered activation on shapes, dtypes, inputs and learnt values that nobody chose."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import rl_acts
from rl_acts import ActivationInfo
from tests.rl_acts.contract import FEATURES, applied, build

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
# What the contract promises; beyond it a square leaves float16 and even a network has diverged.
LARGEST = 1e4

few = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
leading = st.lists(st.integers(0, 3), max_size=3)
seeds = st.integers(0, 2**32 - 1)


def inputs(shape: list[int], dtype: torch.dtype, seed: int) -> Tensor:
    """Return numbers of both signs whose sizes spread evenly over decades from 1e-6 to 1e4, with zeros among them."""
    generator = torch.Generator().manual_seed(seed)
    size = 10 ** (10 * torch.rand(shape, generator=generator, dtype=torch.float64) - 6)
    signs = torch.randint(-1, 2, shape, generator=generator)
    return (size * signs).clamp(-LARGEST, LARGEST).to(dtype)


@torch.no_grad()
def moved(module: nn.Module, seed: int, reach: float = 0.25) -> nn.Module:
    """Return the module after each learnt number has moved by up to `reach`."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        step = 2 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 1
        parameter.add_((reach * step).to(parameter.dtype))
    return module


def value_and_slopes(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return f and the gradient of its sum."""
    x = x.detach().requires_grad_()
    output = function(x)
    (gradient,) = torch.autograd.grad(output.sum(), x, allow_unused=True, materialize_grads=True)
    return output.detach(), gradient


def check_finite_and_kept(entry: ActivationInfo, shape: list[int], dtype: torch.dtype, seed: int) -> None:
    """Shape and dtype are kept; what float64 says the dtype can hold is finite, value and gradient."""
    module = moved(build(entry, dtype).eval(), seed)
    x = inputs([*shape, FEATURES], dtype, seed)
    output, gradient = value_and_slopes(applied(entry, module), x)
    assert output.dtype is dtype
    assert gradient.dtype is dtype
    assert output.shape[:-1] == x.shape[:-1]
    assert entry.changes_width or output.shape == x.shape
    exact = copy.deepcopy(module).double()
    true_output, true_gradient = value_and_slopes(applied(entry, exact), x.double())
    # Half of the largest: rounding inside must not decide.
    largest = torch.finfo(dtype).max / 2
    assert output[true_output.abs() < largest].isfinite().all(), f"{entry.name}: {output}"
    if dtype in (torch.float64, torch.float32):
        assert gradient[true_gradient.abs() < largest].isfinite().all(), f"{entry.name}: {gradient}"


def check_same_bits(entry: ActivationInfo, shape: list[int], dtype: torch.dtype, seed: int) -> None:
    """Two runs from one seed give the same bits: value, gradient, and every parameter's gradient."""
    first, second = (one_run(entry, shape, dtype, seed) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.nan_to_num(), other.nan_to_num())


def one_run(entry: ActivationInfo, shape: list[int], dtype: torch.dtype, seed: int) -> list[Tensor]:
    torch.manual_seed(seed)
    module = moved(build(entry, dtype), seed).train()
    x = inputs([*shape, FEATURES], dtype, seed).requires_grad_()
    output = module(x)
    weights = torch.randn(output.shape).to(dtype)
    wanted = [x, *module.parameters()]
    gradients = torch.autograd.grad(output, wanted, weights, allow_unused=True, materialize_grads=True)
    return [output.detach(), *gradients]


@pytest.mark.parametrize("name", rl_acts.names())
@few
@given(shape=leading, dtype=st.sampled_from(DTYPES), seed=seeds)
def test_finite_in_finite_out_and_shape_and_dtype_are_kept(
    name: str, shape: list[int], dtype: torch.dtype, seed: int
) -> None:
    check_finite_and_kept(rl_acts.info(name), shape, dtype, seed)


@pytest.mark.parametrize("name", rl_acts.names())
@few
@given(shape=leading, dtype=st.sampled_from(DTYPES), seed=seeds)
def test_two_runs_of_one_seed_have_the_same_gradients(
    name: str, shape: list[int], dtype: torch.dtype, seed: int
) -> None:
    check_same_bits(rl_acts.info(name), shape, dtype, seed)


class Overflowing(nn.Module):
    """ELU whose dead branch overflows: the value is finite, the gradient is not."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x.exp() - 1)


class Squaring(nn.Module):
    """An intermediate result leaves float16 although the value would not."""

    def forward(self, x: Tensor) -> Tensor:
        return (x * x).sqrt()


class Widening(nn.Module):
    """Gives back float32 whatever comes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().relu()


class Flat(nn.Module):
    """Loses the batch's shape."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().flatten(0, -2)


class Moody(nn.Module):
    """Its gradient depends on how often it was asked."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        type(self).calls += 1
        return x * (1 + self.calls)


class Learnt(nn.Module):
    """Overflows once its exponent has moved away from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.exp(self.power * x.abs()) / torch.exp(self.power * x.abs())


@pytest.mark.parametrize(
    ("cls", "check", "dtype"),
    [
        (Overflowing, check_finite_and_kept, torch.float32),
        (Squaring, check_finite_and_kept, torch.float16),
        (Widening, check_finite_and_kept, torch.bfloat16),
        (Flat, check_finite_and_kept, torch.float64),
        (Learnt, check_finite_and_kept, torch.float32),
        (Moody, check_same_bits, torch.float32),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_property_can_fail(cls: type[nn.Module], check: Callable[..., Any], dtype: torch.dtype) -> None:
    rl_acts.register("toy_broken")(cls)
    try:
        with pytest.raises(AssertionError):
            check(rl_acts.info("toy_broken"), [3, 3], dtype, 1)
    finally:
        rl_acts.unregister("toy_broken")
