"""Diagnostics and hyperparameters in a run's TensorBoard events, with tags in Stable-Baselines3's style."""

from typing import cast

import numpy as np
from torch.utils.tensorboard import FileWriter, SummaryWriter
from torch.utils.tensorboard.summary import hparams

from agents.config import RunConfig
from agents.diagnostics import Diagnosis
from rl_acts.diagnostics import picture

_BINS = 64


def write_diagnosis(events: SummaryWriter, step: int, diagnosis: Diagnosis) -> None:
    """Write scalars, histograms of pre-activations, and the learnt curves as one image.

    Args:
        events: Of the run.
        step: Environment steps so far.
        diagnosis: Of the run.
    """
    for network, measured in diagnosis.items():
        for row in measured.rows:
            events.add_scalar(f"diagnostics/{network}/{row.layer}/{row.name}", row.value, step)
        for layer, z in measured.pre_activations.items():
            values = z.float().numpy().ravel()
            # A histogram of NaN is refused.
            if np.isfinite(values).all():
                events.add_histogram(f"diagnostics/{network}/{layer}/pre_activations", values, step, bins=_BINS)
    shapes = {network: measured.shapes for network, measured in diagnosis.items() if measured.shapes}
    if shapes:
        events.add_image("diagnostics/learnt_shapes", picture(shapes), step, dataformats="HWC")
    events.flush()


def write_hyperparameters(events: SummaryWriter, config: RunConfig) -> None:
    """Write what the HParams tab shows of a run, beside its last evaluation.

    Args:
        events: Of the run. Not by its own method, which puts a second file into a folder of its own.
        config: Of the run.
    """
    given = {
        "task": config.task,
        "algorithm": config.algorithm,
        "arm": config.arm,
        "actor_activation": str(config.actor_activation),
        "critic_activation": str(config.critic_activation),
        "activation_lr": "network's" if config.activation_lr is None else config.activation_lr,
        "seed": config.seed,
        **config.hyperparameters,
    }
    plain = {name: value if isinstance(value, int | float | str) else str(value) for name, value in given.items()}
    writer = cast("FileWriter", events.file_writer)
    for summary in hparams(plain, {"eval/mean_reward": 0.0}):  # type: ignore[no-untyped-call]
        writer.add_summary(summary)
