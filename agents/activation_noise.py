"""Random numbers for activations that draw noise while their network learns: functions of run, update and layer."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from agents.draws import Draws
from agents.lifting import ActivationGroup, Uniforms
from agents.network import PopulationNetwork
from agents.philox import Stream, uniform, words

# Parts of the stream for each network of a run: more than it has layers. The value is part of every result and stays.
_SLOTS_PER_NETWORK = 4096
# Places of a run's networks in the stream: its actor, then its critics.
_ACTOR, _FIRST_CRITIC = 0, 1

NetworkUniforms: TypeAlias = tuple[Uniforms, ...]


class ActivationNoise(NamedTuple):
    """Uniform random numbers of one update, for each activation group of the networks; empty where none are due."""

    actor: NetworkUniforms
    critic: NetworkUniforms


def no_noise(network: PopulationNetwork) -> NetworkUniforms:
    """Return what a network takes in the pass in which it learns, if its activations draw nothing."""
    return ((),) * len(network.groups)


class ActivationDraws:
    """Draws the numbers of a learner's activations.

    Args:
        actor: The online actors.
        critic: The online critics.
        seeds: Of the P runs.
        rows: Of a batch.
        device: Of the result.
        dtype: Likewise.
    """

    def __init__(
        self,
        actor: PopulationNetwork,
        critic: PopulationNetwork,
        seeds: Sequence[int],
        rows: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._none = ActivationNoise(no_noise(actor), no_noise(critic))
        self._actor, self._critic = (
            [
                _GroupDraws(network, group, place, seeds, rows, device, dtype) if group.noisy else None
                for group in network.groups
            ]
            for network, place in ((actor, _ACTOR), (critic, _FIRST_CRITIC))
        )
        self._any = any(draws is not None for draws in (*self._actor, *self._critic))

    def at(self, number: int | Tensor, *, actor: bool) -> ActivationNoise:
        """Return the numbers of one update.

        Args:
            number: Of the update, from 1: as a whole number, or on the device as int64 of shape ``(1,)``, from which
                the same numbers come.
            actor: Whether the actor learns in this update.
        """
        if not self._any:
            return self._none
        return ActivationNoise(_drawn(self._actor, number) if actor else self._none.actor, _drawn(self._critic, number))


class _GroupDraws:
    """Draws the numbers of one activation group: all layers of all its networks at once."""

    def __init__(
        self,
        network: PopulationNetwork,
        group: ActivationGroup,
        place: int,
        seeds: Sequence[int],
        rows: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        per_run = network.per_run
        widths = [network.layout.layers[layer].outputs for layer in group.noisy]
        self._shapes = [
            group.noise_shape(layer, torch.Size((rows, width)))
            for layer, width in zip(group.noisy, widths, strict=True)
        ]
        self._count = max(shape.numel() for shape in self._shapes)
        slots = [(place + index) * _SLOTS_PER_NETWORK + layer for index in range(per_run) for layer in group.noisy]
        self._slots = torch.tensor(slots, dtype=torch.int64, device=device)
        own = seeds[group.start // per_run : group.stop // per_run]
        self._seeds = torch.tensor(list(own), dtype=torch.int64, device=device)
        self._dtype = dtype
        self._draws = Draws(own, [Stream.ACTIVATION], self._count, "unit", device, dtype, self._slots)

    def at(self, number: int | Tensor) -> Uniforms:
        if isinstance(number, int):
            numbers = self._draws.at(number)[0]
        else:
            bits = words(self._seeds, Stream.ACTIVATION, number, self._count, self._slots)[0]
            numbers = uniform(bits, self._dtype)
        # Runs, networks and layers, and of each as many numbers as the most demanding layer takes.
        by_layer = numbers.reshape(-1, len(self._shapes), self._count)
        return tuple(
            by_layer[:, index, : shape.numel()].reshape(-1, *shape) for index, shape in enumerate(self._shapes)
        )


def _drawn(groups: Sequence[_GroupDraws | None], number: int | Tensor) -> NetworkUniforms:
    return tuple(() if draws is None else draws.at(number) for draws in groups)
