"""Where a run computes: the device a user asks for, and what it is called."""

import os
import shutil
from importlib.util import find_spec

import torch

from rl_acts.machine import cpu_name


class DeviceError(ValueError):
    """A device that does not exist here or whose name nobody knows; the message names the devices that exist."""


def resolve_device(name: str) -> torch.device:
    """Turn a device's name into a device that exists.

    Args:
        name: ``"auto"`` (the first CUDA device if there is one, else the CPU), ``"cpu"``, ``"cuda"`` (the first) or
            ``"cuda:N"``.

    Raises:
        DeviceError: The name is none of these, or this machine has no such device.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    existing = ["cpu", *(f"cuda:{index}" for index in range(count))]
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in existing:
        here = ", ".join(existing)
        raise DeviceError(f"device {name!r} does not exist here; allowed are auto, {here} (and cuda for cuda:0).")
    return torch.device(wanted)


def has_compiler() -> bool:
    """Return whether `torch.compile` can produce code for a GPU here: Triton, and a C compiler for what it launches."""
    compilers = (os.environ.get("CC"), os.environ.get("CXX"), "gcc", "cc", "clang")
    return find_spec("triton") is not None and any(shutil.which(name) for name in compilers if name)


def device_name(device: torch.device) -> str:
    """Return what people call the device: the GPU's product name, or the CPU's."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
