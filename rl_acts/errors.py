"""The one error of the library, and the nearest-name help that its messages give."""

import difflib
from collections.abc import Iterable


class ActivationError(ValueError):
    """A bad activation spec, argument or registration.

    The message names the parameter, the value, what is allowed and, for a misspelt name, the nearest known one.
    """


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return `` Did you mean 'swim'?`` with the nearest known words, or an empty string if none is near."""
    lowered = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(str(word).lower(), lowered, n=3, cutoff=0.6)
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(lowered[name]) for name in near)}?"
