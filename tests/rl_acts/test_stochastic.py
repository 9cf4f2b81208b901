"""Noise where it is due and nowhere else: while the own network learns, from the caller's generator."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts

SPECS = ("rrelu", "randomised_smooth_leaky")
X = torch.linspace(-4.0, 4.0, 90)


def made(spec: str, seed: int | None = None) -> nn.Module:
    module = rl_acts.make(spec)
    if seed is not None:
        module.generator = torch.Generator().manual_seed(seed)  # type: ignore[assignment]
    return module


def fixed(spec: str) -> Tensor:
    """Return the evaluation form, from entries without noise."""
    twin = {"rrelu": f"leaky_relu(slope={11 / 48!r})", "randomised_smooth_leaky": "smooth_leaky(alpha=0.75)"}
    return torch.as_tensor(rl_acts.make(twin[spec])(X))


@pytest.mark.parametrize("spec", SPECS)
def test_noise_only_in_training_mode_and_while_gradients_are_recorded(spec: str) -> None:
    module = made(spec, seed=0)
    noisy = module(X)
    assert not torch.allclose(noisy, fixed(spec))
    with torch.no_grad():
        torch.testing.assert_close(module(X), fixed(spec))
    module.eval()
    torch.testing.assert_close(module(X), fixed(spec))
    module.train()
    assert not torch.allclose(module(X), fixed(spec))


@pytest.mark.parametrize("spec", SPECS)
def test_the_callers_generator_decides_and_the_global_one_is_untouched(spec: str) -> None:
    before = torch.get_rng_state()
    first, again, other = made(spec, 3)(X), made(spec, 3)(X), made(spec, 4)(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    made(spec)(X)
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("spec", SPECS)
def test_without_noise_no_generator_moves(spec: str) -> None:
    module = made(spec, seed=0)
    own, everybodys = module.generator.get_state(), torch.get_rng_state()  # type: ignore[union-attr, operator]
    module.eval()(X)
    with torch.no_grad():
        module.train()(X)
    module(X, noise=module.draw(X, torch.Generator()))  # type: ignore[operator]
    assert torch.equal(module.generator.get_state(), own)  # type: ignore[union-attr, operator]
    assert torch.equal(torch.get_rng_state(), everybodys)


@pytest.mark.parametrize("spec", SPECS)
def test_given_noise_is_used_in_every_mode(spec: str) -> None:
    module = made(spec)
    noise = module.draw(X, torch.Generator().manual_seed(1))  # type: ignore[operator]
    learning = module(X, noise=noise)
    assert not torch.allclose(learning, fixed(spec))
    assert torch.equal(module.eval()(X, noise=noise), learning)


@pytest.mark.parametrize("spec", SPECS)
def test_copies_and_pickles_leave_the_generator_behind(spec: str) -> None:
    module = made(spec, seed=0)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301  (our own bytes)
        assert copied.generator is None
        assert torch.equal(copied.eval()(X), made(spec).eval()(X))


def test_the_slopes_of_rrelu_fill_their_bounds_and_differ_by_number() -> None:
    x = torch.full((20_000,), -1.0)
    slopes = -made("rrelu(lower=0.1, upper=0.3)", seed=0)(x)
    assert 0.1 <= slopes.min() < 0.101
    assert 0.299 < slopes.max() <= 0.3 + 1e-7
    assert slopes.mean() == pytest.approx(0.2, abs=2e-3)
    assert torch.equal(made("rrelu", seed=0)(-x), -x)


def test_smooth_leaky_draws_one_slope_for_a_call() -> None:
    module = made("randomised_smooth_leaky(lower=0.1, upper=0.3)", seed=0)
    far_left = torch.full((1000,), -100.0)
    slopes = torch.stack([module(far_left) / -100 for _ in range(300)])
    assert torch.equal(slopes, slopes[:, :1].expand_as(slopes))
    assert 0.1 <= slopes.min() < 0.11
    assert 0.29 < slopes.max() <= 0.3 + 1e-6


@pytest.mark.parametrize("spec", SPECS)
def test_the_gradient_goes_through_the_drawn_slope(spec: str) -> None:
    x = torch.full((5,), -30.0, requires_grad=True)
    value = made(spec, seed=0)(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(slope, value.detach() / -30.0)


@pytest.mark.parametrize("spec", SPECS)
def test_bounds_in_the_wrong_order_are_refused(spec: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=r"lower=0\.95 is not allowed; it must be at most upper="):
        rl_acts.make(f"{spec}(lower=0.95)")
    assert rl_acts.make(f"{spec}(lower=0.2, upper=0.2)")(X).shape == X.shape


@pytest.mark.parametrize(
    ("spec", "shape", "ends"), [("rrelu", (3, 5), (1 / 8, 1 / 3)), ("randomised_smooth_leaky", (), (0.6, 0.9))]
)
def test_noise_is_made_of_uniform_numbers(spec: str, shape: tuple[int, ...], ends: tuple[float, float]) -> None:
    module: Any = made(spec)
    assert module.noise_shape(torch.Size((3, 5))) == torch.Size(shape)
    torch.testing.assert_close(module.from_uniform(torch.tensor([0.0, 1.0])), torch.tensor(ends))
    drawn = module.draw(torch.zeros(3, 5), torch.Generator().manual_seed(2))
    numbers = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    assert torch.equal(drawn, module.from_uniform(numbers))
