"""MuJoCo's timers: a clock that the Python bindings install and that costs a tenth of a small model's step.

The bindings offer no way to remove it: their `set_mjcb_time(None)` puts their own clock back. So the pointer itself is
set, which MuJoCo documents as a global variable of its C interface. Only `mjData.timer` depends on it.
"""

import ctypes
import functools
from pathlib import Path

import mujoco  # type: ignore[import-untyped]


def switch_timers(on: bool) -> None:
    """Switch the timers of every simulation in this process off, or on again as the bindings had them.

    `envs.make` switches them off; nothing else of MuJoCo changes. A clock that somebody set by `set_mjcb_time` stays,
    and where the library cannot be found nothing happens. No simulation may run in another thread meanwhile.

    Args:
        on: Whether `mjData.timer` shall be filled.
    """
    clock, installed = _clock()
    if clock is not None and mujoco.get_mjcb_time() is None:
        clock.value = installed if on else None


@functools.cache
def _clock() -> tuple[ctypes.c_void_p | None, int | None]:
    """Return the pointer to the clock and what it held first."""
    for path in sorted(Path(mujoco.__file__).parent.glob("*mujoco*")):
        if path.suffix == ".dll" or ".so" in path.suffixes or path.suffix == ".dylib":
            try:
                clock = ctypes.c_void_p.in_dll(ctypes.CDLL(str(path)), "mjcb_time")
            except (OSError, ValueError):
                continue
            return clock, clock.value
    return None, None
