"""How large a run's networks are and what one update of them computes, from its configuration alone."""

from collections.abc import Sequence
from itertools import pairwise

from agents.config import RunConfig
from envs import check_task


def layers(config: RunConfig) -> tuple[list[int], list[int]]:
    """Return the widths of actor and critic, from inputs to outputs.

    Raises:
        TaskError: The run's task cannot be built.
    """
    task = check_task(config.task)
    hidden = config.hyperparameters["net_arch"]
    widths = hidden if isinstance(hidden, dict) else {"pi": hidden, "qf": hidden}
    # SAC's actor gives a mean and a standard deviation for each action.
    outputs = task.action_size * (2 if config.algorithm == "sac" else 1)
    return [task.observation_size, *widths["pi"], outputs], [task.observation_size + task.action_size, *widths["qf"], 1]


def parameters(config: RunConfig) -> int:
    """Return the number of parameters of actor and critics, without targets and without those of activations."""
    actor, critic = layers(config)
    return _parameters(actor) + _critics(config) * _parameters(critic)


def flops_per_update(config: RunConfig) -> float:
    """Return the floating-point operations of one update's matrix products, averaged over delayed actor updates.

    A product with a layer's weights costs 2 operations per weight and row of the batch. A backward pass costs two such
    products per layer, one for the weights and one for the layer's inputs; the first layer's inputs need none, and
    where the actor learns through the critic, the critic's weights need none. The actor learns through one critic in
    TD3 and DDPG and through both in SAC. Activations, optimiser and targets' averaging are not counted.

    Raises:
        TaskError: The run's task cannot be built.
    """
    actor, critic = layers(config)
    critics, sac = _critics(config), config.algorithm == "sac"
    # Products per row: the actor's and both critics' forward passes for the target, then the critics' own two ways.
    critic_step = _weights(actor) + critics * (_weights(critic) + _both_ways(critic))
    through = critics if sac else 1
    actor_step = _both_ways(actor) + through * 2 * _weights(critic)
    delay = config.hyperparameters.get("policy_delay", 1)
    return 2.0 * float(config.hyperparameters["batch_size"]) * (critic_step + actor_step / float(delay))


def _critics(config: RunConfig) -> int:
    return 1 if config.algorithm == "ddpg" else 2


def _weights(widths: Sequence[int]) -> int:
    return sum(before * after for before, after in pairwise(widths))


def _parameters(widths: Sequence[int]) -> int:
    return _weights(widths) + sum(widths[1:])


def _both_ways(widths: Sequence[int]) -> int:
    return 3 * _weights(widths) - widths[0] * widths[1]
