"""Norms of weights, gradients and updates, and how they compare.

Each function takes several tensors and treats them as one vector. With ``batch=1`` their first axis, such as the
networks of a population, is kept.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def norm(tensors: Sequence[Tensor], batch: int = 0) -> Tensor:
    """Return the square root of the sum of squares, in float64.

    Args:
        tensors: At least one; any shapes, but for their first `batch` axes.
        batch: Leading axes to keep.

    Returns:
        A scalar, or shape ``(P,)`` for ``batch=1``.
    """
    found: Tensor = torch.stack([_squares(tensor, batch) for tensor in tensors]).sum(0).sqrt()
    return found


def rms(tensors: Sequence[Tensor], batch: int = 0) -> Tensor:
    """Return `norm` / sqrt(number of parameters); arguments as there."""
    return norm(tensors, batch) / math.sqrt(_count(tensors, batch))


def distance_from_init(tensors: Sequence[Tensor], initial: Sequence[Tensor], batch: int = 0) -> Tensor:
    """Return the norm of (theta - theta_0) / sqrt(number of parameters), as in Plasticine (arXiv 2504.17490).

    Args:
        tensors: theta; as for `norm`.
        initial: theta_0, of the same shapes in the same order.
        batch: As for `norm`.
    """
    moved = [now.double() - then.double() for now, then in zip(tensors, initial, strict=True)]
    return rms(moved, batch)


def norm_ratio(steps: Sequence[Tensor], weights: Sequence[Tensor], batch: int = 0) -> Tensor:
    """Return norm(step) / norm(theta) of each tensor, averaged by parameter count: the effective learning rate.

    With gradients as steps it is SimbaV2's (arXiv 2502.15280); with an adaptive optimiser, whose steps are not
    proportional to gradients, give what an update has changed.

    Args:
        steps: One for each of `weights`, of the same shape.
        weights: theta. Tensors that are all zero, which have no relative change, are left out.
        batch: As for `norm`.

    Returns:
        As for `norm`; NaN if all weights are zero.
    """
    total: Tensor | float = 0.0
    counted: Tensor | float = 0.0
    for step, weight in zip(steps, weights, strict=True):
        length, size = norm([weight], batch), _count([weight], batch)
        zero = length == 0
        total = total + torch.where(zero, 0.0, size * norm([step], batch) / torch.where(zero, 1.0, length))
        counted = counted + torch.where(zero, 0, size)
    return torch.as_tensor(total / counted)


def coefficient_of_variation(values: Tensor) -> Tensor:
    """Return the standard deviation over the mean, of m numbers along the first axis.

    Args:
        values: Shape ``(m, ...)``. The variance is divided by m.

    Returns:
        Shape ``(...)``; NaN where the mean is 0.
    """
    mean = values.mean(0)
    return torch.where(mean == 0, torch.nan, values.std(0, correction=0) / mean)


def _squares(tensor: Tensor, batch: int) -> Tensor:
    return tensor.detach().double().square().flatten(batch).sum(-1)


def _count(tensors: Sequence[Tensor], batch: int) -> int:
    return sum(tensor.shape[batch:].numel() for tensor in tensors)
