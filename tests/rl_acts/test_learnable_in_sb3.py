"""Every learnable activation of the registry learns in TD3 and SAC: moves, stays finite, and targets follow it."""

import io
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC, TD3
from torch import Tensor, nn

import rl_acts
import rl_acts.sb3

TASK = "InvertedPendulum-v5"
# Whose defaults learn nothing within the few updates of a test.
SPECS = {"pwlu": "pwlu(warm_up=4)"}
# TD3's actor learns at every update here, so that all networks do.
ALGORITHMS: dict[str, Any] = {
    "TD3": (TD3, rl_acts.sb3.TD3Policy, {"policy_delay": 1}),
    "SAC": (SAC, rl_acts.sb3.SACPolicy, {}),
}


def build(name: str, activation: str) -> Any:
    cls, policy, extra = ALGORITHMS[name]
    return cls(
        policy,
        TASK,
        learning_rate=1e-2,
        learning_starts=50,
        train_freq=25,
        gradient_steps=2,
        batch_size=16,
        buffer_size=500,
        tau=0.1,
        device="cpu",
        seed=0,
        policy_kwargs={"net_arch": [8, 8], "actor_activation": activation, "critic_activation": activation},
        **extra,
    )


def online_nets(model: Any) -> list[nn.Sequential]:
    return [model.actor.latent_pi if isinstance(model, SAC) else model.actor.mu, *model.critic.q_networks]


def pairs(model: Any) -> list[tuple[nn.Sequential, nn.Sequential]]:
    """Return the networks that have targets, each with its own."""
    found = list(zip(model.critic.q_networks, model.critic_target.q_networks, strict=True))
    return [*found, (model.actor.mu, model.actor_target.mu)] if isinstance(model, TD3) else found


def learnt(net: nn.Sequential) -> dict[str, Tensor]:
    """Return the activations' parameters by layer and name, detached."""
    return {
        f"{index}.{name}": value.detach()
        for index, module in enumerate(net)
        if not isinstance(module, nn.Linear)
        for name, value in module.named_parameters()
    }


def check_moved(model: Any, start: list[dict[str, Tensor]]) -> None:
    for net, before in zip(online_nets(model), start, strict=True):
        now = learnt(net)
        assert all(value.isfinite().all() for value in net.state_dict().values())
        for index in {name.split(".")[0] for name in before}:
            own = [name for name in before if name.split(".")[0] == index]
            assert any((now[name] != before[name]).any() for name in own)
    # Each kind of parameter moves somewhere; in one tiny layer a part can be dead.
    for name in {name.split(".", 1)[1] for before in start for name in before}:
        moved = [
            (learnt(net)[full] != value).any()
            for net, before in zip(online_nets(model), start, strict=True)
            for full, value in before.items()
            if full.split(".", 1)[1] == name
        ]
        assert any(moved), name


def check_targets_follow(model: Any) -> None:
    """One more update moves each target's value by tau of the way to the online one, and buffers become equal."""
    before = [{name: value.clone() for name, value in learnt(target).items()} for _, target in pairs(model)]
    model.train(1, 16)
    for (online, target), old in zip(pairs(model), before, strict=True):
        new, wanted = learnt(target), learnt(online)
        for name, value in old.items():
            expected = (1 - model.tau) * value + model.tau * wanted[name]
            torch.testing.assert_close(new[name], expected, rtol=1e-5, atol=1e-6)
        assert any((new[name] != wanted[name]).any() for name in new)
    observations, actions = torch.zeros(3, 4), torch.zeros(3, 1)
    model.critic_target(observations, actions)
    if isinstance(model, TD3):
        model.actor_target(observations)
    for online, target in pairs(model):
        for (name, current), copied in zip(online.named_buffers(), target.buffers(), strict=True):
            assert torch.equal(current, copied), name
            assert current is not copied


class Idle(nn.Module):
    """Has a parameter that nothing depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x.relu() + 0.0 * self.slope


def test_what_does_not_learn_is_found() -> None:
    rl_acts.register("toy_idle")(Idle)
    try:
        model = build("TD3", "toy_idle")
    finally:
        rl_acts.unregister("toy_idle")
    start = [{key: value.clone() for key, value in learnt(net).items()} for net in online_nets(model)]
    model.learn(100)
    with pytest.raises(AssertionError):
        check_moved(model, start)


@pytest.mark.parametrize("algorithm", ["TD3", "SAC"])
@pytest.mark.parametrize("name", rl_acts.names(learnable=True))
def test_learns(name: str, algorithm: str) -> None:
    model = build(algorithm, SPECS.get(name, name))
    start = [{key: value.clone() for key, value in learnt(net).items()} for net in online_nets(model)]
    assert all(start)
    model.learn(300)
    check_moved(model, start)
    check_targets_follow(model)
    stored = io.BytesIO()
    model.save(stored)
    stored.seek(0)
    again = type(model).load(stored, device="cpu")
    space: Any = gymnasium.make(TASK).observation_space
    space.seed(0)
    observations = np.array([space.sample() for _ in range(20)]).clip(-3, 3).astype(np.float32)
    expected = model.predict(observations, deterministic=True)[0]
    assert np.isfinite(expected).all()
    assert (again.predict(observations, deterministic=True)[0] == expected).all()
