"""The network builder: linear layers with an activation behind each hidden one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from rl_acts._base import is_width
from rl_acts._info import checked
from rl_acts._init import INIT, preserve_variance
from rl_acts._registry import make
from rl_acts._spec import Spec
from rl_acts._widths import NetworkActivation, hidden_widths, layer_specs, width_factor
from rl_acts.errors import ActivationError


@contextmanager
def own_draws() -> Iterator[None]:
    """Within it, random initial values come from a stream of their own, which the global seed decides.

    What activations draw for themselves leaves the draws of the linear layers as they are, whatever the activation.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), device="cpu")))
        yield


def hidden_activations(activation: NetworkActivation, widths: Sequence[int]) -> list[nn.Module]:
    """Build the activations that stand behind linear layers of the given widths.

    Args:
        activation: One spec for all layers, or a list with one spec per layer.
        widths: What each linear layer puts out.

    Returns:
        One module per layer. With ``per="net"`` all of them are the same object.

    Raises:
        ActivationError: A bad spec, a list of another length than `widths`, ``per="net"`` inside a list, or with
            values for each unit of layers of different widths.
    """
    if isinstance(activation, list | tuple):
        modules = [make(spec, width) for spec, width in zip(layer_specs(activation, widths), widths, strict=True)]
        if any(_is_shared(module) for module in modules):
            raise ActivationError(
                "per='net' means one object behind every hidden layer of a network, so it is not allowed inside a list "
                f"of activations per layer; got {list(activation)!r}."
            )
        return modules
    first = [make(activation, width) for width in widths[:1]]
    if first and _is_shared(first[0]):
        of_a_width = any(getattr(module, "features", None) is not None for module in first[0].modules())
        if of_a_width and len(set(widths)) > 1:
            raise ActivationError(
                f"per='net' means one object behind every hidden layer, but {activation!r} has values for each unit, "
                f"and the layers' widths differ: {list(widths)}."
            )
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
    hidden_activations(activation, hidden_widths(activation, [1, *widths, 1]).before)


def mlp(
    sizes: Sequence[int],
    activation: NetworkActivation,
    *,
    output_activation: Spec | None = None,
    bias: bool = True,
    init: str = "default",
    keep: str = "width",
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> nn.Sequential:
    """Build a multi-layer perceptron.

    Args:
        sizes: Widths from input to output, ``[in, hidden..., out]``.
        activation: One spec for all hidden layers, or a list with one spec per hidden layer. A callable may be called
            more than once for a layer.
        output_activation: Behind the last layer; None for none. It cannot change the width.
        bias: Whether the linear layers have a bias.
        init: ``"default"``: PyTorch's initial weights, the same whatever the activations are. ``"variance"``:
            W ~ N(0, gain^2 / fan_in) with the `rl_acts.init_gain` of the activation before the layer, 1 for the first
            layer, and biases 0, so that normal inputs keep their second moment from layer to layer.
        keep: What is kept where a hidden layer's activation changes the width, as gated layers (half of what goes in)
            and doubling ones do. ``"width"`` (default): `sizes` are the widths behind the activations; the linear
            layer before a gated one is twice as wide, before a doubling one half as wide. ``"parameters"``: the linear
            layers have together as nearly as possible the number of parameters, and never more, that they have with an
            elementwise activation: from the smallest widths on, that of the layers with such an activation which is
            narrowest in proportion to its size in `sizes` (the first of equals) grows by the smallest step that leaves
            whole numbers, until no layer can. The other layers keep their widths. Activations' own learnt values are
            not counted.
        dtype: Of all parameters.
        device: Likewise.

    Returns:
        ``Linear, activation, ..., Linear[, output activation]``: maps ``(batch, in)`` to ``(batch, out)``. The linear
        layers draw their initial values in PyTorch's way and in order, as Stable-Baselines3's `create_mlp` does;
        ``init="variance"`` draws the weights once more, in order, from the same generator. What an activation draws
        for itself does not move them.

    Raises:
        ActivationError: Fewer than two sizes, a size below 1, a bad activation or `keep`, an unknown `init`, widths
            that an activation cannot have (a doubling one needs even ones, unless `keep` is ``"parameters"``), or an
            activation without a gain for ``init="variance"``.

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
    widths = hidden_widths(activation, sizes, keep, bias=bias)
    with own_draws():
        following_each: list[nn.Module | None] = [*hidden_activations(activation, widths.before), None]
        if output_activation is not None:
            following_each[-1] = _output_activation(output_activation, sizes[-1])
    inputs, outputs = [sizes[0], *widths.behind], [*widths.before, sizes[-1]]
    layers: list[nn.Module] = []
    for following, inside, outside in zip(following_each, inputs, outputs, strict=True):
        layers.append(nn.Linear(inside, outside, bias=bias))
        if following is not None:
            layers.append(following)
    network = nn.Sequential(*layers)
    if checked("mlp", (INIT,), "init", init) == "variance":
        preserve_variance(network, activation)
    return network.to(device=device, dtype=dtype)


def _output_activation(spec: Spec, width: int) -> nn.Module:
    if width_factor(spec, width) != 1:
        raise ActivationError(f"output_activation={spec!r} is not allowed: it changes the width of the output.")
    return make(spec, width)
