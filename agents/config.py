"""Everything that defines one training run, as plain values that go to JSON and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import rl_acts
from agents.hyperparameters import ALGORITHMS, HyperparameterError, resolve_hyperparameters

# NumPy's and Stable-Baselines3's seeds are 32-bit numbers.
LARGEST_SEED = 2**32 - 1
# The first is the default.
ENGINES = ("population", "sb3")
# Of `RunConfig.diagnostics_every`.
AUTO = "auto"
_OPTIONAL = {"device", "threads", "engine", "diagnostics_every", "diagnostics_probe"}


class ConfigError(ValueError):
    """A run's configuration that cannot be trained; the message names the field, the value and what is allowed."""


def check_count(name: str, value: object, *, least: int) -> None:
    """Check a whole number.

    Raises:
        ConfigError: It is none, or less than `least`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} is {value!r}; allowed is a whole number of at least {least}.")


@dataclass(frozen=True)
class RunConfig:
    """One run: one algorithm with one choice of activations on one task with one seed.

    Attributes:
        task: Gymnasium id.
        algorithm: ``"td3"``, ``"sac"`` or ``"ddpg"``.
        arm: Name of the choice of activations, as in the run's folder.
        actor_activation: Canonical spec, or one per hidden layer.
        critic_activation: Canonical spec, or one per hidden layer.
        activation_lr: Learning rate of learnable activations' own parameters; None uses the network's.
        seed: From 0 to 2^32 - 1.
        steps: Environment steps.
        evaluation_every: Environment steps between evaluations.
        evaluation_episodes: Episodes per evaluation.
        hyperparameters: All hyperparameters of the algorithm, by Stable-Baselines3's names.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        threads: Threads that PyTorch may use.
        engine: ``"population"`` (several runs train in one process) or ``"sb3"`` (Stable-Baselines3, one run).
        diagnostics_every: Environment steps between measurements of the networks, which change nothing of the run;
            ``"auto"`` for 25,000 on a CPU and none on a GPU, None for none.
        diagnostics_probe: Rows of the batch that they are made on; None for four per unit of the widest layer.

    Raises:
        ConfigError: A field has a wrong type or value.
    """

    task: str
    algorithm: str
    arm: str
    actor_activation: str | tuple[str, ...]
    critic_activation: str | tuple[str, ...]
    activation_lr: float | None
    seed: int
    steps: int
    evaluation_every: int
    evaluation_episodes: int
    hyperparameters: Mapping[str, Any] = field(hash=False)
    device: str = "auto"
    threads: int = 1
    engine: str = ENGINES[0]
    diagnostics_every: int | str | None = None
    diagnostics_probe: int | None = None

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ConfigError(f"algorithm is {self.algorithm!r}; allowed are {', '.join(ALGORITHMS)}.")
        if self.engine not in ENGINES:
            raise ConfigError(f"engine is {self.engine!r}; allowed are {', '.join(ENGINES)}.")
        for name, least in (("steps", 1), ("evaluation_every", 1), ("evaluation_episodes", 1), ("threads", 1)):
            check_count(name, getattr(self, name), least=least)
        if self.diagnostics_every not in {None, AUTO}:
            check_count("diagnostics_every", self.diagnostics_every, least=1)
        if self.diagnostics_probe is not None:
            check_count("diagnostics_probe", self.diagnostics_probe, least=1)
        check_count("seed", self.seed, least=0)
        if self.seed > LARGEST_SEED:
            raise ConfigError(f"seed is {self.seed}; allowed is at most {LARGEST_SEED}.")
        for name in ("actor_activation", "critic_activation"):
            object.__setattr__(self, name, _canonical(name, getattr(self, name)))
        try:
            resolved = resolve_hyperparameters(self.algorithm, self.hyperparameters)
        except HyperparameterError as error:
            raise ConfigError(str(error)) from error
        object.__setattr__(self, "hyperparameters", resolved)
        if self.steps % resolved["train_freq"]:
            # Training alternates whole collections with updates, so the run would otherwise end past its stated steps.
            raise ConfigError(f"train_freq is {resolved['train_freq']}, which does not divide steps, {self.steps}.")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; lists stand for one activation per hidden layer."""
        plain = asdict(self)
        for name in ("actor_activation", "critic_activation"):
            if isinstance(plain[name], tuple):
                plain[name] = list(plain[name])
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration that `to_json` wrote.

        Raises:
            ConfigError: A field is missing, unknown or wrong.
        """
        names = {entry.name for entry in fields(cls)}
        unknown, missing = sorted(set(plain) - names), sorted(names - _OPTIONAL - set(plain))
        if unknown or missing:
            raise ConfigError(f"configuration of a run: unknown fields {unknown}, missing fields {missing}.")
        # Records without the field are from before there was a choice.
        return cls(**{"engine": "sb3", **plain})


def _canonical(name: str, activation: str | list[str] | tuple[str, ...]) -> str | tuple[str, ...]:
    try:
        if isinstance(activation, str):
            return str(rl_acts.parse(activation))
        return tuple(str(rl_acts.parse(spec)) for spec in activation)
    except rl_acts.ActivationError as error:
        raise ConfigError(f"{name}: {error}") from error
