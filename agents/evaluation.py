"""Evaluation of a deterministic policy: separate environments with seeds of their own, stepped in lockstep."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs import make_environment

# Maps observations (A, observation_size) to actions (A, action_size) in the environment's own bounds.
Act: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

# Keeps the seeds of evaluation apart from whatever else is ever derived from a run's seed. The value is arbitrary and
# stays.
_EVALUATION_STREAM = 1


@dataclass(frozen=True)
class Evaluation:
    """What the episodes of one evaluation brought.

    Attributes:
        returns: Undiscounted returns, shape ``(E,)``.
        lengths: Steps, shape ``(E,)``.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]


def evaluation_seed(run_seed: int, evaluation: int, episode: int) -> int:
    """Return the seed that resets the environment of one evaluation episode.

    It is the first 32-bit word of NumPy's ``SeedSequence([1, run_seed, evaluation, episode])``, where evaluation 0 is
    the untrained policy's. Every episode of every evaluation of every run starts elsewhere, whatever the number of
    episodes and arms.

    Args:
        run_seed: The run's seed.
        evaluation: Index of the evaluation in the run, from 0.
        episode: Index of the episode in the evaluation, from 0.
    """
    words = np.random.SeedSequence([_EVALUATION_STREAM, run_seed, evaluation, episode]).generate_state(1)
    return int(words[0])


class Evaluator:
    """Evaluates one run's policy again and again.

    The environments are built once. They share no random state with training: Gymnasium's environments own their
    generators.

    Args:
        task: Gymnasium id.
        run_seed: The run's seed, from which the episodes' seeds are derived.
        episodes: Episodes per evaluation, E.
    """

    def __init__(self, task: str, run_seed: int, episodes: int) -> None:
        self._run_seed = run_seed
        self._evaluations = 0
        self._environments = [make_environment(task) for _ in range(episodes)]

    def evaluate(self, act: Act) -> Evaluation:
        """Run one episode in each environment, with one call of `act` per step for those that still run.

        Args:
            act: The deterministic policy.

        Returns:
            Returns and lengths of the E episodes.
        """
        index = self._evaluations
        self._evaluations += 1
        observations = np.stack(
            [
                environment.reset(seed=evaluation_seed(self._run_seed, index, episode))[0]
                for episode, environment in enumerate(self._environments)
            ]
        )
        count = len(self._environments)
        returns, lengths = np.zeros(count), np.zeros(count, dtype=np.int64)
        running = np.arange(count)
        while running.size:
            actions = act(observations[running])
            alive = []
            for episode, action in zip(running, actions, strict=True):
                observation, reward, ended = _step(self._environments[episode], action)
                observations[episode] = observation
                returns[episode] += reward
                lengths[episode] += 1
                if not ended:
                    alive.append(episode)
            running = np.asarray(alive, dtype=np.int64)
        return Evaluation(returns, lengths)

    def close(self) -> None:
        """Close the environments."""
        for environment in self._environments:
            environment.close()


def _step(environment: gymnasium.Env[Any, Any], action: NDArray[Any]) -> tuple[NDArray[Any], float, bool]:
    observation, reward, terminated, truncated, _ = environment.step(action)
    return observation, float(reward), terminated or truncated
