"""How large a run's networks are and what one update of them computes, from its configuration alone."""

from functools import lru_cache
from itertools import pairwise

import torch

import rl_acts
from agents.config import RunConfig
from agents.layout import Shapes, shapes_of
from envs import check_task


def layers(config: RunConfig) -> tuple[Shapes, Shapes]:
    """Return the widths of the input and of the output of each linear layer, of the actor and of a critic.

    Raises:
        TaskError: The run's task cannot be built.
        ActivationError: The activations do not fit the widths.
    """
    task, (actor, critic) = check_task(config.task), _hidden(config)
    # SAC's actor gives a mean and a standard deviation for each action.
    outputs = task.action_size * (2 if config.algorithm == "sac" else 1)
    return (
        _shapes((task.observation_size, *actor, outputs), config.actor_activation),
        _shapes((task.observation_size + task.action_size, *critic, 1), config.critic_activation),
    )


def changed_widths(config: RunConfig) -> str:
    """Return what tells apart the runs of one task and algorithm that cannot train in one population, as text.

    Their linear layers must have the same shapes. The text is empty for runs whose activations leave widths as they
    are.

    Raises:
        ActivationError: The activations do not fit the widths.
    """
    found = []
    for hidden, activation in zip(_hidden(config), (config.actor_activation, config.critic_activation), strict=True):
        sizes = (1, *hidden, 1)
        shapes = _shapes(sizes, activation)
        found.append("" if shapes == tuple(pairwise(sizes)) else ",".join(f"{i}x{o}" for i, o in shapes))
    return "/".join(found) if any(found) else ""


def _hidden(config: RunConfig) -> tuple[tuple[int, ...], tuple[int, ...]]:
    hidden = config.hyperparameters["net_arch"]
    return (tuple(hidden["pi"]), tuple(hidden["qf"])) if isinstance(hidden, dict) else (tuple(hidden), tuple(hidden))


@lru_cache(maxsize=256)
def _shapes(sizes: tuple[int, ...], activation: str | tuple[str, ...]) -> Shapes:
    # What an activation does to the widths is known best from a network built with it; it draws from nobody's stream.
    with torch.random.fork_rng(devices=[]):
        return shapes_of(rl_acts.mlp(sizes, activation))


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


def _weights(shapes: Shapes) -> int:
    return sum(before * after for before, after in shapes)


def _parameters(shapes: Shapes) -> int:
    return _weights(shapes) + sum(after for _, after in shapes)


def _both_ways(shapes: Shapes) -> int:
    return 3 * _weights(shapes) - shapes[0][0] * shapes[0][1]
