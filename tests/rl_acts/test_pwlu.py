"""PWLU: its two phases, what it learns, and target networks that follow the realignment."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from stable_baselines3 import SAC, TD3
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import rl_acts
import rl_acts.sb3
from rl_acts import PWLU, ActivationInfo, Parameter, Whole
from tests.rl_acts import contract


class PWLULearning(PWLU):
    """Without a warm-up, so that the contract sees phase 1."""

    declared = (
        PWLU.declared[0],
        Parameter("warm_up", 0, Whole(other=3, minimum=0), "training calls that collect statistics"),
        *PWLU.declared[2:],
    )

    def __init__(
        self, n: int = 16, warm_up: int = 0, bound: float = 3.0, per: str = "layer", features: int | None = None
    ) -> None:
        super().__init__(n, warm_up, bound, per, features)


@pytest.fixture
def learning() -> Iterator[ActivationInfo]:
    declared: dict[str, Any] = {
        "stateful": True,
        "range": (0.0, float("inf")),
        "derivative_range": (0.0, 1.0),
        "learnt_numbers": rl_acts.info("pwlu").learnt_numbers,
    }
    rl_acts.register("toy_pwlu", **declared)(PWLULearning)
    yield rl_acts.info("toy_pwlu")
    rl_acts.unregister("toy_pwlu")


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
def test_phase_1_keeps_the_contract(learning: ActivationInfo, check: Callable[[ActivationInfo], None]) -> None:
    check(learning)


@pytest.mark.exhaustive
def test_phase_1_compiles(learning: ActivationInfo) -> None:
    contract.check_compile(learning)


def batches(count: int, rows: int = 32, features: int = 4) -> Tensor:
    return 3.0 + 2.0 * torch.randn(count, rows, features, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("per", ["layer", "unit"])
def test_phase_0_is_relu_and_learns_nothing(per: str) -> None:
    module = PWLU(warm_up=3, per=per, features=4)
    for x in batches(3):
        x.requires_grad_()
        value = module(x)
        assert torch.equal(value, x.relu())
        value.square().sum().backward()
        assert all(float(p.grad.abs().sum()) == 0 for p in module.parameters() if p.grad is not None)
        assert all(p.grad is not None for p in module.parameters())
        assert x.grad is not None
        assert torch.equal(x.grad, 2 * x.detach().relu())
    assert int(module.phase) == 1


def test_statistics_are_the_running_ones_and_stop() -> None:
    layer, unit = PWLU(warm_up=4), PWLU(warm_up=4, per="unit", features=4)
    mu, s, of_units = 0.0, 1.0, torch.zeros(4)
    for x in batches(6):
        if int(layer.calls) < 4:
            mu, s = 0.9 * mu + 0.1 * x.mean().item(), 0.9 * s + 0.1 * x.std(correction=0).item()
            of_units = 0.9 * of_units + 0.1 * x.mean(0)
        layer(x)
        unit(x)
    assert layer.mu.item() == pytest.approx(mu, rel=1e-5)
    assert layer.s.item() == pytest.approx(s, rel=1e-5)
    torch.testing.assert_close(unit.mu, of_units)
    assert (int(layer.calls), int(layer.phase)) == (4, 1)
    ends, heights = layer.knots()
    assert [ends[0].item(), ends[-1].item()] == pytest.approx([mu - 3 * s, mu + 3 * s], rel=1e-5)
    assert torch.equal(heights, ends.relu())
    assert unit.knots()[0].shape == (4, 17)


def test_only_training_calls_with_gradients_count() -> None:
    module = PWLU(warm_up=3)
    module.eval()(torch.ones(2, 4))
    with torch.no_grad():
        module.train()(torch.ones(2, 4))
    module(torch.ones(0, 4))
    assert (int(module.calls), module.mu.item()) == (0, 0.0)
    module(torch.ones(2, 4))
    assert int(module.calls) == 1


def test_realigned_it_is_near_relu_and_then_learns_each_number() -> None:
    module = PWLU(warm_up=1, n=7, per="unit", features=4)
    module(batches(1)[0])
    x = torch.linspace(-20, 20, 4001).unsqueeze(-1).expand(-1, 4)
    ends, _ = module.knots()
    d = (ends[:, 1] - ends[:, 0]).detach()
    gap = (module.eval()(x) - x.relu()).abs().amax(0)
    assert (gap <= d / 4 + 1e-5).all()
    assert (gap > 0.01).all()
    (module(x) + 1.0).square().sum().backward()
    assert all((p.grad != 0).any() for p in module.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in module.parameters())


def test_a_realigned_row_never_depends_on_its_batch() -> None:
    module = PWLU(warm_up=1)
    x = batches(1)[0]
    together, alone = copy.deepcopy(module), copy.deepcopy(module)
    assert torch.equal(together(x)[:1], alone(x[:1]))


def test_formula_with_every_number_moved() -> None:
    module = PWLU(n=2, warm_up=0, bound=2.0)
    with torch.no_grad():
        module.low_change.fill_(0.5)
        module.high_change.fill_(1.0)
        module.left_change.fill_(-0.25)
        module.right_change.fill_(1.0)
        module.heights_change.copy_(torch.tensor([1.0, 2.0, -3.0]))
    # Ends -1.5, 0.75, 3; heights relu(-2) + 1, relu(0) + 2, relu(2) - 3; slopes -1/4 and 2.
    x = torch.tensor([-3.5, -1.5, -0.375, 0.75, 1.875, 3.0, 4.0])
    torch.testing.assert_close(module(x), torch.tensor([1.5, 1.0, 1.5, 2.0, 0.5, -1.0, 1.0]))
    torch.testing.assert_close(
        contract.derivative(module, x), torch.tensor([-0.25, 4 / 9, 4 / 9, -4 / 3, -4 / 3, 2.0, 2.0])
    )


def test_collapsed_statistics_nan_and_half_precision() -> None:
    module = PWLU(warm_up=1)
    with torch.no_grad():
        module.s.fill_(0.0)
    module(torch.zeros(8, 4))
    ends, _ = module.knots()
    assert (ends[-1] - ends[0]).item() == pytest.approx(16 * 1e-3)
    assert torch.equal(module(torch.tensor([-2.0, 5.0])), torch.tensor([0.0, 5.0]))
    assert module.eval()(torch.tensor([float("nan")])).isnan().all()
    for dtype in (torch.float16, torch.bfloat16):
        half = PWLU(warm_up=0).to(dtype)
        x = torch.tensor([-1e4, -1.0, 1.0, 1e4], dtype=dtype, requires_grad=True)
        value = half(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
        assert torch.equal(value, x.relu())
        assert torch.equal(gradient, torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=dtype))


@pytest.mark.parametrize("per", ["layer", "unit"])
def test_stacked_runs_keep_their_buffers_apart(per: str) -> None:
    modules = [PWLU(warm_up=warm, per=per, features=4) for warm in (3, 3, 3)]
    for module, shift in zip(modules, (0.0, 5.0, -5.0), strict=True):
        for x in batches(2 if shift else 3):
            module(x + shift)
    alone = [copy.deepcopy(module) for module in modules]
    parameters, buffers = stack_module_state(modules)
    x = batches(3)

    def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.as_tensor(functional_call(modules[0], (parameters, buffers), (x,)))

    pure = vmap(modules[0].advance)(x, buffers)
    assert buffers["calls"].tolist() == [3, 2, 2]
    values = vmap(one)(parameters, buffers, x)
    for index, module in enumerate(alone):
        torch.testing.assert_close(values[index], module(x[index]))
        for name, expected in module.named_buffers():
            torch.testing.assert_close(buffers[name][index], expected)
            torch.testing.assert_close(pure[name][index], expected)


def test_an_engine_that_replaces_the_buffers_gets_the_same() -> None:
    module, engine = PWLU(warm_up=2), PWLU(warm_up=2).eval()
    buffers = dict(engine.named_buffers())
    with torch.no_grad():
        for parameters in (module.parameters(), engine.parameters()):
            for parameter in parameters:
                parameter.fill_(0.1)
    learnt = dict(engine.named_parameters())

    def loss(learnt: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.as_tensor(functional_call(engine, {**learnt, **buffers}, (x,))).square().sum()

    for x in batches(4):
        expected = torch.autograd.grad(module(x).square().sum(), list(module.parameters()))
        gradients = torch.func.grad(loss)({name: p.detach() for name, p in learnt.items()}, buffers, x)
        buffers = engine.advance(x, buffers)
        for ours, theirs in zip(gradients.values(), expected, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert int(buffers["phase"]) == int(module.phase) == 1
    assert int(engine.calls) == 0


def _pairs(model: Any) -> list[tuple[Any, Any]]:
    pairs = list(zip(model.critic.q_networks, model.critic_target.q_networks, strict=True))
    return pairs + ([(model.actor.mu, model.actor_target.mu)] if isinstance(model, TD3) else [])


def _model(name: str, activation: str, **arguments: Any) -> Any:
    cls, policy = {"TD3": (TD3, rl_acts.sb3.TD3Policy), "SAC": (SAC, rl_acts.sb3.SACPolicy)}[name]
    model: Any = cls(
        policy,
        "InvertedPendulum-v5",
        learning_rate=1e-2,
        learning_starts=40,
        batch_size=16,
        buffer_size=500,
        device="cpu",
        seed=0,
        policy_kwargs={"net_arch": [8, 8], "actor_activation": activation, "critic_activation": activation},
        **arguments,
    )
    # Fills the replay memory and sets the logger up, without an update.
    return model.learn(40)


def _see_next_state(model: Any) -> None:
    with torch.no_grad():
        model.critic_target(torch.zeros(3, 4), torch.zeros(3, 1))
        if isinstance(model, TD3):
            model.actor_target(torch.zeros(3, 4))


@pytest.mark.parametrize("name", ["TD3", "SAC"])
@pytest.mark.parametrize("activation", ["pwlu(warm_up={})", "taaf(base='pwlu(warm_up={})')"])
def test_targets_have_the_realigned_function_in_the_same_step(name: str, activation: str) -> None:
    x = torch.linspace(-6, 6, 241).unsqueeze(-1).expand(-1, 8)
    for warm_up in (3, 4):
        model = _model(name, activation.format(warm_up))
        realigned: set[tuple[int, int]] = set()
        for _ in range(10):
            model.train(1, 16)
            _see_next_state(model)
            for network, (online, target) in enumerate(_pairs(model)):
                for layer in (1, 3):
                    ours, theirs = (net[layer].phi if "taaf" in activation else net[layer] for net in (online, target))
                    assert int(ours.phase) == int(theirs.phase)
                    if int(ours.phase) and (network, layer) not in realigned:
                        realigned.add((network, layer))
                        with torch.no_grad():
                            assert torch.equal(ours.eval()(x), theirs(x))
                            assert not torch.equal(theirs(x), x.relu())
                        ours.train()
        assert len(realigned) == 2 * len(_pairs(model))
        moved = [net[1].phi if "taaf" in activation else net[1] for net in model.critic.q_networks]
        assert all(float(module.heights_change.detach().abs().max()) > 0 for module in moved)


class Rewriting(nn.Module):
    """Sets its parameter anew at its third training call, and says so by its phase."""

    phase: Tensor
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("phase", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            with torch.no_grad():
                self.calls += 1
                self.slope.copy_(torch.where(self.calls == 3, 5.0, self.slope))
                self.phase.copy_(self.calls >= 3)
        return self.slope * x


def test_parameters_that_an_activation_rewrites_are_copied_once() -> None:
    rl_acts.register("toy_rewriting", stateful=True)(Rewriting)
    try:
        model = _model("SAC", "toy_rewriting")
    finally:
        rl_acts.unregister("toy_rewriting")
    slopes = []
    for _ in range(4):
        model.train(1, 16)
        before = [net[1].slope.item() for net in model.critic_target.q_networks]
        _see_next_state(model)
        slopes.append([(net[1].slope.item(), copy[1].slope.item()) for net, copy in _pairs(model)] + [before])
    # Two calls of the critics an update: the first of the second update rewrites.
    first, second, third, _ = slopes
    assert all(target != online for online, target in first[:2])
    assert all(online > 4 and target == online for online, target in second[:2])
    assert all(old < 2 for old in second[2])
    assert all(target != online for online, target in third[:2])
