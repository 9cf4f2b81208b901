"""A command's time budget: how it is written, and how much of it is kept for saving."""

import math
import re
from collections.abc import Callable
from time import monotonic

from experiments.problems import InputError

_LEAST = 60.0
_ALLOWED = "allowed is a time of at least 1 min, such as 9m, 1h30m, 90s or plain seconds"
_UNITS = (3600.0, 60.0, 1.0)
# A process needs some seconds to import its libraries and to begin; less time than this is not worth it.
_LEAST_TO_START = 30.0
_LEAST_TO_SAVE = 10.0
_SHARE_TO_SAVE = 0.05
_SECONDS_TO_EXIT = 5.0


def read_budget(text: str) -> float:
    """Return the seconds that a text stands for.

    Raises:
        InputError: It is no time, or less than a minute, in which nothing could be begun and saved.

    >>> read_budget("9m"), read_budget("1h30m"), read_budget("90s"), read_budget("600")
    (540.0, 5400.0, 90.0, 600.0)
    """
    seconds = seconds_of(text)
    if seconds is None:
        raise InputError(f"--time-budget {text}: this is no time; {_ALLOWED}.")
    if seconds < _LEAST or not math.isfinite(seconds):
        raise InputError(f"--time-budget {text}: {seconds:.0f} s is too short; {_ALLOWED}.")
    return seconds


def seconds_of(text: str) -> float | None:
    """Return the seconds that a text such as 9m, 1h30m, 90s or 600 stands for; None if it is no time.

    >>> seconds_of("1h30m"), seconds_of("600"), seconds_of("soon")
    (5400.0, 600.0, None)
    """
    if text.strip().isdecimal():
        return float(text)
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    if match is None or not any(match.groups()):
        return None
    return sum(float(number or 0) * unit for number, unit in zip(match.groups(), _UNITS, strict=True))


class Budget:
    """Seconds that a command may take, counted from the making of this object.

    Args:
        seconds: All of them.
        now: Source of seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = monotonic) -> None:
        self.seconds = seconds
        self._now = now
        self._end = now() + seconds

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - self._now()

    def reserve(self, saving: float | None = None) -> float:
        """Return the seconds to keep for saving.

        Args:
            saving: How long the slowest of the last checkpoints took; twice as much is kept, and five seconds for
                processes to end. None, if there was none yet, keeps 5 % of the budget, at least ten seconds.
        """
        if saving is None:
            return max(_LEAST_TO_SAVE, _SHARE_TO_SAVE * self.seconds)
        return 2.0 * saving + _SECONDS_TO_EXIT

    def too_late_to_start(self, saving: float | None = None) -> bool:
        """Return whether so little is left that nothing new is started."""
        return self.left() < max(_LEAST_TO_START, self.reserve(saving))
