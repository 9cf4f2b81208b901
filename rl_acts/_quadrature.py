"""Expectations under the standard normal distribution, by Gauss-Legendre quadrature that finds kinks by itself."""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

# Beyond 40 standard deviations the density is 0 in float64.
_END = 40.0
_PANEL = 0.5
_NODES = 20
# Of one panel, relative to the largest of the expectations found so far and to 1.
_TOLERANCE = 1e-13
# A jump inside a panel costs one level per bit of its place; 45 leave an error below 1e-13.
_DEEPEST = 45
# A function that answers differently at each call never settles; then the panels stop multiplying here.
_MOST_PANELS = 4096


def expectations(integrands: Callable[[Tensor], Tensor]) -> Tensor:
    """Return E[g_i(z)] for z ~ N(0, 1) and several g_i at once.

    Panels of length 1/2 between -40 and 40 are halved until both halves together agree with the whole, so kinks and
    jumps need not be known. Nothing is random.

    Args:
        integrands: Maps points ``(n,)`` in float64 to values ``(k, n)`` of the k functions; never asked at a multiple
            of 1/2.

    Returns:
        ``(k,)`` in float64; NaN where a value is NaN.
    """
    left = torch.arange(-_END, _END, _PANEL, dtype=torch.float64)
    right = left + _PANEL
    whole = _panels(integrands, left, right)
    settled = torch.zeros(whole.shape[0], dtype=torch.float64)
    for _ in range(_DEEPEST):
        middle = (left + right) / 2
        halves = _panels(integrands, torch.cat((left, middle)), torch.cat((middle, right)))
        first, second = halves.chunk(2, dim=1)
        scale = (settled + (first + second).sum(1)).abs().clamp(min=1.0)
        open_ = ((first + second - whole).abs() > _TOLERANCE * scale[:, None]).any(0)
        settled = settled + (first + second)[:, ~open_].sum(1)
        left, right = torch.cat((left[open_], middle[open_])), torch.cat((middle[open_], right[open_]))
        whole = torch.cat((first[:, open_], second[:, open_]), dim=1)
        if not 0 < len(left) <= _MOST_PANELS:
            break
    return settled + whole.sum(1)


def _panels(integrands: Callable[[Tensor], Tensor], left: Tensor, right: Tensor) -> Tensor:
    """Return the integral of each integrand times the density over each panel, ``(k, panels)``."""
    nodes, weights = _gauss_legendre()
    half = (right - left) / 2
    points = ((left + right) / 2)[:, None] + half[:, None] * nodes
    density = torch.exp(-points.square() / 2) / math.sqrt(2 * math.pi)
    values = integrands(points.flatten()).view(-1, *points.shape)
    return torch.as_tensor((values * density * weights).sum(-1) * half)


@cache
def _gauss_legendre() -> tuple[Tensor, Tensor]:
    """Return nodes and weights on [-1, 1], from the eigenvectors of the Jacobi matrix (Golub and Welsch, 1969)."""
    k = torch.arange(1, _NODES, dtype=torch.float64)
    off_diagonal = k / torch.sqrt(4 * k.square() - 1)
    nodes, vectors = torch.linalg.eigh(torch.diag(off_diagonal, 1) + torch.diag(off_diagonal, -1))
    return nodes, 2 * vectors[0].square()
