"""The eleven tasks in batches against `gymnasium.make`, to the bit."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import envs

TASKS = [row.id for row in envs.tasks()]
NON_DEFAULT: dict[str, list[dict[str, Any]]] = {
    "forward_reward_weight": [{"forward_reward_weight": 2.5}],
    "ctrl_cost_weight": [{"ctrl_cost_weight": 0.37}],
    "contact_cost_weight": [{"contact_cost_weight": 0.013}],
    "contact_cost_range": [{"contact_cost_range": (0.0, 1e-4)}],
    "impact_cost_weight": [{"impact_cost_weight": 0.011}],
    "impact_cost_range": [{"impact_cost_range": (0.0, 1e-3)}],
    "uph_cost_weight": [{"uph_cost_weight": 3}],
    "healthy_reward": [{"healthy_reward": 0.7}],
    "terminate_when_unhealthy": [{"terminate_when_unhealthy": False}],
    "healthy_state_range": [{"healthy_state_range": (-1.0, 1.0)}],
    "healthy_z_range": [{"healthy_z_range": (0.3, 1.24)}],
    "healthy_angle_range": [{"healthy_angle_range": (-0.02, 0.05)}],
    "contact_force_range": [{"contact_force_range": (-0.2, 0.3)}],
    "main_body": [{"main_body": 3}, {"main_body": "aux_1"}],
    "reset_noise_scale": [{"reset_noise_scale": 0.03}],
    "exclude_current_positions_from_observation": [{"exclude_current_positions_from_observation": False}],
    "include_cinert_in_observation": [{"include_cinert_in_observation": False}],
    "include_cvel_in_observation": [{"include_cvel_in_observation": False}],
    "include_qfrc_actuator_in_observation": [{"include_qfrc_actuator_in_observation": False}],
    "include_cfrc_ext_in_observation": [{"include_cfrc_ext_in_observation": False}],
    "reward_near_weight": [{"reward_near_weight": 0.31}],
    "reward_dist_weight": [{"reward_dist_weight": 1.7}],
    "reward_control_weight": [{"reward_control_weight": 0.23}],
    "frame_skip": [{"frame_skip": 3}],
    "max_episode_steps": [{"max_episode_steps": 4}, {"max_episode_steps": -1}],
    "xml_file": [],
    "default_camera_config": [{"default_camera_config": {"distance": 2.0}}],
}


def _arguments(task: str) -> list[str]:
    names = inspect.signature(type(gymnasium.make(task).unwrapped)).parameters
    return [name for name in names if name != "kwargs"] + ["max_episode_steps"]


ARGUMENTS = [(task, kwargs) for task in TASKS for name in _arguments(task) for kwargs in NON_DEFAULT[name]]


@pytest.mark.parametrize("task", TASKS)
def test_random_steps_and_resets_are_the_same_bits(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=3, threads=2, max_episode_steps=60)
    both.run(300)
    assert both.ended >= 15


@pytest.mark.parametrize("task", TASKS)
def test_one_environment_cut_off_on_one_thread_is_the_same_bits(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=1, threads=1, seed=11, max_episode_steps=3)
    both.run(40)
    assert both.truncated >= 12


@pytest.mark.exhaustive
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("seed", [0, 1_000, 2**32 - 5])
@pytest.mark.parametrize("task", TASKS)
def test_two_thousand_steps_are_the_same_bits(
    task: str, seed: int, count: int, threads: int, pair: Callable[..., Any]
) -> None:
    both = pair(task, count=count, threads=threads, seed=seed)
    both.run(2_000)
    assert both.ended > 0


@pytest.mark.parametrize("task", TASKS)
def test_float64_actions_are_the_same_bits(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=2)
    for _ in range(5):
        both.step(both.actions(np.float64))


@pytest.mark.parametrize("task", ["Ant-v5", "Humanoid-v5"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_actions_in_another_memory_order_are_the_same_bits(task: str, dtype: type, pair: Callable[..., Any]) -> None:
    both = pair(task, count=3)
    for _ in range(20):
        both.step(np.asfortranarray(both.actions(dtype)))


@pytest.mark.parametrize("task", ["HalfCheetah-v5", "Humanoid-v5"])
def test_actions_outside_their_bounds_are_the_same_bits(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=2)
    for _ in range(5):
        both.step(np.float32(7) * both.actions())


@pytest.mark.parametrize("task", ["Hopper-v5", "Ant-v5", "Pusher-v5"])
def test_actions_that_are_no_number_are_the_same_bits(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=2)
    actions = both.actions()
    actions[1, 0] = np.nan
    both.step(actions)
    both.step()


@pytest.mark.parametrize("task", ["Hopper-v5", "InvertedPendulum-v5", "Ant-v5"])
def test_an_ended_environment_steps_on_as_gymnasiums_does(task: str, pair: Callable[..., Any]) -> None:
    both = pair(task, count=2, max_episode_steps=6)
    both.run(3)
    for _ in range(40):
        done = both.step()
    assert done.all()
    both.reset(np.array([True, False]))
    both.step()


TRACED = 110


def _trace(task: str, kwargs: dict[str, Any]) -> list[Any]:
    batch = envs.make(task, 2, seeds=[0, 1], threads=1, **kwargs)
    random, space = np.random.default_rng(0), batch.single_action_space
    seen: list[Any] = [batch.reset()[0]]
    for _ in range(TRACED):
        seen += batch.step(random.uniform(space.low, space.high, (2, *space.shape)).astype(np.float32))[:4]
    return seen


@functools.cache
def _default_trace(task: str) -> list[Any]:
    return _trace(task, {})


# Gymnasium takes these and does nothing with them that a learner would see.
WITHOUT_EFFECT = {"uph_cost_weight", "default_camera_config"}


@pytest.mark.parametrize(("task", "kwargs"), ARGUMENTS, ids=str)
def test_an_argument_changes_what_it_changes_in_gymnasium(
    task: str, kwargs: dict[str, Any], pair: Callable[..., Any]
) -> None:
    pair(task, count=2, **kwargs).run(25)
    same = all(np.array_equal(*each) for each in zip(_trace(task, kwargs), _default_trace(task), strict=True))
    endless = kwargs == {"max_episode_steps": -1} and (envs.task(task).time_limit or 0) > TRACED
    assert same == (endless or next(iter(kwargs)) in WITHOUT_EFFECT)


def test_another_model_is_the_same_bits(pair: Callable[..., Any]) -> None:
    both = pair("Hopper-v5", count=2, xml_file="walker2d_v5.xml")
    assert both.batch.single_action_space.shape == (6,)
    both.run(12)


@pytest.mark.parametrize("task", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_other_environments_are_the_same_bits(task: str) -> None:
    batch = envs.make(task, 3, seeds=[5, 6, 7])
    singles = [gymnasium.make(task) for _ in range(3)]
    first, _ = batch.reset()
    for row, single, seed in zip(first, singles, [5, 6, 7], strict=True):
        np.testing.assert_array_equal(row, single.reset(seed=seed)[0].astype(np.float64), strict=True)
    random = np.random.default_rng(0)
    ends = 0
    for _ in range(410):
        actions = random.uniform(-1, 1, (3, 1)).astype(np.float32)
        observations, reward, terminated, truncated, _ = batch.step(actions)
        for index, single in enumerate(singles):
            outcome = single.step(actions[index])
            np.testing.assert_array_equal(observations[index], outcome[0].astype(np.float64), strict=True)
            assert (reward[index], terminated[index], truncated[index]) == outcome[1:4]
        done = terminated | truncated
        if done.any():
            ends += int(done.sum())
            observations, _ = batch.reset(options={"reset_mask": done})
            for index in np.flatnonzero(done).tolist():
                np.testing.assert_array_equal(observations[index], singles[index].reset()[0].astype(np.float64))
    assert ends >= 3 or task == "MountainCarContinuous-v0"
