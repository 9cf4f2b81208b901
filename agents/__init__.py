"""Agents: one training run from its configuration to its folder, and the policy that comes out.

The names below are imported when they are first used: training needs Stable-Baselines3 and MuJoCo, whose import takes
seconds, and whoever only checks a configuration must not pay for it.
"""

from typing import TYPE_CHECKING, Any

from agents.config import ConfigError, RunConfig
from agents.device import DeviceError, resolve_device
from agents.hyperparameters import HyperparameterError, resolve_hyperparameters

if TYPE_CHECKING:
    from agents.policy_file import Policy, PolicyError, load_policy
    from agents.sb3_engine import train

__all__ = [
    "ConfigError",
    "DeviceError",
    "HyperparameterError",
    "Policy",
    "PolicyError",
    "RunConfig",
    "load_policy",
    "resolve_device",
    "resolve_hyperparameters",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in {"Policy", "PolicyError", "load_policy"}:
        from agents import policy_file  # noqa: PLC0415 - see the module's docstring

        return getattr(policy_file, name)
    if name == "train":
        from agents import sb3_engine  # noqa: PLC0415 - see the module's docstring

        return sb3_engine.train
    raise AttributeError(f"module 'agents' has no attribute {name!r}")
