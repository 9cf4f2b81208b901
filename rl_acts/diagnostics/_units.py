"""Shares of units that do nothing, by what they put out, by their slopes, and by the gradients that reach them.

Axes: n rows of a batch, H units of a layer; leading axes ``...``, such as networks of a population, are kept. Where
something is NaN or infinite, so is the result.
"""

import torch
from torch import Tensor


def dormant_scores(features: Tensor, *, centred: bool = False) -> Tensor:
    """Return each unit's mean activity relative to the layer's, E|h_i| / ((1/H) sum_k E|h_k|).

    Sokar et al., "The dormant neuron phenomenon in deep reinforcement learning" (ReDo, arXiv 2302.12902).

    Args:
        features: Post-activations h, shape ``(..., n, H)``.
        centred: Subtract E[h_i] before the absolute value, an option of the authors' code: a unit that is constant is
            then dormant too.

    Returns:
        Shape ``(..., H)``; 0 everywhere for a layer that puts out zeros only.
    """
    wide = features.double()
    if centred:
        wide = wide - wide.mean(-2, keepdim=True)
    activity = wide.abs().mean(-2)
    layer = activity.mean(-1, keepdim=True)
    return torch.where(layer == 0, 0.0, activity / layer)


def dormant_share(features: Tensor, tau: float = 0.1, *, centred: bool = False) -> Tensor:
    """Return the share of tau-dormant units: those with a score of at most tau.

    Args:
        features: Post-activations, shape ``(..., n, H)``.
        tau: 0.1 is SimbaV2's, 0.025 the default of ReDo's authors, 0 counts exact zeros.
        centred: As for `dormant_scores`.

    Returns:
        Shape ``(...)``.
    """
    return _share_of(dormant_scores(features, centred=centred), tau)


def gradient_inactive_share(gradients: Tensor, tau: float = 0.1) -> Tensor:
    """Return the share of units with little gradient: `dormant_share` with E|dL/dh_i| in place of E|h_i|.

    After GraMa (arXiv 2505.24061), whose concept was read and whose normalisation is taken from the dormant score.

    Args:
        gradients: Of a loss by the post-activations, shape ``(..., n, H)``.
        tau: Share of the layer's mean; 0.01 to 0.1 are in use.

    Returns:
        Shape ``(...)``.
    """
    return _share_of(dormant_scores(gradients), tau)


def dead_share(slopes: Tensor, eps: float = 0.0) -> Tensor:
    """Return the share of units with |f'(z_i)| <= eps for every row of the batch.

    Args:
        slopes: f'(z), shape ``(..., n, H)``, as `slopes` makes them.
        eps: 0 for ReLU and others that are flat somewhere; 1e-3 for smooth ones, which never quite are.

    Returns:
        Shape ``(...)``.
    """
    dead = (slopes.abs() <= eps).all(-2).double().mean(-1)
    return _finite_only(dead, slopes)


def saturated_share(slopes: Tensor, eps: float = 0.01) -> Tensor:
    """Return the share of units and rows with |f'(z)| <= eps.

    The concept is of arXiv 2509.22562, the threshold is ours.

    Args:
        slopes: As for `dead_share`.
        eps: Threshold.

    Returns:
        Shape ``(...)``.
    """
    return _finite_only((slopes.abs() <= eps).double().mean((-2, -1)), slopes)


def feature_norm(features: Tensor) -> Tensor:
    """Return the mean over the batch of the Euclidean norm of a layer's post-activations.

    Args:
        features: Shape ``(..., n, H)``.

    Returns:
        Shape ``(...)``.
    """
    return features.double().square().sum(-1).sqrt().mean(-1)


def policy_saturation(actions: Tensor, threshold: float = 0.99) -> Tensor:
    """Return the share of a squashed policy's outputs with |a| > threshold, of a bound of 1.

    Args:
        actions: In [-1, 1], shape ``(..., n, A)``.
        threshold: From 0 to 1.

    Returns:
        Shape ``(...)``.
    """
    return _finite_only((actions.abs() > threshold).double().mean((-2, -1)), actions)


def _share_of(scores: Tensor, tau: float) -> Tensor:
    share = (scores <= tau).double().mean(-1)
    return torch.where(torch.isfinite(scores).all(-1), share, torch.nan)


def _finite_only(share: Tensor, source: Tensor) -> Tensor:
    return torch.where(torch.isfinite(source).all(-1).all(-1), share, torch.nan)
