"""Where the weights of one multi-layer perceptron lie in one flat vector."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

# Every tensor begins at a multiple of this many numbers. PyTorch's loops take two vectors a turn, 32 numbers of float32
# with AVX-512, and what remains goes through scalar code that rounds differently; without a remainder each network has
# the same bits wherever it lies in a stack.
ALIGNMENT = 64


@dataclass(frozen=True)
class Layer:
    """One linear layer: numbers ``weight`` to ``bias`` of the vector are W as [in, out], then come the biases.

    Attributes:
        inputs: Width of the input.
        outputs: Width of the output.
        weight: Offset of the weights.
        bias: Offset of the biases.
    """

    inputs: int
    outputs: int
    weight: int
    bias: int


def aligned(count: int) -> int:
    """Return the next multiple of `ALIGNMENT` from `count` on."""
    return -(-count // ALIGNMENT) * ALIGNMENT


class Layout:
    """The linear layers of a perceptron in one vector.

    Weights are stored as [in, out], the transpose of `torch.nn.Linear`'s, because the two products with few rows
    (gradient of the first layer's weights, gradient of the actions) take half the time that way on CPUs.

    Args:
        sizes: Widths ``(in, hidden..., out)``.

    Attributes:
        sizes: As given.
        layers: One for each linear layer.
        total: Length of the vector, with gaps of zeros for alignment.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        layers, offset = [], 0
        for inputs, outputs in pairwise(sizes):
            bias = offset + aligned(inputs * outputs)
            layers.append(Layer(inputs, outputs, offset, bias))
            offset = bias + aligned(outputs)
        self.layers = tuple(layers)
        self.total = offset

    def views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return weights ``(N, in, out)`` and biases ``(N, 1, out)`` of each layer as views of ``(N, total)``."""
        pairs = []
        for layer in self.layers:
            weight = flat[:, layer.weight : layer.weight + layer.inputs * layer.outputs]
            bias = flat[:, layer.bias : layer.bias + layer.outputs]
            pairs.append((weight.view(-1, layer.inputs, layer.outputs), bias.unsqueeze(1)))
        return pairs

    def fill(self, vector: Tensor, linears: list[torch.nn.Linear]) -> None:
        """Copy the weights of ordinary linear layers into one vector of length `total`."""
        with torch.no_grad():
            for (weight, bias), linear in zip(self.views(vector.unsqueeze(0)), linears, strict=True):
                weight[0].copy_(linear.weight.T)
                bias[0, 0].copy_(linear.bias)

    def extract(self, vector: Tensor, linears: list[torch.nn.Linear]) -> None:
        """Copy one vector of length `total` into ordinary linear layers."""
        with torch.no_grad():
            for (weight, bias), linear in zip(self.views(vector.unsqueeze(0)), linears, strict=True):
                linear.weight.copy_(weight[0].T)
                linear.bias.copy_(bias[0, 0])
