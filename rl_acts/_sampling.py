"""Averages over random vectors, for activations whose units see one another or whose width changes."""

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn

# Estimate and standard error.
Estimate: TypeAlias = tuple[float, float]

_SEED = 20_240
_NUMBERS = 2**21
_FEWEST_ROWS = 256
_NUMBERS_PER_CALL = 2**18
# Rows whose whole Jacobian is taken: fewer for wider layers, whose Jacobian grows with the square.
_JACOBIAN_NUMBERS = 2**20
_FEWEST_JACOBIANS = 8


@torch.no_grad()
def sampled_moments(module: nn.Module, width: int) -> dict[str, Estimate]:
    """Return E[f] and E[f^2] over the numbers that come out, ``mean`` and ``second_moment``, for normal vectors.

    About two million numbers go in, at least 256 vectors. The vectors are independent, the numbers of one are not:
    the standard errors are those of the vectors' averages.
    """
    rows = max(_FEWEST_ROWS, _NUMBERS // width)
    x = _normal(rows, width)
    outputs = [module(part).flatten(1) for part in torch.split(x, max(1, _NUMBERS_PER_CALL // width))]
    return {
        "mean": _estimate(torch.cat([output.mean(1) for output in outputs])),
        "second_moment": _estimate(torch.cat([output.square().mean(1) for output in outputs])),
    }


def sampled_slopes(module: nn.Module, width: int) -> tuple[Estimate | None, float]:
    """Return the mean of df_i/dx_i over units with x_i < 0, and the largest spectral norm of the Jacobian.

    The first is None if the width changes.
    """
    rows = max(_FEWEST_JACOBIANS, min(_FEWEST_ROWS, _JACOBIAN_NUMBERS // width**2))
    x = _normal(rows, width).requires_grad_()
    output = module(x)
    jacobian = torch.stack(
        [
            torch.autograd.grad(column.sum(), x, retain_graph=True, allow_unused=True, materialize_grads=True)[0]
            for column in output.unbind(-1)
        ],
        dim=1,
    )
    norm = float(torch.linalg.matrix_norm(jacobian, 2).max())
    if output.shape != x.shape:
        return None, norm
    negative = x.detach() < 0
    slopes = torch.where(negative, jacobian.diagonal(dim1=1, dim2=2), 0.0).sum(1)
    counts = negative.sum(1)
    ratio = float(slopes.sum() / counts.sum())
    # Of a ratio of sums over independent rows, by linearisation.
    deviations = (slopes - ratio * counts) / counts.double().mean()
    return (ratio, _estimate(deviations)[1]), norm


def _normal(rows: int, width: int) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(_SEED), dtype=torch.float64)


def _estimate(rows: Tensor) -> Estimate:
    return float(rows.mean()), float(rows.std()) / math.sqrt(len(rows))
