"""Training with Stable-Baselines3: what it computes, what it leaves, and how it ends when numbers are none."""

import csv
import itertools
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

import agents
import rl_acts.sb3
from agents import worker
from agents.clock import Clock
from agents.divergence import DivergedError
from agents.environment import make_training_environment
from agents.models import build_model
from agents.policy_file import load_policy
from agents.sb3_engine import train
from envs import make_environment

Small = Callable[..., agents.RunConfig]


def _rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "evaluations.csv").open() as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_policy(folder).tensors()


def test_a_run_leaves_its_curves_and_a_clock_that_adds_up(small: Small, tmp_path: Path) -> None:
    facts = train(small(), tmp_path)
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == [0, 50, 100, 120]
    for row in rows:
        returns = [row["episode_return_0"], row["episode_return_1"]]
        lengths = [row["episode_length_0"], row["episode_length_1"]]
        # The pendulum earns 1 in each step in which it stands.
        assert abs(returns[0] - lengths[0]) <= 1
        assert row["return_mean"] == pytest.approx(np.mean(returns))
        assert row["return_std"] == pytest.approx(np.std(returns))
        assert row["length_mean"] == pytest.approx(np.mean(lengths))
        parts = [row[f"{part}_s"] for part in ("act", "simulate", "learn", "evaluate")]
        assert sum(parts) <= row["wall_s"]
    assert rows[0]["learn_s"] == 0.0
    assert rows[1]["learn_s"] == 0.0
    assert 0.0 < rows[2]["learn_s"] < rows[3]["learn_s"]
    for part in ("act_s", "simulate_s", "evaluate_s", "wall_s"):
        assert rows[0][part] < rows[1][part] < rows[2][part] < rows[3][part]
    assert facts["steps_done"] == 120
    seconds = rows[3]["wall_s"] - rows[3]["evaluate_s"]
    assert facts["steps_per_s"] == pytest.approx(120 / seconds, rel=0.5)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 120


def test_tensorboard_has_the_tags_of_stable_baselines(small: Small, tmp_path: Path) -> None:
    train(small(algorithm="sac"), tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    expected = {
        "eval/mean_reward",
        "eval/mean_ep_length",
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "time/fps",
        "train/actor_loss",
        "train/critic_loss",
        "train/ent_coef",
        "train/learning_rate",
    }
    assert expected <= set(events.Tags()["scalars"])
    rows = _rows(tmp_path)
    logged = [(event.step, event.value) for event in events.Scalars("eval/mean_reward")]
    assert logged == [(row["step"], pytest.approx(row["return_mean"])) for row in rows]


_CLASSES: dict[str, Any] = {"td3": TD3, "ddpg": DDPG, "sac": SAC}


@pytest.mark.parametrize("algorithm", ["td3", "ddpg", "sac"])
def test_weights_equal_those_of_plain_stable_baselines_without_any_evaluation(
    algorithm: str, small: Small, tmp_path: Path
) -> None:
    train(small(algorithm=algorithm), tmp_path)
    policy: Any = rl_acts.sb3.SACPolicy if algorithm == "sac" else rl_acts.sb3.TD3Policy
    noise = {} if algorithm == "sac" else {"action_noise": NormalActionNoise(np.zeros(1), np.full(1, 0.1))}
    plain = _CLASSES[algorithm](
        policy,
        make_environment("InvertedPendulum-v5"),
        learning_rate=3e-4,
        learning_starts=60,
        batch_size=8,
        buffer_size=120,
        policy_kwargs={"net_arch": [8, 8], "actor_activation": "swim", "critic_activation": "relu"},
        seed=3,
        device="cpu",
        **noise,
    ).learn(120)
    ours, theirs = _weights(tmp_path), plain.policy.state_dict()
    pairs = [("critics.0.4.weight", "critic.qf0.4.weight"), ("actor.0.weight", "actor.mu.0.weight")]
    if algorithm == "sac":
        pairs[1:] = [("actor.0.weight", "actor.latent_pi.0.weight"), ("actor.4.bias", "actor.mu.bias")]
    for one, two in pairs:
        torch.testing.assert_close(ours[one], theirs[two], rtol=0, atol=0)


def test_another_seed_gives_another_run(small: Small, tmp_path: Path) -> None:
    for seed in (3, 4):
        (tmp_path / str(seed)).mkdir()
        train(small(seed=seed, steps=62), tmp_path / str(seed))
    one, two = (_weights(tmp_path / str(seed))["actor.0.weight"] for seed in (3, 4))
    assert not torch.equal(one, two)


@pytest.mark.parametrize(
    ("algorithm", "key", "value", "found"),
    [
        ("td3", "learning_rate", 0.125, lambda model: model.lr_schedule(1.0)),
        ("td3", "net_arch", {"pi": [4], "qf": [5, 6]}, lambda model: model.policy.net_arch),
        ("td3", "batch_size", 7, lambda model: model.batch_size),
        ("td3", "learning_starts", 11, lambda model: model.learning_starts),
        ("td3", "exploration_noise", 0.75, lambda model: float(model.action_noise._sigma[0])),
        ("td3", "target_policy_noise", 0.3, lambda model: model.target_policy_noise),
        ("td3", "target_noise_clip", 0.7, lambda model: model.target_noise_clip),
        ("td3", "policy_delay", 3, lambda model: model.policy_delay),
        ("td3", "gamma", 0.5, lambda model: model.gamma),
        ("td3", "tau", 0.25, lambda model: model.tau),
        ("td3", "buffer_size", 50, lambda model: model.replay_buffer.buffer_size),
        ("td3", "train_freq", 2, lambda model: model.train_freq.frequency),
        ("td3", "gradient_steps", 4, lambda model: model.gradient_steps),
        ("sac", "ent_coef", 0.5, lambda model: float(model.ent_coef_tensor)),
        ("sac", "target_entropy", -7.0, lambda model: model.target_entropy),
        ("sac", "target_update_interval", 5, lambda model: model.target_update_interval),
    ],
)
def test_every_hyperparameter_reaches_the_algorithm(
    algorithm: str, key: str, value: Any, found: Callable[[Any], Any], small: Small
) -> None:
    config = small(algorithm=algorithm, hyperparameters={key: value})
    clock = Clock()
    environment = make_training_environment(config.task, clock)
    model = build_model(config, environment, torch.device("cpu"), clock)
    assert found(model) == value


def test_the_memory_is_no_larger_than_the_run(small: Small) -> None:
    clock = Clock()
    model = build_model(small(), make_training_environment("Hopper-v5", clock), torch.device("cpu"), clock)
    assert model.replay_buffer is not None
    assert model.replay_buffer.buffer_size == 120


def test_no_noise_is_no_noise_and_activations_go_where_they_belong(small: Small) -> None:
    config = small(
        hyperparameters={"exploration_noise": 0},
        actor_activation=["swim_learnable", "tanh"],
        activation_lr=0.5,
    )
    clock = Clock()
    model = build_model(config, make_training_environment("Hopper-v5", clock), torch.device("cpu"), clock)
    assert model.action_noise is None
    policy: Any = model.policy
    assert [type(layer).__name__ for layer in policy.actor.mu][1:4:2] == ["SwimLearnable", "Tanh"]
    assert [type(layer).__name__ for layer in policy.critic.qf1][1:4:2] == ["ReLU", "ReLU"]
    assert [group["lr"] for group in policy.actor.optimizer.param_groups] == [3e-4, 0.5]


def test_threads_are_those_of_the_configuration(small: Small, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        train(small(threads=before + 1, steps=62), tmp_path)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_an_exploding_loss_ends_the_run_as_diverged_and_keeps_its_evaluations(small: Small, tmp_path: Path) -> None:
    config = small(hyperparameters={"learning_rate": 1e20})
    with pytest.raises(DivergedError, match=r"(critic|actor)_loss not finite \((NaN|infinity)\) at step \d+"):
        train(config, tmp_path)
    assert [row["step"] for row in _rows(tmp_path)][:2] == [0, 50]
    assert not (tmp_path / "policy.json").exists()


@pytest.fixture
def nan_after() -> Iterator[Callable[[str, int], str]]:
    """Return a function that registers an activation, ReLU for so many calls and NaN from then on."""
    names = []

    def add(name: str, calls: int) -> str:
        class Failing(torch.nn.Module):
            # Counted over all its copies: the networks, their targets and the layers.
            counter = itertools.count()

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.relu(x) if next(self.counter) < calls else x * torch.nan

        rl_acts.register(name)(Failing)
        names.append(name)
        return name

    yield add
    for name in names:
        rl_acts.unregister(name)


@pytest.mark.parametrize(
    ("network", "calls", "cause", "steps"),
    [
        # The actor's first call is in the evaluation before training.
        ("actor", 0, "action in evaluation not finite (NaN) at step 0", []),
        # Each update calls the critics of two layers 2 x 2 times for targets and 2 x 2 for values; the actor's update,
        # every other time, 2 times. Updates follow the steps 61, 62, ...: 8 + 10 calls bring the third update.
        ("critic", 18, "critic_loss not finite (NaN) at step 63", [0, 50]),
    ],
)
def test_an_activation_that_returns_nan_ends_the_run_as_diverged_naming_what_and_when(
    network: str,
    calls: int,
    cause: str,
    steps: list[int],
    nan_after: Callable[[str, int], str],
    small: Small,
    tmp_path: Path,
) -> None:
    failing = nan_after(f"toy_nan_in_{network}", calls)
    (tmp_path / "run.json").write_text(json.dumps({"config": small(**{f"{network}_activation": failing}).to_json()}))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert worker.work([tmp_path]) == 3
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["state"], record["cause"]) == ("diverged", cause)
    assert [row["step"] for row in _rows(tmp_path)] == steps
    assert not (tmp_path / "policy.json").exists()


@pytest.mark.parametrize("attribute", ["step", "reset"])
def test_a_simulation_that_breaks_down_is_named(
    attribute: str, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv  # noqa: PLC0415 - only here

    original, calls = getattr(InvertedPendulumEnv, attribute), iter(range(10_000))

    def broken(self: Any, *args: Any, **more: Any) -> Any:
        answer = list(original(self, *args, **more))
        if next(calls) > 30:
            answer[0] = np.full(4, np.nan)
        return tuple(answer)

    monkeypatch.setattr(InvertedPendulumEnv, attribute, broken)
    with pytest.raises(
        DivergedError, match=r"(observation|action|action in evaluation|critic_loss) not finite \(NaN\)"
    ):
        train(small(steps=5000, evaluation_every=5000), tmp_path)
