"""Initial weights that keep the variance of what flows through a network, whatever its activations are."""

import math
from collections.abc import Sequence

from torch import nn

from rl_acts._character import init_gain
from rl_acts._info import Choice, Parameter
from rl_acts._spec import Spec

INIT = Parameter(
    "init",
    "default",
    Choice(("default", "variance"), other="variance"),
    "initial weights: PyTorch's own, or N(0, gain^2 / fan_in) with each activation's gain",
)


def preserve_variance(network: nn.Sequential, activation: Spec | Sequence[Spec]) -> None:
    """Redraw the weights of a network's linear layers so that normal inputs keep their second moment.

    W ~ N(0, gain^2 / fan_in) with the gain of the activation before the layer (`init_gain` at that layer's width), 1
    for the first layer; biases 0. Drawn from PyTorch's global generator, layer by layer.

    Args:
        network: ``Linear, activation, ..., Linear`` as `rl_acts.mlp` builds it.
        activation: The spec of all hidden layers, or one for each.

    Raises:
        ActivationError: An activation has no gain.
    """
    layers = [module for module in network if isinstance(module, nn.Linear)]
    hidden = layers[:-1]
    specs = activation if isinstance(activation, list | tuple) else [activation] * len(hidden)
    gains = [init_gain(spec, layer.out_features) for spec, layer in zip(specs, hidden, strict=True)]
    for gain, layer in zip([1.0, *gains], layers, strict=True):
        nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.in_features))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
