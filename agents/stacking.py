"""Where the values of several networks' activations lie: learnt ones in one array, buffers in one for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.activation_kinds import has_state
from agents.layout import aligned


@dataclass(frozen=True)
class Place:
    """Where one learnt value of an activation lies in the group's vectors."""

    name: str
    offset: int
    shape: torch.Size

    def view(self, flat: Tensor) -> Tensor:
        """Return the value's view, shape ``(n, *shape)``, of vectors ``(n, total)``."""
        return flat[:, self.offset : self.offset + self.shape.numel()].view(len(flat), *self.shape)


def places_of(stack: Sequence[nn.Module]) -> tuple[list[list[Place]], int]:
    """Return the learnt values of each layer's module and how long the vector of all is, each object counted once."""
    offsets: dict[int, int] = {}
    total, places = 0, []
    for module in stack:
        of_layer = []
        learnt = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
        for name, parameter in learnt:
            if id(parameter) not in offsets:
                offsets[id(parameter)] = total
                total += aligned(parameter.numel())
            of_layer.append(Place(name, offsets[id(parameter)], parameter.shape))
        places.append(of_layer)
    return places, total


class Buffers:
    """Buffers of several networks' activations that training may change: one array for each, a row for each network.

    The modules' own become views of the rows.

    Args:
        stacks: For each network its modules, one per hidden layer; one object may stand behind several layers.

    Attributes:
        tensors: Each of shape ``(n, *shape)``.
    """

    def __init__(self, stacks: Sequence[Sequence[nn.Module]]) -> None:
        self.tensors: list[Tensor] = []
        self._index: list[dict[str, int]] = []
        known: dict[int, int] = {}
        for layer, module in enumerate(stacks[0]):
            found = {}
            for name, buffer in module.named_buffers(remove_duplicate=False) if has_state(module) else ():
                if id(buffer) not in known:
                    known[id(buffer)] = len(self.tensors)
                    self.tensors.append(_stacked([stack[layer].get_buffer(name) for stack in stacks]))
                found[name] = known[id(buffer)]
            self._index.append(found)
        for network, stack in enumerate(stacks):
            for module, names in zip(stack, self._index, strict=True):
                for name, index in names.items():
                    owner, _, last = name.rpartition(".")
                    setattr(module.get_submodule(owner), last, self.tensors[index][network])

    def of_layer(self, layer: int, rows: slice = slice(None)) -> dict[str, Tensor]:
        """Return a layer's buffers of some networks by name, as views."""
        return {name: self.tensors[index][rows] for name, index in self._index[layer].items()}

    def phases(self, layer: int) -> list[tuple[str, int]]:
        """Return the prefix of the values' names and the index of each phase among a layer's buffers.

        An activation that rewrites its own learnt values in training says so by an integer buffer `phase`, which
        changes with each rewrite.
        """
        found = [(name.removesuffix("phase"), index) for name, index in self._index[layer].items()]
        return [
            (prefix, index)
            for (prefix, index), name in zip(found, self._index[layer], strict=True)
            if name.split(".")[-1] == "phase" and not self.tensors[index].is_floating_point()
        ]

    def write(self, layer: int, values: Mapping[str, Tensor], rows: slice = slice(None)) -> None:
        """Put values into a layer's buffers of some networks."""
        for name, view in self.of_layer(layer, rows).items():
            view.copy_(values[name])


def _stacked(buffers: Sequence[Tensor]) -> Tensor:
    first = buffers[0]
    # Each network's begins at a cache line, as it would alone.
    rows = first.new_zeros(len(buffers), aligned(first.numel()))[:, : first.numel()].view(len(buffers), *first.shape)
    for row, buffer in zip(rows, buffers, strict=True):
        row.copy_(buffer)
    return rows
