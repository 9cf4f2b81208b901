"""Numbers and lists as people read them."""

import math
from collections.abc import Sequence

_THIN_SPACE = "\u202f"
_MINUS = "\u2212"


def number(value: float) -> str:
    """A return, with the digits that matter and thin spaces between thousands.

    >>> number(4821.7), number(-12.345), number(0.01234), number(float("nan"))
    ('4\u202f822', '\u221212.3', '0.0123', '–')
    """
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        text = whole(size)
    elif size >= 10:
        text = f"{size:.1f}"
    elif size >= 1:
        text = f"{size:.2f}"
    else:
        text = f"{size:.3g}"
    return _MINUS + text if value < 0 else text


def whole(value: float) -> str:
    """A number of steps, in full.

    >>> whole(1_000_000)
    '1\u202f000\u202f000'
    """
    return f"{value:,.0f}".replace(",", _THIN_SPACE)


def signed(value: float) -> str:
    """A difference, with its sign.

    >>> signed(12.0)
    '+12.0'
    """
    return number(value) if value < 0 or not math.isfinite(value) else f"+{number(value)}"


def p_text(value: float) -> str:
    """A p value, two digits.

    >>> p_text(0.1), p_text(0.00794), p_text(1.1e-5), p_text(1.0)
    ('0.10', '0.0079', 'below 0.0001', '1.0')
    """
    if value < 0.0001:
        return "below 0.0001"
    if value >= 0.995:
        return "1.0"
    return f"{value:#.2g}"


def duration(seconds: float) -> str:
    """A time span.

    >>> duration(42.3), duration(600), duration(9000)
    ('42 s', '10.0 min', '2.5 h')
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count(amount: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "seed"), count(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def joined(names: Sequence[str]) -> str:
    """Names as in a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def seeds_text(numbers: Sequence[int]) -> str:
    """How many seeds per arm.

    >>> seeds_text([3, 3]), seeds_text([1]), seeds_text([2, 10])
    ('3 seeds per arm', '1 seed per arm', '2 to 10 seeds per arm')
    """
    low, high = min(numbers), max(numbers)
    return f"{count(low, 'seed')} per arm" if low == high else f"{low} to {high} seeds per arm"
