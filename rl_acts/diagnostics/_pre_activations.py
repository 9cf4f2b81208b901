"""Where pre-activations lie: the direct test of what an activation's left side is for."""

from typing import NamedTuple

import torch
from torch import Tensor

_QUANTILES = (0.05, 0.5, 0.95)
# The three parts of the line: the left tail, the bend, the line.
_CUT = -3.0


class PreActivations(NamedTuple):
    """Of all numbers of a layer; each of shape ``(...)``.

    Attributes:
        mean: Their mean.
        sd: Their standard deviation, the variance divided by their number.
        q05: Quantiles, with linear interpolation.
        q50: Likewise.
        q95: Likewise.
        share_left: Share in (-inf, -3].
        share_middle: In (-3, 0].
        share_right: In (0, inf).
    """

    mean: Tensor
    sd: Tensor
    q05: Tensor
    q50: Tensor
    q95: Tensor
    share_left: Tensor
    share_middle: Tensor
    share_right: Tensor


def pre_activations(z: Tensor) -> PreActivations:
    """Return what `PreActivations` names.

    Args:
        z: Pre-activations, shape ``(..., n, H)``. NaN makes all of it NaN.
    """
    values = z.detach().flatten(-2)
    wide = values.double()
    broken = torch.isnan(wide.sum(-1))
    # torch.quantile refuses more than 16 million numbers; sorting once serves all three.
    ordered = values.sort(-1).values
    quantiles = [torch.where(broken, torch.nan, _quantile(ordered, share)) for share in _QUANTILES]
    left, right = (values <= _CUT).double().mean(-1), (values > 0).double().mean(-1)
    shares = [torch.where(broken, torch.nan, share) for share in (left, 1.0 - left - right, right)]
    return PreActivations(wide.mean(-1), wide.std(-1, correction=0), *quantiles, *shares)


def _quantile(ordered: Tensor, share: float) -> Tensor:
    place = share * (ordered.shape[-1] - 1)
    low = int(place)
    high = min(low + 1, ordered.shape[-1] - 1)
    return torch.lerp(ordered[..., low].double(), ordered[..., high].double(), place - low)
