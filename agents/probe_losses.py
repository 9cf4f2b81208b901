"""The losses of training on a probe batch, for one run's networks as ordinary modules.

The learners' own losses are of all runs at once and may be compiled for the batches of training; here they are taken
apart by network, so that gradients by what is inside a network can be had. Tests compare the two.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from agents.executor import Learner
from agents.philox import Stream, normals, words
from agents.replay import Replay
from agents.sac import SAC, squashed_sample
from agents.td3 import TD3

# Of all numbers for probes: the same at each measurement.
_STEP = 0
# What a learner may have put in place of its methods by compiled forms for the batches of training.
_COMPILED = ("_sample", "_targets", "_critic_loss", "_actor_loss")
Loss: TypeAlias = Callable[[Tensor], Tensor]
_OneLearner = TypeVar("_OneLearner", TD3, SAC)


@dataclass(frozen=True)
class Probe:
    """What the networks of P runs are measured on, on the CPU.

    Attributes:
        observations: Shape ``(P, n, observation size)``.
        actions: In [-1, 1], as stored, shape ``(P, n, action size)``.
        targets: Of the critics, shape ``(P, n)``.
        noise: Standard normal numbers for SAC's policy, shape ``(P, n, action size)``.
        entropy_coefficients: SAC's, shape ``(P,)``, else zeros.
    """

    observations: Tensor
    actions: Tensor
    targets: Tensor
    noise: Tensor
    entropy_coefficients: Tensor


def draw_probe(learner: Learner, replay: Replay, seeds: Sequence[int], rows: int) -> Probe:
    """Draw transitions from the replay memories as they are now, uniformly and with replacement.

    The numbers that choose rows and the noise in the losses are functions of a run's seed alone, the same at each
    measurement and whatever the neighbours are: fixed is *which places* of the memory are looked at, as shares of what
    it holds. What stands there is newer each time, as the policy that is measured is.

    Args:
        learner: Stays as it is.
        replay: With at least one transition of each run.
        seeds: Of the P runs.
        rows: n.
    """
    device, dtype = learner.actor.flat.device, learner.actor.flat.dtype
    keys = torch.tensor(list(seeds), dtype=torch.int64, device=device)
    step = torch.tensor([_STEP], device=device)
    batch = replay.sample(words(keys, Stream.PROBE, step, rows)[0])
    shape = batch.actions.shape
    noise, next_noise = (
        normals(keys, stream, step, rows * shape[2], dtype)[0].view(shape)
        for stream in (Stream.PROBE_POLICY, Stream.PROBE_NEXT_POLICY)
    )
    with torch.no_grad():
        if isinstance(learner, SAC):
            coefficients = learner.log_entropy_coefficient.detach().exp()
            targets = _plain(learner)._targets(batch, next_noise, coefficients)  # noqa: SLF001
        else:
            coefficients = torch.zeros(len(keys), dtype=dtype)
            targets = _plain(learner)._targets(batch, next_noise)  # noqa: SLF001
    return Probe(batch.observations.cpu(), batch.actions.cpu(), targets.cpu(), noise.cpu(), coefficients.cpu())


def _plain(learner: _OneLearner) -> _OneLearner:
    """Return a learner with the same networks and none of its methods compiled: the probe has another batch size."""
    plain = copy.copy(learner)
    for name in _COMPILED:
        plain.__dict__.pop(name, None)
    return plain


def critic_loss(learner: Learner, probe: Probe, run: int) -> Loss:
    """Return the loss of one critic by what it puts out, shape ``(n, 1)``."""
    factor = 0.5 if isinstance(learner, SAC) else 1.0

    def loss(values: Tensor) -> Tensor:
        return factor * (values[:, 0] - probe.targets[run]).square().mean()

    return loss


def actor_loss(learner: Learner, probe: Probe, run: int, critics: Sequence[nn.Module]) -> Loss:
    """Return the actor's loss by what it puts out, ``(n, A)`` or, for SAC, ``(n, 2 A)``.

    Args:
        learner: Whose loss it is.
        probe: What it is taken on.
        run: Index of the run.
        critics: Of the run.
    """
    observations = probe.observations[run]

    def of_td3(output: Tensor) -> Tensor:
        values: Tensor = critics[0](torch.cat((observations, torch.tanh(output)), -1))
        return -values.mean()

    def of_sac(output: Tensor) -> Tensor:
        actions, log_density = squashed_sample(output, probe.noise[run])
        inputs = torch.cat((observations, actions), -1)
        least = torch.cat([critic(inputs) for critic in critics], -1).amin(-1)
        return (probe.entropy_coefficients[run] * log_density - least).mean()

    return of_sac if isinstance(learner, SAC) else of_td3


def policy_actions(learner: Learner, output: Tensor) -> Tensor:
    """Return the deterministic policy's actions in [-1, 1] from what the actor puts out."""
    return torch.tanh(output.chunk(2, -1)[0] if isinstance(learner, SAC) else output)
