"""When a run has diverged: NaN or infinity where numbers must be."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class DivergedError(ArithmeticError):
    """Training produced NaN or infinity; the message names what and at which environment step.

    This is a result of the run, not a fault of the program: the run ends as ``diverged`` and keeps its evaluations.
    """


def check_array(what: str, values: np.ndarray[Any, Any], step: int) -> None:
    """Raise if an array holds NaN or infinity.

    Args:
        what: Name of the array for the message.
        values: Any shape.
        step: Environment steps so far.

    Raises:
        DivergedError: At least one value is not finite.
    """
    if not np.isfinite(values).all():
        raise DivergedError(f"{what} not finite ({kind_of(values)}) at step {step}")


def check_losses(logged: Mapping[str, Any], step: int) -> None:
    """Raise if a loss or coefficient of the last update, already on the host for the log, is NaN or infinite.

    Args:
        logged: The logger's pending values; those under ``train/`` are looked at.
        step: Environment steps so far.

    Raises:
        DivergedError: At least one value is not finite.
    """
    for key, value in logged.items():
        if key.startswith("train/"):
            check_array(key.removeprefix("train/"), np.asarray(value, dtype=np.float64), step)


def broken_rows(values: np.ndarray[Any, Any]) -> dict[int, str]:
    """Return by its index the kind of each row of a table ``(P, ...)`` in which something is not finite."""
    rows = values.reshape(len(values), -1)
    return {int(run): kind_of(rows[run]) for run in np.flatnonzero(~np.isfinite(rows).all(axis=1))}


def kind_of(values: np.ndarray[Any, Any]) -> str:
    """Return ``"NaN"`` if there is one, else ``"infinity"``, for an array with at least one of them."""
    return "NaN" if np.isnan(values).any() else "infinity"
