"""Lists on the command line of benchmarks: separated by commas, but for those within parentheses."""

import re
from collections.abc import Iterable

from experiments.problems import InputError

ALGORITHMS = ("td3", "sac")
_COMMA_OUTSIDE = re.compile(r",(?![^(]*\))")


def names(text: str) -> tuple[str, ...]:
    """Return the names in a list.

    >>> names("relu, rational(p=3,q=2)")
    ('relu', 'rational(p=3,q=2)')
    """
    return tuple(name.strip() for name in _COMMA_OUTSIDE.split(text) if name.strip())


def counts(option: str, text: str) -> tuple[int, ...]:
    """Return the whole numbers in a list.

    Args:
        option: For messages.
        text: Such as ``1,4``.

    Raises:
        InputError: Something else is among them.
    """
    try:
        return tuple(int(name) for name in names(text))
    except ValueError:
        raise InputError(f"{option} is {text!r}; allowed are whole numbers with commas between.") from None


def algorithms(text: str) -> tuple[str, ...]:
    """Return the algorithms that ``--algo`` names, unchecked.

    >>> algorithms("both"), algorithms("sac")
    (('td3', 'sac'), ('sac',))
    """
    return ALGORITHMS if text == "both" else (text,)


def check_algorithms(found: Iterable[str]) -> None:
    """Check the algorithms of a benchmark.

    Raises:
        InputError: One is unknown.
    """
    for name in found:
        if name not in ALGORITHMS:
            raise InputError(f"--algo is {name!r}; allowed are {', '.join(ALGORITHMS)} and both.")
