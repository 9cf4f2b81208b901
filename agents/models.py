"""Stable-Baselines3's algorithms with our policies, built from a run's configuration and watched at three points."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.noise import ActionNoise, NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

import rl_acts.sb3
from agents.clock import Clock
from agents.config import RunConfig
from agents.divergence import check_array, check_losses
from agents.environment import TimedEnvironment


class WatchedAlgorithm(OffPolicyAlgorithm):
    """Times acting and learning, and ends training at the first action or loss that is not finite.

    Attributes:
        clock: Set before training starts.
    """

    clock: Clock

    def _sample_action(
        self, learning_starts: int, action_noise: ActionNoise | None = None, n_envs: int = 1
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        with self.clock.part("act"):
            action, stored = super()._sample_action(learning_starts, action_noise, n_envs)
        check_array("action", action, self.num_timesteps)
        return action, stored

    def train(self, gradient_steps: int, batch_size: int = 256) -> None:
        """Update the networks; see the algorithm.

        Raises:
            DivergedError: A loss of this update is NaN or infinite.
        """
        with self.clock.part("learn"):
            super().train(gradient_steps, batch_size)
        check_losses(self.logger.name_to_value, self.num_timesteps)


class WatchedTD3(WatchedAlgorithm, TD3):
    """TD3, watched."""


class WatchedSAC(WatchedAlgorithm, SAC):
    """SAC, watched."""


class WatchedDDPG(WatchedAlgorithm, DDPG):
    """DDPG, watched."""


_CLASSES: dict[str, type[WatchedAlgorithm]] = {"td3": WatchedTD3, "sac": WatchedSAC, "ddpg": WatchedDDPG}
_POLICIES: dict[str, Any] = {
    "td3": rl_acts.sb3.TD3Policy,
    "sac": rl_acts.sb3.SACPolicy,
    # DDPG is TD3's special case and has TD3's networks.
    "ddpg": rl_acts.sb3.TD3Policy,
}


def build_model(
    config: RunConfig, environment: TimedEnvironment, device: torch.device, clock: Clock
) -> WatchedAlgorithm:
    """Build the algorithm of a run, with networks initialised from the run's seed.

    Args:
        config: The run.
        environment: To train in; it is seeded by the run's seed.
        device: For networks and batches.
        clock: To count acting and learning on.

    Raises:
        ActivationError: The activations do not fit the networks.
    """
    settings = dict(config.hyperparameters)
    # The memory never fills beyond the run's steps, so a larger one would only be reserved, and reported as missing
    # memory.
    settings["buffer_size"] = min(settings["buffer_size"], config.steps)
    noise = settings.pop("exploration_noise", 0.0)
    policy_kwargs = {
        "net_arch": settings.pop("net_arch"),
        "actor_activation": _plain(config.actor_activation),
        "critic_activation": _plain(config.critic_activation),
        "activation_lr": config.activation_lr,
    }
    size = environment.action_space.shape or ()
    model = _CLASSES[config.algorithm](
        _POLICIES[config.algorithm],
        environment,
        policy_kwargs=policy_kwargs,
        action_noise=NormalActionNoise(np.zeros(size), np.full(size, noise)) if noise else None,
        seed=config.seed,
        device=device,
        **settings,
    )
    model.clock = clock
    return model


def _plain(activation: str | tuple[str, ...]) -> str | list[str]:
    return activation if isinstance(activation, str) else list(activation)
