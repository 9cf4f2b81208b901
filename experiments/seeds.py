"""Seeds as people write them: a count, a list, or a range."""

import re
from typing import Any

from agents.config import LARGEST_SEED

_MOST_SEEDS = 10_000
_ALLOWED = 'allowed is a count such as 10, a list such as [0, 3, 7] or "3,7", or a range such as "0-9"'


def read_seeds(given: Any) -> list[int]:
    """Return the seeds that a count, a list or a text stands for.

    Args:
        given: ``5`` means 0 to 4; ``"0-9"``, ``"3,7"`` and ``"0-3,7"`` are lists, and so is ``[3, 7]``. The text
            ``"5"`` is a count.

    Raises:
        ValueError: Nothing of these, a negative or repeated seed, or more than 10,000 seeds.

    >>> read_seeds(3), read_seeds("3,7"), read_seeds("0-3")
    ([0, 1, 2], [3, 7], [0, 1, 2, 3])
    """
    if isinstance(given, str):
        seeds = _from_text(given)
    elif isinstance(given, list | tuple):
        seeds = [_seed(item) for item in given]
    else:
        seeds = _from_count(given)
    if not seeds:
        raise ValueError(f"there are no seeds; {_ALLOWED}.")
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1}) if len(set(seeds)) < len(seeds) else []
    if twice:
        raise ValueError(f"seeds given twice: {', '.join(map(str, twice))}.")
    return seeds


def _from_count(given: Any) -> list[int]:
    count = _whole(given)
    if count is None or not 1 <= count <= _MOST_SEEDS:
        raise ValueError(f"{given!r} is no number of seeds from 1 to {_MOST_SEEDS:,}; {_ALLOWED}.")
    return list(range(count))


def _from_text(text: str) -> list[int]:
    if re.fullmatch(r"\s*\d+\s*", text):
        return _from_count(int(text))
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise ValueError(f"{text!r} is no list of seeds; {_ALLOWED}.")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first or last - first >= _MOST_SEEDS:
            raise ValueError(f"the range {part.strip()!r} must go upwards over at most {_MOST_SEEDS:,} seeds.")
        seeds += [_seed(value) for value in range(first, last + 1)]
    return seeds


def _seed(given: Any) -> int:
    seed = _whole(given)
    if seed is None or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"{given!r} is no seed; a seed is a whole number from 0 to {LARGEST_SEED}.")
    return seed


def _whole(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= 2**53:
        return None
    return int(given) if float(given).is_integer() else None
