"""Where the weights of one multi-layer perceptron lie in one flat vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

# Every tensor begins at a multiple of this many numbers. PyTorch's loops take two vectors a turn, 32 numbers of float32
# with AVX-512, and what remains goes through scalar code that rounds differently; without a remainder each network has
# the same bits wherever it lies in a stack.
ALIGNMENT = 64

# Widths of the input and of the output of each linear layer. An activation may change the width, so what one layer puts
# out need not be what the next takes.
Shapes: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layer:
    """One linear layer: numbers ``weight`` to ``bias`` of the vector are W, then come the biases.

    Attributes:
        inputs: Width of the input.
        outputs: Width of the output.
        weight: Offset of the weights.
        bias: Offset of the biases.
        by_output: Whether W lies there as [out, in], not as [in, out].
    """

    inputs: int
    outputs: int
    weight: int
    bias: int
    by_output: bool

    def matrix(self, numbers: Tensor) -> Tensor:
        """Return weights ``(N, in * out)`` as a view of shape ``(N, in, out)``."""
        if self.by_output:
            return numbers.view(-1, self.outputs, self.inputs).mT
        return numbers.view(-1, self.inputs, self.outputs)


def shapes_of(network: nn.Sequential) -> Shapes:
    """Return the shapes of a perceptron's linear layers."""
    return tuple((layer.in_features, layer.out_features) for layer in linears_of(network))


def linears_of(network: nn.Sequential) -> list[nn.Linear]:
    """Return a perceptron's linear layers; all else in it is activations."""
    return [module for module in network if isinstance(module, nn.Linear)]


def aligned(count: int) -> int:
    """Return the next multiple of `ALIGNMENT` from `count` on."""
    return -(-count // ALIGNMENT) * ALIGNMENT


class Layout:
    """The linear layers of a perceptron in one vector.

    On CPUs a product takes a quarter to a tenth of the time if its thin side is the number of its rows and not of its
    columns. So weights are stored as [in, out], which suits the first layer's few inputs, but the last layer's as
    [out, in], which suits its few outputs.

    Args:
        shapes: Of the linear layers.

    Attributes:
        shapes: As given.
        layers: One for each linear layer.
        inputs: Width of the network's input.
        outputs: Width of the network's output.
        hidden: All widths between linear layers, before activations and behind them.
        total: Length of the vector, with gaps of zeros for alignment.
    """

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.inputs, self.outputs = shapes[0][0], shapes[-1][1]
        self.hidden = (*(outputs for _, outputs in shapes[:-1]), *(inputs for inputs, _ in shapes[1:]))
        layers, offset = [], 0
        for index, (inputs, outputs) in enumerate(shapes, start=1):
            bias = offset + aligned(inputs * outputs)
            layers.append(Layer(inputs, outputs, offset, bias, by_output=index == len(shapes)))
            offset = bias + aligned(outputs)
        self.layers = tuple(layers)
        self.total = offset

    def views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return weights ``(N, in, out)`` and biases ``(N, 1, out)`` of each layer as views of ``(N, total)``."""
        pairs = []
        for layer in self.layers:
            weight = flat[:, layer.weight : layer.weight + layer.inputs * layer.outputs]
            bias = flat[:, layer.bias : layer.bias + layer.outputs]
            pairs.append((layer.matrix(weight), bias.unsqueeze(1)))
        return pairs

    def fill(self, vector: Tensor, linears: Sequence[nn.Linear]) -> None:
        """Copy the weights of ordinary linear layers into one vector of length `total`."""
        with torch.no_grad():
            for (weight, bias), linear in zip(self.views(vector.unsqueeze(0)), linears, strict=True):
                weight[0].copy_(linear.weight.T)
                bias[0, 0].copy_(linear.bias)

    def extract(self, vector: Tensor, linears: Sequence[nn.Linear]) -> None:
        """Copy one vector of length `total` into ordinary linear layers."""
        with torch.no_grad():
            for (weight, bias), linear in zip(self.views(vector.unsqueeze(0)), linears, strict=True):
                linear.weight.copy_(weight[0].T)
                linear.bias.copy_(bias[0, 0])
