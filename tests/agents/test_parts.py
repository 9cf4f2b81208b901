"""The small parts of the engine: clock, evaluation, run folder, checks for divergence."""

import json
import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from agents import evaluation, files, run_folder
from agents.clock import Clock
from agents.divergence import DivergedError, check_array, check_losses
from agents.evaluation import Evaluation, Evaluator, evaluation_seed


def test_the_clock_splits_time_into_parts() -> None:
    moments = iter([100.0, 0.0, 1.0, 4.0, 5.0, 5.5, 10.0])
    clock = Clock(lambda: next(moments))
    clock.restart()
    with clock.part("learn"):
        pass
    with pytest.raises(KeyError), clock.part("act"):
        raise KeyError
    expected = {"wall_s": 10.0, "act_s": 0.5, "simulate_s": 0.0, "learn_s": 3.0, "evaluate_s": 0.0}
    assert clock.seconds() == expected


def test_evaluation_seeds_are_what_the_documentation_says() -> None:
    assert evaluation_seed(3, 2, 1) == int(np.random.SeedSequence([1, 3, 2, 1]).generate_state(1)[0])
    seeds = {evaluation_seed(run, index, episode) for run in range(5) for index in range(5) for episode in range(5)}
    assert len(seeds) == 125


class _Countdown(gymnasium.Env[Any, Any]):
    """Ends after as many steps as its number says; the reward is the action."""

    observation_space = gymnasium.spaces.Box(-1e9, 1e9, (1,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, number: int, resets: list[int | None]) -> None:
        self._number = number
        self._resets = resets
        self._left = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._resets.append(seed)
        self._left = self._number
        return np.array([float(self._number)]), options or {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._left -= 1
        # Odd numbers end by truncation, even ones by termination.
        ended = self._left == 0
        return np.array([float(self._number)]), float(action[0]), ended and self._number % 2 == 0, ended, {}


def test_episodes_run_in_lockstep_each_to_its_own_end(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, resets = iter([1, 3, 2]), list[int | None]()
    monkeypatch.setattr(evaluation, "make_environment", lambda _task: _Countdown(next(numbers), resets))
    batches = []

    def act(observations: Any) -> Any:
        batches.append(observations[:, 0].tolist())
        return observations / 10

    evaluator = Evaluator("any", run_seed=7, episodes=3)
    first = evaluator.evaluate(act)
    np.testing.assert_allclose(first.returns, [0.1, 0.9, 0.4])
    np.testing.assert_array_equal(first.lengths, [1, 3, 2])
    assert batches == [[1.0, 3.0, 2.0], [3.0, 2.0], [3.0]]
    evaluator.evaluate(act)
    assert resets == [evaluation_seed(7, index, episode) for index in range(2) for episode in range(3)]


def test_a_row_of_evaluations_holds_what_the_header_says(tmp_path: Path) -> None:
    writer = run_folder.EvaluationWriter(tmp_path, episodes=2)
    seconds = {"wall_s": 5.0, "act_s": 1.0, "simulate_s": 0.5, "learn_s": 2.0, "evaluate_s": 0.25}
    writer.append(100, Evaluation(np.array([1.0, 2.5]), np.array([10, 30])), seconds)
    writer.close()
    assert (tmp_path / "evaluations.csv").read_text() == (
        "step,episode_return_0,episode_return_1,episode_length_0,episode_length_1,return_mean,return_std,length_mean,"
        "wall_s,act_s,simulate_s,learn_s,evaluate_s\n"
        "100,1.0,2.5,10,30,1.75,0.75,20.0,5.000000,1.000000,0.500000,2.000000,0.250000\n"
    )


def test_every_row_is_on_the_disk_before_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    path = tmp_path / "evaluations.csv"
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append(path.read_bytes()[-5:]))
    writer = run_folder.EvaluationWriter(tmp_path, episodes=1)
    nothing = dict.fromkeys(("wall_s", "act_s", "simulate_s", "learn_s", "evaluate_s"), 0.0)
    writer.append(1, Evaluation(np.array([1.0]), np.array([1])), nothing)
    writer.close()
    assert synced == [b"te_s\n", b"0000\n"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    files.write_json_atomically(path, {"state": "running"})

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        files.write_json_atomically(path, {"state": "done"})
    assert json.loads(path.read_text()) == {"state": "running"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_json_holds_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json_atomically(tmp_path / "run.json", {"steps_per_s": float("nan")})
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ValueError, match="holds a list, not a mapping"):
        files.read_json(tmp_path / "list.json")


def test_an_attempt_leaves_only_its_record_and_log(tmp_path: Path) -> None:
    kept = {"run.json", "log.txt", ".lock"}
    gone = {"evaluations.csv", "progress.json", "policy.json", "policy.safetensors", "events.out.tfevents.1.host.2.0"}
    # Of writes that a kill cut short.
    gone |= {".run.json.k2_x9", ".policy.json.a", ".policy.safetensors.b", ".progress.json"}
    for name in kept | gone:
        (tmp_path / name).write_text("{}")
    run_folder.remove_attempt(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_progress_counts_training_without_evaluation(tmp_path: Path) -> None:
    run_folder.write_progress(tmp_path, 100, {"wall_s": 30.0, "evaluate_s": 10.0})
    expected = {"step": 100, "wall_s": 30.0, "steps_per_s": 5.0}
    assert json.loads((tmp_path / "progress.json").read_text()) == expected


def test_a_namespaced_task_makes_one_folder() -> None:
    assert run_folder.run_path("lab/walk-v0", "sac", "relu", 0).parts == ("lab__walk-v0", "sac", "relu", "seed-0")


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_numbers_that_are_none_are_named(value: float, kind: str) -> None:
    with pytest.raises(DivergedError, match=rf"action not finite \({kind}\) at step 12"):
        check_array("action", np.array([0.0, value]), 12)
    with pytest.raises(DivergedError, match=rf"critic_loss not finite \({kind}\) at step 12"):
        check_losses({"eval/mean_reward": value, "train/critic_loss": value}, 12)
    check_losses({"eval/mean_reward": value, "train/critic_loss": 1.0, "train/n_updates": 3}, 12)
