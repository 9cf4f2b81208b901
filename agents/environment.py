"""The training environment: timed, and checked for numbers that are none."""

from typing import Any

import gymnasium
import numpy as np

from agents.clock import Clock
from agents.divergence import check_array
from envs import make_environment


class TimedEnvironment(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Counts the time of `step` and `reset` as simulation and refuses observations and rewards that are not finite.

    Args:
        environment: To step.
        clock: To count on.
    """

    def __init__(self, environment: gymnasium.Env[Any, Any], clock: Clock) -> None:
        super().__init__(environment)
        self._clock = clock
        self._steps = 0

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment.

        Raises:
            DivergedError: The observation or the reward is NaN or infinite.
        """
        with self._clock.part("simulate"):
            observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        check_array("observation", observation, self._steps)
        check_array("reward", np.asarray(reward), self._steps)
        return observation, reward, terminated, truncated, info

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        with self._clock.part("simulate"):
            return self.env.reset(seed=seed, options=options)


def make_training_environment(task: str, clock: Clock) -> TimedEnvironment:
    """Build the training environment of a run.

    Args:
        task: Gymnasium id.
        clock: To count simulation on.

    Raises:
        TaskError: The environment cannot be built.
    """
    return TimedEnvironment(make_environment(task), clock)
