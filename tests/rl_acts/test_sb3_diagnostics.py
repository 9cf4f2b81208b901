"""The diagnostics callback in real training by Stable-Baselines3."""

import copy
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, PPO, SAC, TD3
from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

import rl_acts.sb3
from rl_acts._sb3_diagnostics import measure_model, networks_of
from rl_acts.diagnostics import DiagnosticsError

ALGORITHMS: list[Any] = [TD3, SAC, DDPG]


@pytest.fixture(autouse=True)
def _same_numbers_for_others() -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002 - Stable-Baselines3 seeds it
    with torch.random.fork_rng(devices=[]):
        yield
    np.random.set_state(state)  # noqa: NPY002


def build(algorithm: Any, activation: str = "swim_learnable(per=unit)", **changes: Any) -> Any:
    policy: Any = rl_acts.sb3.SACPolicy if algorithm is SAC else rl_acts.sb3.TD3Policy
    settings: dict[str, Any] = {
        "learning_starts": 50,
        "batch_size": 16,
        "buffer_size": 1000,
        "seed": 1,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [12, 10], "actor_activation": activation, "critic_activation": activation},
    }
    return algorithm(policy, "Pendulum-v1", **{**settings, **changes})


def trained(model: Any, callback: Any = None, steps: int = 260) -> list[torch.Tensor]:
    model.learn(steps, callback=callback)
    optimisers = [model.policy.actor.optimizer, model.policy.critic.optimizer]
    moments = [state["exp_avg_sq"] for optimiser in optimisers for state in optimiser.state.values()]
    return [*model.policy.state_dict().values(), *moments]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_real_training_is_measured_and_goes_on_bit_for_bit(algorithm: Any, tmp_path: Path) -> None:
    model, callback = build(algorithm), rl_acts.sb3.DiagnosticsCallback(every=120, probe=64)
    model.set_logger(configure(str(tmp_path), ["csv", "tensorboard", "log"]))
    watched = trained(model, callback)
    alone = trained(build(algorithm))
    assert all(torch.equal(one, other) for one, other in zip(watched, alone, strict=True))
    with (tmp_path / "progress.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("diagnostics/actor/layer1/dormant_share")]
    assert len(rows) == 2
    networks = {"actor", "q1"} if algorithm is DDPG else {"actor", "q1", "q2"}
    assert set(callback.measured) == networks
    for network in networks:
        for tag in ("layer2/srank", "layer1/learnt_k_mean", "all/gradient_norm", "all/effective_learning_rate"):
            assert math.isfinite(float(rows[-1][f"diagnostics/{network}/{tag}"])), tag
        assert float(rows[-1][f"diagnostics/{network}/all/distance_from_init"]) > 0
    model.logger.close()
    assert "diagnostics" not in (tmp_path / "log.txt").read_text()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("diagnostics/q1/layer2/dead_share")] == [120, 240]
    assert "diagnostics/actor/layer1/pre_activations" in events.Tags()["histograms"]
    assert events.Tags()["images"] == ["diagnostics/learnt_shapes"]
    model.save(tmp_path / "model")


def test_learning_again_goes_on_with_the_interval_and_the_start(tmp_path: Path) -> None:
    model, callback = build(TD3, "relu"), rl_acts.sb3.DiagnosticsCallback(every=150, probe=32)
    model.set_logger(configure(str(tmp_path), ["csv"]))
    start = copy.deepcopy(model.policy.critic.q_networks[0])
    model.learn(100, callback=callback)
    assert not callback.measured
    model.learn(100, callback=callback, reset_num_timesteps=False)
    first = callback.measured["q1"]
    model.learn(100, callback=callback, reset_num_timesteps=False)
    second = callback.measured["q1"]
    assert second is not first
    model.logger.close()
    assert 0 < first.value("all", "distance_from_init") < second.value("all", "distance_from_init")
    now, count = model.policy.critic.q_networks[0], 0
    squares = 0.0
    for one, other in zip(now.parameters(), start.parameters(), strict=True):
        squares, count = squares + float((one - other).detach().square().sum()), count + one.numel()
    found = measure_model(model, 32, {"q1": start})["q1"]
    assert found.value("all", "distance_from_init") == pytest.approx(math.sqrt(squares / count))


def test_the_probe_has_as_many_rows_as_asked_for() -> None:
    model = build(SAC, "relu")
    model.learn(60)
    assert len(measure_model(model)["actor"].output) == 4 * 12
    found = measure_model(model, 33)
    assert len(found["q2"].output) == 33
    assert found["q1"].rows == measure_model(model, 33)["q1"].rows


@pytest.mark.parametrize(
    ("algorithm", "changes", "names"),
    [
        (TD3, {"policy_delay": 1, "target_policy_noise": 0.0}, ["actor", "q1", "q2"]),
        # With entropy in the targets, these depend on noise; large enough to show in the actor's gradient.
        (SAC, {"ent_coef": 0.0}, ["actor", "q1", "q2"]),
        (SAC, {"ent_coef": 10.0}, ["actor"]),
    ],
)
def test_gradients_are_those_of_the_algorithms_losses(
    algorithm: Any, changes: dict[str, Any], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # At a rate of 0 the actor's loss is by the same critics before and after their update.
    model = build(algorithm, "prelu", learning_rate=0.0, **changes)
    model.learn(50)
    if algorithm is SAC:
        # With so little spread the policy draws its mean, almost, whatever the noise.
        torch.nn.init.zeros_(model.policy.actor.log_std.weight)
        torch.nn.init.constant_(model.policy.actor.log_std.bias, -7.0)
    sample = model.replay_buffer.sample
    kept: dict[str, Any] = {}

    def once(*args: Any, **kwargs: Any) -> Any:
        return kept["batch"] if "batch" in kept else kept.setdefault("batch", sample(*args, **kwargs))

    monkeypatch.setattr(model.replay_buffer, "sample", once)
    found = measure_model(model, 16)
    gradients: dict[str, float] = {}

    def keep(*_: Any) -> None:
        networks: dict[str, Any] = dict(networks_of(model.policy))
        for name, network in networks.items():
            if name not in gradients and network[1].slope.grad is not None:
                gradients[name] = float(network[1].slope.grad.abs())

    for network in (model.policy.actor, model.policy.critic):
        network.optimizer.zero_grad(set_to_none=True)
        network.optimizer.register_step_pre_hook(keep)
    model.train(1, 16)
    for name in names:
        measured = found[name].value("layer1", "learnt_slope_gradient_norm")
        assert measured == pytest.approx(gradients[name], rel=1e-2 if algorithm is SAC else 1e-4)
        assert measured > 0


def test_policy_saturation_is_of_the_squashed_actions() -> None:
    model = build(SAC, "relu")
    model.learn(60)
    torch.nn.init.constant_(model.policy.actor.mu.bias, 10.0)
    assert measure_model(model, 20)["actor"].value("output", "policy_saturation") == 1.0
    torch.nn.init.zeros_(model.policy.actor.mu.weight)
    torch.nn.init.zeros_(model.policy.actor.mu.bias)
    assert measure_model(model, 20)["actor"].value("output", "policy_saturation") == 0.0


@pytest.mark.parametrize("given", [{"every": 0}, {"every": 1.5}, {"probe": 0}, {"probe": True}])
def test_bad_arguments_are_refused(given: dict[str, Any]) -> None:
    name, value = next(iter(given.items()))
    with pytest.raises(DiagnosticsError, match=f"{name}={value!r} is not allowed"):
        rl_acts.sb3.DiagnosticsCallback(**given)


def test_other_models_are_refused() -> None:
    with pytest.raises(DiagnosticsError, match="use_sde"):
        build(SAC, "relu", use_sde=True).learn(60, callback=rl_acts.sb3.DiagnosticsCallback(every=10))
    with pytest.raises(DiagnosticsError, match="ActorCriticPolicy cannot be measured"):
        PPO("MlpPolicy", "Pendulum-v1", device="cpu", n_steps=16, batch_size=16).learn(
            16, callback=rl_acts.sb3.DiagnosticsCallback(every=10)
        )
