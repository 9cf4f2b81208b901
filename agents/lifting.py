"""Activations of several networks at once: ordinary modules, written for one network, over a stack of networks."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

import rl_acts
from agents.activation_kinds import acts_on_numbers, is_relu
from agents.learning_form import LearningForm, learning_form
from agents.stacking import Buffers, places_of

# Maps the gradient behind an activation to the gradient before it; learnt values' gradients are added on the way.
Backward: TypeAlias = Callable[[Tensor], Tensor]
# Uniform random numbers in (0, 1) of one group, for each layer that draws noise an array ``(n, *shape)``.
Uniforms: TypeAlias = tuple[Tensor, ...]


class ActivationGroup:
    """The activations of neighbouring networks that have the same specs.

    Learnt values of all networks are stacked into one tensor, of which the modules' own parameters are views: the
    optimiser sees the stack, the module sees its part; likewise buffers. Without any of them one set of elementwise
    modules serves all networks in one call.

    Everybody sees the modules in evaluation mode: dropout and its like stay off. Only in the pass in which their own
    network learns, which is the one that random numbers are given to, noise is drawn and buffers change.

    Args:
        stacks: For each network its modules, one per hidden layer; one object may stand behind several layers.
        start: Index of the first network.

    Attributes:
        start: Index of the first network.
        stop: Index behind the last.
        flat: Learnt values, shape ``(stop - start, total)``, or None if there are none.
        gradient: Likewise.
        buffers: That training changes.
        noisy: Indices of the hidden layers whose activations draw noise.
    """

    def __init__(self, stacks: Sequence[Sequence[nn.Module]], start: int) -> None:
        self.start, self.stop = start, start + len(stacks)
        for module in (module for stack in stacks for module in stack):
            module.eval()
        self._places, total = places_of(stacks[0])
        self.buffers = Buffers(stacks)
        self._forms = self._learning_forms(stacks[0])
        self.noisy = tuple(layer for layer, form in enumerate(self._forms) if form is not None and form.noisy)
        self.shared = total == 0 and not self.buffers.tensors and all(map(acts_on_numbers, stacks[0]))
        self._stacks = [list(stack) for stack in (stacks[:1] if self.shared else stacks)]
        self._in_place = [rl_acts.in_place(module) for module in stacks[0]]
        # Frozen values are not in the stack.
        self._all_learnt = [all(value.requires_grad for value in module.parameters()) for module in stacks[0]]
        self.flat: Tensor | None = None
        self.gradient: Tensor | None = None
        if total:
            self._own(total, _any_parameter(stacks[0]))

    def _learning_forms(self, stack: Sequence[nn.Module]) -> list[LearningForm | None]:
        return [
            learning_form(module, rewrites=bool(self._places[layer] and self.buffers.phases(layer)))
            for layer, module in enumerate(stack)
        ]

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

    def noise_shape(self, layer: int, x_shape: torch.Size) -> torch.Size:
        """Return the shape of the random numbers that a layer's activation draws for one network's pre-activations."""
        shape: torch.Size = self._stacks[0][layer].noise_shape(x_shape)  # type: ignore[operator]
        return shape

    def value(self, layer: int, z: Tensor, networks: range) -> Tensor:
        """Return the activations behind one layer, without a way back.

        Args:
            layer: Index of the hidden layer.
            z: Pre-activations ``(n, batch, width)``; may be overwritten.
            networks: Indices of the n networks.
        """
        if self.shared:
            module, in_place = self._stacks[0][layer], self._in_place[layer]
            if in_place is not None and in_place.takes(z):
                return in_place.value(z)
            return z.relu_() if is_relu(module) else _call(module, z)
        flat = self._values_for_one_call(layer, z, networks)
        if flat is not None:
            return self._called(layer, z, flat)
        values = [_call(self.modules(network)[layer], z[row]) for row, network in enumerate(networks)]
        return values[0].unsqueeze(0) if len(values) == 1 else torch.stack(values)

    def value_and_way_back(
        self, layer: int, z: Tensor, networks: range, *, learn: bool, uniforms: Uniforms | None = None
    ) -> tuple[Tensor, Backward]:
        """Return the activations behind one layer, and their backward pass.

        Args:
            layer: As for `value`.
            z: As for `value`.
            networks: As for `value`.
            learn: Whether the backward pass adds to the gradients of learnt values.
            uniforms: Of this group, if this is the pass in which the networks learn; its buffers change now.
        """
        form = None if uniforms is None else self._forms[layer]
        if self.shared and form is None:
            module, in_place = self._stacks[0][layer], self._in_place[layer]
            if in_place is not None and in_place.takes(z):
                value, slope = in_place.value_and_slope(z)
                return value, lambda gradient: gradient.mul_(slope)
            return _relu(z) if is_relu(module) else _recorded(module, z)
        flat = self._values_for_one_call(layer, z, networks) if form is None else None
        if flat is not None:
            return self._stack_recorded(layer, z, flat, networks, learn=learn)
        if form is None or uniforms is None:
            parts = [self._recorded_one(layer, z[row], network, learn=learn) for row, network in enumerate(networks)]
        else:
            drawn = self._drawn(layer, uniforms)
            parts = [
                self._learning_one(layer, form, z[row], network, None if drawn is None else drawn[network - self.start])
                for row, network in enumerate(networks)
            ]
        if len(parts) == 1:
            value, back = parts[0]
            return value.unsqueeze(0), lambda gradient: back(gradient[0]).unsqueeze(0)
        ways = [back for _, back in parts]
        return torch.stack([value for value, _ in parts]), lambda gradient: torch.stack(
            [back(part) for back, part in zip(ways, gradient, strict=True)]
        )

    def _rows(self, networks: range) -> slice:
        return slice(networks.start - self.start, networks.stop - self.start, networks.step)

    def _values_for_one_call(self, layer: int, z: Tensor, networks: range) -> Tensor | None:
        """Return the networks' learnt values if one call can serve them all."""
        if self.flat is None or not self._all_learnt[layer] or not rl_acts.takes_stack(self._stacks[0][layer], z):
            return None
        return self.flat.detach()[self._rows(networks)]

    def _called(self, layer: int, z: Tensor, flat: Tensor) -> Tensor:
        """Return the activations of all networks by one call.

        Each network's learnt values stay apart from the next one's in memory. So PyTorch maps them (by softplus, ...)
        network by network, and a number's place among them decides no bit.
        """
        given = {place.name: place.view(flat).view(len(flat), 1, -1) for place in self._places[layer]}
        return torch.as_tensor(torch.func.functional_call(self._stacks[0][layer], given, (z,)))

    def _stack_recorded(
        self, layer: int, z: Tensor, flat: Tensor, networks: range, *, learn: bool
    ) -> tuple[Tensor, Backward]:
        leaf, flat = z.detach().requires_grad_(), flat.requires_grad_(learn)
        with torch.enable_grad():
            value = self._called(layer, leaf, flat)

        def back(gradient: Tensor) -> Tensor:
            before, *of_learnt = torch.autograd.grad(value, (leaf, flat) if learn else (leaf,), gradient)
            for part in of_learnt:
                if self.gradient is not None:
                    self.gradient[self._rows(networks)].add_(part)
            return before

        return value.detach(), back

    def _drawn(self, layer: int, uniforms: Uniforms) -> Tensor | None:
        return dict(zip(self.noisy, uniforms, strict=True)).get(layer)

    def _recorded_one(self, layer: int, z: Tensor, network: int, *, learn: bool) -> tuple[Tensor, Backward]:
        module = self.modules(network)[layer]
        if not learn or not self._places[layer]:
            return _recorded(module, z)
        leaf, value = _recorded_value(module, z)
        return value.detach(), self._learnt_too(layer, network, leaf, value)

    def _learning_one(
        self, layer: int, form: LearningForm, z: Tensor, network: int, numbers: Tensor | None
    ) -> tuple[Tensor, Backward]:
        row = network - self.start
        rows = slice(row, row + 1)
        learnt = dict(self.modules(network)[layer].named_parameters())
        state = {name: tensor[0] for name, tensor in self.buffers.of_layer(layer, rows).items()}
        leaf = z.detach().requires_grad_()
        with torch.enable_grad():
            value, changed = form(learnt, state, leaf.clone(), numbers)
        with torch.no_grad():
            self.buffers.write(layer, changed, rows)
            for place in self._places[layer]:
                if place.name in changed:
                    learnt[place.name].copy_(changed[place.name])
        return value.detach(), self._learnt_too(layer, network, leaf, value)

    def _learnt_too(self, layer: int, network: int, leaf: Tensor, value: Tensor) -> Backward:
        """Return the way back from a recorded value, on which gradients of learnt values are left in `gradient`."""
        module, learnt = self.modules(network)[layer], []
        if self.gradient is not None:
            row = self.gradient[network - self.start : network - self.start + 1]
            learnt = [(module.get_parameter(place.name), place.view(row)[0]) for place in self._places[layer]]

        def back(gradient: Tensor) -> Tensor:
            leaves = [leaf, *(parameter for parameter, _ in learnt)]
            before, *of_learnt = torch.autograd.grad(value, leaves, gradient, allow_unused=True)
            for (_, total), part in zip(learnt, of_learnt, strict=True):
                if part is not None:
                    total.add_(part)
            return before

        return back

    def expression(self, layer: int, z: Tensor, flat: Tensor | None, step: int = 1) -> Tensor:
        """Return the activations behind one layer as an expression that PyTorch differentiates and compiles.

        Args:
            layer: Index of the hidden layer.
            z: Pre-activations ``(n, batch, width)`` of every `step`-th network.
            flat: Learnt values ``(n, total)``, or None if there are none.
            step: Distance between the networks.
        """
        module = self._stacks[0][layer]
        if self.shared:
            return _call(module, z)
        values = self.buffers.of_layer(layer, slice(None, None, step))
        if flat is not None:
            values.update((place.name, place.view(flat)) for place in self._places[layer])
        if not values:
            return torch.as_tensor(torch.vmap(module)(z))
        lifted = torch.vmap(lambda given, part: torch.func.functional_call(module, given, (part,)))
        return torch.as_tensor(lifted(values, z))

    def learning_expression(self, layer: int, z: Tensor, flat: Tensor | None, uniforms: Uniforms) -> Tensor:
        """Return what `expression` does in the pass in which the networks learn; its buffers change now.

        Args:
            layer: As for `expression`.
            z: Pre-activations ``(stop - start, batch, width)``.
            flat: As for `expression`.
            uniforms: Of this group.
        """
        form = self._forms[layer]
        if form is None:
            return self.expression(layer, z, flat)
        learnt = {} if flat is None else {place.name: place.view(flat) for place in self._places[layer]}
        state, numbers = self.buffers.of_layer(layer), self._drawn(layer, uniforms)
        in_dims = (None if not learnt else 0, None if not state else 0, 0, None if numbers is None else 0)
        value, changed = torch.vmap(form, in_dims=in_dims)(learnt, state, z, numbers)
        with torch.no_grad():
            self.buffers.write(layer, changed)
            for place in self._places[layer] if self.flat is not None else ():
                if place.name in changed and self.flat is not None:
                    place.view(self.flat.detach()).copy_(changed[place.name])
        return torch.as_tensor(value)

    def follow(self, online: "ActivationGroup") -> None:
        """Take over the buffers of the same group of online networks, and learnt values that were rewritten there."""
        with torch.no_grad():
            for layer, places in enumerate(self._places):
                for prefix, index in self.buffers.phases(layer) if places else ():
                    differs = self.buffers.tensors[index] != online.buffers.tensors[index]
                    self._take_over(online, layer, prefix, differs.reshape(len(differs), -1).any(1))
            for own, current in zip(self.buffers.tensors, online.buffers.tensors, strict=True):
                own.copy_(current)

    def _take_over(self, online: "ActivationGroup", layer: int, prefix: str, where: Tensor) -> None:
        for place in self._places[layer]:
            if place.name.startswith(prefix) and self.flat is not None and online.flat is not None:
                own, current = place.view(self.flat.detach()), place.view(online.flat.detach())
                # No branch: asking a GPU for the phase would make it wait at every update.
                own.copy_(torch.where(where.view(-1, *[1] * (own.dim() - 1)), current, own))


def _call(module: nn.Module, z: Tensor) -> Tensor:
    value: Tensor = module(z)
    return value


def _any_parameter(stack: Sequence[nn.Module]) -> Tensor:
    return next(value for module in stack for value in module.parameters() if value.requires_grad)


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
