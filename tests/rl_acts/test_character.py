"""Computed character: quadrature against closed forms, sampling against exact expectations, and every kind of entry."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts import Activation, ActivationError, LearnableActivation, Noisy, Parameter, Real

HALF_NORMAL_MEAN = 1 / math.sqrt(2 * math.pi)


@pytest.fixture
def register() -> Iterator[Callable[..., str]]:
    """Register a class for one test and take it out afterwards."""
    added: list[str] = []

    def add(cls: type[nn.Module], **declared: Any) -> str:
        name = f"toy_{cls.__name__.lower()}"
        rl_acts.register(name, **declared)(cls)
        added.append(name)
        return name

    yield add
    for name in added:
        rl_acts.unregister(name)


class Hinge(Activation):
    """max(x - shift, 0): a kink wherever it is put."""

    declared = (Parameter("shift", 0.0, Real(other=1.0), "place of the kink"),)

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = self.real("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift).relu()


class Jump(Activation):
    """x below the place, x + 1 from there on."""

    declared = (Parameter("place", 0.0, Real(other=1.0), "place of the jump"),)

    def __init__(self, place: float = 0.0) -> None:
        super().__init__()
        self.place = self.real("place", place)

    def forward(self, x: Tensor) -> Tensor:
        return x + (x >= self.place).to(x.dtype)


class Centred(nn.Module):
    """Context-dependent: each unit less the mean of its layer."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)


class Pair(nn.Module):
    """Doubles the width, as CReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.relu(), (-x).relu()), dim=-1)


class Gate(nn.Module):
    """Halves the width: first half times second half."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return a * b


class NoisyLeaky(Noisy):
    """Noisy slope on the left in training, 1/4 in evaluation."""

    def draw(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.rand(x.shape, generator=generator, dtype=x.dtype)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        noise = self.noise_for(x, noise)
        return torch.where(x > 0, x, (0.25 if noise is None else noise) * x)


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return 0.5 * gradients[0]


class Step(nn.Module):
    """Surrogate gradient 1/2 everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(_Step.apply(x))  # type: ignore[no-untyped-call]


class Scaled(LearnableActivation):
    """A learnt factor, drawn for each unit: units that differ from the start."""

    def __init__(self, features: int | None = None) -> None:
        super().__init__("unit", features)
        self.factor = nn.Parameter(torch.rand(features or 0))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Nothing(nn.Module):
    """The zero function."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.0 * x


@pytest.mark.parametrize("shift", [0.0, -0.2, 1 / 3, -2.71])
def test_a_kink_anywhere_is_integrated_exactly(register: Callable[..., str], shift: float) -> None:
    found = rl_acts.character(f"{register(Hinge)}(shift={shift})")
    density = math.exp(-shift * shift / 2) / math.sqrt(2 * math.pi)
    above = math.erfc(shift / math.sqrt(2)) / 2
    assert found.mean == pytest.approx(density - shift * above, abs=1e-11)
    assert found.second_moment == pytest.approx((1 + shift * shift) * above - shift * density, abs=1e-11)
    assert found.negative_slope == pytest.approx(2 * max(above - 0.5, 0.0), abs=1e-11)
    assert found.dead_band == pytest.approx((10 + shift) / 20, abs=1e-12)
    assert (found.lipschitz, found.monotone, found.sampled) == (1.0, True, False)


@pytest.mark.parametrize("place", [0.0, 0.3, -1 / 3])
def test_a_jump_anywhere_is_integrated_exactly_and_has_no_lipschitz_bound(
    register: Callable[..., str], place: float
) -> None:
    found = rl_acts.character(f"{register(Jump)}(place={place})")
    assert found.mean == pytest.approx(math.erfc(place / math.sqrt(2)) / 2, abs=1e-11)
    assert found.lipschitz == math.inf
    assert found.slope_highest is not None
    assert found.slope_highest.value == 1.0
    assert found.monotone


@pytest.mark.parametrize(
    ("name", "lipschitz"),
    [("tanh", 1.0), ("hardswish", 1.5), ("relu_squared", math.inf), ("sigmoid", 0.25), ("swim(k=3)", 1.0443310540)],
)
def test_lipschitz_bound(name: str, lipschitz: float) -> None:
    assert rl_acts.character(name).lipschitz == pytest.approx(lipschitz, abs=5e-11)


def test_dead_bands_are_those_that_the_slopes_give() -> None:
    # |f'| < 1e-3: sigmoid beyond |x| = 6.9058, tanh beyond 4.1473, both solved from the slope in closed form.
    sigmoid = math.log((1 + math.sqrt(1 - 4e-3)) / (1 - math.sqrt(1 - 4e-3)))
    assert rl_acts.character("sigmoid").dead_band == pytest.approx(1 - sigmoid / 10, abs=1e-12)
    assert rl_acts.character("tanh").dead_band == pytest.approx(1 - math.atanh(math.sqrt(1 - 1e-3)) / 10, abs=1e-12)
    assert rl_acts.character("leaky_relu").dead_band == 0.0


def test_slopes_that_grow_like_a_logarithm_have_no_bound(register: Callable[..., str]) -> None:
    class SlowGrowth(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.log1p(x * x)

    found = rl_acts.character(register(SlowGrowth))
    assert found.lipschitz == math.inf
    assert found.slope_lowest is not None
    assert (found.slope_lowest.value, found.slope_lowest.at) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_limits_are_reached_far_out_and_minima_near() -> None:
    swim = rl_acts.character("swim")
    assert swim.lowest is not None
    assert swim.lowest.value == pytest.approx(-0.1501415530 / 0.5, abs=1e-10)
    assert swim.lowest.at == pytest.approx(-0.7861513778 / 0.5, abs=1e-7)
    assert swim.highest == rl_acts.Extreme(math.inf, math.inf)
    assert rl_acts.character("elu").lowest == rl_acts.Extreme(-1.0, -math.inf)


def test_mixing_units_is_sampled_with_its_standard_error(register: Callable[..., str]) -> None:
    found = rl_acts.character(register(Centred, elementwise=False), 8)
    assert found.sampled
    assert not found.elementwise
    assert found.second_moment_error is not None
    assert 1e-4 < found.second_moment_error < 1e-2
    assert abs(found.second_moment - 7 / 8) < 4 * found.second_moment_error
    assert found.gain_error == pytest.approx(found.gain**3 / 2 * found.second_moment_error)
    assert found.negative_slope == pytest.approx(7 / 8)
    assert found.lipschitz == pytest.approx(1.0)
    assert (found.dead_band, found.monotone, found.lowest, found.slope_highest) == (None, None, None, None)


def test_the_standard_error_is_that_of_independent_vectors(register: Callable[..., str]) -> None:
    class First(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[..., :1].expand_as(x)

    # All 64 numbers of a vector are one draw: E[f^2] over 32768 vectors has the error sqrt(2 / 32768).
    found = rl_acts.character(register(First, elementwise=False), 64)
    assert found.second_moment_error == pytest.approx(math.sqrt(2 / 32768), rel=0.05)


@pytest.mark.parametrize(("cls", "second_moment"), [(Pair, 0.5), (Gate, 1.0)])
def test_changed_widths_are_sampled(register: Callable[..., str], cls: type[nn.Module], second_moment: float) -> None:
    found = rl_acts.character(register(cls, elementwise=False))
    assert found.second_moment_error is not None
    assert abs(found.second_moment - second_moment) < 4 * found.second_moment_error
    assert found.negative_slope is None
    # Each input of the pair moves one output by itself.
    assert found.lipschitz == pytest.approx(1.0) if cls is Pair else found.lipschitz > 1


def test_noise_has_no_part_in_it(register: Callable[..., str]) -> None:
    found = rl_acts.character(register(NoisyLeaky, stochastic=True))
    assert found.second_moment == pytest.approx((1 + 0.25**2) / 2, abs=1e-12)
    assert found.negative_slope == pytest.approx(0.25, abs=1e-12)


def test_a_surrogate_gives_the_slopes_and_says_so(register: Callable[..., str]) -> None:
    found = rl_acts.character(register(Step, surrogate=True, smoothness="discontinuous"))
    assert found.surrogate
    assert (found.mean, found.lipschitz, found.negative_slope) == pytest.approx((0.5, 0.5, 0.5), abs=1e-12)
    assert found.monotone


def test_units_that_start_apart_are_sampled(register: Callable[..., str]) -> None:
    name = register(Scaled)
    found = rl_acts.character(name, 16)
    assert found.sampled
    assert found == rl_acts.character(name, 16)
    assert found.parameters == 16


def test_extra_parameters() -> None:
    assert rl_acts.character("relu").parameters == 0
    assert rl_acts.character("prelu", 32).parameters == 1
    assert rl_acts.character("prelu(per=unit)", 32).parameters == 32
    assert rl_acts.character("prelu(per=unit)").parameters == rl_acts.character("relu").features == 64


def test_a_width_that_is_no_divisor_changes_nothing() -> None:
    assert rl_acts.character("swish_learnable(per=unit)", 7).mean == rl_acts.character("swish").mean


def test_classes_and_callables_are_judged_by_what_they_do() -> None:
    relu = rl_acts.character(nn.ReLU)
    assert (relu.spec, relu.sampled) == ("ReLU", False)
    assert relu.mean == pytest.approx(HALF_NORMAL_MEAN, abs=1e-13)
    assert rl_acts.character(rl_acts.Swim).mean == rl_acts.character("swim").mean
    assert rl_acts.character(lambda features: nn.LayerNorm(features or 1)).sampled
    assert rl_acts.character(lambda _features: Pair()).negative_slope is None


def test_nothing_is_left_changed() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.inference_mode():
        inside = rl_acts.character("swim")
    assert inside == rl_acts.character({"name": "swim"})
    rl_acts.character(lambda features: nn.Linear(features or 1, features or 1))
    rl_acts.init_gain("selu")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() is torch.float32


def test_init_gain() -> None:
    assert rl_acts.init_gain("selu") == pytest.approx(1.0, abs=1e-12)
    assert rl_acts.init_gain("prelu(slope=1, per=unit)", 12) == pytest.approx(1.0, abs=1e-12)
    assert rl_acts.init_gain("relu") == rl_acts.character("relu").gain


@pytest.mark.parametrize(
    ("spec", "features", "message"),
    [
        ("swimm", None, "Unknown activation 'swimm'"),
        ("swim", 0, "features=0 is not allowed; it must be a whole number from 1 on"),
        ("swim", True, "features=True is not allowed"),
        (Nothing, None, r"Nothing: E\[f\(z\)\^2\] = 0 under N\(0, 1\), so it has no gain"),
    ],
)
def test_refusals(spec: Any, features: Any, message: str) -> None:
    with pytest.raises(ActivationError, match=message):
        rl_acts.init_gain(spec, features)


def test_the_zero_function_has_no_finite_gain() -> None:
    assert rl_acts.character(Nothing).gain == math.inf
