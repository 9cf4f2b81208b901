"""Bad input: every problem found, where it is, and one error that lists them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

# Where a value stands in a study: keys and list indices from the top, such as ("arms", 2, "actor").
Location: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        location: Of the value.
        message: The value, what is allowed and what may have been meant.
    """

    location: Location
    message: str


class InputError(ValueError):
    """Something that a user gave cannot be used; nothing has been started or written."""


class StoppedError(RuntimeError):
    """A study had to stop on its way, such as for want of space on the disk.

    Args:
        reason: Without a full stop.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the study stopped: {reason}. The same command goes on with what is not done.")


class StudyError(InputError):
    """A study that cannot be run; the message lists every problem with its place.

    Attributes:
        problems: In the order of their places.
    """

    def __init__(self, source: str, problems: Iterable[Problem], places: "Places") -> None:
        self.problems = sorted(problems, key=lambda problem: places.order(problem.location))
        lines = [f"{places.say(problem.location)}: {problem.message}" for problem in self.problems]
        head = f"{source}: " if len(lines) == 1 else f"{source}: {len(lines)} problems:\n  "
        super().__init__(head + "\n  ".join(lines))


class Places:
    """Says where a value of a study was written: a line of the file, or an option of the command.

    Args:
        lines: Line numbers, from 1, by location.
        options: Texts such as ``--set steps=0``, by location; they win over lines.
    """

    def __init__(
        self, lines: Mapping[Location, int] | None = None, options: Mapping[Location, str] | None = None
    ) -> None:
        self.lines = dict(lines or {})
        self.options = dict(options or {})

    def order(self, location: Location) -> tuple[bool, int, str]:
        """Return a key that sorts problems as they stand in the file, those of options last."""
        return self._option(location) is not None, self._nearest_line(location) or 0, dotted(location)

    def say(self, location: Location) -> str:
        """Return the place in words, such as ``line 4, arms[1]``; a missing key is placed where its mapping begins."""
        option = self._option(location)
        if option is not None:
            return option
        line = self._nearest_line(location)
        words = dotted(location)
        if line is None:
            return words or "the study"
        return f"line {line}, {words}" if words else f"line {line}"

    def _option(self, location: Location) -> str | None:
        for length in range(len(location), 0, -1):
            option = self.options.get(location[:length])
            if option is not None:
                rest = dotted(location[length:])
                return f"{option} ({rest})" if rest else option
        return None

    def _nearest_line(self, location: Location) -> int | None:
        for length in range(len(location), -1, -1):
            line = self.lines.get(location[:length])
            if line is not None:
                return line
        return None


def dotted(location: Location) -> str:
    """Return a location as people write it.

    >>> dotted(("arms", 2, "actor"))
    'arms[2].actor'
    """
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
