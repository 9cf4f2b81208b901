"""What a run ran on and with: recorded with every result, because results of different versions are never pooled."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

import rl_acts
from agents.device import device_name
from rl_acts.machine import cpu_name


def usable_cores() -> int:
    """Return the number of cores that this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions(device: torch.device | None = None) -> dict[str, str]:
    """Return the versions of everything that can change a number on a device, by default the CPU."""
    on_gpu = device is not None and device.type != "cpu"
    libraries = ("torch", "numpy", "mujoco", "gymnasium", "stable-baselines3")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        # A checkout need not be installed, so the version comes from the package itself.
        "rl_acts": rl_acts.__version__,
        "native_kernels": "none" if on_gpu else rl_acts.native_kernels(),
    }


def recorded_versions(recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that a record speaks of; ours from before there were native kernels had none."""
    return {"native_kernels": "none", **recorded} if "rl_acts" in recorded else {**recorded}


def hardware(device: torch.device, threads: int) -> dict[str, Any]:
    """Return the CPU's model, the usable cores, the threads of this run and the device's name."""
    return {"cpu": cpu_name(), "cores": usable_cores(), "threads": threads, "device": device_name(device)}
