"""Devices, hyperparameters and configurations: what is accepted, what is refused and how."""

import json
from typing import Any

import pytest
import torch

import agents
from agents.hyperparameters import ALGORITHMS

_TD3 = {
    "learning_rate": 3e-4,
    "net_arch": [256, 256],
    "batch_size": 256,
    "gamma": 0.99,
    "tau": 0.005,
    "buffer_size": 1_000_000,
    "train_freq": 1,
    "gradient_steps": 1,
    "learning_starts": 25_000,
    "exploration_noise": 0.1,
    "target_policy_noise": 0.2,
    "target_noise_clip": 0.5,
    "policy_delay": 2,
}


def _config(**changes: Any) -> agents.RunConfig:
    plain: dict[str, Any] = {
        "task": "Hopper-v5",
        "algorithm": "td3",
        "arm": "swim",
        "actor_activation": "silu",
        "critic_activation": ["relu", "swim(k=0.7)"],
        "activation_lr": None,
        "seed": 3,
        "steps": 50_000,
        "evaluation_every": 1000,
        "evaluation_episodes": 10,
        "hyperparameters": {"learning_rate": 1e-3},
    }
    return agents.RunConfig(**{**plain, **changes})


def test_devices_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = [str(agents.resolve_device(name)) for name in ("auto", "cpu", "cuda", "cuda:1")]
    assert found == ["cuda:0", "cpu", "cuda:0", "cuda:1"]
    with pytest.raises(agents.DeviceError, match="'cuda:2' does not exist here; allowed are auto, cpu, cuda:0, cuda:1"):
        agents.resolve_device("cuda:2")


def test_devices_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(agents.resolve_device("auto")) == "cpu"
    for name in ("cuda", "cuda:0", "tpu", ""):
        with pytest.raises(agents.DeviceError, match="allowed are auto, cpu"):
            agents.resolve_device(name)


def test_defaults_are_those_of_the_authors() -> None:
    assert agents.resolve_hyperparameters("td3", {}) == _TD3
    sac = agents.resolve_hyperparameters("sac", {})
    assert sac["learning_starts"] == 10_000
    assert (sac["ent_coef"], sac["target_entropy"], sac["target_update_interval"]) == ("auto", "auto", 1)
    assert "policy_delay" not in agents.resolve_hyperparameters("ddpg", {})


def test_given_values_replace_defaults_in_their_own_type() -> None:
    found = agents.resolve_hyperparameters(
        "td3", {"learning_rate": 1, "batch_size": 64.0, "net_arch": {"pi": [8], "qf": [9, 9]}}
    )
    assert found == {**_TD3, "learning_rate": 1.0, "batch_size": 64, "net_arch": {"pi": [8], "qf": [9, 9]}}
    assert isinstance(found["batch_size"], int)


@pytest.mark.parametrize(
    ("algorithm", "key", "value", "message"),
    [
        ("td3", "gama", 0.9, "gama is no hyperparameter of td3: there is no such name. Did you mean 'gamma'? Allowed:"),
        ("td3", "learning_rat", 1e-3, "no such name. Did you mean 'learning_rate' or 'learning_starts'? Allowed:"),
        ("td3", "ent_coef", 0.1, "ent_coef is no hyperparameter of td3: it belongs to sac."),
        ("sac", "exploration_noise", 0.1, "it belongs to td3 and ddpg."),
        ("ddpg", "policy_delay", 2, "it belongs to td3."),
        ("td3", "learning_rate", 0, "learning_rate is 0; allowed is a number above 0."),
        ("td3", "learning_rate", "fast", "learning_rate is 'fast'"),
        ("td3", "learning_rate", float("nan"), "learning_rate is nan"),
        ("td3", "net_arch", [], "net_arch is []; allowed is a list of widths"),
        ("td3", "net_arch", [64, 0], "net_arch is [64, 0]"),
        ("td3", "net_arch", {"pi": [8]}, "net_arch is {'pi': [8]}"),
        ("td3", "batch_size", 0, "batch_size is 0; allowed is a whole number of at least 1."),
        ("td3", "batch_size", 1.5, "batch_size is 1.5"),
        ("td3", "batch_size", True, "batch_size is True"),
        ("td3", "learning_starts", -1, "learning_starts is -1"),
        ("td3", "exploration_noise", -0.1, "exploration_noise is -0.1"),
        ("td3", "target_policy_noise", -1, "target_policy_noise is -1"),
        ("td3", "target_noise_clip", None, "target_noise_clip is None"),
        ("td3", "policy_delay", 0, "policy_delay is 0"),
        ("td3", "gamma", 1.01, "gamma is 1.01; allowed is a number from 0 to 1."),
        ("td3", "tau", 0, "tau is 0; allowed is a number above 0 and at most 1."),
        ("td3", "buffer_size", 0, "buffer_size is 0"),
        ("td3", "train_freq", [1, "episode"], "train_freq is [1, 'episode']"),
        ("td3", "gradient_steps", 0, "gradient_steps is 0; allowed is a whole number of at least 1, or -1"),
        ("sac", "ent_coef", "auto_0", "ent_coef is 'auto_0'"),
        ("sac", "ent_coef", -1, "ent_coef is -1"),
        ("sac", "target_entropy", "high", "target_entropy is 'high'; allowed is a number or auto."),
        ("sac", "target_update_interval", 0, "target_update_interval is 0"),
    ],
)
def test_bad_hyperparameters_are_named(algorithm: str, key: str, value: Any, message: str) -> None:
    with pytest.raises(agents.HyperparameterError) as caught:
        agents.resolve_hyperparameters(algorithm, {key: value})
    assert message in str(caught.value)
    assert caught.value.key == key


def test_a_configuration_goes_to_json_and_back() -> None:
    config = _config(device="cpu", threads=2)
    plain = json.loads(json.dumps(config.to_json()))
    assert agents.RunConfig.from_json(plain) == config
    assert plain["actor_activation"] == "swish"
    assert plain["critic_activation"] == ["relu", "swim(k=0.7)"]
    assert plain["hyperparameters"] == {**_TD3, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "ppo"}, "algorithm is 'ppo'; allowed are td3, sac, ddpg"),
        ({"steps": 0}, "steps is 0"),
        ({"evaluation_every": 0}, "evaluation_every is 0"),
        ({"evaluation_episodes": 1.5}, "evaluation_episodes is 1.5"),
        ({"threads": 0}, "threads is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296; allowed is at most 4294967295"),
        ({"actor_activation": "swimm"}, "actor_activation: .*swimm"),
        ({"hyperparameters": {"gama": 1}}, "gama is no hyperparameter"),
        ({"hyperparameters": {"train_freq": 3}}, "train_freq is 3, which does not divide steps, 50000"),
    ],
)
def test_bad_configurations_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(agents.ConfigError, match=message):
        _config(**changes)


def test_a_configuration_with_foreign_or_missing_fields_is_refused() -> None:
    plain = _config().to_json()
    del plain["seed"]
    with pytest.raises(agents.ConfigError, match=r"unknown fields \['sed'\], missing fields \['seed'\]"):
        agents.RunConfig.from_json({**plain, "sed": 1})


def test_the_face_of_the_package_names_everything_and_nothing_else() -> None:
    assert all(hasattr(agents, name) for name in agents.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        agents.trian  # noqa: B018 - the access is the test
    assert ALGORITHMS == ("td3", "sac", "ddpg")
