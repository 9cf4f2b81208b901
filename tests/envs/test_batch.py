"""How a batch behaves: seeds, masks, errors, threads, and what `VectorEnv` promises."""

import gc
import os
import threading
from typing import Any

import gymnasium
import mujoco  # type: ignore[import-untyped]
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import envs
from envs import _cores


def _zeros(batch: Any) -> Any:
    return np.zeros((batch.num_envs, *batch.single_action_space.shape), np.float32)


def _first(task: str, seed: int) -> Any:
    return gymnasium.make(task).reset(seed=seed)[0]


@pytest.mark.parametrize("task", ["Walker2d-v5", "Humanoid-v5", "Pendulum-v1"])
def test_it_is_a_vector_environment_without_autoreset(task: str) -> None:
    batch, single = envs.make(task, 2, seeds=[0, 1]), gymnasium.make(task)
    assert isinstance(batch, VectorEnv)
    assert batch.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert isinstance(batch.single_observation_space, Box)
    assert batch.single_observation_space.dtype == np.float64
    assert batch.single_action_space == single.action_space
    assert batch.observation_space.shape == (2, *batch.single_observation_space.shape)
    assert batch.spec is not None
    assert batch.spec.id == task


def test_a_wrapper_of_gymnasium_works_on_it() -> None:
    batch = RecordEpisodeStatistics(envs.make("InvertedPendulum-v5", 2, seeds=[0, 1], max_episode_steps=3))
    batch.reset()
    for _ in range(3):
        info = batch.step(np.zeros((2, 1), np.float32))[4]
    np.testing.assert_array_equal(info["episode"]["r"], [3.0, 3.0])


@pytest.mark.parametrize("task", ["Hopper-v5", "Ant-v5", "Pendulum-v1"])
def test_seeds_go_with_each_environments_first_reset(task: str) -> None:
    batch, other = envs.make(task, 3, seeds=[7, 3, 5]), gymnasium.make(task)
    first, _ = batch.reset(options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal(first[0], 0.0)
    np.testing.assert_array_equal(first[1], other.reset(seed=3)[0].astype(np.float64))
    second, _ = batch.reset()
    np.testing.assert_array_equal(second[0], _first(task, 7).astype(np.float64))
    np.testing.assert_array_equal(second[1], other.reset()[0].astype(np.float64))


@pytest.mark.parametrize("task", ["Hopper-v5", "Pendulum-v1"])
def test_seeds_given_to_reset_count_up_from_a_number(task: str) -> None:
    batch = envs.make(task, 2, seeds=[7, 3])
    forms: list[Any] = [40, [40, 41], np.array([40, 41])]
    for seeds in forms:
        observations, _ = batch.reset(seed=seeds)
        for row, seed in zip(observations, [40, 41], strict=True):
            np.testing.assert_array_equal(row, _first(task, seed).astype(np.float64))
    other = batch.reset(seed=[None, 41])[0]
    np.testing.assert_array_equal(other[1], observations[1])
    assert not np.array_equal(other[0], observations[0])


def test_without_seeds_two_batches_differ() -> None:
    assert not np.array_equal(envs.make("Hopper-v5", 1).reset()[0], envs.make("Hopper-v5", 1).reset()[0])


@pytest.mark.parametrize("task", ["Walker2d-v5", "HumanoidStandup-v5", "Pendulum-v1"])
def test_a_masked_reset_touches_no_other_environment(task: str) -> None:
    masked, alone = envs.make(task, 3, seeds=[1, 2, 3]), envs.make(task, 3, seeds=[1, 2, 3])
    masked.reset()
    alone.reset()
    mask = np.array([True, False, False])
    random, space = np.random.default_rng(0), masked.single_action_space
    for turn in range(8):
        actions = random.uniform(space.low, space.high, (3, *space.shape)).astype(np.float32)
        ours, theirs = masked.step(actions), alone.step(actions)
        for part, other in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(part[1:], other[1:])
        if turn % 3 == 0:
            observations, info = masked.reset(options={"reset_mask": mask})
            np.testing.assert_array_equal(observations[1:], ours[0][1:])
            assert not np.array_equal(observations[0], ours[0][0])
            for name, values in info.items():
                np.testing.assert_array_equal(values[1:], 0, err_msg=name)


@pytest.mark.parametrize("task", ["Hopper-v5", "Swimmer-v5", "Reacher-v5", "Ant-v5", "Humanoid-v5", "Pendulum-v1"])
def test_inactive_environments_stand_still(task: str) -> None:
    batch, singles = envs.make(task, 3, seeds=[1, 2, 3]), [gymnasium.make(task) for _ in range(3)]
    last, _ = batch.reset()
    for seed, single in enumerate(singles, start=1):
        single.reset(seed=seed)
    random, space = np.random.default_rng(0), batch.single_action_space
    for active in ([True, False, True], [False, False, False], [False, True, True], [True, True, True]):
        actions = random.uniform(space.low, space.high, (3, *space.shape)).astype(np.float32)
        observations, reward, terminated, truncated, info = batch.step(actions, active=np.array(active))
        for index, single in enumerate(singles):
            if active[index]:
                outcome = single.step(actions[index])
                np.testing.assert_array_equal(observations[index], outcome[0].astype(np.float64))
                assert (reward[index], terminated[index], truncated[index]) == outcome[1:4]
                assert all(np.array_equal(info[name][index], value) for name, value in outcome[4].items())
            else:
                np.testing.assert_array_equal(observations[index], last[index])
                assert (reward[index], terminated[index], truncated[index]) == (0.0, False, False)
                assert not any(np.any(values[index]) for values in info.values())
        last = observations


def test_time_stands_still_for_inactive_environments() -> None:
    batch = envs.make("HalfCheetah-v5", 2, seeds=[1, 2], max_episode_steps=2)
    batch.reset()
    batch.step(_zeros(batch), active=np.array([True, False]))
    assert batch.step(_zeros(batch))[3].tolist() == [True, False]
    assert batch.step(_zeros(batch), active=np.array([False, True]))[3].tolist() == [False, True]


@pytest.mark.parametrize("task", ["Hopper-v5", "Ant-v5", "Pendulum-v1"])
def test_what_is_returned_is_the_callers_to_keep(task: str) -> None:
    batch, other = envs.make(task, 2, seeds=[1, 2]), envs.make(task, 2, seeds=[1, 2])
    kept = batch.reset()[0]
    other.reset()
    kept_copy = kept.copy()
    for _ in range(3):
        outcome, expected = batch.step(_zeros(batch)), other.step(_zeros(other))
        for part, right in zip(outcome[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(part, right)
            part[...] = 1
        for name, values in outcome[4].items():
            if not name.startswith("_"):
                values[...] = 1
    np.testing.assert_array_equal(kept, kept_copy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Hoper-v5", 2), r"unknown environment 'Hoper-v5'\. Did you mean 'Hopper-v5'"),
        (("CartPole-v1", 2), r"CartPole-v1: actions are Discrete\(2\)"),
        (("Hopper-v5", 0), "Hopper-v5: num_envs=0 is not allowed; it must be a whole number from 1 on"),
        (("Hopper-v5", True), "num_envs=True is not allowed"),
        (("Hopper-v5", 2, None, 0), "threads=0 is not allowed; it must be a whole number from 1 on"),
        (("Hopper-v5", 2, [1]), "seeds are a list of length 1; they must be 2 whole numbers"),
        (("Hopper-v5", 2, 5), "seeds are 5; they must be 2 whole numbers"),
        (
            ("Hopper-v5", 2, [0, 2**32]),
            r"seed 4294967296 is not allowed; a seed is a whole number in \[0, 4294967296\)",
        ),
        (("Pendulum-v1", 2, [0, -1]), "seed -1 is not allowed"),
        (("Hopper-v5", 1, [0.5]), "seed 0.5 is not allowed"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(envs.TaskError, match=message):
        envs.make(*arguments)


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        (
            "Hopper-v5",
            {"ctrl_cost_wieght": 1},
            r"unknown argument 'ctrl_cost_wieght'\. Did you mean 'ctrl_cost_weight'",
        ),
        ("Hopper-v5", {"render_mode": "human"}, "argument render_mode='human' is not allowed in a batch"),
        ("Hopper-v5", {"xml_file": "nowhere.xml"}, "environment 'Hopper-v5' cannot be built: .*nowhere.xml"),
        ("Hopper-v5", {"max_episode_steps": 0}, "environment 'Hopper-v5' cannot be built: .*positive"),
        ("Pendulum-v1", {"ctrl": 1}, "environment 'Pendulum-v1' cannot be built: .*'ctrl'"),
    ],
)
def test_bad_arguments_of_the_environment_are_refused(task: str, arguments: Any, message: str) -> None:
    with pytest.raises(envs.TaskError, match=message):
        envs.make(task, 2, **arguments)


def test_unbounded_actions_are_refused() -> None:
    class Unbounded(gymnasium.Env[Any, Any]):
        observation_space, action_space = Box(-1.0, 1.0, (2,)), Box(-np.inf, np.inf, (1,))

    gymnasium.register("Unbounded-v0", entry_point=lambda **_: Unbounded())
    try:
        with pytest.raises(envs.TaskError, match="Unbounded-v0: actions have an infinite bound"):
            envs.make("Unbounded-v0", 2)
    finally:
        del gymnasium.registry["Unbounded-v0"]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 4), np.float32), r"actions are a float32 array of shape \(2, 4\); .* of shape \(2, 3\)"),
        (np.zeros(3, np.float32), r"a float32 array of shape \(3,\)"),
        (np.zeros((2, 3), int), "a int64 array"),
        ([[0.0] * 3] * 2, "a list of length 2"),
    ],
)
def test_wrong_actions_are_refused(actions: Any, message: str) -> None:
    batch = envs.make("Hopper-v5", 2)
    batch.reset()
    with pytest.raises(envs.TaskError, match=message):
        batch.step(actions)


@pytest.mark.parametrize("mask", [np.ones(3, bool), np.ones(2), [True, True]])
def test_wrong_masks_are_refused(mask: Any) -> None:
    batch = envs.make("Hopper-v5", 2)
    with pytest.raises(envs.TaskError, match=r"options\['reset_mask'\] is .* must be a bool array of shape \(2,\)"):
        batch.reset(options={"reset_mask": mask})
    batch.reset()
    with pytest.raises(envs.TaskError, match=r"active is .* must be a bool array of shape \(2,\)"):
        batch.step(_zeros(batch), active=mask)
    with pytest.raises(envs.TaskError, match="unknown option 'rest_mask'"):
        batch.reset(options={"rest_mask": mask})
    with pytest.raises(envs.TaskError, match="seeds are a list of length 1"):
        batch.reset(seed=[1])


def test_stepping_before_a_reset_is_refused() -> None:
    batch = envs.make("Hopper-v5", 2)
    batch.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(gymnasium.error.ResetNeeded, match="environment 1 was never reset"):
        batch.step(_zeros(batch))
    batch.step(_zeros(batch), active=np.array([True, False]))


@pytest.mark.parametrize("task", ["Hopper-v5", "Ant-v5", "Pendulum-v1"])
def test_a_closed_batch_is_refused_and_closes_twice(task: str) -> None:
    batch = envs.make(task, 2, threads=2)
    batch.reset()
    batch.close()
    batch.close()
    for call in (batch.reset, lambda: batch.step(_zeros(batch))):
        with pytest.raises(envs.TaskError, match=f"{task}: the environments are closed"):
            call()


def _shards() -> int:
    return sum(thread.name == "envs-shard" for thread in threading.enumerate())


def test_threads_are_as_many_as_asked_for_and_end_with_the_batch() -> None:
    before = _shards()
    batch = envs.make("Ant-v5", 4, threads=3)
    assert _shards() == before + 2
    batch.close()
    assert _shards() == before
    forgotten = envs.make("Ant-v5", 2, threads=8)
    assert _shards() == before + 1
    del forgotten
    gc.collect()
    assert _shards() == before


def test_threads_default_to_the_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    before = _shards()
    batch = envs.make("Ant-v5", 5)
    assert _shards() == before + 2
    batch.close()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", [mujoco.FatalError, KeyboardInterrupt])
def test_an_error_inside_a_thread_reaches_the_caller_and_the_batch_goes_on(
    kind: type[BaseException], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = envs.make("Ant-v5", 4, seeds=range(4), threads=threads)
    batch.reset()

    def fail(*_: Any) -> None:
        raise kind("out of stack")

    with monkeypatch.context() as patch:
        patch.setattr(mujoco, "mj_step", fail)
        with pytest.raises(kind, match="out of stack"):
            batch.step(_zeros(batch))
    fresh = envs.make("Ant-v5", 4, seeds=range(4), threads=1)
    np.testing.assert_array_equal(batch.reset(seed=0)[0], fresh.reset()[0])
    np.testing.assert_array_equal(batch.step(_zeros(batch))[0], fresh.step(_zeros(fresh))[0])


def _timed(count: int = 20) -> float:
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, count)
    return float(data.timer[mujoco.mjtTimer.mjTIMER_STEP].duration)


def test_timers_are_off_after_a_batch_was_made_and_can_be_switched_on_again() -> None:
    envs.switch_timers(True)
    assert _timed() > 0
    envs.make("Hopper-v5", 1)
    assert _timed() == 0
    envs.switch_timers(True)
    assert _timed() > 0
    envs.switch_timers(False)
    assert _timed() == 0


def test_a_clock_that_somebody_set_stays() -> None:
    calls: list[int] = []

    def clock() -> float:
        calls.append(1)
        return float(len(calls))

    mujoco.set_mjcb_time(clock)
    try:
        envs.switch_timers(False)
        assert _timed() > 0
        assert calls
    finally:
        mujoco.set_mjcb_time(None)
        envs.switch_timers(False)


@pytest.fixture
def core_of(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    cores: dict[int, int] = {}
    monkeypatch.setattr(_cores, "_core", lambda thread: cores[thread])
    return cores


def _moves(monkeypatch: pytest.MonkeyPatch, usable: set[int]) -> list[set[int]]:
    moves: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: moves.append(cores))
    return moves


def test_a_caller_on_a_helpers_core_moves_and_is_set_free_again(
    core_of: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = _moves(monkeypatch, {0, 1, 2})
    core_of.update({threading.get_native_id(): 1, -5: 1, -6: 2})
    _cores.Separation([-5, -6]).separate()
    assert moves == [{0}, {0, 1, 2}]


@pytest.mark.parametrize(("caller", "usable"), [(0, {0, 1, 2}), (1, {1, 2})])
def test_a_caller_stays_where_it_is_if_alone_there_or_if_no_core_is_free(
    caller: int, usable: set[int], core_of: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = _moves(monkeypatch, usable)
    core_of.update({threading.get_native_id(): caller, -5: 1, -6: 2})
    _cores.Separation([-5, -6]).separate()
    assert moves == []


def test_cores_are_looked_at_every_fiftieth_call_and_never_again_once_a_thread_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def gone(thread: int) -> int:
        asked.append(thread)
        if asked.count(-5) > 2:
            raise FileNotFoundError
        return 0

    monkeypatch.setattr(_cores, "_core", gone)
    _moves(monkeypatch, {0})
    separation = _cores.Separation([-5])
    for calls, looks in ((1, 1), (49, 1), (1, 2), (50, 3), (200, 3)):
        for _ in range(calls):
            separation.keep()
        assert asked.count(-5) == looks


def test_the_core_of_a_real_thread_is_one_of_the_usable() -> None:
    (batch, helpers) = _cores.with_threads(lambda: envs.make("Ant-v5", 2, threads=2))
    assert len(helpers) == 1
    assert _cores._core(helpers[0]) in range(os.cpu_count() or 1)
    batch.close()
