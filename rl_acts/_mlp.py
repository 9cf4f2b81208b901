"""The network builder: linear layers with an activation behind each hidden one."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import nn

from rl_acts._base import is_width
from rl_acts._info import checked
from rl_acts._init import INIT, preserve_variance
from rl_acts._registry import make
from rl_acts._spec import Spec
from rl_acts.errors import ActivationError

# One network's activation: one spec for all hidden layers, or one for each.
NetworkActivation: TypeAlias = Spec | list[Spec] | tuple[Spec, ...]


def hidden_activations(activation: NetworkActivation, widths: Sequence[int]) -> list[nn.Module]:
    """Build the activations that stand behind hidden layers of the given widths.

    Args:
        activation: One spec for all layers, or a list with one spec per layer.
        widths: Width of each hidden layer.

    Returns:
        One module per layer. With ``per="net"`` all of them are the same object.

    Raises:
        ActivationError: A bad spec, a list of another length than `widths`, or ``per="net"`` inside a list.
    """
    if isinstance(activation, list | tuple):
        if len(activation) != len(widths):
            raise ActivationError(
                f"Got {len(activation)} activations for {len(widths)} hidden layers of widths {list(widths)}; "
                "give one spec for all or one for each."
            )
        modules = [make(spec, width) for spec, width in zip(activation, widths, strict=True)]
        if any(_is_shared(module) for module in modules):
            raise ActivationError(
                "per='net' means one object behind every hidden layer of a network, so it is not allowed inside a list "
                f"of activations per layer; got {list(activation)!r}."
            )
        return modules
    first = [make(activation, width) for width in widths[:1]]
    if first and _is_shared(first[0]):
        return first * len(widths)
    return first + [make(activation, width) for width in widths[1:]]


def _is_shared(module: nn.Module) -> bool:
    return getattr(module, "per", None) == "net"


def check(activation: NetworkActivation, widths: Sequence[int] | None = None) -> None:
    """Raise if a network's activation could not be built.

    Args:
        activation: One spec, or a list with one spec per hidden layer.
        widths: Widths of the hidden layers; None if they are not known yet.

    Raises:
        ActivationError: As `mlp` would raise it.

    Example:
        >>> check(["relu", "swim(k=0.7)"])
        >>> check("swim(k=-1)")
        Traceback (most recent call last):
        ...
        rl_acts.errors.ActivationError: swim: k=-1 is not allowed; k must be a finite number above 0.
    """
    if widths is None:
        if isinstance(activation, list | tuple) and not activation:
            raise ActivationError("Got an empty list of activations; give one spec, or one for each hidden layer.")
        widths = [64] * (len(activation) if isinstance(activation, list | tuple) else 1)
    hidden_activations(activation, widths)


def mlp(
    sizes: Sequence[int],
    activation: NetworkActivation,
    *,
    output_activation: Spec | None = None,
    bias: bool = True,
    init: str = "default",
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> nn.Sequential:
    """Build a multi-layer perceptron.

    Args:
        sizes: Widths from input to output, ``[in, hidden..., out]``.
        activation: One spec for all hidden layers, or a list with one spec per hidden layer.
        output_activation: Behind the last layer; None for none.
        bias: Whether the linear layers have a bias.
        init: ``"default"``: PyTorch's initial weights, the same whatever the activations are. ``"variance"``:
            W ~ N(0, gain^2 / fan_in) with the `rl_acts.init_gain` of the activation before the layer, 1 for the first
            layer, and biases 0, so that normal inputs keep their second moment from layer to layer.
        dtype: Of all parameters.
        device: Likewise.

    Returns:
        ``Linear, activation, ..., Linear[, output activation]``: maps ``(batch, in)`` to ``(batch, out)``. The linear
        layers draw their initial values in PyTorch's way and in order, as Stable-Baselines3's `create_mlp` does;
        ``init="variance"`` draws the weights once more, in order, from the same generator.

    Raises:
        ActivationError: Fewer than two sizes, a size below 1, a bad activation, an unknown `init`, or an activation
            without a gain for ``init="variance"``.

    Example:
        >>> mlp([3, 8, 8, 1], ["relu", "swim(k=0.7)"], output_activation="tanh")
        Sequential(
          (0): Linear(in_features=3, out_features=8, bias=True)
          (1): ReLU()
          (2): Linear(in_features=8, out_features=8, bias=True)
          (3): Swim(k=0.7)
          (4): Linear(in_features=8, out_features=1, bias=True)
          (5): Tanh()
        )
    """
    if len(sizes) < 2 or not all(map(is_width, sizes)):
        raise ActivationError(f"sizes must be [in, hidden..., out] with whole numbers from 1 on; got {list(sizes)!r}.")
    behind: list[nn.Module | None] = [*hidden_activations(activation, sizes[1:-1]), None]
    if output_activation is not None:
        behind[-1] = make(output_activation, sizes[-1])
    layers: list[nn.Module] = []
    for index, following in enumerate(behind):
        layers.append(nn.Linear(sizes[index], sizes[index + 1], bias=bias))
        if following is not None:
            layers.append(following)
    network = nn.Sequential(*layers)
    if checked("mlp", (INIT,), "init", init) == "variance":
        preserve_variance(network, activation)
    return network.to(device=device, dtype=dtype)
