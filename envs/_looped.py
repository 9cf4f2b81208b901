"""Any other Gymnasium environment behind the face of a batch: a loop, one environment after the other."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from envs._arrays import Actions, Bools, Floats, State
from envs._batched import BatchedEnv, Seeds
from envs._errors import TaskError


class LoopedBatch(BatchedEnv):
    """`BatchedEnv` for environments that are none of the eleven MuJoCo tasks.

    Args:
        task_id: Gymnasium's id.
        environments: The environments, made alike, with Box spaces; this object closes them.
        seeds: One seed or None for each environment, for its first reset.
    """

    def __init__(self, task_id: str, environments: Sequence[gymnasium.Env[Any, Any]], seeds: Seeds) -> None:
        first = environments[0]
        spaces = (_flat(first.observation_space, np.float64), _flat(first.action_space, None))
        super().__init__(task_id, len(environments), first, spaces)
        self._environments = environments
        self._action_shape = first.action_space.shape
        self._seeds = list(seeds)

    def _reset(self, mask: Bools, seeds: Seeds) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for index in np.flatnonzero(mask).tolist():
            seed = self._seeds[index] if seeds[index] is None else seeds[index]
            self._seeds[index] = None
            observation, more = self._environments[index].reset(seed=seed)
            self._observations[index] = np.ravel(observation)
            info = self._add_info(info, more, index)
        return info

    def _step(self, actions: Actions) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        return self._step_some(actions, np.ones(self.num_envs, dtype=np.bool_))

    def _step_some(self, actions: Actions, active: Bools) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        reward = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        info: dict[str, Any] = {}
        for index in np.flatnonzero(active).tolist():
            action = actions[index].reshape(self._action_shape)
            outcome = self._environments[index].step(action)
            self._observations[index] = np.ravel(outcome[0])
            reward[index], terminated[index], truncated[index] = outcome[1:4]
            info = self._add_info(info, outcome[4], index)
        return self._observations.copy(), reward, terminated, truncated, info

    def get_state(self) -> State:
        raise TaskError(f"{self.task_id}: the state can be read and set for Gymnasium's MuJoCo tasks alone.")

    def set_state(self, state: State) -> None:
        del state
        self.get_state()

    def close_extras(self) -> None:
        """Close the environments."""
        super().close_extras()
        for environment in self._environments:
            environment.close()


def _flat(space: gymnasium.Space[Any], dtype: type[np.float64] | None) -> Box:
    if not isinstance(space, Box):
        raise TaskError(f"{space} is no Box.")
    kind = space.dtype if dtype is None else dtype
    low, high = space.low.ravel().astype(kind), space.high.ravel().astype(kind)
    return Box(low, high, dtype=kind)
