"""What the machine is called, for tables and records that would mean nothing without it."""

import platform
from pathlib import Path


def cpu_name() -> str:
    """Return the CPU's model name as the operating system states it, or its architecture where it states none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
