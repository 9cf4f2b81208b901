"""Chooses the engine that trains a cohort: runs of one algorithm on one task that share a process."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from agents.config import ENGINES, ConfigError, RunConfig
from agents.control import Control
from agents.divergence import DivergedError
from agents.run_folder import read_progress

# What one batch of environments and networks can have but once.
_SHARED = (
    *("engine", "task", "algorithm", "steps", "evaluation_every", "evaluation_episodes", "hyperparameters"),
    *("device", "threads", "diagnostics_every", "diagnostics_probe"),
)


def train(
    engine: str, configs: Sequence[RunConfig], folders: Sequence[Path], checkpoint: Path | None, control: Control
) -> None:
    """Train the runs of a cohort, or what is left of them.

    Args:
        engine: ``"population"`` or ``"sb3"``.
        configs: The runs, in the order in which the cohort began.
        folders: Of the runs, in the same order.
        checkpoint: Folder for the cohort's checkpoint, from which training goes on if it holds one; None makes none.
            Stable-Baselines3 makes none either and begins at step 0.
        control: Is told what happens, and says when to stop.

    Raises:
        ConfigError: The runs cannot share a process, or there is no such engine.
        InterruptedRun: An engine without checkpoints was asked to stop.
    """
    check_cohort(configs)
    torch.set_num_threads(configs[0].threads)
    _trainer(engine)(configs, folders, checkpoint, control)


def check_cohort(configs: Sequence[RunConfig]) -> None:
    """Check that runs can train in one process.

    Raises:
        ConfigError: There are none, they differ in more than arm and seed, or one is there twice, or there are several
            for an engine that trains one.
    """
    if not configs:
        raise ConfigError("a cohort has no runs; allowed is at least one.")
    first = configs[0]
    for config in configs:
        for name in _SHARED:
            one, other = getattr(first, name), getattr(config, name)
            if one != other:
                raise ConfigError(f"the runs of a cohort share their {name}, but it is {one!r} and {other!r}.")
    names = [f"{config.arm} seed {config.seed}" for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"a cohort has each run once, but {', '.join(twice)} is there twice.")
    if first.engine == "sb3" and len(configs) > 1:
        raise ConfigError(f"a cohort of the engine sb3 has {len(configs)} runs; allowed is one.")


def _trainer(engine: str) -> Callable[[Sequence[RunConfig], Sequence[Path], Path | None, Control], None]:
    # Either import takes seconds, and most processes need one of them at most.
    if engine == "population":
        from agents.trainer import train_cohort  # noqa: PLC0415

        return train_cohort
    if engine == "sb3":
        return _train_with_sb3
    raise ConfigError(f"engine is {engine!r}; allowed are {', '.join(ENGINES)}.")


def _train_with_sb3(
    configs: Sequence[RunConfig], folders: Sequence[Path], _checkpoint: Path | None, control: Control
) -> None:
    from agents import sb3_engine  # noqa: PLC0415

    control.resumed(0)
    try:
        result = sb3_engine.train(configs[0], folders[0], control.should_stop)
    except DivergedError as error:
        control.diverged(0, str(error), read_progress(folders[0])[0])
    else:
        control.done(0, float(result["steps_per_s"]))
