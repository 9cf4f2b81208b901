"""Multi-layer perceptrons of a whole population: P runs with k networks each, evaluated and differentiated together.

There are two ways through a network, equal up to rounding. On a CPU, without a compiler, an `autograd.Function` with a
hand-written backward pass goes through the networks in portions that fit the processor's cache. Otherwise the network
is a plain expression of batched products that PyTorch differentiates and a compiler fuses.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from agents.activation_kinds import own_copy
from agents.layout import ALIGNMENT, Layout, linears_of, shapes_of
from agents.lifting import ActivationGroup, Uniforms
from agents.portion import Portion, Tape, back_through, through

# Pre-activations of one portion: 2 MB of float32. Larger portions leave the caches, smaller ones are so many calls that
# narrow networks wait for them.
_NUMBERS_PER_PORTION = 524_288


class PopulationNetwork:
    """k perceptrons for each of P runs, all with linear layers of the same shapes, with activations by run.

    Args:
        stacks: P x k networks as `rl_acts.mlp` builds them, run by run.
        kinds: For each run what its activations are and how fast they learn; neighbours of one kind make a group.
        plain: Whether calls are plain expressions, as the compiler and GPUs need them.

    Attributes:
        layout: Where the linear layers' weights lie.
        flat: Weights of all networks, shape ``(P k, layout.total)``.
        groups: Activations, in the order of the networks.
        runs: P.
        per_run: k.
    """

    def __init__(
        self,
        stacks: Sequence[Sequence[nn.Sequential]],
        kinds: Sequence[Hashable],
        *,
        plain: bool = False,
    ) -> None:
        self.runs, self.per_run = len(stacks), len(stacks[0])
        networks = [network for run in stacks for network in run]
        self.layout = Layout(shapes_of(networks[0]))
        self.flat = linears_of(networks[0])[0].weight.new_zeros(len(networks), self.layout.total)
        for vector, network in zip(self.flat, networks, strict=True):
            self.layout.fill(vector, linears_of(network))
        self.groups = _groups(stacks, kinds)
        self.flat.requires_grad_()
        self._gradient = torch.zeros_like(self.flat)
        self._plain = plain
        self._has_buffers = any(group.buffers.tensors for group in self.groups)
        self._portions: dict[tuple[bool, int], list[Portion]] = {}

    def parameters(self) -> list[Tensor]:
        """Return the leaves: the weights, then the learnt values of each group that has any."""
        return [self.flat, *(group.flat for group in self.groups if group.flat is not None)]

    def buffers(self) -> list[Tensor]:
        """Return what activations keep besides learnt values and change while they learn, each ``(n, *shape)``."""
        return [tensor for group in self.groups for tensor in group.buffers.tensors]

    def follow(self, online: "PopulationNetwork") -> None:
        """Take over what the same networks of another population keep in buffers, as targets do after each update.

        Where an activation there has rewritten its learnt values, they come too: an average of old and new ones would
        be a function that neither of the two is.
        """
        if self._has_buffers:
            for group, theirs in zip(self.groups, online.groups, strict=True):
                group.follow(theirs)

    def __call__(
        self,
        *inputs: Tensor,
        learn: bool = True,
        first: bool = False,
        uniforms: Sequence[Uniforms] | None = None,
    ) -> Tensor:
        """Evaluate the networks.

        Args:
            *inputs: Shapes ``(P, B, i)``; the networks see them joined along the last axis.
            learn: Whether gradients of the networks' own weights are wanted.
            first: Evaluate only the first network of each run.
            uniforms: Random numbers for each group's activations, as `agents.activation_noise` makes them, if this is
                the pass in which the networks learn: only then activations draw noise and change their buffers. None
                everywhere else. Not together with `first`.

        Returns:
            Shape ``(P, k, B, out)``, with k = 1 if `first`.
        """
        per_run = 1 if first else self.per_run
        if self._plain:
            result = self._expression(inputs, learn=learn, first=first, uniforms=uniforms)
        elif torch.is_grad_enabled():
            leaves = self.parameters() if learn else []
            result = _Explicit.apply(self, first, uniforms, len(leaves), *leaves, *inputs)  # type: ignore[no-untyped-call]
        else:
            result = self.forward(inputs, first=first)[0]
        return result.view(self.runs, per_run, inputs[0].shape[1], -1)

    def gradients(self, loss: Tensor) -> None:
        """Put the gradient of a sum of the runs' losses into the ``grad`` of each parameter."""
        parameters = self.parameters()
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient

    def module(self, network: int) -> nn.Sequential:
        """Return a copy of one network, by its index among the P k, as `rl_acts.mlp` would have built it."""
        hidden = self._group_of(network).modules(network)
        copies: dict[int, nn.Module] = {}
        layers: list[nn.Module] = []
        for index, layer in enumerate(self.layout.layers):
            layers.append(nn.Linear(layer.inputs, layer.outputs, device=self.flat.device, dtype=self.flat.dtype))
            if index < len(hidden):
                source = hidden[index]
                layers.append(copies.setdefault(id(source), own_copy(source)))
        result = nn.Sequential(*layers)
        self.layout.extract(self.flat.detach()[network], linears_of(result))
        return result

    def forward(
        self,
        inputs: Sequence[Tensor],
        *,
        first: bool,
        record: bool = False,
        learn: bool = False,
        uniforms: Sequence[Uniforms] | None = None,
    ) -> tuple[Tensor, Tape]:
        """Go through the networks, portion by portion.

        Args:
            inputs: As for the call.
            first: As for the call.
            record: Whether there will be a way back.
            learn: Whether that makes gradients of weights and learnt values.
            uniforms: As for the call.

        Returns:
            Shape ``(n, B, out)``, and if `record` what the way back needs, for each portion.
        """
        x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=-1)
        networks = self.runs * (1 if first else self.per_run)
        result = x.new_empty(networks, x.shape[1], self.layout.outputs)
        tape: Tape = []
        place = 0
        for portion in self.portions(first, x.shape[1]):
            count = len(portion.networks)
            part = result[place : place + count]
            tape.append(through(portion, portion.input(x), part, record=record, learn=learn, uniforms=uniforms))
            place += count
        return result, tape

    def backward(
        self, tape: Tape, gradient: Tensor, columns: slice | None, *, first: bool, learn: bool
    ) -> Tensor | None:
        """Go back through the networks.

        Args:
            tape: Of `forward`.
            gradient: Of the result, shape ``(n, B, out)``.
            columns: Of the input, whose gradient is wanted, or None.
            first: As it was forward.
            learn: Whether to leave the gradients of weights and learnt values in the networks' own tensors.

        Returns:
            The input's gradient, summed over each run's networks, shape ``(P, B, columns)``.
        """
        if learn:
            for group in self.groups:
                if group.gradient is not None:
                    group.gradient.zero_()
        of_input = None
        if columns is not None:
            of_input = gradient.new_zeros(self.runs, gradient.shape[1], columns.stop - columns.start)
        place = 0
        for portion, record in zip(self.portions(first, gradient.shape[1]), tape, strict=True):
            count = len(portion.networks)
            part = back_through(portion, record, gradient[place : place + count], columns, learn=learn)
            place += count
            if of_input is not None and part is not None:
                of_input[portion.runs] += part.reshape(-1, portion.repeat, *part.shape[1:]).sum(1)
        return of_input

    def own_gradients(self) -> list[Tensor]:
        """Return the tensors that `backward` fills, in the order of `parameters`."""
        return [self._gradient, *(group.gradient for group in self.groups if group.gradient is not None)]

    def portions(self, first: bool, rows: int) -> list[Portion]:
        """Return the portions for batches of so many rows."""
        hidden = self.layout.hidden
        most = max(1, _NUMBERS_PER_PORTION // (rows * max((*hidden, self.layout.outputs))))
        if any(rows * width % ALIGNMENT or width == 1 for width in hidden):
            # In a stack only the first network's numbers would begin where its own would, and a batched product with
            # a single column rounds differently for one network and for several.
            most = 1
        key = (first, most)
        if key not in self._portions:
            self._portions[key] = list(self._cut(first, most))
        return self._portions[key]

    def _cut(self, first: bool, most: int) -> list[Portion]:
        step = self.per_run if first else 1
        portions = []
        for place, group in enumerate(self.groups):
            # Either whole runs, or one network at a time.
            size = max(1, most // self.per_run) * self.per_run if most >= self.per_run and not first else most
            span = range(group.start, group.stop, step)
            portions += [
                self._portion(place, span[begin : begin + size], first=first) for begin in range(0, len(span), size)
            ]
        return portions

    def _portion(self, place: int, networks: range, *, first: bool) -> Portion:
        runs = slice(networks[0] // self.per_run, networks[-1] // self.per_run + 1)
        rows = slice(networks.start, networks.stop, networks.step)
        repeat = 1 if first else len(networks) // (runs.stop - runs.start)
        views = [self.layout.views(tensor[rows]) for tensor in (self.flat.detach(), self._gradient)]
        return Portion(networks, runs, repeat, place, self.groups[place], views[0], views[1])

    def _expression(
        self, inputs: Sequence[Tensor], *, learn: bool, first: bool, uniforms: Sequence[Uniforms] | None
    ) -> Tensor:
        leaves = self.parameters() if learn else [leaf.detach() for leaf in self.parameters()]
        step = self.per_run if first else 1
        h = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=-1)
        if step != self.per_run:
            h = h.repeat_interleave(self.per_run, 0)
        weights = _split(self.layout, leaves[0][::step])
        learnt = iter(leaves[1:])
        stacks = [(group, None if group.flat is None else next(learnt)[::step]) for group in self.groups]
        for index, (weight, bias) in enumerate(weights):
            z = torch.baddbmm(bias, h, weight)
            if index == len(weights) - 1:
                return z
            spans = [(z[group.start // step : group.stop // step], flat) for group, flat in stacks]
            if uniforms is None:
                parts = [g.expression(index, *span, step) for g, span in zip(self.groups, spans, strict=True)]
            else:
                parts = [
                    group.learning_expression(index, *span, own)
                    for group, span, own in zip(self.groups, spans, uniforms, strict=True)
                ]
            h = parts[0] if len(parts) == 1 else torch.cat(parts)
        raise ValueError("a network has at least one linear layer")

    def _group_of(self, network: int) -> ActivationGroup:
        return next(group for group in self.groups if group.start <= network < group.stop)


class _Explicit(torch.autograd.Function):
    """The networks as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        network: PopulationNetwork,
        first: bool,
        uniforms: Sequence[Uniforms] | None,
        leaves: int,
        *tensors: Tensor,
    ) -> Tensor:
        inputs = tensors[leaves:]
        result, tape = network.forward(inputs, first=first, record=True, learn=leaves > 0, uniforms=uniforms)
        ctx.network, ctx.first, ctx.leaves, ctx.tape = network, first, leaves, tape
        ctx.widths = [part.shape[-1] for part in inputs]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        network, leaves = ctx.network, ctx.leaves
        wanted = ctx.needs_input_grad[4 + leaves :]
        ends = torch.tensor([0, *ctx.widths]).cumsum(0).tolist()
        columns = None
        if any(wanted):
            # Of the joined input only the part from the first to the last wanted one.
            last = len(wanted) - wanted[::-1].index(True)
            columns = slice(ends[wanted.index(True)], ends[last])
        of_input = network.backward(ctx.tape, gradient, columns, first=ctx.first, learn=leaves > 0)
        ctx.tape = None
        parts = [
            of_input[..., ends[index] - columns.start : ends[index + 1] - columns.start] if want and columns else None
            for index, want in enumerate(wanted)
        ]
        return (None, None, None, None, *(network.own_gradients() if leaves else ()), *parts)


def _split(layout: Layout, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return weights and biases as `Layout.views` does, by one split, whose gradient is one concatenation."""
    lengths, ends = [], [*(layer.weight for layer in layout.layers[1:]), layout.total]
    for layer, end in zip(layout.layers, ends, strict=True):
        count = layer.inputs * layer.outputs
        lengths += [count, layer.bias - layer.weight - count, layer.outputs, end - layer.bias - layer.outputs]
    pieces = torch.split(flat, lengths, dim=1)
    return [
        (layer.matrix(pieces[4 * index]), pieces[4 * index + 2].unsqueeze(1))
        for index, layer in enumerate(layout.layers)
    ]


def _groups(stacks: Sequence[Sequence[nn.Sequential]], kinds: Sequence[Hashable]) -> list[ActivationGroup]:
    groups, begin, per_run = [], 0, len(stacks[0])
    for run in range(1, len(stacks) + 1):
        if run == len(stacks) or kinds[run] != kinds[begin]:
            members = [_activations(network) for networks in stacks[begin:run] for network in networks]
            groups.append(ActivationGroup(members, begin * per_run))
            begin = run
    return groups


def _activations(network: nn.Sequential) -> list[nn.Module]:
    return [module for module in network if not isinstance(module, nn.Linear)]
