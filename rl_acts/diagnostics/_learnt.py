"""What activations have learnt: their values, and their shapes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# The same line for every layer and step, so that pictures compare; pre-activations of a healthy layer lie inside.
_LOW, _HIGH, _POINTS = -6.0, 6.0, 121
_RAW = "raw_"


@dataclass(frozen=True)
class Shape:
    """An activation as a curve.

    Attributes:
        x: From -6 to 6, shape ``(121,)``.
        y: The mean over a layer's outputs of what they make of x, shape ``(121,)``.
        low: Their smallest, shape ``(121,)``; y unless each unit has values of its own.
        high: Their largest, shape ``(121,)``.
    """

    x: Tensor
    y: Tensor
    low: Tensor
    high: Tensor


def is_learnt(activation: nn.Module) -> bool:
    """Return whether an activation has anything to learn."""
    return any(parameter.requires_grad for parameter in activation.parameters())


def learnt_values(activation: nn.Module) -> Iterator[tuple[str, Tensor, nn.Parameter]]:
    """Yield each learnt value's name, the value, and the parameter behind it.

    A parameter ``raw_k`` with a property ``k`` beside it is what the optimiser sees of a value that is kept in bounds:
    then the name is ``k``, and the value that of the property.
    """
    for name, parameter in activation.named_parameters():
        if not parameter.requires_grad:
            continue
        owner, _, last = name.rpartition(".")
        value: object = parameter
        if last.startswith(_RAW):
            value = getattr(activation.get_submodule(owner), last.removeprefix(_RAW), None)
            last = last.removeprefix(_RAW) if isinstance(value, Tensor) else last
        # Inside a container the first part of the name is a number, which tells nobody anything.
        path = [part for part in owner.split(".") if part and not part.isdecimal()]
        yield ".".join([*path, last]), (value if isinstance(value, Tensor) else parameter).detach(), parameter


def shape_of(activation: nn.Module, width: int) -> Shape:
    """Return an activation's curve: all units of a row have the same x.

    For an activation that acts on each number alone that is its graph, one for each unit; of others it is the cut on
    which all inputs are alike.

    Args:
        activation: In evaluation mode.
        width: Of its pre-activations.
    """
    like = next(activation.parameters(), torch.zeros(()))
    x = torch.linspace(_LOW, _HIGH, _POINTS, dtype=like.dtype, device=like.device)
    with torch.no_grad():
        outputs = activation(x[:, None].expand(-1, width).clone())
    return Shape(x, outputs.mean(-1), outputs.amin(-1), outputs.amax(-1))
