"""A trained policy on the disk: weights as safetensors, all else as JSON. Reading it runs no code from the file."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

import rl_acts
from agents.config import RunConfig
from agents.files import read_json, write_bytes_atomically, write_json_atomically
from agents.layout import linears_of
from agents.machine import versions

WEIGHTS_FILE = "policy.safetensors"
MANIFEST_FILE = "policy.json"
_FORMAT = 1


class PolicyError(ValueError):
    """A policy that cannot be read: files missing, damaged, of another format, or with weights that are not finite."""


class Policy(nn.Module):
    """Actor and critics of one run in plain PyTorch.

    Args:
        manifest: What ``policy.json`` holds; the keys used are ``algorithm``, ``observation_size``, ``action_size``,
            ``actor_widths``, ``critic_widths``, ``critics``, ``actor_activation``, ``critic_activation``,
            ``action_low`` and ``action_high``.

    Attributes:
        manifest: As given.

    Raises:
        ActivationError: The activations are unknown here or do not fit the widths.
    """

    low: Tensor
    high: Tensor

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        super().__init__()
        self.manifest = dict(manifest)
        observations, actions = manifest["observation_size"], manifest["action_size"]
        widths = manifest["actor_widths"]
        self.actor = rl_acts.mlp([observations, *widths, actions], manifest["actor_activation"])
        # SAC's actor has a second head, which the deterministic policy does not use but training would go on from.
        before = linears_of(self.actor)[-1].in_features
        self.log_std = nn.Linear(before, actions) if manifest["algorithm"] == "sac" else None
        sizes = [observations + actions, *manifest["critic_widths"], 1]
        self.critics = nn.ModuleList(
            rl_acts.mlp(sizes, manifest["critic_activation"]) for _ in range(manifest["critics"])
        )
        self.register_buffer("low", torch.tensor(manifest["action_low"]), persistent=False)
        self.register_buffer("high", torch.tensor(manifest["action_high"]), persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        """Return the deterministic policy's actions.

        Args:
            observations: Raw observations, shape ``(batch, observation_size)``, of any floating type.

        Returns:
            Actions in the environment's own bounds, shape ``(batch, action_size)``.
        """
        squashed = torch.tanh(self.actor(observations.float()))
        return self.low + 0.5 * (squashed + 1.0) * (self.high - self.low)

    def values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return what the critics expect.

        Args:
            observations: Raw observations, shape ``(batch, observation_size)``.
            actions: In the environment's own bounds, shape ``(batch, action_size)``.

        Returns:
            Discounted returns, shape ``(batch, critics)``.
        """
        scaled = 2.0 * (actions.float() - self.low) / (self.high - self.low) - 1.0
        inputs = torch.cat([observations.float(), scaled], dim=1)
        return torch.cat([critic(inputs) for critic in self.critics], dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Return what the weights file holds, by name, each tensor once.

        Activations with ``per="net"`` stand behind several layers as one object; they keep the name of the first.
        """
        kept = self.state_dict().keys()
        every = [*self.named_parameters(), *self.named_buffers()]
        return {name: tensor.detach() for name, tensor in every if name in kept}


def policy_manifest(
    config: RunConfig, observation_size: int, low: Sequence[float], high: Sequence[float]
) -> dict[str, Any]:
    """Return what ``policy.json`` says of a run's networks.

    Args:
        config: The run.
        observation_size: Numbers in an observation.
        low: Lower bound of each component of an action.
        high: Upper bounds.
    """
    architecture = config.hyperparameters["net_arch"]
    widths = architecture if isinstance(architecture, dict) else {"pi": architecture, "qf": architecture}
    plain = config.to_json()
    return {
        "algorithm": config.algorithm,
        "task": config.task,
        "observation_size": observation_size,
        "action_size": len(low),
        "actor_widths": widths["pi"],
        "critic_widths": widths["qf"],
        "critics": 1 if config.algorithm == "ddpg" else 2,
        "actor_activation": plain["actor_activation"],
        "critic_activation": plain["critic_activation"],
        "action_low": [float(value) for value in low],
        "action_high": [float(value) for value in high],
        "versions": versions(),
    }


def save_policy(folder: Path, policy: Policy, manifest: Mapping[str, Any]) -> None:
    """Write a policy's two files, the weights first, so that a manifest never speaks of weights that are not there.

    Args:
        folder: Exists.
        policy: On any device.
        manifest: As for `Policy`, with anything else that is to be recorded; ``format`` and ``sha256`` are added.
    """
    content = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in policy.tensors().items()})
    write_bytes_atomically(folder / WEIGHTS_FILE, content)
    digest = hashlib.sha256(content).hexdigest()
    write_json_atomically(folder / MANIFEST_FILE, {"format": _FORMAT, **manifest, "sha256": digest})


def has_policy(folder: Path) -> bool:
    """Return whether a run's policy is complete: its manifest is written last."""
    return (folder / MANIFEST_FILE).is_file()


def load_policy(run_dir: Path | str) -> Policy:
    """Read the policy of a finished run.

    Args:
        run_dir: The run's folder.

    Returns:
        A module in evaluation mode on the CPU that maps raw observations to actions in the environment's bounds.

    Raises:
        PolicyError: See the class.
    """
    folder = Path(run_dir)
    manifest = _read_manifest(folder)
    tensors = _read_weights(folder, str(manifest.get("sha256")))
    try:
        policy = Policy(manifest)
    except KeyError as error:
        raise PolicyError(f"{folder / MANIFEST_FILE} lacks the key {error}.") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise PolicyError(f"{folder / MANIFEST_FILE} describes no network that can be built: {error}") from error
    _fill(policy, tensors, folder / WEIGHTS_FILE)
    return policy.eval()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    try:
        manifest = read_json(path)
    except FileNotFoundError as error:
        raise PolicyError(f"{folder} holds no {MANIFEST_FILE}; a run writes its policy when it is done.") from error
    except (OSError, ValueError) as error:
        raise PolicyError(f"{path} cannot be read: {error}") from error
    if manifest.get("format") != _FORMAT:
        raise PolicyError(f"{path} has format {manifest.get('format')!r}; this version reads format {_FORMAT}.")
    return manifest


def _read_weights(folder: Path, expected: str) -> dict[str, Tensor]:
    path = folder / WEIGHTS_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise PolicyError(
            f"{path} is damaged, or not the file that {MANIFEST_FILE} speaks of: "
            f"its SHA-256 is {found}, expected {expected}."
        )
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise PolicyError(f"{path} is no safetensors file: {error}") from error


def _fill(policy: Policy, stored: Mapping[str, Tensor], path: Path) -> None:
    own = policy.tensors()
    if own.keys() != stored.keys():
        missing, extra = sorted(own.keys() - stored.keys()), sorted(stored.keys() - own.keys())
        raise PolicyError(f"{path} does not fit the network of {MANIFEST_FILE}: missing {missing}, unexpected {extra}.")
    for name, tensor in stored.items():
        if tensor.shape != own[name].shape:
            raise PolicyError(f"{path}: {name} has shape {list(tensor.shape)}, expected {list(own[name].shape)}.")
        if not torch.isfinite(tensor).all():
            raise PolicyError(f"{path}: {name} holds NaN or infinity.")
        own[name].copy_(tensor)
