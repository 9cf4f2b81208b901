"""Policies on the disk: they act as the trained model did, and damage is noticed."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import agents
from agents import PolicyError, load_policy
from agents.clock import Clock
from agents.environment import make_training_environment
from agents.models import WatchedAlgorithm, build_model
from agents.sb3_policy import save_model

Small = Callable[..., agents.RunConfig]
_CPU = torch.device("cpu")


def _model(config: agents.RunConfig) -> WatchedAlgorithm:
    clock = Clock()
    model = build_model(config, make_training_environment(config.task, clock), _CPU, clock)
    # Learnt values away from where they begin, so that a value that is not carried over shows.
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture
def saved(small: Small, tmp_path: Path) -> Path:
    config = small(actor_activation="swim_learnable(per=unit)")
    save_model(tmp_path, _model(config), config)
    return tmp_path


@pytest.mark.parametrize(
    ("algorithm", "actor", "critic"),
    [
        ("td3", "swim_learnable(per=unit)", "swish_learnable"),
        ("sac", "swish_learnable(per=net)", ["relu", "swim_learnable(per=unit)"]),
        ("ddpg", "swim_learnable(per=net)", "swim_learnable(per=net)"),
    ],
)
# Humanoid's actions reach to 0.4 only, so a missing scaling shows.
def test_a_loaded_policy_acts_as_the_model(
    algorithm: str, actor: Any, critic: Any, small: Small, tmp_path: Path
) -> None:
    shape = {"net_arch": {"pi": [8, 6], "qf": [7, 5]}}
    config = small(
        algorithm=algorithm, task="Humanoid-v5", actor_activation=actor, critic_activation=critic, hyperparameters=shape
    )
    model = _model(config)
    save_model(tmp_path, model, config)
    policy = load_policy(tmp_path)
    observations = np.random.default_rng(0).normal(size=(100, 348)) * 3
    expected, _ = model.predict(observations, deterministic=True)
    with torch.no_grad():
        actions = policy(torch.as_tensor(observations))
        assert np.abs(expected).max() <= 0.4
        np.testing.assert_allclose(actions.numpy(), expected, rtol=0, atol=2e-7)
        inputs = torch.as_tensor(observations).float(), torch.as_tensor(expected / 0.4)
        critics: Any = model.policy.critic
        torch.testing.assert_close(
            policy.values(torch.as_tensor(observations), actions),
            torch.cat(critics(*inputs), dim=1),
            rtol=1e-4,
            atol=1e-5,
        )
    assert not policy.training


def test_shared_activations_are_stored_once(small: Small, tmp_path: Path) -> None:
    config = small(actor_activation="swim_learnable(per=net)")
    save_model(tmp_path, _model(config), config)
    stored = safetensors.torch.load_file(tmp_path / "policy.safetensors")
    assert [name for name in stored if name.startswith("actor.1.")]
    assert not [name for name in stored if name.startswith("actor.3.")]
    policy = load_policy(tmp_path)
    assert policy.actor[1] is policy.actor[3]


def test_the_manifest_says_what_is_needed_to_read_the_weights(saved: Path) -> None:
    manifest = json.loads((saved / "policy.json").read_text())
    digest = hashlib.sha256((saved / "policy.safetensors").read_bytes()).hexdigest()
    expected = {
        "format": 1,
        "algorithm": "td3",
        "task": "InvertedPendulum-v5",
        "observation_size": 4,
        "action_size": 1,
        "actor_widths": [8, 8],
        "critic_widths": [8, 8],
        "critics": 2,
        "actor_activation": "swim_learnable(per=unit)",
        "critic_activation": "relu",
        "action_low": [-3.0],
        "action_high": [3.0],
        "sha256": digest,
    }
    assert {key: manifest[key] for key in expected} == expected
    assert manifest["versions"]["mujoco"].startswith("3.")


def test_loading_needs_no_stable_baselines(saved: Path) -> None:
    code = (
        "import sys, agents; agents.load_policy(sys.argv[1]);"
        "assert 'stable_baselines3' not in sys.modules and 'gymnasium' not in sys.modules"
    )
    root = Path(agents.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True, cwd=root)


def _rewrite(folder: Path, **changes: torch.Tensor) -> None:
    """Replace tensors and bring the manifest's hash in line, so that only the tensors are wrong."""
    tensors = {**safetensors.torch.load_file(folder / "policy.safetensors"), **changes}
    content = safetensors.torch.save(tensors)
    (folder / "policy.safetensors").write_bytes(content)
    _edit(folder, sha256=hashlib.sha256(content).hexdigest())


def _edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps({**manifest, **changes}))


def _damage_byte(folder: Path) -> None:
    content = bytearray((folder / "policy.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "policy.safetensors").write_bytes(content)


def _truncate(folder: Path) -> None:
    content = (folder / "policy.safetensors").read_bytes()
    (folder / "policy.safetensors").write_bytes(content[: len(content) // 2])


def _garbage(folder: Path) -> None:
    (folder / "policy.safetensors").write_bytes(b"weights")
    _edit(folder, sha256=hashlib.sha256(b"weights").hexdigest())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_damage_byte, "policy.safetensors is damaged, or not the file"),
        (_truncate, "policy.safetensors is damaged, or not the file"),
        (_garbage, "is no safetensors file"),
        (lambda folder: _edit(folder, sha256="0" * 64), "expected 0000"),
        (lambda folder: _rewrite(folder, **{"actor.0.bias": torch.full((8,), np.nan)}), "actor.0.bias holds NaN"),
        (lambda folder: _rewrite(folder, **{"actor.0.bias": torch.zeros(9)}), r"has shape \[9\], expected \[8\]"),
        (lambda folder: _rewrite(folder, extra=torch.zeros(1)), r"missing \[\], unexpected \['extra'\]"),
        (lambda folder: (folder / "policy.safetensors").unlink(), "policy.safetensors cannot be read"),
        (lambda folder: (folder / "policy.json").unlink(), "holds no policy.json"),
        (lambda folder: (folder / "policy.json").write_text("{"), "policy.json cannot be read"),
        (lambda folder: _edit(folder, format=2), "has format 2; this version reads format 1"),
        (lambda folder: _edit(folder, actor_activation="swimm"), "describes no network that can be built: .*swimm"),
        (lambda folder: (folder / "policy.json").write_text('{"format": 1, "sha256": ""}'), "damaged"),
    ],
)
def test_damage_is_named(damage: Callable[[Path], Any], message: str, saved: Path) -> None:
    damage(saved)
    with pytest.raises(PolicyError, match=message):
        load_policy(saved)


def test_weights_that_are_not_finite_are_never_written(small: Small, tmp_path: Path) -> None:
    config = small()
    model = _model(config)
    with torch.no_grad():
        next(iter(model.policy.parameters()))[0, 0] = float("inf")
    with pytest.raises(ArithmeticError, match=r"weight actor.0.weight not finite \(infinity\) at step 0"):
        save_model(tmp_path, model, config)
    assert list(tmp_path.glob("policy*")) == []
