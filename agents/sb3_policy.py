"""From a trained Stable-Baselines3 model to our policy files."""

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from agents.config import RunConfig
from agents.divergence import check_array
from agents.policy_file import Policy, policy_manifest, save_policy


def save_model(folder: Path, model: OffPolicyAlgorithm, config: RunConfig) -> None:
    """Write the online actor and critics of a trained model.

    Args:
        folder: The run's folder.
        model: As `agents.models.build_model` built it.
        config: The run.

    Raises:
        DivergedError: A weight is NaN or infinite.
    """
    manifest = _manifest(model, config)
    policy = Policy(manifest).to(model.device)
    policy.load_state_dict(_renamed(model.policy.state_dict(), last_layer=_last_linear(policy)))
    for name, tensor in policy.tensors().items():
        check_array(f"weight {name}", tensor.cpu().numpy(), model.num_timesteps)
    save_policy(folder, policy, manifest)


def _manifest(model: OffPolicyAlgorithm, config: RunConfig) -> dict[str, Any]:
    observations, actions = model.observation_space, model.action_space
    if not isinstance(observations, Box) or not isinstance(actions, Box):
        raise TypeError(f"spaces of {config.task} are no boxes, which the task's check should have refused")
    size = int(np.prod(observations.shape))
    return policy_manifest(config, size, actions.low.ravel().tolist(), actions.high.ravel().tolist())


def _last_linear(policy: Policy) -> int:
    return len(policy.actor) - 1


def _renamed(state: dict[str, Tensor], last_layer: int) -> dict[str, Tensor]:
    """Give the networks of TD3, DDPG and SAC one set of names; targets are left out."""
    renamed = {}
    for key, tensor in state.items():
        network, _, rest = key.partition(".")
        if network == "critic":
            index, _, inner = rest.removeprefix("qf").partition(".")
            renamed[f"critics.{index}.{inner}"] = tensor
        elif network == "actor" and rest in {"mu.weight", "mu.bias"}:
            # SAC keeps the last layer apart from the trunk; in TD3 the whole network is called mu.
            renamed[f"actor.{last_layer}.{rest.removeprefix('mu.')}"] = tensor
        elif network == "actor" and rest.startswith("log_std."):
            renamed[rest] = tensor
        elif network == "actor":
            renamed[f"actor.{rest.removeprefix('latent_pi.').removeprefix('mu.')}"] = tensor
    return renamed
