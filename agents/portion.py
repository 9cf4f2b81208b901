"""One portion of a population's networks, evaluated together on a CPU, and the hand-written way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from agents.layout import ALIGNMENT, aligned
from agents.lifting import ActivationGroup, Backward, Uniforms


@dataclass(frozen=True)
class Portion:
    """Networks that go through together: all of one activation group, and either whole runs or a single network.

    Attributes:
        networks: Their indices among all.
        runs: To which they belong.
        repeat: How many each of these runs has among them.
        place: Index of their activation group.
        group: That group.
        weights: Of each linear layer, as views ``(n, in, out)`` and ``(n, 1, out)``.
        gradients: Likewise.
    """

    networks: range
    runs: slice
    repeat: int
    place: int
    group: ActivationGroup
    weights: list[tuple[Tensor, Tensor]]
    gradients: list[tuple[Tensor, Tensor]]

    def input(self, x: Tensor) -> Tensor:
        """Return the part of the runs' inputs ``(P, B, i)`` that these networks see, ``(n, B, i)``."""
        part = x[self.runs]
        return _aligned(part if self.repeat == 1 else part.repeat_interleave(self.repeat, 0))


# For each layer: its input, and the backward of the activation that made it.
Record: TypeAlias = list[tuple[Tensor, Backward | None]]
Tape: TypeAlias = list[Record]


def through(
    portion: Portion,
    h: Tensor,
    result: Tensor,
    *,
    record: bool,
    learn: bool,
    uniforms: Sequence[Uniforms] | None,
) -> Record:
    """Go through one portion.

    Args:
        portion: The networks.
        h: Their input.
        result: Where what they put out goes.
        record: Whether there will be a way back.
        learn: Whether that makes gradients of learnt values.
        uniforms: Random numbers of each activation group, if this is the pass in which the networks learn.

    Returns:
        What the way back needs, empty unless `record`.
    """
    made: Record = []
    own = None if uniforms is None else uniforms[portion.place]
    back: Backward | None = None
    last = len(portion.weights) - 1
    for index, (weight, bias) in enumerate(portion.weights):
        if record:
            made.append((h, back))
        if index == last:
            _last_product(bias, h, weight, result)
            break
        z = torch.baddbmm(bias, h, weight)
        if record:
            h, back = portion.group.value_and_way_back(index, z, portion.networks, learn=learn, uniforms=own)
        else:
            h = portion.group.value(index, z, portion.networks)
    return made


def _last_product(bias: Tensor, h: Tensor, weight: Tensor, result: Tensor) -> None:
    # The transpose: few rows instead of few columns, see `Layout`.
    count, rows, width = result.shape
    if width == 1 and rows % ALIGNMENT == 0:
        torch.baddbmm(bias.mT, weight.mT, h.mT, out=result.mT)
    else:
        room = _room(count, width, rows, like=result)
        result.copy_(torch.baddbmm(bias.mT, weight.mT, h.mT, out=room).mT)


def back_through(
    portion: Portion, record: Record, gradient: Tensor, columns: slice | None, *, learn: bool
) -> Tensor | None:
    """Go back through one portion.

    Args:
        portion: The networks.
        record: Of `through`.
        gradient: Of what they put out.
        columns: Of the input, whose gradient is wanted, or None.
        learn: Whether to leave the gradients of weights and learnt values in the networks' own tensors.

    Returns:
        The input's gradient, or None.
    """
    gradient = _aligned(gradient)
    last = len(record) - 1
    for index in range(last, -1, -1):
        (weight, _), (of_weight, of_bias), (h, back) = portion.weights[index], portion.gradients[index], record[index]
        if learn:
            if index == last:
                torch.bmm(gradient.mT, h, out=of_weight.mT)
            else:
                torch.bmm(h.mT, gradient, out=of_weight)
            torch.sum(gradient, 1, keepdim=True, out=of_bias)
        if back is None:
            if columns is None:
                return None
            room = _room(len(gradient), columns.stop - columns.start, gradient.shape[1], like=gradient)
            return torch.bmm(weight[:, columns], gradient.mT, out=room).mT
        # An outer product is a plain multiplication.
        before = gradient * weight.mT if weight.shape[2] == 1 else torch.bmm(gradient, weight.mT)
        gradient = back(before)
    raise ValueError("the first layer's input has no activation before it")


def _room(count: int, rows: int, width: int, *, like: Tensor) -> Tensor:
    """Return a tensor ``(count, rows, width)`` in which each network's numbers begin at a cache line.

    Where a matrix begins decides which of its columns a vectorised product treats apart, and so its last bits: each
    network must find the same as if it were alone.
    """
    return like.new_empty(count * aligned(rows * width)).as_strided(
        (count, rows, width), (aligned(rows * width), width, 1)
    )


def _is_aligned(values: Tensor) -> bool:
    """Return whether each network's numbers begin at a cache line, for a part of an array that begins at one."""
    return values.is_contiguous() and values.shape[1] * values.shape[2] % ALIGNMENT == 0


def _aligned(values: Tensor) -> Tensor:
    return values if _is_aligned(values) else _room(*values.shape, like=values).copy_(values)
