"""A batch and Gymnasium's own environments side by side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import envs


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MuJoCo writes its warnings to a file in the current folder.
    monkeypatch.chdir(tmp_path)


class Pair:
    """The same environments twice: as one batch, and as a list made by `gymnasium.make`; every step compares them."""

    def __init__(self, task: str, count: int = 3, threads: int = 2, seed: int = 0, **kwargs: Any) -> None:
        self.batch = envs.make(task, count, seeds=range(seed, seed + count), threads=threads, **kwargs)
        self.singles = [gymnasium.make(task, disable_env_checker=True, **kwargs) for _ in range(count)]
        self.random = np.random.default_rng(seed)
        self.ended = 0
        self.truncated = 0
        observations, info = self.batch.reset()
        for index, single in enumerate(self.singles):
            self.same(index, observations, info, *single.reset(seed=seed + index))

    def same(self, index: int, observations: Any, info: Any, observation: Any, single_info: dict[str, Any]) -> None:
        # No tolerance: bits. NaN counts as equal to NaN.
        assert np.array_equal(observations[index], observation, equal_nan=True)
        assert {name for name in info if not name.startswith("_")} == set(single_info)
        for name, value in single_info.items():
            assert np.array_equal(info[name][index], value, equal_nan=True), name
            assert info[f"_{name}"][index]

    def actions(self, dtype: type = np.float32) -> Any:
        space = self.batch.single_action_space
        return self.random.uniform(space.low, space.high, (len(self.singles), *space.shape)).astype(dtype)

    def step(self, actions: Any = None) -> Any:
        actions = self.actions() if actions is None else actions
        observations, reward, terminated, truncated, info = self.batch.step(actions)
        assert [each.dtype.str[1:] for each in (observations, reward, terminated, truncated)] == [
            "f8",
            "f8",
            "b1",
            "b1",
        ]
        for index, single in enumerate(self.singles):
            outcome = single.step(actions[index])
            self.same(index, observations, info, outcome[0], outcome[4])
            assert np.array_equal(reward[index], float(outcome[1]), equal_nan=True)
            assert (terminated[index], truncated[index]) == (outcome[2], outcome[3])
        self.truncated += int(truncated.sum())
        return terminated | truncated

    def reset(self, mask: Any) -> None:
        self.ended += int(mask.sum())
        observations, info = self.batch.reset(options={"reset_mask": mask})
        for index in np.flatnonzero(mask).tolist():
            self.same(index, observations, info, *self.singles[index].reset())

    def run(self, steps: int) -> None:
        for _ in range(steps):
            done = self.step()
            if done.any():
                self.reset(done)


@pytest.fixture
def pair() -> Callable[..., Pair]:
    return Pair
