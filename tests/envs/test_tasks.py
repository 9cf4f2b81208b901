"""The table of tasks against Gymnasium itself, and the check of everything else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import envs


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MuJoCo writes its warnings to a file in the current folder.
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("row", envs.tasks(), ids=lambda row: row.id)
def test_every_row_is_what_gymnasium_builds(row: envs.Task) -> None:
    environment = gymnasium.make(row.id)
    actions, spec = environment.action_space, environment.spec
    assert isinstance(actions, spaces.Box)
    assert spec is not None
    assert environment.observation_space.shape == (row.observation_size,)
    assert actions.shape == (row.action_size,)
    np.testing.assert_array_equal(actions.high, np.float32(row.action_bound))
    np.testing.assert_array_equal(actions.low, -np.float32(row.action_bound))
    assert (spec.max_episode_steps, spec.reward_threshold) == (row.time_limit, row.reward_threshold)
    environment.close()


def test_there_are_eleven_tasks_and_one_can_be_looked_up() -> None:
    assert len(envs.tasks()) == 11
    row = envs.task("Hopper-v5")
    assert row == envs.Task("Hopper-v5", 11, 3, 1.0, 1000, 3800.0, row.random_score, row.reference_scores)
    with pytest.raises(envs.TaskError, match=r"unknown task 'hoper-v5'\. Did you mean 'Hopper-v5'"):
        envs.task("hoper-v5")


@pytest.mark.parametrize("task", ["Hopper-v5", "InvertedPendulum-v5", "Reacher-v5"])
def test_random_scores_can_be_measured_again(task: str) -> None:
    batch = envs.make(task, 100, seeds=range(100), threads=1)
    batch.reset()
    random, space = np.random.default_rng(0), batch.single_action_space
    total, active = np.zeros(100), np.ones(100, dtype=np.bool_)
    while active.any():
        actions = random.uniform(space.low, space.high, (100, *space.shape)).astype(np.float32)
        _, reward, terminated, truncated, _ = batch.step(actions, active=active)
        total += reward
        active &= ~(terminated | truncated)
    # Another processor rounds otherwise, and episodes with contacts then part.
    assert envs.task(task).random_score == pytest.approx(total.mean(), rel=0.2)


def test_every_task_has_a_random_score_below_its_reference_scores() -> None:
    for row in envs.tasks():
        assert row.random_score is not None
        assert all(row.random_score < score.mean for score in row.reference_scores)
    (td3, sac) = envs.task("Ant-v5").reference_scores
    assert (td3.algorithm, td3.steps, td3.mean, td3.sd) == ("td3", 1_000_000, 3009.0, 657.0)
    assert (sac.algorithm, sac.mean) == ("sac", 4332.0)
    assert "version 5" in td3.source


def test_the_list_of_tasks_cannot_be_spoilt() -> None:
    envs.tasks().clear()
    assert len(envs.tasks()) == 11


def test_a_task_of_the_table_is_checked_without_building_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gymnasium, "make", lambda *_args, **_more: pytest.fail("was built"))
    assert envs.check_task("Humanoid-v5") == envs.task("Humanoid-v5")


def test_another_registered_environment_is_described() -> None:
    assert envs.check_task("Pendulum-v1") == envs.Task("Pendulum-v1", 3, 1, 2.0, 200, None)


class _Odd(gymnasium.Env[Any, Any]):
    """An environment with whatever spaces a test wants."""

    def __init__(self, **wanted: Any) -> None:
        self.observation_space = wanted["observations"]
        self.action_space = wanted["actions"]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), options or {}


@pytest.fixture
def odd() -> Iterator[None]:
    grid, unit = spaces.Box(-1.0, 1.0, (2, 3)), spaces.Box(-1.0, 1.0, (2,))
    kinds = {
        "OddGrid-v0": (grid, spaces.Box(np.array([-3, 0], np.float32), np.array([1, 2], np.float32))),
        "OddUnbounded-v0": (unit, spaces.Box(-np.inf, np.inf, (1,))),
        "OddWords-v0": (spaces.Dict({"x": unit}), unit),
    }
    for name, (observations, actions) in kinds.items():
        gymnasium.register(name, entry_point=_Odd, kwargs={"observations": observations, "actions": actions})
    gymnasium.register("OddBroken-v0", entry_point=_Odd, kwargs={"missing": 1})
    yield
    for name in [*kinds, "OddBroken-v0"]:
        del gymnasium.registry[name]


@pytest.mark.usefixtures("odd")
def test_observations_of_two_axes_are_flattened_and_uneven_bounds_measured() -> None:
    assert envs.check_task("OddGrid-v0") == envs.Task("OddGrid-v0", 6, 2, 3.0, None, None)
    environment = envs.make_environment("OddGrid-v0")
    assert environment.reset(seed=0)[0].shape == (6,)


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("Hoper-v5", r"unknown environment 'Hoper-v5'\. Did you mean 'Hopper-v5'\? Allowed is any registered"),
        ("CartPole-v1", r"CartPole-v1: actions are Discrete\(2\)\. Allowed is"),
        ("OddUnbounded-v0", "OddUnbounded-v0: actions have an infinite bound"),
        ("OddWords-v0", r"OddWords-v0: observations are Dict\("),
        ("OddBroken-v0", "environment 'OddBroken-v0' cannot be built: 'observations'"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(task: str, message: str) -> None:
    with pytest.raises(envs.TaskError, match=message):
        envs.check_task(task)
