"""From a finished run to a Stable-Baselines3 model with the same policy, which goes on training there."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

import rl_acts.sb3
from agents.config import ConfigError, RunConfig
from agents.files import read_json
from agents.policy_file import Policy, PolicyError, load_policy
from agents.run_folder import RUN_FILE
from envs import make_environment

_CLASSES: dict[str, type[OffPolicyAlgorithm]] = {"td3": TD3, "sac": SAC, "ddpg": DDPG}
_POLICIES: dict[str, Any] = {
    "td3": rl_acts.sb3.TD3Policy,
    "sac": rl_acts.sb3.SACPolicy,
    # DDPG is TD3's special case and has TD3's networks.
    "ddpg": rl_acts.sb3.TD3Policy,
}


def to_sb3(run_dir: Path | str, env: gymnasium.Env[Any, Any] | None = None, **overrides: Any) -> OffPolicyAlgorithm:
    """Return a Stable-Baselines3 model with a finished run's actor and critics, whichever engine trained them.

    It predicts the run's deterministic actions. It can be trained on, saved and loaded in Stable-Baselines3 as any
    other; its targets begin as copies of the networks, its optimisers and its replay memory empty, because a finished
    run keeps none of them.

    Args:
        run_dir: The run's folder.
        env: To go on in; None makes the run's task.
        **overrides: Arguments of the algorithm in place of the run's, such as ``learning_starts`` or ``buffer_size``.

    Raises:
        PolicyError: The run has no policy, or its files are damaged.
        TaskError: The run's task cannot be built.
    """
    folder = Path(run_dir)
    policy = load_policy(folder)
    try:
        config = RunConfig.from_json(read_json(folder / RUN_FILE)["config"])
    except (OSError, ValueError, KeyError, ConfigError) as error:
        raise PolicyError(f"{folder / RUN_FILE} describes no run: {error}") from error
    settings = dict(config.hyperparameters)
    noise = settings.pop("exploration_noise", 0.0)
    actions = len(policy.low)
    arguments = {
        **settings,
        "policy_kwargs": {
            "net_arch": settings.pop("net_arch"),
            "actor_activation": _plain(config.actor_activation),
            "critic_activation": _plain(config.critic_activation),
            "activation_lr": config.activation_lr,
        },
        "action_noise": NormalActionNoise(np.zeros(actions), np.full(actions, noise)) if noise else None,
        "seed": config.seed,
        "device": "cpu",
        **overrides,
    }
    del arguments["net_arch"]
    environment = make_environment(config.task) if env is None else env
    model = _CLASSES[config.algorithm](_POLICIES[config.algorithm], environment, **arguments)
    _fill(model, policy)
    return model


def _fill(model: Any, policy: Policy) -> None:
    sac = isinstance(model, SAC)
    actor = model.policy.actor
    hidden, last = (actor.latent_pi, actor.mu) if sac else (actor.mu[:-2], actor.mu[-2])
    _copy(list(policy.actor[:-1].state_dict().values()), list(hidden.state_dict().values()))
    last.load_state_dict(policy.actor[-1].state_dict())
    if sac and policy.log_std is not None:
        actor.log_std.load_state_dict(policy.log_std.state_dict())
    for own, theirs in zip(policy.critics, model.policy.critic.q_networks, strict=True):
        theirs.load_state_dict(own.state_dict())
    model.policy.critic_target.load_state_dict(model.policy.critic.state_dict())
    if not sac:
        model.policy.actor_target.load_state_dict(actor.state_dict())
    elif model.log_ent_coef is not None and "entropy_coefficient" in policy.manifest:
        with torch.no_grad():
            model.log_ent_coef.fill_(float(np.log(policy.manifest["entropy_coefficient"])))


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def _plain(activation: str | tuple[str, ...]) -> str | list[str]:
    return activation if isinstance(activation, str) else list(activation)
