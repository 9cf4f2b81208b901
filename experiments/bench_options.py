"""Lists on the command line of benchmarks: separated by commas, but for those within parentheses."""

import re

from experiments.problems import InputError

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
