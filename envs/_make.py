"""Builds a batch of environments by name."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.envs.registration import load_env_creator

from envs._batched import BatchedEnv, checked_seeds
from envs._check import build, describe, refuse_unknown_id
from envs._cores import usable_cores
from envs._errors import TaskError
from envs._looped import LoopedBatch
from envs._mujoco import FORMULAS, MujocoBatch
from envs._tasks import nearest

_SEEDS = 2**32
_OWN = ("disable_env_checker", "render_mode")


def make(
    task_id: str, num_envs: int, seeds: Sequence[int] | None = None, threads: int | None = None, **kwargs: Any
) -> BatchedEnv:
    """Build `num_envs` environments of one task that step together.

    The eleven MuJoCo tasks run on MuJoCo's thread pool or on threads of ours, and equal ``gymnasium.make(task_id)`` to
    the bit; any other environment that `check_task` accepts runs in a loop. For the eleven, MuJoCo's own timers are
    switched off in this process (`switch_timers`).

    Args:
        task_id: Gymnasium's id, such as ``"Hopper-v5"``.
        num_envs: How many environments, from 1 on.
        seeds: A whole number in [0, 2**32) for each environment, the seed of its first reset; None for random ones.
        threads: How many threads step the environments, the caller's included; None for one per usable core, at most
            `num_envs`. The result does not depend on it.
        **kwargs: Arguments of `gymnasium.make` and of the environment's constructor, such as ``ctrl_cost_weight``.

    Raises:
        TaskError: An unknown task or argument, spaces that cannot be trained on, or a bad number of environments,
            seeds or threads.
    """
    count = _checked_count(task_id, "num_envs", num_envs)
    wanted = checked_seeds(task_id, [None] * count if seeds is None else seeds, count, _SEEDS)
    usable = min(count, usable_cores()) if threads is None else _checked_count(task_id, "threads", threads)
    for name in _OWN:
        if kwargs.get(name) is not None:
            raise TaskError(f"{task_id}: argument {name}={kwargs[name]!r} is not allowed in a batch.")
    refuse_unknown_id(task_id)
    if task_id in FORMULAS:
        _refuse_unknown_arguments(task_id, kwargs)
    template = build(task_id, **kwargs)
    try:
        if task_id in FORMULAS:
            return MujocoBatch(template, count, min(usable, count), wanted)
        describe(task_id, template)
    except TaskError:
        template.close()
        raise
    return LoopedBatch(task_id, [template, *(build(task_id, **kwargs) for _ in range(count - 1))], wanted)


def _refuse_unknown_arguments(task_id: str, kwargs: Mapping[str, Any]) -> None:
    constructor = load_env_creator(str(gymnasium.spec(task_id).entry_point))
    names = {*inspect.signature(constructor).parameters, *inspect.signature(MujocoEnv).parameters, "max_episode_steps"}
    known = sorted(names - {"kwargs", "model_path", "observation_space", *_OWN})
    for name in kwargs:
        if name not in known and name not in _OWN:
            raise TaskError(
                f"{task_id}: unknown argument {name!r}.{nearest(name, known)} The arguments are {', '.join(known)}."
            )


def _checked_count(task_id: str, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TaskError(f"{task_id}: {name}={value!r} is not allowed; it must be a whole number from 1 on.")
    return value
