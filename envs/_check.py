"""Which Gymnasium environments an agent with continuous actions can train on."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, flatdim

from envs._errors import TaskError
from envs._tasks import Task, nearest, task, tasks

__all__ = ["TaskError", "check_task", "make_environment"]

_ALLOWED = "Allowed is any registered Gymnasium id with a Box of observations and a Box of bounded actions"


def check_task(task_id: str) -> Task:
    """Return what is known of an environment, or say why it cannot be trained on.

    One of the eleven MuJoCo tasks is looked up in a table, which takes no time; anything else is built once and closed.

    Args:
        task_id: A Gymnasium id.

    Raises:
        TaskError: The id is unknown, its actions are discrete or unbounded, its observations are no Box, or it cannot
            be built.
    """
    if any(row.id == task_id for row in tasks()):
        return task(task_id)
    refuse_unknown_id(task_id)
    environment = build(task_id)
    try:
        return describe(task_id, environment)
    finally:
        environment.close()


def make_environment(task_id: str) -> gymnasium.Env[Any, Any]:
    """Build one environment whose observations are one-dimensional arrays.

    Args:
        task_id: A Gymnasium id that `check_task` accepts.

    Returns:
        The environment with its time limit; observations of more than one axis are flattened.

    Raises:
        TaskError: The environment cannot be built.
    """
    environment = build(task_id)
    shape = environment.observation_space.shape
    return environment if shape is not None and len(shape) == 1 else gymnasium.wrappers.FlattenObservation(environment)


def refuse_unknown_id(task_id: str) -> None:
    """Raise unless Gymnasium has an environment of this name.

    Raises:
        TaskError: The id is not registered; the message names the nearest that are.
    """
    if task_id not in gymnasium.registry:
        # Gymnasium's registry still lists old versions that no longer run here, so the tasks of today come first.
        hint = nearest(task_id, [row.id for row in tasks()]) or nearest(task_id, list(gymnasium.registry))
        raise TaskError(f"unknown environment {task_id!r}.{hint} {_ALLOWED}.")


def build(task_id: str, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Build one environment with its time limit.

    Args:
        task_id: A Gymnasium id.
        **kwargs: Arguments of `gymnasium.make` and of the environment's constructor.

    Raises:
        TaskError: The environment cannot be built.
    """
    try:
        # Gymnasium's checker repeats at every first step what `check_task` has settled, and costs time in each
        # environment.
        return gymnasium.make(task_id, disable_env_checker=True, **kwargs)
    except Exception as error:
        # An environment's constructor is somebody else's code and may raise anything, such as a missing library.
        raise TaskError(f"environment {task_id!r} cannot be built: {error}") from error


def describe(task_id: str, environment: gymnasium.Env[Any, Any]) -> Task:
    """Return what an agent must know of an environment that was built.

    Raises:
        TaskError: Its observations are no Box, or its actions no Box of finite bounds.
    """
    observations, actions = environment.observation_space, environment.action_space
    if not isinstance(observations, Box):
        raise TaskError(f"{task_id}: observations are {observations}. {_ALLOWED}.")
    if not isinstance(actions, Box):
        raise TaskError(f"{task_id}: actions are {actions}. {_ALLOWED}.")
    bounds = np.abs(np.concatenate([actions.low.ravel(), actions.high.ravel()]))
    if not np.isfinite(bounds).all():
        raise TaskError(f"{task_id}: actions have an infinite bound, {actions}. {_ALLOWED}.")
    spec = environment.spec
    return Task(
        id=task_id,
        observation_size=flatdim(observations),
        action_size=flatdim(actions),
        action_bound=float(bounds.max()),
        time_limit=None if spec is None else spec.max_episode_steps,
        reward_threshold=None if spec is None or spec.reward_threshold is None else float(spec.reward_threshold),
    )
