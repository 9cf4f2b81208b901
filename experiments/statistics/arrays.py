"""What every statistic shares: types of arrays, sources of random draws, and when two scores are the same."""

from math import isclose
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def generator(*names: str) -> np.random.Generator:
    """A source of draws for what the names say: adding an arm or a task to a study changes no other arm's interval."""
    return np.random.default_rng([crc32(name.encode()) for name in names])


def level(a: float, b: float) -> bool:
    """Whether two scores are the same but for rounding, so that neither is ahead.

    >>> level(0.1 + 0.2, 0.3), level(1000.0, 1000.1)
    (True, False)
    """
    return isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
