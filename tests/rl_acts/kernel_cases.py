"""What the tests of native kernels share."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from rl_acts._fused import _FixedByKernel, _LearntByKernel
from rl_acts._kernels import kernels

needs_kernels = pytest.mark.skipif(kernels.instruction_set is None, reason="no native kernels here")


def learnt(given: Sequence[float], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.tensor(number, dtype=dtype, requires_grad=True) for number in given]


def batch(rows: int = 9, columns: int = 5, seed: int = 0) -> Tensor:
    return 3.0 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def taken(value: Tensor) -> bool:
    """Tell whether a recorded value came by a kernel."""
    return type(value.grad_fn).__name__ in {f"{kind.__name__}Backward" for kind in (_FixedByKernel, _LearntByKernel)}
