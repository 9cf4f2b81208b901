"""All measures of one network on one batch."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rl_acts.diagnostics import _norms, _ranks, _units
from rl_acts.diagnostics._layers import DiagnosticsError, HiddenLayer, hidden_layers
from rl_acts.diagnostics._learnt import Shape, is_learnt, learnt_values, shape_of
from rl_acts.diagnostics._pre_activations import pre_activations
from rl_acts.diagnostics._slopes import slopes

WHOLE_NETWORK, OUTPUT_LAYER = "all", "output"
# Of a smooth activation, which is never quite flat.
_SMOOTH_EPS = 1e-3


class Row(NamedTuple):
    """One number.

    Attributes:
        layer: ``layer1``, ``layer2``, ... of the hidden layers, ``output``, or ``all`` for the whole network.
        name: Of the measure; the README lists them.
        value: Its value.
    """

    layer: str
    name: str
    value: float


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        rows: The numbers, layer by layer.
        shapes: By layer, of each activation that learns.
        pre_activations: By hidden layer, shape ``(n, H)``.
        output: What the network puts out, shape ``(n, out)``.
    """

    rows: tuple[Row, ...]
    shapes: dict[str, Shape]
    pre_activations: dict[str, Tensor]
    output: Tensor

    def value(self, layer: str, name: str) -> float:
        """Return one number.

        Raises:
            KeyError: There is none of that name.
        """
        for row in self.rows:
            if (row.layer, row.name) == (layer, name):
                return row.value
        raise KeyError((layer, name))


def measure(
    network: nn.Module,
    batch: Tensor,
    *,
    loss: Callable[[Tensor], Tensor] | None = None,
    initial: nn.Module | None = None,
) -> Measured:
    """Measure a network on a batch.

    A copy in evaluation mode is measured, so nothing of the network changes: no weight, gradient, buffer or mode, and
    PyTorch's random numbers go on as if nothing had been.

    Args:
        network: An ``nn.Sequential`` of linear layers and activations, as `rl_acts.mlp` builds it.
        batch: Inputs, shape ``(n, in)``, on the network's device. For ranks n should be at least four times the width.
        loss: Maps what the network puts out ``(n, out)`` to a scalar; measures of gradients need it.
        initial: The network as it was at first; `distance_from_init` needs it.

    Raises:
        DiagnosticsError: The network is of another kind, or the batch is no matrix of at least one row.
    """
    if batch.dim() != 2 or not len(batch):
        raise DiagnosticsError(f"a batch has the shape (n, in) with n of at least 1; got {tuple(batch.shape)}.")
    devices = [batch.device] if batch.device.type == "cuda" else []
    with torch.inference_mode(mode=False), torch.random.fork_rng(devices=devices):
        own = copy.deepcopy(network).eval()
        layers, rest, last = hidden_layers(own)
        record = _Record(layers, rest, batch.detach().clone(), loss)
        rows: list[Row] = []
        for layer, z, h, gradient in record.each():
            rows += _rows_of(layer, z, h, gradient)
            rows += _learnt_rows(layer, record)
        rows += _weight_rows(own, initial, [*((layer.name, layer.linear) for layer in layers), (OUTPUT_LAYER, last)])
        shapes = {
            layer.name: shape_of(layer.activation, z.shape[-1])
            for layer, z, _, _ in record.each()
            if is_learnt(layer.activation)
        }
        pre = {layer.name: z for layer, z, _, _ in record.each()}
        return Measured(tuple(rows), shapes, pre, record.output)


class _Record:
    """What went through the layers, forward and, if there is a loss, back."""

    def __init__(
        self, layers: list[HiddenLayer], rest: nn.Sequential, batch: Tensor, loss: Callable[[Tensor], Tensor] | None
    ) -> None:
        self._layers = layers
        values: list[tuple[Tensor, Tensor]] = []
        with torch.enable_grad():
            # Even an activation without a gradient of its own, the first layer's input, needs a graph behind it.
            h = batch.requires_grad_()
            for layer in layers:
                z, h = layer(h)
                values.append((z.detach(), h))
            output = rest(h)
            self._gradients: list[Tensor | None] = [None] * len(layers)
            self.of_learnt: dict[int, Tensor] = {}
            if loss is not None:
                self._differentiate(loss(output), [h for _, h in values])
        self._values = [(z, h.detach()) for z, h in values]
        self.output: Tensor = output.detach()

    def _differentiate(self, value: Tensor, features: list[Tensor]) -> None:
        learnt = {
            id(parameter): parameter for layer in self._layers for _, _, parameter in learnt_values(layer.activation)
        }
        leaves = [*features, *learnt.values()]
        found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True) if leaves else ()
        self._gradients = list(found[: len(features)])
        self.of_learnt = dict(zip(learnt, found[len(features) :], strict=True))

    def each(self) -> Iterator[tuple[HiddenLayer, Tensor, Tensor, Tensor | None]]:
        """Yield each hidden layer with z, h and dL/dh."""
        for layer, (z, h), gradient in zip(self._layers, self._values, self._gradients, strict=True):
            yield layer, z, h, gradient


def _rows_of(layer: HiddenLayer, z: Tensor, h: Tensor, gradient: Tensor | None) -> Iterator[Row]:
    felt = slopes(layer.activation, z)
    values = _ranks.singular_values(h)
    found: dict[str, Tensor] = {
        "dormant_share": _units.dormant_share(h),
        "dormant_share_tau_0.025": _units.dormant_share(h, 0.025),
        "dormant_share_tau_0": _units.dormant_share(h, 0.0),
        "dormant_share_centred": _units.dormant_share(h, centred=True),
        "dead_share": _units.dead_share(felt),
        "dead_share_eps_0.001": _units.dead_share(felt, _SMOOTH_EPS),
        "saturated_share": _units.saturated_share(felt),
        "srank": _ranks.srank(values),
        "effective_rank": _ranks.effective_rank(values),
        "pca_rank": _ranks.pca_rank(values),
        "feature_rank": _ranks.feature_rank(values, len(h)),
        "stable_rank": _ranks.stable_rank(values),
        "feature_norm": _units.feature_norm(h),
    }
    found |= {f"pre_activation_{name}": value for name, value in pre_activations(z)._asdict().items()}
    if gradient is not None:
        found["gradient_inactive_share"] = _units.gradient_inactive_share(gradient)
        found["gradient_inactive_share_tau_0.01"] = _units.gradient_inactive_share(gradient, 0.01)
    for name, value in found.items():
        yield Row(layer.name, name, float(value))


def _learnt_rows(layer: HiddenLayer, record: _Record) -> Iterator[Row]:
    for name, value, parameter in learnt_values(layer.activation):
        wide = value.double()
        yield Row(layer.name, f"learnt_{name}_mean", float(wide.mean()))
        yield Row(layer.name, f"learnt_{name}_min", float(wide.min()))
        yield Row(layer.name, f"learnt_{name}_max", float(wide.max()))
        if id(parameter) in record.of_learnt:
            gradient = _norms.norm([record.of_learnt[id(parameter)]])
            yield Row(layer.name, f"learnt_{name}_gradient_norm", float(gradient))


def _weight_rows(own: nn.Module, initial: nn.Module | None, linears: list[tuple[str, nn.Linear]]) -> Iterator[Row]:
    first = dict(initial.named_parameters()) if initial is not None else {}
    groups = {name: list(linear.parameters()) for name, linear in linears}
    groups[WHOLE_NETWORK] = list(own.parameters())
    names = {id(parameter): name for name, parameter in own.named_parameters()}
    for layer, tensors in groups.items():
        yield Row(layer, "weight_norm", float(_norms.norm(tensors)))
        yield Row(layer, "weight_rms", float(_norms.rms(tensors)))
        if initial is not None:
            then = [first[names[id(parameter)]] for parameter in tensors]
            yield Row(layer, "distance_from_init", float(_norms.distance_from_init(tensors, then)))
