"""Runs that take seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents import RunConfig

_SMALL = {"learning_starts": 60, "net_arch": [8, 8], "batch_size": 8}


def small_config(**changes: Any) -> RunConfig:
    """Return a run of 120 steps on a tiny network; `hyperparameters` are added to the small ones."""
    plain: dict[str, Any] = {
        "task": "InvertedPendulum-v5",
        "algorithm": "td3",
        "arm": "arm",
        "actor_activation": "swim",
        "critic_activation": "relu",
        "activation_lr": None,
        "seed": 3,
        "steps": 120,
        "evaluation_every": 50,
        "evaluation_episodes": 2,
        "device": "cpu",
        "engine": "sb3",
    }
    hyperparameters = {**_SMALL, **changes.pop("hyperparameters", {})}
    return RunConfig(**{**plain, **changes}, hyperparameters=hyperparameters)


@pytest.fixture
def small() -> Callable[..., RunConfig]:
    return small_config


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MuJoCo writes its warnings to a file in the current folder.
    monkeypatch.chdir(tmp_path)
