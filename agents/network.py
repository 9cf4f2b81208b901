"""Multi-layer perceptrons of a whole population: P runs with k networks each, evaluated and differentiated together.

There are two ways through a network, equal up to rounding. On a CPU, without a compiler, an `autograd.Function` with a
hand-written backward pass goes through the networks in portions that fit the processor's cache. Otherwise the network
is a plain expression of batched products that PyTorch differentiates and a compiler fuses.
"""

import copy
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from agents.layout import ALIGNMENT, Layout, aligned
from agents.lifting import ActivationGroup, Backward

# Pre-activations of one portion: 2 MB of float32. Larger portions leave the caches, smaller ones are so many calls that
# narrow networks wait for them.
_NUMBERS_PER_PORTION = 524_288


@dataclass(frozen=True)
class _Portion:
    """Networks that go through together: all of one activation group, and either whole runs or a single network."""

    networks: range
    runs: slice
    repeat: int
    group: ActivationGroup
    weights: list[tuple[Tensor, Tensor]]
    gradients: list[tuple[Tensor, Tensor]]

    def input(self, x: Tensor) -> Tensor:
        part = x[self.runs]
        return _aligned(part if self.repeat == 1 else part.repeat_interleave(self.repeat, 0))


class PopulationNetwork:
    """k perceptrons for each of P runs, all of the same widths, with activations by run.

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
        linears = [[_linears(network) for network in networks] for networks in stacks]
        first = linears[0][0]
        self.layout = Layout((first[0].in_features, *(linear.out_features for linear in first)))
        self.flat = first[0].weight.new_zeros(self.runs * self.per_run, self.layout.total)
        for vector, layers in zip(self.flat, (layers for run in linears for layers in run), strict=True):
            self.layout.fill(vector, layers)
        self.groups = _groups(stacks, kinds)
        self.flat.requires_grad_()
        self._gradient = torch.zeros_like(self.flat)
        self._plain = plain
        self._portions: dict[tuple[bool, int], list[_Portion]] = {}

    def parameters(self) -> list[Tensor]:
        """Return the leaves: the weights, then the learnt values of each group that has any."""
        return [self.flat, *(group.flat for group in self.groups if group.flat is not None)]

    def __call__(self, *inputs: Tensor, learn: bool = True, first: bool = False) -> Tensor:
        """Evaluate the networks.

        Args:
            *inputs: Shapes ``(P, B, i)``; the networks see them joined along the last axis.
            learn: Whether gradients of the networks' own weights are wanted.
            first: Evaluate only the first network of each run.

        Returns:
            Shape ``(P, k, B, out)``, with k = 1 if `first`.
        """
        per_run = 1 if first else self.per_run
        if self._plain:
            result = self._expression(inputs, learn=learn, first=first)
        elif torch.is_grad_enabled():
            leaves = self.parameters() if learn else []
            result = _Explicit.apply(self, first, len(leaves), *leaves, *inputs)  # type: ignore[no-untyped-call]
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
                layers.append(copies.setdefault(id(source), _copied(source)))
        result = nn.Sequential(*layers)
        self.layout.extract(self.flat.detach()[network], _linears(result))
        return result

    def forward(
        self, inputs: Sequence[Tensor], *, first: bool, record: bool = False, learn: bool = False
    ) -> tuple[Tensor, "_Tape"]:
        """Go through the networks, portion by portion.

        Args:
            inputs: As for the call.
            first: As for the call.
            record: Whether there will be a way back.
            learn: Whether that makes gradients of weights and learnt values.

        Returns:
            Shape ``(n, B, out)``, and if `record` what the way back needs: each layer's input and the backward of the
            activation that made it.
        """
        x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), dim=-1)
        networks = self.runs * (1 if first else self.per_run)
        result = x.new_empty(networks, x.shape[1], self.layout.sizes[-1])
        tape: _Tape = []
        place = 0
        for portion in self.portions(first, x.shape[1]):
            count = len(portion.networks)
            part = result[place : place + count]
            tape.append(_through(portion, portion.input(x), part, record=record, learn=learn))
            place += count
        return result, tape

    def backward(
        self, tape: "_Tape", gradient: Tensor, columns: slice | None, *, first: bool, learn: bool
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
            part = _back_through(portion, record, gradient[place : place + count], columns, learn=learn)
            place += count
            if of_input is not None and part is not None:
                of_input[portion.runs] += part.reshape(-1, portion.repeat, *part.shape[1:]).sum(1)
        return of_input

    def own_gradients(self) -> list[Tensor]:
        """Return the tensors that `backward` fills, in the order of `parameters`."""
        return [self._gradient, *(group.gradient for group in self.groups if group.gradient is not None)]

    def portions(self, first: bool, rows: int) -> list[_Portion]:
        """Return the portions for batches of so many rows."""
        most = max(1, _NUMBERS_PER_PORTION // (rows * max(self.layout.sizes[1:])))
        if any(rows * width % ALIGNMENT or width == 1 for width in self.layout.sizes[1:-1]):
            # In a stack only the first network's numbers would begin where its own would, and a batched product with
            # a single column rounds differently for one network and for several.
            most = 1
        key = (first, most)
        if key not in self._portions:
            self._portions[key] = list(self._cut(first, most))
        return self._portions[key]

    def _cut(self, first: bool, most: int) -> list[_Portion]:
        step = self.per_run if first else 1
        portions = []
        for group in self.groups:
            # Either whole runs, or one network at a time.
            size = max(1, most // self.per_run) * self.per_run if most >= self.per_run and not first else most
            span = range(group.start, group.stop, step)
            portions += [
                self._portion(group, span[begin : begin + size], first=first) for begin in range(0, len(span), size)
            ]
        return portions

    def _portion(self, group: ActivationGroup, networks: range, *, first: bool) -> _Portion:
        runs = slice(networks[0] // self.per_run, networks[-1] // self.per_run + 1)
        rows = slice(networks.start, networks.stop, networks.step)
        repeat = 1 if first else len(networks) // (runs.stop - runs.start)
        views = [self.layout.views(tensor[rows]) for tensor in (self.flat.detach(), self._gradient)]
        return _Portion(networks, runs, repeat, group, views[0], views[1])

    def _expression(self, inputs: Sequence[Tensor], *, learn: bool, first: bool) -> Tensor:
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
            parts = [
                group.expression(index, z[group.start // step : group.stop // step], flat) for group, flat in stacks
            ]
            h = parts[0] if len(parts) == 1 else torch.cat(parts)
        raise ValueError("a network has at least one linear layer")

    def _group_of(self, network: int) -> ActivationGroup:
        return next(group for group in self.groups if group.start <= network < group.stop)


# For each portion, for each layer: its input, and the backward of the activation that made it.
_Record = list[tuple[Tensor, Backward | None]]
_Tape = list[_Record]


def _through(portion: _Portion, h: Tensor, result: Tensor, *, record: bool, learn: bool) -> _Record:
    made: _Record = []
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
            h, back = portion.group.value_and_way_back(index, z, portion.networks, learn=learn)
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


def _back_through(
    portion: _Portion, record: _Record, gradient: Tensor, columns: slice | None, *, learn: bool
) -> Tensor | None:
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


class _Explicit(torch.autograd.Function):
    """The networks as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, network: PopulationNetwork, first: bool, leaves: int, *tensors: Tensor) -> Tensor:
        inputs = tensors[leaves:]
        result, tape = network.forward(inputs, first=first, record=True, learn=leaves > 0)
        ctx.network, ctx.first, ctx.leaves, ctx.tape = network, first, leaves, tape
        ctx.widths = [part.shape[-1] for part in inputs]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        network, leaves = ctx.network, ctx.leaves
        wanted = ctx.needs_input_grad[3 + leaves :]
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
        return (None, None, None, *(network.own_gradients() if leaves else ()), *parts)


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


def _linears(network: nn.Sequential) -> list[nn.Linear]:
    return [module for module in network if isinstance(module, nn.Linear)]


def _hidden(network: nn.Sequential) -> list[nn.Module]:
    return [module for module in network if not isinstance(module, nn.Linear)]


def _groups(stacks: Sequence[Sequence[nn.Sequential]], kinds: Sequence[Hashable]) -> list[ActivationGroup]:
    groups, begin, per_run = [], 0, len(stacks[0])
    for run in range(1, len(stacks) + 1):
        if run == len(stacks) or kinds[run] != kinds[begin]:
            members = [_hidden(network) for networks in stacks[begin:run] for network in networks]
            groups.append(ActivationGroup(members, begin * per_run))
            begin = run
    return groups


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy of an activation whose parameters are its own, not views of a stack."""
    result = copy.deepcopy(module)
    for parameter in result.parameters():
        parameter.data = parameter.detach().clone()
    return result
