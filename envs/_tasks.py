"""The eleven MuJoCo tasks of Gymnasium, version 5, as a table.

Source: the registrations and spaces of Gymnasium 1.4 (`gymnasium.envs.mujoco`); a test compares each row with the real
environment. The table lets a study file be checked without building a simulator.
"""

import difflib
from dataclasses import dataclass, replace

from envs._errors import TaskError
from envs._scores import RANDOM, REFERENCE, ReferenceScore


@dataclass(frozen=True)
class Task:
    """What an agent must know of an environment before it is built.

    Attributes:
        id: Gymnasium's id, such as ``"Hopper-v5"``.
        observation_size: Numbers in one observation, flattened.
        action_size: Numbers in one action, flattened.
        action_bound: Largest magnitude that a component of an action may have.
        time_limit: Steps after which an episode is cut off, or None if it never is.
        reward_threshold: Return at which Gymnasium calls the task solved, or None where it states none.
        random_score: Mean return of uniformly random actions over 100 episodes on MuJoCo 3.17 (`envs._scores` says
            how), or None where nobody measured it.
        reference_scores: Published results of TD3 and SAC at a million steps; empty where there are none.
    """

    id: str
    observation_size: int
    action_size: int
    action_bound: float
    time_limit: int | None
    reward_threshold: float | None
    random_score: float | None = None
    reference_scores: tuple[ReferenceScore, ...] = ()


_BARE = (
    Task("Ant-v5", 105, 8, 1.0, 1000, 6000.0),
    Task("HalfCheetah-v5", 17, 6, 1.0, 1000, 4800.0),
    Task("Hopper-v5", 11, 3, 1.0, 1000, 3800.0),
    Task("Humanoid-v5", 348, 17, 0.4, 1000, None),
    Task("HumanoidStandup-v5", 348, 17, 0.4, 1000, None),
    Task("InvertedDoublePendulum-v5", 9, 1, 1.0, 1000, 9100.0),
    Task("InvertedPendulum-v5", 4, 1, 3.0, 1000, 950.0),
    Task("Pusher-v5", 23, 7, 2.0, 100, 0.0),
    Task("Reacher-v5", 10, 2, 1.0, 50, -3.75),
    Task("Swimmer-v5", 8, 2, 1.0, 1000, 360.0),
    Task("Walker2d-v5", 17, 6, 1.0, 1000, None),
)
_TASKS = tuple(replace(row, random_score=RANDOM[row.id], reference_scores=REFERENCE.get(row.id, ())) for row in _BARE)
_BY_ID = {row.id: row for row in _TASKS}


def tasks() -> list[Task]:
    """Return the eleven tasks, sorted by id.

    >>> [row.id for row in tasks()][:3]
    ['Ant-v5', 'HalfCheetah-v5', 'Hopper-v5']
    """
    return list(_TASKS)


def task(task_id: str) -> Task:
    """Return the row of one of the eleven tasks.

    Args:
        task_id: Such as ``"Hopper-v5"``.

    Raises:
        TaskError: The id is none of the eleven.

    >>> task("Humanoid-v5").action_bound
    0.4
    """
    row = _BY_ID.get(task_id)
    if row is None:
        known = ", ".join(_BY_ID)
        raise TaskError(f"unknown task {task_id!r}.{nearest(task_id, list(_BY_ID))} The tasks here are {known}.")
    return row


def nearest(word: str, known: list[str]) -> str:
    """Return `` Did you mean 'Hopper-v5'?`` with the nearest known names, or an empty string if none is near."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=2, cutoff=0.75)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(lowered[name]) for name in near)}?"
