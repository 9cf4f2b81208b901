"""The population engine on run folders: what it leaves, how it goes on, what it says."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import SAC, TD3
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from agents import RunConfig, load_policy, to_sb3
from agents.checkpoint import CheckpointError
from agents.files import write_json_atomically
from agents.trainer import train_cohort

ARMS = [("relu", "relu"), ("swim", ["tanh", "swish_learnable"]), ("swim_learnable(per=unit)", "relu")]


@dataclass
class Recorder:
    """A control that remembers what it is told, and stops after so many questions."""

    questions: int = 10**9
    log: list[tuple[Any, ...]] = field(default_factory=list)

    def should_stop(self) -> bool:
        self.questions -= 1
        return self.questions < 0

    def resumed(self, step: int) -> None:
        self.log.append(("resumed", step))

    def done(self, index: int, steps_per_s: float) -> None:
        assert steps_per_s > 0
        self.log.append(("done", index))

    def diverged(self, index: int, cause: str, step: int) -> None:
        self.log.append(("diverged", index, cause, step))


def cohort(
    small: Callable[..., RunConfig], root: Path, arms: Sequence[Any] = ARMS, **changes: Any
) -> tuple[list[RunConfig], list[Path]]:
    configs, folders = [], []
    for seed, (actor, critic) in enumerate(arms):
        given = {
            "actor_activation": actor,
            "critic_activation": critic,
            "engine": "population",
            "seed": seed,
            **changes,
        }
        config = small(**given)
        folder = root / f"run-{seed}"
        folder.mkdir(parents=True)
        write_json_atomically(folder / "run.json", {"config": config.to_json()})
        configs.append(config)
        folders.append(folder)
    return configs, folders


def rows_without_clock(folder: Path) -> list[list[str]]:
    with (folder / "evaluations.csv").open() as stream:
        rows = list(csv.reader(stream))
    keep = [index for index, name in enumerate(rows[0]) if not name.endswith("_s")]
    return [[row[index] for index in keep] for row in rows]


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_leaves_what_a_run_leaves(algorithm: str, small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path, algorithm=algorithm)
    control = Recorder()
    train_cohort(configs, folders, None, control)
    assert control.log == [("resumed", 0), ("done", 0), ("done", 1), ("done", 2)]
    for folder in folders:
        rows = rows_without_clock(folder)
        assert [row[0] for row in rows[1:]] == ["0", "50", "100", "120"]
        assert {"policy.safetensors", "policy.json", "progress.json"} <= {path.name for path in folder.iterdir()}
        assert [step for step, _ in scalars(folder, "eval/mean_reward")] == [0, 50, 100, 120]
        assert scalars(folder, "train/critic_loss")
        assert np.isfinite(load_policy(folder)(torch.zeros(1, 4)).detach().numpy()).all()


@pytest.mark.parametrize("questions", [3, 75, 120, 150])
def test_a_stopped_cohort_goes_on_to_the_same_end(
    questions: int, small: Callable[..., RunConfig], tmp_path: Path
) -> None:
    configs, straight = cohort(small, tmp_path / "straight")
    train_cohort(configs, straight, None, Recorder())
    _, folders = cohort(small, tmp_path / "stopped")
    checkpoint = tmp_path / "stopped" / "checkpoint"
    stopped = Recorder(questions)
    train_cohort(configs, folders, checkpoint, stopped)
    assert stopped.log == [("resumed", 0)]
    # What came after the checkpoint, and a line torn by a kill, is made again.
    with (folders[1] / "evaluations.csv").open("a") as stream:
        stream.write("999,1.0,1.0\n1000,2.")
    again = Recorder()
    train_cohort(configs, folders, checkpoint, again)
    assert again.log[0][0] == "resumed"
    assert questions < 10 or again.log[0][1] > 0
    assert [entry[0] for entry in again.log[1:]] == ["done"] * 3
    for one, other in zip(straight, folders, strict=True):
        assert rows_without_clock(one) == rows_without_clock(other)
        assert (one / "policy.safetensors").read_bytes() == (other / "policy.safetensors").read_bytes()
        assert scalars(one, "eval/mean_reward") == scalars(other, "eval/mean_reward")


def test_a_diverged_run_is_over_and_the_others_go_on_also_after_resuming(
    small: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs, folders = cohort(small, tmp_path)
    from agents.population import Population  # noqa: PLC0415 - patched below

    simulate = Population._simulate

    def broken(self: Population, actions: torch.Tensor) -> None:
        if self.step == 70:
            self.learner.actor.flat.detach()[1] = torch.nan
        simulate(self, actions)

    monkeypatch.setattr(Population, "_simulate", broken)
    control = Recorder(160)
    train_cohort(configs, folders, tmp_path / "checkpoint", control)
    assert [entry[:2] for entry in control.log] == [("resumed", 0), ("diverged", 1)]
    assert "not finite (NaN) at step 7" in control.log[1][2]
    left = {path.name: path.read_bytes() for path in folders[1].iterdir()}
    again = Recorder()
    train_cohort(configs, folders, tmp_path / "checkpoint", again)
    assert [entry[:2] for entry in again.log[1:]] == [("done", 0), ("done", 2)]
    assert {path.name: path.read_bytes() for path in folders[1].iterdir()} == left
    assert [row[0] for row in rows_without_clock(folders[1])[1:]] == ["0", "50"]


def test_a_weight_that_is_nan_at_the_end_ends_its_run_alone(
    small: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs, folders = cohort(small, tmp_path)
    from agents.population import Population  # noqa: PLC0415 - patched below

    evaluate = Population.evaluate

    def broken(self: Population, episodes: int, should_stop: Callable[[], bool]) -> Any:
        found = evaluate(self, episodes, should_stop)
        if self.step == 120:
            self.learner.critic.flat.detach()[2, 0] = torch.nan
        return found

    monkeypatch.setattr(Population, "evaluate", broken)
    control = Recorder()
    train_cohort(configs, folders, None, control)
    assert [entry[:2] for entry in control.log[1:]] == [("done", 0), ("diverged", 1), ("done", 2)]
    assert "weight critics.0" in control.log[2][2]


def test_a_run_that_is_complete_stays_as_it_is(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path)
    checkpoint = tmp_path / "checkpoint"
    train_cohort(configs, folders, checkpoint, Recorder(120))
    straight = tmp_path / "straight"
    _, others = cohort(small, straight)
    train_cohort(configs, others, None, Recorder())
    # A kill between two runs' records: the first is complete, and then the rest is stopped again.
    for name in ("evaluations.csv", "policy.safetensors", "policy.json"):
        (folders[0] / name).write_bytes((others[0] / name).read_bytes())
    left = {path.name: path.read_bytes() for path in folders[0].iterdir()}
    train_cohort(configs, folders, checkpoint, Recorder(15))
    assert {path.name: path.read_bytes() for path in folders[0].iterdir()} == left
    control = Recorder()
    train_cohort(configs, folders, checkpoint, control)
    assert [entry[0] for entry in control.log] == ["resumed", "done", "done", "done"]
    assert {path.name: path.read_bytes() for path in folders[0].iterdir()} == left
    assert rows_without_clock(folders[1]) == rows_without_clock(others[1])


def test_a_full_disk_on_the_way_does_not_end_training(
    small: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agents.population.write_checkpoint", full)
    monkeypatch.setattr("agents.trainer._LEAST_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    configs, folders = cohort(small, tmp_path)
    control = Recorder()
    train_cohort(configs, folders, tmp_path / "checkpoint", control)
    assert [entry[0] for entry in control.log[1:]] == ["done"] * 3
    assert "no checkpoint at step" in capsys.readouterr().err


def test_checkpoints_of_other_runs_are_refused(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path / "a")
    train_cohort(configs, folders, tmp_path / "checkpoint", Recorder(100))
    for change, message in (
        ({"algorithm": "sac"}, "has algorithm 'td3', the runs 'sac'"),
        ({"task": "Hopper-v5"}, "has task 'InvertedPendulum-v5'"),
        ({"hyperparameters": {"tau": 0.1}}, "has hyperparameters"),
        ({"activation_lr": 1.0}, "is of the runs"),
        ({"steps": 130}, "has most_steps 120, the runs 130"),
    ):
        others, other_folders = cohort(small, tmp_path / message[:20].replace(" ", "-"), **change)
        with pytest.raises(CheckpointError, match=message):
            train_cohort(others, other_folders, tmp_path / "checkpoint", Recorder())
    (folders[1] / "evaluations.csv").rename(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=r"is missing, but the checkpoint speaks of \d evaluations"):
        train_cohort(configs, folders, tmp_path / "checkpoint", Recorder())
    (folders[0] / "evaluations.csv").write_text("step\n")
    with pytest.raises(CheckpointError, match="has evaluations up to step none, fewer than"):
        train_cohort(configs, folders, tmp_path / "checkpoint", Recorder())


@pytest.mark.parametrize("algorithm", ["td3", "sac", "ddpg"])
def test_exports_to_stable_baselines3(algorithm: str, small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path, algorithm=algorithm)
    train_cohort(configs, folders, None, Recorder())
    generator = np.random.default_rng(0)
    for config, folder in zip(configs, folders, strict=True):
        model = to_sb3(folder, learning_starts=10, buffer_size=1000)
        observations = generator.normal(size=(100, 4))
        ours = load_policy(folder)(torch.from_numpy(observations)).detach().numpy()
        theirs, _ = model.predict(observations, deterministic=True)
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=2e-6)
        policy: Any = model.policy
        for online, target in zip(policy.critic.parameters(), policy.critic_target.parameters(), strict=True):
            assert torch.equal(online, target)
        if isinstance(model, SAC):
            learnt = load_policy(folder).manifest["entropy_coefficient"]
            assert learnt != 1.0
            assert model.log_ent_coef is not None
            assert float(model.log_ent_coef.detach().exp()) == pytest.approx(learnt, rel=1e-6)
        model.learn(30)
        after, _ = model.predict(observations, deterministic=True)
        assert not np.array_equal(after, theirs)
        model.save(tmp_path / "saved")
        loaded = type(model).load(tmp_path / "saved")
        assert np.array_equal(loaded.predict(observations, deterministic=True)[0], after)
        assert isinstance(model, SAC if config.algorithm == "sac" else TD3)
        assert isinstance(model.action_space, Box)
