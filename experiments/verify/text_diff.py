"""The first difference of two texts, number by number.

Another processor may sum in another order, which moves the last of seventeen digits. So numbers that are written in
full are compared as numbers; everything else, rounded numbers too, as it stands.
"""

import math
import re
from dataclasses import dataclass

# From so many significant digits on a number is no longer rounded for people.
_FULL = 12
_RELATIVE = 1e-9
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CONTEXT = 60


@dataclass(frozen=True)
class Difference:
    """Where two texts part.

    Attributes:
        line: Number of the line in the published text, from 1.
        published: The published text from there on, shortened.
        recomputed: What stands there now.
    """

    line: int
    published: str
    recomputed: str

    def __str__(self) -> str:
        """Return the place and both texts."""
        return f"line {self.line}: published {self.published!r}, recomputed {self.recomputed!r}"


def first_difference(published: str, recomputed: str, *, exact: bool) -> Difference | None:
    """Compare two texts.

    Args:
        published: As it lies there.
        recomputed: As it would be written today.
        exact: Whether numbers written in full must be equal to the last digit too.

    Returns:
        The first difference, or None.
    """
    if published == recomputed:
        return None
    lines = published.split("\n"), recomputed.split("\n")
    for number, (old, new) in enumerate(zip(*lines, strict=False), 1):
        if old != new and (place := _place(old, new, exact=exact)) is not None:
            return Difference(number, _around(old, place), _around(new, place))
    shorter, longer = sorted(lines, key=len)
    if len(shorter) == len(longer):
        return None
    rest = longer[len(shorter)][:_CONTEXT] or "an empty line"
    old, new = (rest, "") if longer is lines[0] else ("", rest)
    return Difference(len(shorter) + 1, old, new)


def _place(old: str, new: str, *, exact: bool) -> int | None:
    """Return where two different lines part; None if they differ by rounding alone."""
    parts = _NUMBER.split(old), _NUMBER.split(new)
    numbers = list(_NUMBER.finditer(old)), list(_NUMBER.finditer(new))
    same = not exact and parts[0] == parts[1]
    if same and all(_level(a[0], b[0]) for a, b in zip(*numbers, strict=True)):
        return None
    if same:
        return next(a.start() for a, b in zip(*numbers, strict=True) if not _level(a[0], b[0]))
    shorter = min(len(old), len(new))
    place = next((place for place in range(shorter) if old[place] != new[place]), shorter)
    # The whole number, where they part within one.
    return next((found.start() for found in numbers[0] if found.start() <= place < found.end()), place)


def _level(old: str, new: str) -> bool:
    if old == new:
        return True
    if max(_digits(old), _digits(new)) < _FULL:
        return False
    return math.isclose(float(old), float(new), rel_tol=_RELATIVE)


def _digits(number: str) -> int:
    mantissa = re.split("[eE]", number)[0]
    return len(mantissa.replace(".", "").lstrip("0"))


def _around(line: str, place: int) -> str:
    start = max(0, place - _CONTEXT // 3)
    return line[start : start + _CONTEXT]
