"""Stand-ins of activations with state and of whole rows, and networks of all kinds."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import rl_acts
from agents.activation_noise import ActivationDraws
from agents.network import PopulationNetwork

PHASE_AFTER = 3


class TwoPhase(nn.Module):
    """Collects the mean of its pre-activations for three calls, then puts it in place of its slope, which is learnt."""

    mean: Tensor
    calls: Tensor
    phase: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.25))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("phase", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            with torch.no_grad():
                calls = self.calls + 1
                self.mean.copy_(torch.where(self.phase == 0, 0.5 * self.mean + 0.5 * x.mean(), self.mean))
                self.slope.copy_(torch.where(calls == PHASE_AFTER, self.mean, self.slope))
                self.calls.copy_(calls)
                self.phase.copy_((calls >= PHASE_AFTER).long())
        return x.relu() + self.slope * torch.tanh(x)


class Assigning(nn.Module):
    """State that is put in place of the old, not written into it, in a part of a module without learnt values."""

    class Part(nn.Module):
        """Takes the running mean away."""

        mean: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            if self.training and torch.is_grad_enabled():
                self.mean = 0.5 * self.mean + 0.5 * x.mean()
            return x - self.mean

    def __init__(self) -> None:
        super().__init__()
        self.part = self.Part()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.dropout(self.part(x)).relu())


class OfTheRow(nn.Module):
    """A gate whose threshold and slope are functions of the whole row."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.slopes = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.slopes(x).tanh() * (x - x.mean(-1, keepdim=True)).sigmoid())


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.relu(), (-x).relu()), -1)


class Halving(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return a.sigmoid() * b


KINDS = ["rrelu", "randomised_smooth_leaky", "two_phase", "assigning", "of_the_row"]


@contextmanager
def registered() -> Iterator[None]:
    """Give the stand-ins names."""
    rl_acts.register("two_phase", stateful=True)(TwoPhase)
    rl_acts.register("assigning", stateful=True)(Assigning)
    rl_acts.register("of_the_row", elementwise=False)(OfTheRow)
    try:
        yield
    finally:
        for name in ("two_phase", "assigning", "of_the_row"):
            rl_acts.unregister(name)


def build(specs: Sequence[Any], per_run: int = 1, *, plain: bool = False) -> PopulationNetwork:
    torch.manual_seed(0)
    stacks = [[rl_acts.mlp((5, 12, 9, 2), spec) for _ in range(per_run)] for spec in specs]
    return PopulationNetwork(stacks, [str(spec) for spec in specs], plain=plain)


def uniforms_of(network: PopulationNetwork, rows: int, number: int = 1, seeds: Sequence[int] | None = None) -> Any:
    seeds = list(range(network.runs)) if seeds is None else seeds
    draws = ActivationDraws(network, network, seeds, rows, torch.device("cpu"), torch.float32)
    return draws.at(number, actor=True).critic
