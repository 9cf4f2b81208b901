"""What TD3 and SAC have in common: members, batches, networks, optimisers, targets."""

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

import rl_acts
from agents.config import LARGEST_SEED, ConfigError
from agents.hyperparameters import ALGORITHMS
from agents.layout import Shapes, shapes_of
from agents.network import PopulationNetwork
from rl_acts import NetworkActivation

# Keeps the seeds of initial weights apart from whatever else is derived from a run's seed (see `evaluation`). The value
# is arbitrary and stays.
_WEIGHTS_STREAM = 2
# Of Adam; its other settings are PyTorch's.
FIRST_MOMENT_DECAY, _SECOND_MOMENT_DECAY = 0.9, 0.999


@dataclass(frozen=True)
class Member:
    """One run of a population.

    Attributes:
        actor: Activation of the actor.
        critic: Activation of the critics.
        seed: From 0 to 2^32 - 1.
        activation_lr: Learning rate of learnt activations; None for the network's.
    """

    actor: NetworkActivation
    critic: NetworkActivation
    seed: int
    activation_lr: float | None = None


def checked_members(algorithm: str, members: Sequence[Member | tuple[NetworkActivation, int]]) -> tuple[Member, ...]:
    """Return the runs of a population as members.

    Raises:
        ConfigError: There is no such algorithm, there are no members, or a seed is out of range.
    """
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"algorithm is {algorithm!r}; allowed are {', '.join(ALGORITHMS)}.")
    if not members:
        raise ConfigError("a population has no members; give at least one, such as ('relu', 0).")
    return tuple(map(_checked_member, members))


def _checked_member(given: Any) -> Member:
    if isinstance(given, tuple) and len(given) == 2:
        given = Member(given[0], given[0], given[1])
    elif not isinstance(given, Member):
        raise ConfigError(f"{given!r} is no member; allowed is a Member or a pair such as ('relu', 0).")
    seed, rate = given.seed, given.activation_lr
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"seed is {seed!r}; allowed is a whole number from 0 to {LARGEST_SEED}.")
    if rate is not None and not (isinstance(rate, int | float) and 0 < rate < math.inf):
        raise ConfigError(f"activation_lr is {rate!r}; allowed is a number above 0, or None.")
    checked: Member = given
    return checked


# By name, each of shape (P,).
Losses: TypeAlias = dict[str, Tensor]


class Batch(NamedTuple):
    """Transitions of P runs, B for each.

    Attributes:
        observations: Shape ``(P, B, observation size)``.
        actions: In [-1, 1], shape ``(P, B, action size)``.
        rewards: Shape ``(P, B)``.
        terminated: 1 where the episode ended in a terminal state, else 0, shape ``(P, B)``.
        next_observations: Shape ``(P, B, observation size)``.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    next_observations: Tensor


@dataclass(frozen=True)
class Setting:
    """What a learner is built from.

    Attributes:
        members: The P runs.
        observation_size: Numbers in an observation.
        action_size: Numbers in an action.
        hyperparameters: All of the algorithm, by their names.
        device: Of all tensors.
        dtype: Likewise.
        compiled: Whether losses go through the compiler.
    """

    members: Sequence[Member]
    observation_size: int
    action_size: int
    hyperparameters: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype
    compiled: bool

    def compile_methods(self, learner: object, *names: str) -> None:
        """Put compiled forms of a learner's methods in place of them, if that is asked for."""
        for name in names if self.compiled else ():
            setattr(learner, name, torch.compile(getattr(learner, name), fullgraph=True, dynamic=False))

    def widths(self, network: str) -> list[int]:
        """Return the widths of the hidden layers of ``"pi"`` or ``"qf"``."""
        layers = self.hyperparameters["net_arch"]
        return list(layers[network] if isinstance(layers, Mapping) else layers)


Stacks: TypeAlias = list[list[nn.Sequential]]


def build_stacks(setting: Setting, *, critics: int, gaussian: bool) -> tuple[Stacks, Stacks]:
    """Build actors and critics of all runs as ordinary modules, each run's from its own seed.

    Args:
        setting: Of the learner.
        critics: Per run.
        gaussian: Whether the actor puts out means and logarithms of standard deviations.

    Returns:
        One actor and `critics` critics for each run. A run's initial weights depend on its seed alone, whatever its
        neighbours are, and its linear layers not on its activations, but for layers of other shapes than ReLU's, which
        stand beside activations that change the width.

    Raises:
        ActivationError: An activation that does not fit the widths.
        ConfigError: Linear layers of different shapes.
    """
    actors, values = [], []
    sizes = [setting.observation_size + setting.action_size, *setting.widths("qf"), 1]
    for member in setting.members:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(weights_seed(member.seed))
            plain_actor = _actor(setting, "relu", gaussian=gaussian)
            plain_critics = [rl_acts.mlp(sizes, "relu") for _ in range(critics)]
            # What an activation draws for itself must not move the linear layers' draws, so it comes after them.
            actors.append([_with_linears(_actor(setting, member.actor, gaussian=gaussian), plain_actor)])
            values.append([_with_linears(rl_acts.mlp(sizes, member.critic), plain) for plain in plain_critics])
    for part, stacks in (("actor", actors), ("critic", values)):
        _check_shapes(part, setting.members, stacks)
    return actors, values


def _with_linears(network: nn.Sequential, source: nn.Sequential) -> nn.Sequential:
    for layer, drawn in zip(network, source, strict=True):
        if isinstance(layer, nn.Linear) and layer.weight.shape == cast("nn.Linear", drawn).weight.shape:
            layer.load_state_dict(drawn.state_dict())
    return network


def _check_shapes(part: str, members: Sequence[Member], stacks: Stacks) -> None:
    first = shapes_of(stacks[0][0])
    for member, (network, *_) in zip(members, stacks, strict=True):
        if (found := shapes_of(network)) != first:
            raise ConfigError(
                f"the members of a population need linear layers of the same shapes, but with the {part} activation "
                f"{getattr(members[0], part)!r} they are {_shown(first)}, and with {getattr(member, part)!r} they "
                f"are {_shown(found)}: one changes the width. Put them in separate populations."
            )


def _shown(shapes: Shapes) -> str:
    return ", ".join(f"{inputs} x {outputs}" for inputs, outputs in shapes)


def population_network(setting: Setting, stacks: Stacks, part: str, *, target: bool = False) -> PopulationNetwork:
    """Return networks with the weights of `stacks`, which stay as they are.

    Args:
        setting: Of the learner.
        stacks: Of `build_stacks`.
        part: ``"actor"`` or ``"critic"``.
        target: Whether nothing is ever differentiated by them.
    """
    copies = [[copy.deepcopy(network).to(setting.device, setting.dtype) for network in run] for run in stacks]
    kinds = [(_key(getattr(member, part)), member.activation_lr) for member in setting.members]
    network = PopulationNetwork(copies, kinds, plain=setting.compiled or setting.device.type != "cpu")
    if target:
        for leaf in network.parameters():
            leaf.requires_grad = False
    return network


def weights_seed(run_seed: int) -> int:
    """Return the seed of a run's initial weights: the first word of ``SeedSequence([2, run_seed])``."""
    return int(np.random.SeedSequence([_WEIGHTS_STREAM, run_seed]).generate_state(1)[0])


def _actor(setting: Setting, activation: NetworkActivation, *, gaussian: bool) -> nn.Sequential:
    heads = 2 if gaussian else 1
    network = rl_acts.mlp([setting.observation_size, *setting.widths("pi"), setting.action_size], activation)
    if heads == 1:
        return network
    last = cast("nn.Linear", network[-1])
    joined = nn.Linear(last.in_features, 2 * last.out_features)
    # Each head draws its values as a layer of its own.
    log_std = nn.Linear(last.in_features, last.out_features)
    with torch.no_grad():
        joined.weight.copy_(torch.cat([last.weight, log_std.weight]))
        joined.bias.copy_(torch.cat([last.bias, log_std.bias]))
    network[-1] = joined
    return network


def _key(activation: NetworkActivation) -> Hashable:
    """Return what tells activations apart: the canonical text of a spec, or the class or callable itself."""
    if isinstance(activation, list | tuple):
        return tuple(map(_key, activation))
    if isinstance(activation, str | Mapping | rl_acts.ActivationSpec):
        return str(rl_acts.parse(activation))
    return activation  # type: ignore[return-value]  # classes and functions are hashable


def build_optimiser(network: PopulationNetwork, members: Sequence[Member], rate: float) -> torch.optim.Adam:
    """Return Adam over networks, with a group of its own for each activation's learnt values.

    Adam acts on each number alone, so one over stacked tensors is as many as there are runs.
    """
    groups: list[dict[str, Any]] = [{"params": [network.flat], "lr": rate}]
    for group in network.groups:
        if group.flat is not None:
            own = members[group.start // network.per_run].activation_lr
            groups.append({"params": [group.flat], "lr": rate if own is None else own})
    return adam(groups, network.flat.device)


def adam(groups: list[dict[str, Any]], device: torch.device) -> torch.optim.Adam:
    """Return Adam in one kernel per tensor list, which a CUDA graph can capture."""
    decays = (FIRST_MOMENT_DECAY, _SECOND_MOMENT_DECAY)
    optimiser = torch.optim.Adam(groups, betas=decays, fused=True, capturable=device.type == "cuda")
    # The moments exist from the start, so that saving and capturing find them whether or not a step was made.
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            optimiser.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
    return optimiser


def optimiser_state(prefix: str, optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Return the tensors of an optimiser by name; writing into them changes it."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    return {
        f"{prefix}.{index}.{name}": tensor
        for index, parameter in enumerate(parameters)
        for name, tensor in optimiser.state[parameter].items()
    }


def network_state(prefix: str, network: PopulationNetwork) -> dict[str, Tensor]:
    """Return the tensors of networks by name; writing into them changes the networks."""
    return {
        **{f"{prefix}.{index}": leaf.detach() for index, leaf in enumerate(network.parameters())},
        **{f"{prefix}.buffer.{index}": buffer for index, buffer in enumerate(network.buffers())},
    }


def move_towards(online: Sequence[PopulationNetwork], targets: Sequence[PopulationNetwork], tau: float) -> None:
    """Polyak averaging: each target becomes (1 - tau) target + tau online; buffers are for `follow` to take over."""
    with torch.no_grad():
        torch._foreach_lerp_(
            [leaf for network in targets for leaf in network.parameters()],
            [leaf for network in online for leaf in network.parameters()],
            tau,
        )
