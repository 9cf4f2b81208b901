"""Evaluation of a population's deterministic policies: all episodes of all runs side by side."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

import envs
from agents.evaluation import evaluation_seed

# Maps observations (P, E, size) to actions (P, E, size) in the environment's own bounds.
_Act: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float32]]


class PopulationEvaluator:
    """Plays episodes in environments of its own, which are built when they are first needed.

    Args:
        task: Gymnasium id.
        seeds: Of the P runs, from which the episodes' seeds are derived.
        threads: That step the environments.
    """

    def __init__(self, task: str, seeds: Sequence[int], threads: int) -> None:
        self._task, self._seeds, self._threads = task, seeds, threads
        self._built: dict[int, envs.BatchedEnv] = {}

    def play(
        self, act: _Act, alive: NDArray[np.bool_], evaluation: int, episodes: int, should_stop: Callable[[], bool]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """Play E episodes of each run.

        Args:
            act: The policies.
            alive: Which runs play, shape ``(P,)``.
            evaluation: Index of the evaluation in the runs, from 0.
            episodes: E.
            should_stop: Asked before each step.

        Returns:
            Undiscounted returns and lengths, shape ``(P, E)``, NaN and 0 for runs that do not play; None if asked to
            stop.
        """
        runs = len(self._seeds)
        environments = self._environments(episodes)
        seeds = [evaluation_seed(seed, evaluation, episode) for seed in self._seeds for episode in range(episodes)]
        observations, _ = environments.reset(seed=seeds)
        running = np.repeat(alive, episodes)
        returns = np.where(running, 0.0, np.nan)
        lengths = np.zeros(runs * episodes, dtype=np.int64)
        while running.any():
            if should_stop():
                return None
            # All rows, also of ended episodes: a product with fewer rows could round differently.
            actions = act(observations.reshape(runs, episodes, -1)).reshape(runs * episodes, -1)
            actions[~running] = 0.0
            observations, rewards, terminated, truncated, _ = environments.step(actions, active=running)
            returns[running] += rewards[running]
            lengths += running
            running &= ~(terminated | truncated)
        return returns.reshape(runs, episodes), lengths.reshape(runs, episodes)

    def close(self) -> None:
        """Release the simulators."""
        for environments in self._built.values():
            environments.close()

    def _environments(self, episodes: int) -> envs.BatchedEnv:
        if episodes not in self._built:
            self._built[episodes] = envs.make(self._task, len(self._seeds) * episodes, None, self._threads)
        return self._built[episodes]
