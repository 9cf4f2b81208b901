"""Activations of several networks at once: ordinary modules, written for one network, over a stack of networks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

import rl_acts
from agents.layout import aligned

# Maps the gradient behind an activation to the gradient before it; learnt values' gradients are added on the way.
Backward: TypeAlias = Callable[[Tensor], Tensor]
_RELU = (rl_acts.info("relu").cls, nn.ReLU)


@dataclass(frozen=True)
class _Place:
    """Where one learnt value of an activation lies in the group's vector."""

    name: str
    offset: int
    shape: torch.Size

    def view(self, flat: Tensor) -> Tensor:
        """Return the value's view, shape ``(n, *shape)``, of vectors ``(n, total)``."""
        return flat[:, self.offset : self.offset + self.shape.numel()].view(len(flat), *self.shape)


class ActivationGroup:
    """The activations of neighbouring networks that have the same specs.

    Learnt values of all networks are stacked into one tensor, of which the modules' own parameters are views: the
    optimiser sees the stack, the module sees its part. Without learnt values one set of elementwise modules serves all
    networks in one call.

    Args:
        stacks: For each network its modules, one per hidden layer; one object may stand behind several layers.
        start: Index of the first network.

    Attributes:
        start: Index of the first network.
        stop: Index behind the last.
        flat: Learnt values, shape ``(stop - start, total)``, or None if there are none.
        gradient: Likewise.
    """

    def __init__(self, stacks: Sequence[Sequence[nn.Module]], start: int) -> None:
        self.start, self.stop = start, start + len(stacks)
        for module in (module for stack in stacks for module in stack):
            _refuse_state(module)
            # Training, acting and evaluation see one function: dropout and its like stay off.
            module.eval()
        self._places, total = _places(stacks[0])
        self.shared = total == 0 and all(map(_acts_on_numbers, stacks[0]))
        self._stacks = [list(stack) for stack in (stacks[:1] if self.shared else stacks)]
        self.flat: Tensor | None = None
        self.gradient: Tensor | None = None
        if total:
            self._own(total, _any_parameter(stacks[0]))

    def _own(self, total: int, like: Tensor) -> None:
        self.flat = torch.zeros(len(self._stacks), total, dtype=like.dtype, device=like.device).requires_grad_()
        self.gradient = torch.zeros_like(self.flat)
        for index, stack in enumerate(self._stacks):
            row = self.flat.detach()[index : index + 1]
            for layer, module in enumerate(stack):
                for place in self._places[layer]:
                    parameter = module.get_parameter(place.name)
                    view = place.view(row)[0]
                    view.copy_(parameter.detach())
                    parameter.data = view

    def modules(self, network: int) -> list[nn.Module]:
        """Return the modules of one network, by its index among all."""
        return self._stacks[0 if self.shared else network - self.start]

    def value(self, layer: int, z: Tensor, networks: range) -> Tensor:
        """Return the activations behind one layer, without a way back.

        Args:
            layer: Index of the hidden layer.
            z: Pre-activations ``(n, batch, width)``; may be overwritten.
            networks: Indices of the n networks.
        """
        if self.shared:
            module = self._stacks[0][layer]
            return z.relu_() if type(module) in _RELU else _call(module, z)
        values = [_call(self.modules(network)[layer], z[row]) for row, network in enumerate(networks)]
        return values[0].unsqueeze(0) if len(values) == 1 else torch.stack(values)

    def value_and_way_back(self, layer: int, z: Tensor, networks: range, *, learn: bool) -> tuple[Tensor, Backward]:
        """Return the activations behind one layer, and their backward pass.

        Args:
            layer: As for `value`.
            z: As for `value`.
            networks: As for `value`.
            learn: Whether the backward pass adds to the gradients of learnt values.
        """
        if self.shared:
            module = self._stacks[0][layer]
            return _relu(z) if type(module) in _RELU else _recorded(module, z)
        parts = [self._recorded_one(layer, z[row], network, learn=learn) for row, network in enumerate(networks)]
        if len(parts) == 1:
            value, back = parts[0]
            return value.unsqueeze(0), lambda gradient: back(gradient[0]).unsqueeze(0)
        ways = [back for _, back in parts]
        return torch.stack([value for value, _ in parts]), lambda gradient: torch.stack(
            [back(part) for back, part in zip(ways, gradient, strict=True)]
        )

    def _recorded_one(self, layer: int, z: Tensor, network: int, *, learn: bool) -> tuple[Tensor, Backward]:
        module, places = self.modules(network)[layer], self._places[layer]
        if not learn or not places or self.gradient is None:
            return _recorded(module, z)
        row = self.gradient[network - self.start : network - self.start + 1]
        learnt = [(module.get_parameter(place.name), place.view(row)[0]) for place in places]
        leaf, value = _recorded_value(module, z)

        def back(gradient: Tensor) -> Tensor:
            leaves = [leaf, *(parameter for parameter, _ in learnt)]
            before, *of_learnt = torch.autograd.grad(value, leaves, gradient, allow_unused=True)
            for (_, total), part in zip(learnt, of_learnt, strict=True):
                if part is not None:
                    total.add_(part)
            return before

        return value.detach(), back

    def expression(self, layer: int, z: Tensor, flat: Tensor | None) -> Tensor:
        """Return the activations behind one layer as an expression that PyTorch differentiates and compiles.

        Args:
            layer: Index of the hidden layer.
            z: Pre-activations ``(n, batch, width)``.
            flat: Learnt values ``(n, total)``, or None if there are none.
        """
        module = self._stacks[0][layer]
        if self.shared:
            return _call(module, z)
        if flat is None:
            return torch.as_tensor(torch.vmap(module)(z))
        values = {place.name: place.view(flat) for place in self._places[layer]}
        lifted = torch.vmap(lambda learnt, part: torch.func.functional_call(module, learnt, (part,)))
        return torch.as_tensor(lifted(values, z))


def _call(module: nn.Module, z: Tensor) -> Tensor:
    value: Tensor = module(z)
    return value


def _places(stack: Sequence[nn.Module]) -> tuple[list[list[_Place]], int]:
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
            of_layer.append(_Place(name, offsets[id(parameter)], parameter.shape))
        places.append(of_layer)
    return places, total


def _any_parameter(stack: Sequence[nn.Module]) -> Tensor:
    return next(value for module in stack for value in module.parameters() if value.requires_grad)


def _acts_on_numbers(module: nn.Module) -> bool:
    """Return whether a module without learnt values may be called with a stack of networks' pre-activations.

    The library's own are tested for it; of anybody else's class its word alone would have to be taken.
    """
    if type(module) in _RELU:
        return True
    own = type(module).__module__.startswith("rl_acts.")
    registered = [entry for entry in map(rl_acts.info, rl_acts.names()) if entry.cls is type(module)]
    return own and any(entry.elementwise for entry in registered)


def _refuse_state(module: nn.Module) -> None:
    drawing = [
        entry.name for entry in map(rl_acts.info, rl_acts.names()) if entry.cls is type(module) and entry.stochastic
    ]
    buffers = [name for name, _ in module.named_buffers()]
    if drawing or buffers:
        reason = f"draws noise ({drawing[0]})" if drawing else f"has buffers ({', '.join(buffers)})"
        raise rl_acts.ActivationError(
            f"{type(module).__name__} {reason}, which a population cannot keep apart for its runs; allowed are "
            "activations of parameters alone. Stable-Baselines3's engine takes others."
        )


def _relu(z: Tensor) -> tuple[Tensor, Backward]:
    # The commonest activation, in place both ways: half of the memory traffic of the general form.
    value = z.relu_()
    return value, lambda gradient: torch.ops.aten.threshold_backward.grad_input(
        gradient, value, 0.0, grad_input=gradient
    )


def _recorded(module: nn.Module, z: Tensor) -> tuple[Tensor, Backward]:
    leaf, value = _recorded_value(module, z)
    return value.detach(), lambda gradient: torch.autograd.grad(value, leaf, gradient)[0]


def _recorded_value(module: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    leaf = z.detach().requires_grad_()
    with torch.enable_grad():
        # PyTorch's activations with `inplace` must not write into what they are differentiated by.
        return leaf, module(leaf.clone() if getattr(module, "inplace", False) else leaf)
