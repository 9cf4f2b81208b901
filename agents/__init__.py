"""Agents: TD3, SAC and DDPG for a population of runs, the folders that runs leave, and the policies in them.

Most names below are imported when they are first used: training needs PyTorch's optimisers and MuJoCo, and some of it
Stable-Baselines3, whose import takes seconds, and whoever only checks a configuration must not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agents.config import ConfigError, RunConfig
from agents.device import DeviceError, resolve_device
from agents.hyperparameters import HyperparameterError, resolve_hyperparameters

if TYPE_CHECKING:
    from agents.checkpoint import CheckpointError
    from agents.learner import Member
    from agents.policy_file import Policy, PolicyError, load_policy
    from agents.population import Population
    from agents.sb3_export import to_sb3

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DeviceError",
    "HyperparameterError",
    "Member",
    "Policy",
    "PolicyError",
    "Population",
    "RunConfig",
    "load_policy",
    "resolve_device",
    "resolve_hyperparameters",
    "to_sb3",
]

_MODULES = {
    "CheckpointError": "checkpoint",
    "Member": "learner",
    "Policy": "policy_file",
    "PolicyError": "policy_file",
    "Population": "population",
    "load_policy": "policy_file",
    "to_sb3": "sb3_export",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"agents.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'agents' has no attribute {name!r}")
