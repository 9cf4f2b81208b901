"""Activations with noise, with state, with another width, and of whole rows, in networks."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from agents.activation_noise import ActivationDraws, no_noise
from agents.config import ConfigError
from agents.layout import shapes_of
from agents.learner import Member
from agents.network import PopulationNetwork
from agents.philox import Stream, uniform, words
from tests.agents.kinds import KINDS, PHASE_AFTER, Doubling, Halving, OfTheRow, build, registered, uniforms_of
from tests.agents.reference import our_learner, random_batch, random_noise


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


# Both ways through networks


@pytest.mark.parametrize("per_run", [1, 2])
def test_both_ways_agree_where_networks_learn(per_run: int) -> None:
    specs = [
        "rrelu",
        "two_phase",
        "two_phase",
        "relu",
        "pwlu(warm_up=3, per=net)",
        "randomised_smooth_leaky",
        "rrelu",
        "assigning",
        "of_the_row",
        "rational_noisy",
    ]
    explicit, plain = build(specs, per_run), build(specs, per_run, plain=True)
    x = torch.randn(len(specs), 32, 5, generator=torch.Generator().manual_seed(1))
    for number in range(1, PHASE_AFTER + 3):
        uniforms = uniforms_of(explicit, 32, number)
        found = []
        for network in (explicit, plain):
            values = network(x, uniforms=uniforms)
            found.append([values.detach(), *torch.autograd.grad(values.square().sum(), network.parameters())])
        for ours, theirs in zip(*found, strict=True):
            assert float((ours - theirs).norm()) <= 1e-5 * max(1.0, float(theirs.norm()))
        for ours, theirs in zip(explicit.buffers(), plain.buffers(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_learns_as_its_own_modules_do(kind: str, plain: bool) -> None:
    network = build([kind, "relu", kind, kind], 2, plain=plain)
    x = torch.randn(4, 24, 5, generator=torch.Generator().manual_seed(1))
    copies = [network.module(index) for index in range(8)]
    for number in range(1, PHASE_AFTER + 2):
        uniforms = uniforms_of(network, 24, number)
        values = network(x, uniforms=uniforms)
        for index, single in enumerate(copies):
            single.train()
            for part in single.modules():
                part.training = not isinstance(part, nn.Dropout)
            place = next(place for place, group in enumerate(network.groups) if group.start <= index < group.stop)
            h = x[index // 2]
            for layer, module in enumerate(single):
                group, hidden = network.groups[place], layer // 2
                if layer % 2 and hidden in group.noisy:
                    drawn = uniforms[place][group.noisy.index(hidden)][index - group.start]
                    h = module(h, module.from_uniform(drawn))  # type: ignore[operator]
                else:
                    h = module(h)
            torch.testing.assert_close(values[index // 2, index % 2], h, rtol=1e-5, atol=1e-6)
            for ours, theirs in zip(network.module(index).buffers(), single.buffers(), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("plain", [False, True])
def test_only_the_pass_that_learns_draws_and_changes_state(plain: bool) -> None:
    network = build(["rrelu", "two_phase", "assigning"], 2, plain=plain)
    x = torch.randn(3, 16, 5)
    before = [buffer.clone() for buffer in network.buffers()]
    values = network(x)
    fixed = build([f"leaky_relu(slope={11 / 48!r})", "two_phase", "assigning"], 2)
    torch.testing.assert_close(values, fixed(x))
    network(x, learn=False)
    network(x, first=True)
    with torch.no_grad():
        assert torch.allclose(network(x), values, atol=1e-6)
    assert all(torch.equal(old, new) for old, new in zip(before, network.buffers(), strict=True))
    learning = network(x, uniforms=uniforms_of(network, 16))
    assert not torch.allclose(learning[0], values[0])
    # Two layers of TwoPhase (mean, calls, phase) and two of the other.
    assert [buffer.tolist() for buffer in network.buffers() if buffer.dtype == torch.int64] == [[1, 1], [0, 0]] * 2
    assert all(bool((buffer != 0).all()) for buffer in network.buffers() if buffer.is_floating_point())


@pytest.mark.parametrize("plain", [False, True])
def test_targets_take_over_buffers_and_rewritten_values(plain: bool) -> None:
    online, target = build(["two_phase", "swim_learnable"], plain=plain), build(["two_phase", "swim_learnable"])
    flat = target.groups[0].flat
    assert flat is not None
    for calls in range(1, PHASE_AFTER + 2):
        online(torch.randn(2, 16, 5), uniforms=no_noise(online))
        with torch.no_grad():
            flat.fill_(7.0)
            target.follow(online)
        taken = online.module(0)[1].slope if calls == PHASE_AFTER else torch.tensor(7.0)
        assert torch.equal(target.module(0)[1].slope, taken)  # type: ignore[arg-type]
        for own, theirs in zip(target.buffers(), online.buffers(), strict=True):
            assert torch.equal(own, theirs)


def test_no_module_shares_its_state_with_a_copy() -> None:
    network = build(["two_phase", "two_phase"])
    copied = network.module(1)
    network(torch.randn(2, 16, 5), uniforms=no_noise(network))
    assert int(copied[1].get_buffer("calls")) == 0
    assert int(network.module(1)[1].get_buffer("calls")) == 1


def test_a_population_that_draws_must_be_given_numbers() -> None:
    network = build(["rrelu"])
    with pytest.raises(ValueError, match="shorter"):
        network(torch.randn(1, 4, 5), uniforms=no_noise(network))


class Drawing(nn.Module):
    def draw(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.rand(x.shape, generator=generator)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        return x if noise is None else x + noise


def test_noise_that_no_counter_can_make_is_refused() -> None:
    rl_acts.register("drawing", stochastic=True)(Drawing)
    try:
        with pytest.raises(
            rl_acts.ActivationError, match="Drawing draws noise and has no noise_shape and no from_unif"
        ):
            build(["drawing"])
    finally:
        rl_acts.unregister("drawing")
    inside = nn.Sequential(nn.Linear(2, 2), nn.ModuleList([rl_acts.RReLU()]), nn.Linear(2, 1))
    with pytest.raises(rl_acts.ActivationError, match="ModuleList has RReLU inside, which draws noise"):
        PopulationNetwork([[inside]], ["a"])


# Widths


def widths_network(first: nn.Module, second: nn.Module) -> nn.Sequential:
    # Doubling: 8 to 16; halving: 12 to 6.
    return nn.Sequential(nn.Linear(5, 8), first, nn.Linear(16, 12), second, nn.Linear(6, 2))


@pytest.mark.parametrize("plain", [False, True])
def test_layers_of_any_shapes(plain: bool) -> None:
    torch.manual_seed(0)
    singles = [widths_network(Doubling(), Halving()) for _ in range(3)]
    network = PopulationNetwork([[single] for single in copy.deepcopy(singles)], ["a"] * 3, plain=plain)
    assert network.layout.shapes == ((5, 8), (16, 12), (6, 2))
    assert network.layout.hidden == (8, 12, 16, 6)
    x = torch.randn(3, 7, 5)
    values = network(x)
    assert values.shape == (3, 1, 7, 2)
    gradients = torch.autograd.grad(values.square().sum(), network.parameters())[0]
    for index, single in enumerate(singles):
        torch.testing.assert_close(values[index, 0], single(x[index]), rtol=1e-5, atol=1e-6)
        single(x[index]).square().sum().backward()
        own = network.layout.views(gradients[index : index + 1])
        for (weight, bias), linear in zip(own, (single[0], single[2], single[4]), strict=True):
            torch.testing.assert_close(weight[0].T, linear.weight.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(bias[0, 0], linear.bias.grad, rtol=1e-4, atol=1e-5)
        assert shapes_of(network.module(index)) == network.layout.shapes
        torch.testing.assert_close(network.module(index)(x[index]), single(x[index]))


@pytest.mark.parametrize("rows", [7, 32])
@pytest.mark.parametrize("make_pair", [lambda: (Doubling(), Halving()), lambda: (Doubling(), Gate())])
def test_other_shapes_have_the_same_bits_alone_and_among_others(make_pair: Any, rows: int) -> None:
    torch.manual_seed(0)
    singles = [widths_network(*make_pair()) for _ in range(5)]
    x = torch.randn(5, rows, 5)
    many = PopulationNetwork([[single] for single in copy.deepcopy(singles)], ["a"] * 5)
    alone = PopulationNetwork([[copy.deepcopy(singles[3])]], ["a"])
    found = []
    for network, part in ((many, x), (alone, x[3:4])):
        values = network(part)
        gradients = torch.autograd.grad(values.square().sum(), network.parameters())
        found.append([values, *gradients])
    for ours, single in zip(*found, strict=True):
        assert torch.equal(ours[3], single[0])


class Gate(nn.Module):
    """Halves the width, and is a function of the row with learnt values."""

    def __init__(self) -> None:
        super().__init__()
        self.row = OfTheRow(12)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(Halving()(self.row(x)))


def test_members_with_other_shapes_are_refused() -> None:
    message = (
        r"the critic activation 'relu' they are 10 x 8, 8 x 1, and with 'glu' they are 10 x 16, 8 x 1: one changes "
        "the width. Put them in separate populations."
    )
    with pytest.raises(ConfigError, match=message):
        our_learner("td3", [Member("relu", "relu", 0), Member("relu", "glu", 1)], torch.float32, net_arch=[8])


# Numbers


def test_the_numbers_are_the_streams() -> None:
    network = build(["relu", ["relu", "rrelu"], "rrelu"], 2)
    draws = ActivationDraws(network, network, [4, 5, 2**32 - 1], 8, torch.device("cpu"), torch.float32)
    found = draws.at(9, actor=True)
    assert [[tuple(each.shape) for each in group] for group in found.critic] == [
        [],
        [(2, 8, 9)],
        [(2, 8, 12), (2, 8, 9)],
    ]
    # Second critic of the third run, first layer: part (1 + 1) 4096 + 0 of the stream.
    bits = words(
        torch.tensor([2**32 - 1]), Stream.ACTIVATION, torch.tensor([9]), 8 * 12, torch.tensor([2 * 4096])
    ).view(8, 12)
    assert torch.equal(found.critic[2][0][1], uniform(bits, torch.float32))
    on_device = draws.at(torch.tensor([9]), actor=True)
    for one, other in zip(found.actor + found.critic, on_device.actor + on_device.critic, strict=True):
        assert all(torch.equal(first, second) for first, second in zip(one, other, strict=True))
    assert draws.at(9, actor=False).actor == ((), (), ())


def test_parts_of_a_stream_are_what_they_are_alone() -> None:
    seeds, steps = torch.tensor([3, 4]), torch.tensor([0, 2**33])
    together = words(seeds, Stream.ACTIVATION, steps, 6, torch.tensor([0, 5, 2**24 - 1]))
    assert together.shape == (2, 2, 18)
    assert torch.equal(together[..., :6], words(seeds, Stream.ACTIVATION, steps, 6))
    assert torch.equal(together[..., 6:10], words(seeds, Stream.ACTIVATION, steps, 4, torch.tensor([5])))
    assert len(set(together.flatten().tolist())) == together.numel()
    # The counter's last word is the stream below the part.
    assert int(Stream.ACTIVATION) == 6


def test_numbers_differ_between_updates_runs_networks_and_layers_and_have_range_and_mean() -> None:
    network = build(["rrelu", "rrelu"], 2)
    drawn = [uniforms_of(network, 256, number)[0] for number in (1, 2)]
    every = [layer[index] for update in drawn for layer in update for index in range(4)]
    shortest = min(each.numel() for each in every)
    flat = torch.stack([each.flatten()[:shortest] for each in every])
    correlations = torch.corrcoef(flat) - torch.eye(len(flat))
    # 2304 pairs each: the standard error is 0.021.
    assert float(correlations.abs().max()) < 0.1
    together = torch.cat([each.flatten() for each in every])
    assert 0.0 < float(together.min()) < 1e-3
    assert 1 - 1e-3 < float(together.max()) < 1.0
    # 43008 numbers: the standard errors of mean and variance are 0.0014 and 0.0004.
    assert abs(float(together.mean()) - 0.5) < 5 * 12**-0.5 / math.sqrt(len(together))
    assert abs(float(together.var()) - 1 / 12) < 0.002
    slopes = rl_acts.RReLU().from_uniform(together)
    assert 1 / 8 < float(slopes.min()) < 0.126
    assert 0.332 < float(slopes.max()) < 1 / 3
    same = uniforms_of(network, 256, 1, seeds=[0, 0])[0][0]
    assert torch.equal(same[:2], same[2:])


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_an_update_draws_where_the_own_network_learns_and_nowhere_else(algorithm: str) -> None:
    given: list[tuple[str, bool]] = []
    learner = our_learner(algorithm, [Member("rrelu", "rrelu", 0)], torch.float32, net_arch=[8])
    for name in ("actor", "critic", "actor_target", "critic_target"):
        network = getattr(learner, name, None)
        if network is not None:
            setattr(learner, name, _Watched(name, network, given))
    draws = ActivationDraws(learner.actor, learner.critic, [0], 48, torch.device("cpu"), torch.float32)
    learner.update(
        random_batch(1, torch.float32, 0), random_noise(1, torch.float32, 0), draws.at(2, actor=True), delayed=True
    )
    if algorithm == "td3":
        expected = [
            ("actor_target", False), ("critic_target", False), ("critic", True), ("actor", True), ("critic", False)
        ]  # fmt: skip
    else:
        expected = [
            ("actor", True), ("actor", False), ("critic_target", False), ("critic", True), ("critic", False)
        ]  # fmt: skip
    assert given == expected


class _Watched:
    """Passes everything on and notes which calls were given numbers."""

    def __init__(self, name: str, network: PopulationNetwork, given: list[tuple[str, bool]]) -> None:
        self._name, self._network, self._given = name, network, given

    def __call__(self, *inputs: Tensor, **keywords: Any) -> Tensor:
        self._given.append((self._name, keywords.get("uniforms") is not None))
        return self._network(*inputs, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def follow(self, online: Any) -> None:
        self._network.follow(online._network)
