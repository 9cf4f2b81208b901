"""How many directions a layer's post-activations use: five definitions of a rank, by singular values.

The names are the papers'. Some libraries call `srank` "stable rank", which in numerical analysis is another number,
`stable_rank` here; so go by the formula. Axes: n rows, H units, K = min(n, H); leading axes ``...`` are kept. The rank
of a matrix of zeros is 0; of one with NaN or infinity, NaN.
"""

import math

import torch
from torch import Tensor


def singular_values(features: Tensor) -> Tensor:
    """Return the singular values of post-activations in float64, largest first.

    Args:
        features: Shape ``(..., n, H)``.

    Returns:
        Shape ``(..., K)``; NaN for a matrix that is not finite.
    """
    wide = features.double()
    finite = torch.isfinite(wide).all(-1).all(-1)
    # LAPACK refuses NaN, in one matrix of a stack for all of them.
    values = torch.linalg.svdvals(torch.where(finite[..., None, None], wide, 0.0))
    return torch.where(finite[..., None], values, torch.nan)


def srank(values: Tensor, delta: float = 0.01) -> Tensor:
    """Return the smallest k with (s_1 + ... + s_k) / (s_1 + ... + s_K) >= 1 - delta.

    Kumar et al., "Implicit under-parameterization inhibits data-efficient deep reinforcement learning" (arXiv
    2010.14498), who call it effective rank.

    Args:
        values: Singular values, shape ``(..., K)``, largest first.
        delta: What may be missing of their sum.

    Returns:
        Shape ``(...)``.
    """
    return _smallest(values, 1.0 - delta)


def pca_rank(values: Tensor, share: float = 0.99) -> Tensor:
    """Return the smallest k with (s_1^2 + ... + s_k^2) / (s_1^2 + ... + s_K^2) >= share.

    Yang et al., "Harnessing structures for value-based planning and reinforcement learning" (arXiv 1909.12255): the
    approximate rank of principal component analysis.

    Args:
        values: As for `srank`.
        share: Of the sum of squares.

    Returns:
        Shape ``(...)``.
    """
    return _smallest(values.square(), share)


def effective_rank(values: Tensor) -> Tensor:
    """Return exp(-sum_i p_i log p_i) with p_i = s_i / sum_k s_k.

    Roy and Vetterli, "The effective rank: a measure of effective dimensionality" (EUSIPCO 2007).

    Args:
        values: As for `srank`.

    Returns:
        Shape ``(...)``.
    """
    total = values.sum(-1, keepdim=True)
    shares = values / total
    entropy = -torch.special.xlogy(shares, shares).sum(-1)
    return torch.where(total[..., 0] == 0, 0.0, entropy.exp())


def feature_rank(values: Tensor, rows: int, eps: float = 0.01) -> Tensor:
    """Return the number of s_i / sqrt(n) > eps; it depends on the features' scale.

    Lyle, Rowland and Dabney, "Understanding and preventing capacity loss in reinforcement learning" (arXiv 2204.09560).

    Args:
        values: As for `srank`.
        rows: n.
        eps: Threshold.

    Returns:
        Shape ``(...)``.
    """
    count = (values / math.sqrt(rows) > eps).double().sum(-1)
    return torch.where(torch.isfinite(values).all(-1), count, torch.nan)


def stable_rank(values: Tensor) -> Tensor:
    """Return (Frobenius norm)^2 / (spectral norm)^2 = (s_1^2 + ... + s_K^2) / s_1^2, the numerical analysts' one.

    Args:
        values: As for `srank`.

    Returns:
        Shape ``(...)``.
    """
    squares = values.square()
    largest = squares[..., 0]
    return torch.where(largest == 0, 0.0, squares.sum(-1) / largest)


def _smallest(parts: Tensor, share: float) -> Tensor:
    cumulated = parts.cumsum(-1)
    total = cumulated[..., -1]
    short = (cumulated < share * total[..., None]).double().sum(-1)
    rank = torch.where(total == 0, 0.0, short + 1)
    return torch.where(torch.isfinite(total), rank, torch.nan)
