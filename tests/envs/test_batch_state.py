"""States of batches: what `get_state` returns goes on to the bit, in another process too."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import envs

TASKS = [row.id for row in envs.tasks()]
ROOT = Path(__file__).parents[2]

GO_ON = """
import sys
import numpy as np
import envs

for task in sys.argv[1:]:
    batch = envs.make(task, 3, threads=2, max_episode_steps=9)
    with np.load(f"{task}.npz", allow_pickle=False) as file:
        batch.set_state(dict(file))
    np.savez(f"{task}-after.npz", *TRACE(batch))
"""


def _trace(batch: Any) -> list[Any]:
    random, space = np.random.default_rng(5), batch.single_action_space
    seen: list[Any] = []
    for turn in range(20):
        actions = random.uniform(space.low, space.high, (3, *space.shape)).astype(np.float32)
        active = np.array([True, turn > 3, True])
        outcome = batch.step(actions, active=active)
        done = outcome[2] | outcome[3]
        seen += [*outcome[:4], *[values for _, values in sorted(outcome[4].items())]]
        if done.any():
            observations, info = batch.reset(options={"reset_mask": done})
            seen += [observations, *[values for _, values in sorted(info.items())]]
    return seen


def _used(task: str, threads: int = 1) -> Any:
    batch = envs.make(task, 3, seeds=[3, 1, 4], threads=threads, max_episode_steps=9)
    batch.reset()
    random, space = np.random.default_rng(1), batch.single_action_space
    for _ in range(6):
        batch.step(random.uniform(space.low, space.high, (3, *space.shape)).astype(np.float32))
    return batch


def test_a_state_goes_on_to_the_bit_in_another_process() -> None:
    expected = {}
    for task in TASKS:
        batch = _used(task)
        state = batch.get_state()
        assert all(type(values) is np.ndarray and not values.dtype.hasobject for values in state.values())
        np.savez(f"{task}.npz", **state)
        expected[task] = _trace(batch)
    source = Path(__file__).read_text(encoding="utf-8")
    trace = source[source.index("def _trace") : source.index("def _used")].replace("_trace", "TRACE")
    code = "from typing import Any\nimport numpy as np\n" + trace + GO_ON
    command = [sys.executable, "-c", code, *TASKS]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    for task in TASKS:
        with np.load(f"{task}-after.npz", allow_pickle=False) as file:
            after = [file[f"arr_{index}"] for index in range(len(file.files))]
        assert len(after) == len(expected[task])
        for ours, theirs in zip(expected[task], after, strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True, err_msg=task)


@pytest.mark.parametrize("task", ["Hopper-v5", "Ant-v5"])
def test_a_state_is_a_copy_and_can_be_set_again(task: str) -> None:
    batch = _used(task)
    state = batch.get_state()
    first = _trace(batch)
    for _ in range(2):
        batch.set_state(state)
        for ours, theirs in zip(_trace(batch), first, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_state_before_the_first_reset_keeps_the_seeds_and_the_need_of_a_reset() -> None:
    source, target = envs.make("Hopper-v5", 2, seeds=[8, 9]), envs.make("Hopper-v5", 2)
    target.reset()
    target.set_state(source.get_state())
    with pytest.raises(Exception, match="environment 0 was never reset"):
        target.step(np.zeros((2, 3)))
    np.testing.assert_array_equal(target.reset()[0], source.reset()[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elapsed": None}, "Hopper-v5: entry 'elapsed' of the state is missing"),
        ({"more": np.zeros(1)}, "Hopper-v5: entry 'more' of the state is unknown"),
        ({"task": np.array("Walker2d-v5")}, "Hopper-v5: the state is one of 'Walker2d-v5'"),
        ({"physics": np.zeros((2, 5))}, r"entry 'physics' of the state is float64 of shape \(2, 5\); here it is"),
        ({"elapsed": np.zeros(2)}, r"entry 'elapsed' of the state is float64 of shape \(2,\); here it is int64"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    batch = envs.make("Hopper-v5", 2, seeds=[8, 9])
    batch.reset()
    before = batch.get_state()
    state = {name: values for name, values in {**before, **change}.items() if values is not None}
    with pytest.raises(envs.TaskError, match=message):
        batch.set_state(state)
    for name, values in batch.get_state().items():
        np.testing.assert_array_equal(values, before[name])


def test_states_are_for_the_eleven_tasks_alone() -> None:
    batch = envs.make("Pendulum-v1", 2)
    for call in (batch.get_state, lambda: batch.set_state({})):
        with pytest.raises(envs.TaskError, match="Pendulum-v1: the state can be read and set for Gymnasium's MuJoCo"):
            call()
