"""Environments: the MuJoCo locomotion tasks of Gymnasium, what they are, and what else can be trained on."""

from envs._check import TaskError, check_task, make_environment
from envs._tasks import Task, task, tasks

__all__ = ["Task", "TaskError", "check_task", "make_environment", "task", "tasks"]
