"""Gradients and updates of the last updates before a measurement, seen from what the optimiser leaves behind.

Nothing is hooked into the update, which may be a captured graph: a gradient is had from Adam's first moment before and
after, m' = beta m + (1 - beta) g.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from agents.executor import Learner
from agents.learner import FIRST_MOMENT_DECAY
from agents.network import PopulationNetwork
from rl_acts.diagnostics import Row, coefficient_of_variation

UPDATES = 100
NETWORKS = ("actor", "critic")
# What is kept of each tensor: squared norms of its gradient, of its change, and of itself before.
_GRADIENT, _CHANGE, _WEIGHT = range(3)


class UpdateWindow:
    """Keeps norms of the last 100 updates of each network of P runs.

    A network's tensors are each layer's weights and biases, and the learnt values of its activations as one.

    Args:
        learner: Stays as it is.
    """

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._networks: dict[str, PopulationNetwork] = {"actor": learner.actor, "critic": learner.critic}
        self._squares = {
            name: network.flat.new_zeros(UPDATES, len(network.flat), 2 * len(network.layout.layers) + 1, 3).detach()
            for name, network in self._networks.items()
        }
        self._counts = dict.fromkeys(NETWORKS, 0)
        self._before: dict[str, tuple[list[Tensor], list[Tensor]]] = {}

    def begin(self) -> None:
        """Forget all updates so far; those from now on are kept."""
        self._counts = dict.fromkeys(NETWORKS, 0)
        self._remember()

    @property
    def is_open(self) -> bool:
        """Whether updates are being kept."""
        return bool(self._before)

    def close(self) -> None:
        """Forget all updates, and keep none from now on."""
        self._counts = dict.fromkeys(NETWORKS, 0)
        self._before = {}

    def after_update(self, *, actor: bool) -> None:
        """Keep the update that was just made, or only begun on a GPU.

        Args:
            actor: Whether it was one of the actor too.
        """
        for name in NETWORKS if actor else NETWORKS[1:]:
            weights, moments = self._now(name)
            old_weights, old_moments = self._before[name]
            gradients = [
                (new - FIRST_MOMENT_DECAY * old) / (1.0 - FIRST_MOMENT_DECAY)
                for new, old in zip(moments, old_moments, strict=True)
            ]
            changes = [new - old for new, old in zip(weights, old_weights, strict=True)]
            row = self._squares[name][self._counts[name] % UPDATES]
            for place, tensors in ((_GRADIENT, gradients), (_CHANGE, changes), (_WEIGHT, old_weights)):
                row[..., place] = self._squares_of(self._networks[name], tensors)
            self._counts[name] += 1
            for old, new in zip((*old_weights, *old_moments), (*weights, *moments), strict=True):
                old.copy_(new)

    def _now(self, name: str) -> tuple[list[Tensor], list[Tensor]]:
        state = self._learner.state()
        count = len(self._networks[name].parameters())
        weights = [state[f"{name}.{index}"] for index in range(count)]
        return weights, [state[f"{name}_optimiser.{index}.exp_avg"] for index in range(count)]

    def _remember(self) -> None:
        for name in NETWORKS:
            weights, moments = self._now(name)
            self._before[name] = [tensor.clone() for tensor in weights], [tensor.clone() for tensor in moments]

    @staticmethod
    def _squares_of(network: PopulationNetwork, tensors: list[Tensor]) -> Tensor:
        views = [view for pair in network.layout.views(tensors[0]) for view in pair]
        squares = [view.square().sum((1, 2)) for view in views]
        learnt = torch.zeros_like(squares[0])
        groups = [group for group in network.groups if group.flat is not None]
        for group, values in zip(groups, tensors[1:], strict=True):
            learnt[group.start : group.stop] = values.square().sum(1)
        return torch.stack([*squares, learnt], -1)

    def rows(self, network: str, index: int) -> list[Row]:
        """Return the norms of one network, none without an update.

        Args:
            network: ``"actor"`` or ``"critic"``.
            index: Of the network among those of all runs.
        """
        count = min(self._counts[network], UPDATES)
        if not count:
            return []
        squares = self._squares[network][:count, index].double().cpu()
        layers = self._networks[network].layout.layers
        sizes = [number for layer in layers for number in (layer.inputs * layer.outputs, layer.outputs)]
        found: list[Row] = []
        for place in range(len(layers)):
            name = "output" if place == len(layers) - 1 else f"layer{place + 1}"
            found += _rows(name, squares[:, 2 * place : 2 * place + 2], sizes[2 * place : 2 * place + 2])
        return found + _rows("all", squares, [*sizes, self._learnt_count(network, index)])

    def _learnt_count(self, network: str, index: int) -> int:
        groups = self._networks[network].groups
        group = next(group for group in groups if group.start <= index < group.stop)
        distinct = {id(p): p.numel() for m in group.modules(index) for p in m.parameters() if p.requires_grad}
        return sum(distinct.values())

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps, by name."""
        counts = {f"{name}.count": torch.tensor(self._counts[name]) for name in NETWORKS}
        return {**self._squares, **counts, "open": torch.tensor(self.is_open)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned, after the learner's own state has been restored."""
        for name in NETWORKS:
            self._squares[name].copy_(state[name])
            self._counts[name] = int(state[f"{name}.count"])
        self._before = {}
        if bool(state["open"]):
            self._remember()


def _rows(layer: str, squares: Tensor, sizes: list[int]) -> list[Row]:
    """Return a layer's numbers from squared norms of its tensors, shape ``(updates, tensors, 3)``."""
    gradient, change = (squares[..., place].sum(1).sqrt() for place in (_GRADIENT, _CHANGE))
    return [
        Row(layer, "gradient_norm", float(gradient.mean())),
        Row(layer, "gradient_norm_cv", float(coefficient_of_variation(gradient))),
        Row(layer, "update_norm", float(change.mean())),
        Row(layer, "effective_learning_rate", _ratio(squares, _CHANGE, sizes)),
        Row(layer, "gradient_weight_ratio", _ratio(squares, _GRADIENT, sizes)),
    ]


def _ratio(squares: Tensor, place: int, sizes: list[int]) -> float:
    """Return `rl_acts.diagnostics.norm_ratio` from squared norms, averaged over the updates."""
    weights = squares[..., _WEIGHT]
    counted = torch.tensor(sizes, dtype=torch.float64) * (weights > 0)
    ratios = (squares[..., place] / weights.where(weights > 0, 1.0)).sqrt()
    return float(((counted * ratios).sum(1) / counted.sum(1)).mean())
