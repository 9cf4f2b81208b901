"""What a population's checkpoint says of its runs, and whether training can go on from it here."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import rl_acts
from agents.checkpoint import CheckpointError
from agents.executor import Learner
from agents.learner import Member
from agents.machine import recorded_versions, versions

if TYPE_CHECKING:
    from agents.population import Population

# Another version of any of these may give other bits from the same state.
_LIBRARIES = ("torch", "numpy", "mujoco", "gymnasium", "rl_acts", "native_kernels")


def facts_of(population: "Population") -> dict[str, Any]:
    """Return what a manifest says of a population: all of its state that is no array.

    Raises:
        CheckpointError: An activation is a class or a callable, which no file can name.
    """
    return {
        "algorithm": population.algorithm,
        "task": population.task,
        "members": [member_to_json(member) for member in population.members],
        "hyperparameters": dict(population.hyperparameters),
        "device": population.device.type,
        "dtype": str(population.dtype).removeprefix("torch."),
        "replay_capacity": population.replay.capacity,
        "most_steps": population.most_steps,
        "step": population.step,
        "updates": population.updates,
        "evaluations": population.evaluations,
        "measured": population.measured,
        "diagnostics": list(population.diagnostics.settings),
        "diverged": {str(run): cause for run, cause in population.diverged.items()},
        "clock": population.clock.seconds(),
        "versions": versions(population.device),
    }


def diagnostics_of(manifest: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return the arguments of `Population.diagnose`; checkpoints from before there were diagnostics speak of none."""
    every, probe = manifest.get("diagnostics", (None, None))
    return every, probe


def member_to_json(member: Member) -> dict[str, Any]:
    """Return a member as plain values, with canonical specs.

    Raises:
        CheckpointError: An activation is a class or a callable, which no file can name.
    """
    try:
        return {
            "actor": _canonical(member.actor),
            "critic": _canonical(member.critic),
            "seed": member.seed,
            "activation_lr": member.activation_lr,
        }
    except (rl_acts.ActivationError, TypeError) as error:
        raise CheckpointError(
            f"the activations of {member} have no name that a file could hold; rl_acts.register gives one: {error}"
        ) from error


def member_from_json(plain: Mapping[str, Any]) -> Member:
    """Return the member that `member_to_json` described."""
    return Member(plain["actor"], plain["critic"], plain["seed"], plain["activation_lr"])


def check_place(folder: Path, manifest: Mapping[str, Any], device: str) -> None:
    """Check that training goes on bit for bit on this device with these libraries.

    Args:
        folder: Of the checkpoint, for the message.
        manifest: Of the checkpoint.
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        CheckpointError: It would not.
    """
    if manifest["device"] != device:
        raise CheckpointError(
            f"the checkpoint in {folder} was made on {manifest['device']}; training cannot go on as it was on {device}."
        )
    here, then = versions(torch.device(device)), recorded_versions(manifest["versions"])
    others = [f"{name} {then.get(name)} (here {here[name]})" for name in _LIBRARIES if then.get(name) != here[name]]
    if others:
        raise CheckpointError(
            f"the checkpoint in {folder} was made with {', '.join(others)}; training cannot go on as it was."
        )


def part_of(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``name.``, without that."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def restore_learner(learner: Learner, stored: Mapping[str, Tensor]) -> None:
    """Put the tensors of a checkpoint in place of a learner's.

    Raises:
        CheckpointError: They are of other networks.
    """
    own = learner.state()
    if own.keys() != stored.keys() or any(own[name].shape != stored[name].shape for name in own):
        raise CheckpointError("the checkpoint's networks are not those that its manifest describes.")
    for name, tensor in stored.items():
        own[name].copy_(tensor)


def _canonical(activation: Any) -> str | list[str]:
    if isinstance(activation, list | tuple):
        return [str(rl_acts.parse(spec)) for spec in activation]
    return str(rl_acts.parse(activation))
