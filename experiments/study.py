"""A study: which arms, algorithms, tasks and seeds, checked as a whole, and the runs it consists of."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from pydantic import ValidationError

import rl_acts
from agents import HyperparameterError, RunConfig, resolve_hyperparameters
from agents.hyperparameters import ALGORITHMS, check_hyperparameter
from experiments.arms import is_learnable
from experiments.problems import InputError, Location, Places, Problem, StudyError, dotted
from experiments.study_file import StudyKeys, problems_of
from experiments.yaml_file import Document
from rl_acts.errors import did_you_mean

_FORMAT = 1
_FINEST_DEFAULT_EVALUATION = 10_000


@dataclass(frozen=True)
class Arm:
    """One choice of activations.

    Attributes:
        name: Of its folder.
        actor: Canonical spec, or one per hidden layer.
        critic: Likewise.
        activation_lr: Learning rate of the activations' own parameters; None uses the network's.
        seeds: Of its runs.
    """

    name: str
    actor: str | list[str]
    critic: str | list[str]
    activation_lr: float | None
    seeds: list[int]


class Diagnostics(TypedDict):
    """When networks are measured, as for `RunConfig`: steps between measurements, and rows."""

    every: int | str | None
    probe: int | None


@dataclass(frozen=True)
class Study:
    """A checked study with every default filled in; its attributes are the keys of ``study.json`` (see the README)."""

    name: str
    description: str | None
    algorithms: list[str]
    tasks: list[str]
    arms: list[Arm]
    steps: int
    evaluation: Mapping[str, int]
    diagnostics: Diagnostics
    hyperparameters: Mapping[str, Mapping[str, Any]]
    primary: list[list[str]]
    margin: float
    control: str | None
    final_evaluations: int | None
    thresholds: Mapping[str, list[float]]
    budgets: list[float]
    device: str
    engine: str

    def runs(self) -> Iterator[RunConfig]:
        """Yield every run, seeds outermost, so that an unfinished study has compared all arms on its first seeds."""
        seeds = sorted({seed for arm in self.arms for seed in arm.seeds})
        for seed in seeds:
            for task in self.tasks:
                for algorithm in self.algorithms:
                    for arm in self.arms:
                        if seed in arm.seeds:
                            yield self._run(task, algorithm, arm, seed)

    def _run(self, task: str, algorithm: str, arm: Arm, seed: int) -> RunConfig:
        return RunConfig(
            task=task,
            algorithm=algorithm,
            arm=arm.name,
            actor_activation=arm.actor if isinstance(arm.actor, str) else tuple(arm.actor),
            critic_activation=arm.critic if isinstance(arm.critic, str) else tuple(arm.critic),
            activation_lr=arm.activation_lr,
            seed=seed,
            steps=self.steps,
            evaluation_every=self.evaluation["every"],
            evaluation_episodes=self.evaluation["episodes"],
            hyperparameters=self.hyperparameters[algorithm],
            device=self.device,
            engine=self.engine,
            diagnostics_every=self.diagnostics["every"],
            diagnostics_probe=self.diagnostics["probe"],
        )

    def to_json(self, command: str) -> dict[str, Any]:
        """Return what ``study.json`` holds.

        Args:
            command: The command that made the runs.
        """
        return {"format": _FORMAT, **asdict(self), "command": command}


def config_hash(config: RunConfig) -> str:
    """Return a digest of everything that defines a run's numbers; where it computes and is measured is not among it."""
    plain = config.to_json()
    for name in ("device", "threads", "diagnostics_every", "diagnostics_probe"):
        del plain[name]
    if config.engine == "sb3":
        # The digests in folders from before there was a choice do not know the field.
        del plain["engine"]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def read_study(document: Document) -> Study:
    """Check a study file as a whole.

    Args:
        document: The file, with any ``--set`` applied.

    Raises:
        StudyError: Lists every problem with its place.
    """
    keys, problems = None, list(document.problems)
    try:
        keys = StudyKeys.model_validate(document.content)
    except ValidationError as error:
        problems += problems_of(error)
    problems += _hyperparameter_problems(document.content)
    problems += _reference_problems(document.content)
    if keys is not None and not problems:
        problems = [*_duplicates(keys), *_arm_problems(keys), *_length_problems(keys, document.places)]
        problems += _measure_problems(keys)
    if keys is None or problems:
        raise StudyError(document.source, problems, document.places)
    study = _resolved(keys)
    problems = list(_network_problems(study))
    if problems:
        raise StudyError(document.source, problems, document.places)
    return study


def _resolved(keys: StudyKeys) -> Study:
    arms = []
    for arm in keys.arms:
        networks, name = arm.networks(), arm.name()
        if networks is None or name is None:
            raise InputError(f"arm {arm!r} has no activations")
        arms.append(Arm(name, *networks, arm.activation_lr, arm.seeds or keys.seeds))
    return Study(
        name=keys.name,
        description=keys.description,
        algorithms=keys.algorithms,
        tasks=keys.tasks,
        arms=arms,
        steps=keys.steps,
        evaluation={"every": _every(keys), "episodes": keys.evaluation.episodes},
        diagnostics={"every": keys.diagnostics.every, "probe": keys.diagnostics.probe},
        hyperparameters={
            name: resolve_hyperparameters(name, keys.hyperparameters.get(name, {})) for name in keys.algorithms
        },
        primary=keys.primary,
        margin=keys.margin,
        control=keys.control,
        final_evaluations=keys.final_evaluations,
        thresholds=keys.thresholds,
        budgets=keys.budgets,
        device=keys.device,
        engine=keys.engine,
    )


def _hyperparameter_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    given, listed = content.get("hyperparameters"), content.get("algorithms")
    algorithms: list[Any] = listed if isinstance(listed, list) else []
    # With a misspelt algorithm in the list nobody can say which settings are of no use.
    clear = bool(algorithms) and all(algorithm in ALGORITHMS for algorithm in algorithms)
    for algorithm, values in given.items() if isinstance(given, dict) else ():
        location: Location = ("hyperparameters", algorithm)
        if algorithm not in ALGORITHMS:
            hint = did_you_mean(algorithm, ALGORITHMS)
            yield Problem(location, f"unknown algorithm {algorithm!r}.{hint} Allowed: {', '.join(ALGORITHMS)}.")
        elif clear and algorithm not in algorithms:
            yield Problem(location, f"the study has no {algorithm}; its algorithms are {algorithms}.")
        elif isinstance(values, dict):
            for key, value in values.items():
                try:
                    check_hyperparameter(algorithm, key, value)
                except HyperparameterError as error:
                    yield Problem((*location, key), str(error))


def _reference_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Check that ``primary`` and ``control`` name arms, whatever else is wrong with the study."""
    arms = content.get("arms")
    if not isinstance(arms, list):
        return
    names, unread = _arm_names(arms)
    primary = content.get("primary")
    yield from _repeated_pairs(primary if isinstance(primary, list) else [])
    for index, pair in enumerate(primary if isinstance(primary, list) else []):
        for side, name in enumerate(pair if isinstance(pair, list) and len(pair) == 2 else []):
            if name not in names and not did_you_mean(name, unread):
                yield Problem(("primary", index, side), _unknown_arm(name, names))
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == pair[1]:
            yield Problem(("primary", index), f"the pair compares {pair[0]!r} with itself")
    control = content.get("control")
    if control is not None and control not in names and not did_you_mean(control, unread):
        yield Problem(("control",), _unknown_arm(control, names))


def _repeated_pairs(primary: list[Any]) -> Iterator[Problem]:
    first: dict[frozenset[str], int] = {}
    for index, pair in enumerate(primary):
        # Which arm stands first only says how the difference is signed; it is one comparison all the same.
        arms = frozenset(map(str, pair)) if isinstance(pair, list) and len(pair) == 2 else frozenset()
        if arms in first:
            earlier = first[arms]
            yield Problem(("primary", index), f"the pair {pair} is primary[{earlier}], {primary[earlier]}, once more")
        elif len(arms) == 2:
            first[arms] = index


def _unknown_arm(name: Any, names: list[str]) -> str:
    return f"unknown arm {name!r}.{did_you_mean(name, names)} The arms are {', '.join(names)}."


def _arm_names(arms: list[Any]) -> tuple[list[str], list[str]]:
    """Return the names of the arms, and the texts of those that cannot be read, one of which may be meant."""
    names: list[str] = []
    unread: list[str] = []
    for arm in arms:
        name = arm.get("arm") if isinstance(arm, dict) else None
        if name is None:
            try:
                name = StudyKeys.model_validate({**_READABLE, "arms": [arm]}).arms[0].name()
            except ValidationError:
                name = None
        if isinstance(name, str):
            names.append(name)
        else:
            unread.append(str(arm))
    return names, unread


# A study in which one arm at a time can be read on its own.
_READABLE: Mapping[str, Any] = {"name": "x", "algorithms": ["td3"], "tasks": ["Hopper-v5"], "seeds": 1, "steps": 1}


def _duplicates(keys: StudyKeys) -> Iterator[Problem]:
    for key in ("algorithms", "tasks"):
        values = getattr(keys, key)
        for index, value in enumerate(values):
            if value in values[:index]:
                yield Problem((key, index), f"{value} is listed twice")
    first: dict[str, int] = {}
    for index, arm in enumerate(keys.arms):
        # Some file systems do not tell capital letters from small ones.
        name = (arm.name() or "").casefold()
        if name and name in first:
            one, two = (str(keys.arms[place].networks()) for place in (first[name], index))
            both = f"arms[{first[name]}] {one} and arms[{index}] {two}"
            message = f"two arms are called {arm.name()!r}: {both}; name one with arm:"
            yield Problem(("arms", index), message)
        first.setdefault(name, index)


def _arm_problems(keys: StudyKeys) -> Iterator[Problem]:
    for index, arm in enumerate(keys.arms):
        networks = arm.networks()
        if networks is None:
            message = "an arm has either activation (for both networks) or both actor and critic"
            yield Problem(("arms", index), message)
        elif arm.activation_lr is not None and not any(map(is_learnable, networks)):
            neither = f"neither {networks[0]} nor {networks[1]} has anything to learn"
            message = f"activation_lr is {arm.activation_lr}, but {neither}"
            yield Problem(("arms", index, "activation_lr"), message)


def _length_problems(keys: StudyKeys, places: Places) -> Iterator[Problem]:
    every = keys.evaluation.every
    if every is not None and every > keys.steps:
        message = f"{every} is more than steps, {keys.steps}: there would be no evaluation on the way"
        yield Problem(("evaluation", "every"), message)
    for algorithm in keys.algorithms:
        given = keys.hyperparameters.get(algorithm, {})
        values = resolve_hyperparameters(algorithm, given)
        start, freq = values["learning_starts"], values["train_freq"]
        if start >= keys.steps:
            default = "" if "learning_starts" in given else " by default"
            key: Location = ("hyperparameters", algorithm, "learning_starts")
            # `train` has no file to set the key in.
            advice = f"set {dotted(key)} to less" if places.lines else f"add --set {dotted(key)}={keys.steps // 10}"
            message = (
                f"learning_starts of {algorithm} is {start}{default}, but steps is {keys.steps}: "
                f"nothing would be learnt; {advice}"
            )
            yield Problem(key if "learning_starts" in given else ("steps",), message)
        if keys.steps % freq:
            message = f"{freq} does not divide steps, {keys.steps}"
            yield Problem(("hyperparameters", algorithm, "train_freq"), message)


def _measure_problems(keys: StudyKeys) -> Iterator[Problem]:
    """Check what the page will measure against what the runs will have."""
    for task in keys.thresholds:
        if task not in keys.tasks:
            hint = did_you_mean(task, keys.tasks)
            message = f"the study has no task {task!r}.{hint} Its tasks are {', '.join(keys.tasks)}."
            yield Problem(("thresholds", task), message)
    evaluations = keys.steps // _every(keys) + 1
    if keys.final_evaluations is not None and keys.final_evaluations > evaluations:
        message = f"{keys.final_evaluations} is more than the {evaluations} evaluations that a run has"
        yield Problem(("final_evaluations",), message)


def _every(keys: StudyKeys) -> int:
    return keys.evaluation.every or max(1, min(_FINEST_DEFAULT_EVALUATION, keys.steps // 10))


def _network_problems(study: Study) -> Iterator[Problem]:
    """Check lists of activations against the hidden layers of every algorithm."""
    for index, arm in enumerate(study.arms):
        for algorithm in study.algorithms:
            layers = study.hyperparameters[algorithm]["net_arch"]
            widths = layers if isinstance(layers, dict) else {"pi": layers, "qf": layers}
            for key, activation, sizes in (("actor", arm.actor, widths["pi"]), ("critic", arm.critic, widths["qf"])):
                try:
                    rl_acts.check(activation if isinstance(activation, str) else tuple(activation), sizes)
                except rl_acts.ActivationError as error:
                    yield Problem(("arms", index, key), f"{algorithm}: {error}")
