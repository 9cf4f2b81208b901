"""What happens inside a network while it learns: dormant and dead units, ranks, saturation, norms, learnt shapes.

Pure functions on tensors, and `measure`, which calls all of them on one network and one batch. Nothing of the network,
of its training or of PyTorch's random numbers changes.

Two cautions. Dormancy is relative to the layer's mean |h|, so it does not compare activations with different tails
(ReLU's is exactly zero, SiLU's exponential, Swim's about 1/|x|): read it together with a measure of gradients. Ranks
depend on the number of rows, on where they come from and, `feature_rank`, on scale: keep these the same.

Example:
    >>> import torch, rl_acts
    >>> from rl_acts.diagnostics import measure
    >>> network = rl_acts.mlp([3, 8, 8, 1], "relu")
    >>> found = measure(network, torch.randn(32, 3))
    >>> sorted({row.layer for row in found.rows})
    ['all', 'layer1', 'layer2', 'output']
    >>> 0 <= found.value("layer1", "dormant_share") <= 1
    True
"""

from rl_acts.diagnostics._layers import DiagnosticsError, HiddenLayer, hidden_layers
from rl_acts.diagnostics._learnt import Shape, learnt_values, shape_of
from rl_acts.diagnostics._measure import Measured, Row, measure
from rl_acts.diagnostics._norms import coefficient_of_variation, distance_from_init, norm, norm_ratio, rms
from rl_acts.diagnostics._picture import picture
from rl_acts.diagnostics._pre_activations import PreActivations, pre_activations
from rl_acts.diagnostics._ranks import (
    effective_rank,
    feature_rank,
    pca_rank,
    singular_values,
    srank,
    stable_rank,
)
from rl_acts.diagnostics._slopes import slopes
from rl_acts.diagnostics._units import (
    dead_share,
    dormant_scores,
    dormant_share,
    feature_norm,
    gradient_inactive_share,
    policy_saturation,
    saturated_share,
)
from rl_acts.diagnostics._updates import UpdateWatch

__all__ = [
    "DiagnosticsError",
    "HiddenLayer",
    "Measured",
    "PreActivations",
    "Row",
    "Shape",
    "UpdateWatch",
    "coefficient_of_variation",
    "dead_share",
    "distance_from_init",
    "dormant_scores",
    "dormant_share",
    "effective_rank",
    "feature_norm",
    "feature_rank",
    "gradient_inactive_share",
    "hidden_layers",
    "learnt_values",
    "measure",
    "norm",
    "norm_ratio",
    "pca_rank",
    "picture",
    "policy_saturation",
    "pre_activations",
    "rms",
    "saturated_share",
    "shape_of",
    "singular_values",
    "slopes",
    "srank",
    "stable_rank",
]
