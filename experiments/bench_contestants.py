"""What one process of `bench updates` trains: a population, Stable-Baselines3's own algorithm, or a peer.

All train as in a study, without evaluation: act, step the environment, store, update, one update per environment step.
Their replay memories are filled with random steps before the first turn and hold no more, so no turn touches new memory
of theirs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch

from agents import RunConfig, resolve_hyperparameters
from experiments.bench_peers import load_peer

MIXED = "mixed"
MIXTURE = ("relu", "swish", "swim", "swim_learnable")
OURS, SB3 = "ours", "sb3"
# How a population makes its updates: whether losses are compiled and whether updates are captured; None: as it chooses.
FORMS: Mapping[str, tuple[bool | None, bool | None]] = MappingProxyType(
    {"auto": (None, None), "eager": (False, False), "compiled": (True, False), "captured": (True, True)}
)


@dataclass(frozen=True)
class Job:
    """What a process is to train, as plain values.

    Attributes:
        kind: ``"ours"``, ``"sb3"`` or a peer's name.
        hook: Of a peer, ``"module:function"``.
        algorithm: ``"td3"`` or ``"sac"``.
        task: Gymnasium id.
        activation: A spec, or ``"mixed"``: relu, swish, swim and swim_learnable in turn.
        runs: That train together; of ours alone.
        width: Of both hidden layers.
        batch_size: Rows of a batch.
        rows: Of the replay memory.
        device: Name of a device.
        index: Of the process among those of its contestant; seeds follow from it.
        form: One of `FORMS`; of ours alone.
    """

    kind: str
    hook: str
    algorithm: str
    task: str
    activation: str
    runs: int
    width: int
    batch_size: int
    rows: int
    device: str
    index: int
    form: str = "auto"

    def hyperparameters(self) -> dict[str, Any]:
        """Return all hyperparameters: the defaults but for widths, batch and a warm-up that fills the memory."""
        return resolve_hyperparameters(
            self.algorithm,
            {
                "net_arch": [self.width, self.width],
                "batch_size": self.batch_size,
                "buffer_size": self.rows,
                "learning_starts": self.rows,
            },
        )

    def config(self) -> RunConfig:
        """Return the configuration of a run like these, for what follows from sizes alone."""
        spec = MIXTURE[0] if self.activation == MIXED else self.activation
        return RunConfig(self.task, self.algorithm, "bench", spec, spec, None, 0, 1, 1, 1, self.hyperparameters())


class Trainee(Protocol):
    """What is measured.

    Attributes:
        updates_per_step: Updates of single runs in one step.
    """

    updates_per_step: int

    def advance(self, steps: int) -> None:
        """Make environment steps and their updates."""

    def parts(self) -> Mapping[str, float] | None:
        """Return seconds so far of acting, simulating and learning, or None where nobody has counted."""


def build(job: Job) -> Trainee:
    """Build what is measured, its replay memory full.

    Raises:
        NotImplementedError: A peer has no such algorithm or activation.
    """
    if job.kind == OURS:
        return Ours(job)
    return StableBaselines3(job) if job.kind == SB3 else Peer(job)


class Ours:
    """A population."""

    def __init__(self, job: Job) -> None:
        # Here, so that processes of peers do without it.
        from agents import Population  # noqa: PLC0415

        seeds = range(job.index * job.runs, (job.index + 1) * job.runs)
        specs = MIXTURE if job.activation == MIXED else (job.activation,)
        members = [(specs[run % len(specs)], seed) for run, seed in enumerate(seeds)]
        self.updates_per_step = job.runs
        compiled, captured = FORMS[job.form]
        self._population = Population(
            job.algorithm,
            job.task,
            members,
            hyperparameters=job.hyperparameters(),
            device=job.device,
            compile_losses=compiled,
            capture=captured,
        )
        self._population.train(job.rows)

    def advance(self, steps: int) -> None:
        """Make steps of every run.

        Raises:
            RuntimeError: A run diverged, or an update is missing: figures would be of something else.
        """
        before = self._population.updates
        self._population.train(steps)
        if self._population.diverged or self._population.updates - before != steps:
            raise RuntimeError(f"not every step had its update; diverged: {self._population.diverged}")

    def parts(self) -> Mapping[str, float]:
        """Return the split of the population's clock."""
        seconds = self._population.clock.seconds()
        return {part: seconds[f"{part}_s"] for part in ("act", "simulate", "learn")}


class StableBaselines3:
    """Stable-Baselines3's own TD3 or SAC with the same hyperparameters, its own policy for relu, ours for others.

    A mixture is one run of each activation, a chunk of steps each in turn.
    """

    def __init__(self, job: Job) -> None:
        specs = MIXTURE if job.activation == MIXED else (job.activation,)
        self._models = [_sb3_model(job, spec, job.index * len(specs) + run) for run, spec in enumerate(specs)]
        self.updates_per_step = len(self._models)
        self.advance(job.rows)

    def advance(self, steps: int) -> None:
        """Make steps of every model."""
        for model in self._models:
            model.learn(steps, reset_num_timesteps=False, log_interval=None)

    def parts(self) -> None:
        """Say that nobody has counted."""


def _sb3_model(job: Job, spec: str, seed: int) -> Any:
    import stable_baselines3  # noqa: PLC0415 - seconds that a population's process need not spend
    from stable_baselines3.common.logger import Logger  # noqa: PLC0415
    from stable_baselines3.common.noise import NormalActionNoise  # noqa: PLC0415

    import rl_acts.sb3  # noqa: PLC0415

    settings = job.hyperparameters()
    architecture: dict[str, Any] = {"net_arch": settings.pop("net_arch")}
    noise = settings.pop("exploration_noise", 0.0)
    environment = gymnasium.make(job.task)
    size = environment.action_space.shape or ()
    if spec == "relu":
        policy: Any = "MlpPolicy"
        architecture["activation_fn"] = torch.nn.ReLU
    else:
        policy = rl_acts.sb3.TD3Policy if job.algorithm == "td3" else rl_acts.sb3.SACPolicy
        architecture |= {"actor_activation": spec, "critic_activation": spec}
    model = getattr(stable_baselines3, job.algorithm.upper())(
        policy,
        environment,
        policy_kwargs=architecture,
        action_noise=NormalActionNoise(np.zeros(size), np.full(size, noise)) if noise else None,
        seed=seed,
        device=job.device,
        **settings,
    )
    # Otherwise each call to learn makes a new one.
    model.set_logger(Logger(None, []))
    return model


class Peer:
    """Whatever a hook returns."""

    updates_per_step = 1

    def __init__(self, job: Job) -> None:
        if job.activation == MIXED:
            # What a hook raises for what its peer lacks; the worker answers that this contestant is not available.
            raise NotImplementedError("peers train one activation at a time")
        make = load_peer(job.hook)
        self.advance: Callable[[int], None] = make(job.task, job.algorithm, job.width, job.batch_size, job.activation)
        self.advance(job.rows)

    def parts(self) -> None:
        """Say that nobody has counted."""
