"""Stable-Baselines3's own update on given weights, batches and noise, as the reference of ours."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.logger import Logger
from torch import Tensor, nn

import agents.sac
import agents.td3
import rl_acts.sb3
from agents.hyperparameters import resolve_hyperparameters
from agents.learner import Batch, Member, Setting
from agents.network import PopulationNetwork

OBSERVATIONS, ACTIONS, ROWS = 7, 3, 48


class Spaces(gymnasium.Env[Any, Any]):
    """An environment of which only the spaces are used."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATIONS,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)


def sb3_model(algorithm: str, member: Member, **hyperparameters: Any) -> Any:
    """Build Stable-Baselines3's algorithm with our policies, in PyTorch's default dtype of the moment."""
    values = dict(resolve_hyperparameters(algorithm, hyperparameters))
    values.pop("exploration_noise", None)
    kwargs = {
        "net_arch": values.pop("net_arch"),
        "actor_activation": member.actor,
        "critic_activation": member.critic,
        "activation_lr": member.activation_lr,
    }
    policy = rl_acts.sb3.SACPolicy if algorithm == "sac" else rl_acts.sb3.TD3Policy
    values["buffer_size"] = 10
    cls = {"td3": TD3, "sac": SAC, "ddpg": DDPG}[algorithm]
    model = cls(policy, Spaces(), policy_kwargs=kwargs, device="cpu", seed=member.seed, **values)
    model.set_logger(Logger(None, []))
    return model


def our_learner(algorithm: str, members: Sequence[Member], dtype: torch.dtype, **hyperparameters: Any) -> Any:
    """Build our learner for the same spaces."""
    setting = Setting(
        members=members,
        observation_size=OBSERVATIONS,
        action_size=ACTIONS,
        hyperparameters=resolve_hyperparameters(algorithm, hyperparameters),
        device=torch.device("cpu"),
        dtype=dtype,
        compiled=False,
    )
    if algorithm == "sac":
        return agents.sac.SAC(setting)
    return agents.td3.TD3(setting, critics=1 if algorithm == "ddpg" else 2)


def random_batch(runs: int, dtype: torch.dtype, seed: int) -> Batch:
    """Return transitions of so many runs, a tenth of them terminal."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return Batch(
        observations=draw(runs, ROWS, OBSERVATIONS),
        actions=draw(runs, ROWS, ACTIONS).tanh(),
        # Not centred: the last bias's gradient would be a sum that cancels, in which float32 keeps few digits.
        rewards=1.0 + draw(runs, ROWS),
        terminated=(torch.rand(runs, ROWS, generator=generator) < 0.1).to(dtype),
        next_observations=draw(runs, ROWS, OBSERVATIONS),
    )


def random_noise(runs: int, dtype: torch.dtype, seed: int) -> tuple[Tensor, Tensor]:
    """Return two arrays of standard normal numbers for so many runs."""
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, runs, ROWS, ACTIONS, generator=generator, dtype=torch.float64).to(dtype)
    return first, second


def train_sb3(model: Any, batch: Batch, noise: tuple[Tensor, Tensor], run: int) -> None:
    """Call the algorithm's own `train` for one update on one run's part of a batch and of the noise."""
    data = SimpleNamespace(
        observations=batch.observations[run],
        actions=batch.actions[run],
        rewards=batch.rewards[run].unsqueeze(1),
        dones=batch.terminated[run].unsqueeze(1),
        next_observations=batch.next_observations[run],
        discounts=None,
    )
    parts = iter([noise[0][run], noise[1][run]])
    with (
        mock.patch.object(model.replay_buffer, "sample", return_value=data),
        # TD3 draws its target noise so, SAC its actions.
        mock.patch.object(Tensor, "normal_", lambda self, mean, std: self.copy_(next(parts) * std + mean)),
        mock.patch("torch.distributions.normal._standard_normal", side_effect=parts),
    ):
        model.train(1, ROWS)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Let Stable-Baselines3 compute in another dtype than float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with mock.patch(
            "stable_baselines3.common.policies.preprocess_obs", side_effect=lambda obs, *_args, **_kwargs: obs
        ):
            yield
    finally:
        torch.set_default_dtype(before)


def copy_into(network: PopulationNetwork, index: int, sources: Sequence[nn.Module]) -> None:
    """Give one network of ours the weights and learnt values of Stable-Baselines3's modules, in the order of layers.

    Args:
        network: Ours.
        index: Among all its networks.
        sources: Linear layers and activations; SAC's two heads count as one layer.
    """
    network.layout.fill(network.flat.detach()[index], [layer for layer in sources if isinstance(layer, nn.Linear)])
    group = next(group for group in network.groups if group.start <= index < group.stop)
    hidden = [layer for layer in sources if not isinstance(layer, nn.Linear)]
    for own, theirs in zip(group.modules(index), hidden, strict=True):
        for parameter, value in zip(own.parameters(), theirs.parameters(), strict=True):
            parameter.data.copy_(value.data)


def layers_of(model: Any, part: str) -> list[list[nn.Module]]:
    """Return the layers of each network of ``"actor"``, ``"critic"``, ``"actor_target"`` or ``"critic_target"``."""
    network = getattr(model.policy, part)
    if part.startswith("critic"):
        return [list(q) for q in network.q_networks]
    if not hasattr(network, "latent_pi"):
        return [[layer for layer in network.mu if not isinstance(layer, nn.Tanh) or layer is not network.mu[-1]]]
    head = nn.Linear(network.mu.in_features, 2 * network.mu.out_features, dtype=network.mu.weight.dtype)
    with torch.no_grad():
        head.weight.copy_(torch.cat([network.mu.weight, network.log_std.weight]))
        head.bias.copy_(torch.cat([network.mu.bias, network.log_std.bias]))
    return [[*network.latent_pi, head]]
