"""A clock that is split into named parts of training."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

PARTS = ("act", "simulate", "learn", "evaluate")


class Clock:
    """Seconds since its making, and how many of them each part took.

    What belongs to no part (replay memory, logging, Stable-Baselines3's own loop) is the difference.

    Args:
        now: Source of seconds.
    """

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        self._now = now
        self.restart()

    def restart(self) -> None:
        """Begin again at zero: building networks and environments is no part of training."""
        self._start = self._now()
        self._spent = dict.fromkeys(PARTS, 0.0)

    def restore(self, seconds: Mapping[str, float]) -> None:
        """Go on from what `seconds` returned, in another process."""
        self._start = self._now() - seconds["wall_s"]
        self._spent = {name: float(seconds[f"{name}_s"]) for name in PARTS}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the ``with`` block, even if it raises, to one of `PARTS`."""
        start = self._now()
        try:
            yield
        finally:
            self._spent[name] += self._now() - start

    def wall(self) -> float:
        """Return all seconds since the clock was made."""
        return self._now() - self._start

    def seconds(self) -> dict[str, float]:
        """Return ``wall_s`` and one ``<part>_s`` per part, in the order of `PARTS`."""
        return {"wall_s": self.wall(), **{f"{name}_s": self._spent[name] for name in PARTS}}
