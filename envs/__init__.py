"""Environments: the MuJoCo locomotion tasks of Gymnasium, what they are, and what else can be trained on."""

from envs._batched import BatchedEnv
from envs._check import TaskError, check_task, make_environment
from envs._cores import usable_cores
from envs._make import make
from envs._scores import ReferenceScore
from envs._tasks import Task, task, tasks
from envs._timers import switch_timers

__all__ = [
    "BatchedEnv",
    "ReferenceScore",
    "Task",
    "TaskError",
    "check_task",
    "make",
    "make_environment",
    "switch_timers",
    "task",
    "tasks",
    "usable_cores",
]
