"""Networks around activations that change the width: what is kept, in the builder and in the policies."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3 import SAC, TD3
from torch import nn

import rl_acts
import rl_acts.sb3
from rl_acts import ActivationError

SMALL: dict[str, Any] = {"learning_starts": 20, "batch_size": 16, "buffer_size": 500, "device": "cpu", "seed": 0}


def shapes(network: nn.Module) -> list[tuple[int, int]]:
    assert isinstance(network, nn.Sequential)
    return [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)]


def count(pairs: list[tuple[int, int]], bias: bool = True) -> int:
    return sum((inside + bias) * outside for inside, outside in pairs)


def _glu(features: int | None) -> nn.Module:
    return rl_acts.GLU(features)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("swiglu", [(3, 16), (8, 12), (6, 2)]),
        ("crelu", [(3, 4), (8, 3), (6, 2)]),
        (["bilinear", "deep_fourier"], [(3, 16), (8, 3), (6, 2)]),
        (["relu", rl_acts.CReLU], [(3, 8), (8, 3), (6, 2)]),
        (_glu, [(3, 16), (8, 12), (6, 2)]),
    ],
)
def test_by_default_the_sizes_are_the_widths_behind(activation: Any, expected: list[tuple[int, int]]) -> None:
    network = rl_acts.mlp([3, 8, 6, 2], activation)
    assert shapes(network) == expected
    assert network(torch.zeros(5, 3)).shape == (5, 2)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        # 17 x 256 + 256 x 256 + 256 x 6 and biases: a gate leaves 0.70, a doubling makes 1.42 of the width.
        ("swiglu", [(17, 358), (179, 356), (178, 6)]),
        ("crelu", [(17, 182), (364, 182), (364, 6)]),
        (["relu", "crelu"], [(17, 256), (256, 250), (500, 6)]),
        ("swim", [(17, 256), (256, 256), (256, 6)]),
    ],
)
def test_keeping_the_parameters(activation: Any, expected: list[tuple[int, int]]) -> None:
    network = rl_acts.mlp([17, 256, 256, 6], activation, keep="parameters")
    assert shapes(network) == expected
    plain = count([(17, 256), (256, 256), (256, 6)])
    assert 0.995 * plain < count(expected) <= plain
    assert network(torch.zeros(5, 17)).shape == (5, 6)


@given(
    sizes=st.lists(st.integers(6, 40), min_size=3, max_size=5),
    names=st.lists(st.sampled_from(["relu", "reglu", "crelu"]), min_size=3, max_size=3),
    bias=st.booleans(),
)
def test_the_parameters_are_the_most_that_fit(sizes: list[int], names: list[str], bias: bool) -> None:
    activations = names[: len(sizes) - 2]
    network = rl_acts.mlp(sizes, list(activations), keep="parameters", bias=bias)
    found = shapes(network)
    most = count(list(itertools.pairwise(sizes)), bias)
    assert count(found, bias) <= most
    for layer, name in enumerate(activations):
        if name == "relu":
            assert found[layer][1] == sizes[layer + 1]
            continue
        # One step more of this layer, and it is too much: a gate takes two numbers for one, a doubling one for two.
        before, behind = (2, 1) if name == "reglu" else (1, 2)
        grown = [*found]
        grown[layer] = (grown[layer][0], grown[layer][1] + before)
        grown[layer + 1] = (grown[layer + 1][0] + behind, grown[layer + 1][1])
        assert count(grown, bias) > most


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (([3, 7, 2], "crelu"), "crelu multiplies the width by 2, so a hidden layer of width 7 cannot be made"),
        (
            ([3, 8, 2], "relu", {"keep": "depth"}),
            "mlp: keep='depth' is not allowed; keep must be one of 'width', 'para",
        ),
        (([3, 8, 2], "relu", {"output_activation": "glu"}), "output_activation='glu' is not allowed: it changes"),
        (([1, 1, 1], "glu", {"keep": "parameters"}), "keep='parameters' cannot fit widths [1]: even the smallest"),
        (([3, 4, 6, 1], "lslu(per=net)"), "per='net' means one object behind every hidden layer, but 'lslu(per=net)'"),
    ],
)
def test_refuses(arguments: tuple[Any, ...], part: str) -> None:
    sizes, activation, *rest = arguments
    with pytest.raises(ActivationError) as caught:
        rl_acts.mlp(sizes, activation, **(rest[0] if rest else {}))
    assert part in str(caught.value)


def test_odd_widths_are_refused_by_check_and_by_the_module() -> None:
    with pytest.raises(ActivationError, match="a hidden layer of width 7 cannot be made"):
        rl_acts.check("deep_fourier", [8, 7])
    with pytest.raises(ActivationError, match="SwiGLU: features=7 is not allowed"):
        rl_acts.make("swiglu", 7)
    with pytest.raises(ActivationError, match=r"made for features=8, and got pre-activations of shape \(3, 6\)"):
        rl_acts.make("swiglu", 8)(torch.zeros(3, 6))


def test_what_an_activation_draws_moves_no_linear_layer() -> None:
    networks = []
    for activation in ("relu", "dy_relu_b(start_at_relu=false)"):
        torch.manual_seed(0)
        networks.append([rl_acts.mlp([3, 8, 8, 2], activation) for _ in range(2)])
    for plain, other in zip(*networks, strict=True):
        for index in (0, 2, 4):
            ours, theirs = plain[index], other[index]
            assert isinstance(ours, nn.Linear)
            assert isinstance(theirs, nn.Linear)
            assert torch.equal(ours.weight, theirs.weight)
    first, second = networks[1]
    draws = [network[index].get_parameter("squeeze.weight") for network in (first, second) for index in (1, 3)]
    assert len({draw[0, 0].item() for draw in draws}) == 4


def model_of(name: str, activation: Any, **policy_kwargs: Any) -> Any:
    cls, policy = {"TD3": (TD3, rl_acts.sb3.TD3Policy), "SAC": (SAC, rl_acts.sb3.SACPolicy)}[name]
    arguments = {"net_arch": [8, 6], "actor_activation": activation, "critic_activation": activation, **policy_kwargs}
    model: Any = cls(policy, "InvertedPendulum-v5", policy_kwargs=arguments, **SMALL)
    return model


@pytest.mark.parametrize("name", ["TD3", "SAC"])
@pytest.mark.parametrize(
    ("activation", "before"), [("swiglu", (16, 12)), ("crelu", (4, 3)), (["relu", "glu"], (8, 12))]
)
def test_policies_keep_the_widths_behind(name: str, activation: Any, before: tuple[int, int]) -> None:
    model = model_of(name, activation)
    actor = model.actor.latent_pi if name == "SAC" else model.actor.mu[:-1]
    assert shapes(actor)[:2] == [(4, before[0]), (8, before[1])]
    heads = [model.actor.mu, model.actor.log_std] if name == "SAC" else [model.actor.mu[4]]
    assert all((head.in_features, head.out_features) == (6, 1) for head in heads)
    for critic in (model.critic, model.critic_target):
        for net in critic.q_networks:
            assert shapes(net) == [(5, before[0]), (8, before[1]), (6, 1)]
    learnt = {id(p) for group in model.critic.optimizer.param_groups for p in group["params"]}
    assert learnt == {id(p) for p in model.critic.parameters()}


@pytest.mark.parametrize("name", ["TD3", "SAC"])
def test_policies_keep_the_parameters_and_are_saved_with_it(name: str, tmp_path: Path) -> None:
    model = model_of(name, "swiglu", keep="parameters")
    plain = model_of(name, "relu")
    for part in ("actor", "critic"):
        ours, theirs = (sum(p.numel() for p in getattr(m, part).parameters()) for m in (model, plain))
        assert 0.85 * theirs < ours <= theirs
    actor = model.actor.latent_pi if name == "SAC" else model.actor.mu
    # Plain, TD3's actor has 101 numbers, and here 90, with one unit more 103; SAC's with its second head both 108.
    assert shapes(actor)[:2] == ([(4, 10), (5, 8)] if name == "SAC" else [(4, 10), (5, 6)])
    model.learn(40)
    model.save(tmp_path / "model.zip")
    model.policy.save(str(tmp_path / "policy.pt"))
    observations = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    expected = model.predict(observations, deterministic=True)[0]
    again = type(model).load(tmp_path / "model.zip", device="cpu")
    assert (again.predict(observations, deterministic=True)[0] == expected).all()
    policy = type(model.policy).load(str(tmp_path / "policy.pt"), device="cpu")
    assert (policy.predict(observations, deterministic=True)[0] == expected).all()
    assert policy.keep == "parameters"


@pytest.mark.parametrize("sde", [False, True])
def test_sacs_heads_read_the_width_that_was_fitted(sde: bool) -> None:
    model = SAC(
        rl_acts.sb3.SACPolicy,
        "InvertedPendulum-v5",
        policy_kwargs={"net_arch": [16, 16], "actor_activation": "crelu", "keep": "parameters"},
        use_sde=sde,
        **SMALL,
    )
    model.learn(40)
    actor: Any = model.actor
    (_, _), (_, before) = shapes(actor.latent_pi)
    assert 2 * before > 16
    head = actor.mu[0] if sde else actor.mu
    assert head.in_features == 2 * before
    assert actor.log_std.shape[0] == 2 * before if sde else actor.log_std.in_features == 2 * before


def test_the_other_linear_layers_keep_their_initial_weights() -> None:
    plain, gated = model_of("TD3", "relu"), model_of("TD3", ["dy_relu_b", "glu"])
    assert torch.equal(plain.actor.mu[0].weight, gated.actor.mu[0].weight)
    for ours, theirs in zip(plain.critic.q_networks, gated.critic.q_networks, strict=True):
        assert torch.equal(ours[0].weight, theirs[0].weight)
        assert torch.equal(ours[4].weight, theirs[4].weight)


def test_policies_refuse_and_name_the_argument() -> None:
    with pytest.raises(ActivationError, match="critic_activation: crelu multiplies the width by 2"):
        model_of("TD3", None, net_arch=[8, 7], critic_activation="crelu")
    with pytest.raises(ActivationError, match="SACPolicy: keep='depth' is not allowed"):
        model_of("SAC", "relu", keep="depth")
