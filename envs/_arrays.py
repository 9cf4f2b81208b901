"""The array types of the package."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int32]
Actions = NDArray[np.float32] | NDArray[np.float64]
Info = dict[str, NDArray[Any]]
State = dict[str, NDArray[Any]]
