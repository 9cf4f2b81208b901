"""Keeps the caller's thread off the cores of its helpers.

The kernel wakes a helper where it ran last. If that is where the caller runs, the two take turns on one core for
seconds while another core idles, which on two cores halves the speed. No thread is bound to a core for longer than the
move takes.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_CALLS_BETWEEN = 50
_TASKS = Path("/proc/self/task")
# Field 39 of /proc/<pid>/stat is the core; the name, field 2, may hold blanks and ends with the last parenthesis.
_CORE = 36

Made = TypeVar("Made")


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def with_threads(make: Callable[[], Made]) -> tuple[Made, list[int]]:
    """Return what `make` returns and the system's numbers of the threads that it started; none but on Linux."""
    before = _threads()
    return make(), sorted(_threads() - before)


class Separation:
    """Moves the calling thread now and then, if it shares a core with a helper and another core is free.

    Args:
        helpers: The system's numbers of the other threads.
    """

    def __init__(self, helpers: list[int]) -> None:
        self._helpers = helpers
        self._calls = 0

    def keep(self) -> None:
        """Look at every fiftieth call, and move the caller if need be."""
        if not self._helpers:
            return
        self._calls += 1
        if self._calls % _CALLS_BETWEEN == 1:
            self.separate()

    def separate(self) -> None:
        """Move the caller if need be; where the system tells nothing, do nothing."""
        try:
            taken = {_core(helper) for helper in self._helpers}
            usable = os.sched_getaffinity(0)
            free = usable - taken
            if free and _core(threading.get_native_id()) in taken:
                try:
                    os.sched_setaffinity(0, free)
                finally:
                    os.sched_setaffinity(0, usable)
        except OSError:
            # A helper is gone, or this system does not let itself be asked.
            self._helpers = []


def _threads() -> set[int]:
    return {int(entry.name) for entry in _TASKS.iterdir()} if _TASKS.is_dir() else set()


def _core(thread: int) -> int:
    text = (_TASKS / str(thread) / "stat").read_text(encoding="ascii", errors="replace")
    return int(text.rpartition(")")[2].split()[_CORE])
