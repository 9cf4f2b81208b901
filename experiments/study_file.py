"""The keys of a study file and what each may be, as pydantic models; what depends on two keys is in `study`."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from agents.config import AUTO, ENGINES
from agents.hyperparameters import ALGORITHMS
from envs import check_task
from experiments.arms import arm_name, canonical_activation, check_name
from experiments.budget import seconds_of
from experiments.problems import Location, Problem
from experiments.seeds import read_seeds
from experiments.yaml_file import unknown_key
from rl_acts.errors import did_you_mean

_LARGEST = 10**12


def _whole(given: Any) -> int:
    number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    if not number or not float(given).is_integer() or not 1 <= given <= _LARGEST:
        raise ValueError(f"{given!r} is not allowed; allowed is a whole number of at least 1, such as 100_000 or 1e5")
    return int(given)


def _interval(given: Any) -> int | str | None:
    if given in {AUTO, "never", None}:
        return None if given == "never" else given
    try:
        return _whole(given)
    except ValueError:
        raise ValueError(f"{given!r} is not allowed; allowed is auto, never, or a whole number of at least 1") from None


def _positive(given: Any) -> float:
    number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    if not number or given <= 0:
        raise ValueError(f"{given!r} is not allowed; allowed is a number above 0")
    return float(given)


def _algorithm(given: Any) -> str:
    if given not in ALGORITHMS:
        hint = did_you_mean(given, ALGORITHMS)
        raise ValueError(f"unknown algorithm {given!r}.{hint} Allowed: {', '.join(ALGORITHMS)}.")
    return str(given)


def _task(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"{given!r} is no environment's id; allowed is text such as Hopper-v5")
    return check_task(given).id


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"{given!r} is not allowed; allowed is text")
    return given


def _device(given: Any) -> str:
    name = str(given)
    kind, colon, index = name.partition(":")
    if name not in {"auto", "cpu", "cuda"} and not (kind == "cuda" and colon and index.isdecimal()):
        hint = did_you_mean(name, ["auto", "cpu", "cuda"])
        raise ValueError(f"unknown device {given!r}.{hint} Allowed: auto, cpu, cuda, cuda:N.")
    return name


def _engine(given: Any) -> str:
    if given not in ENGINES:
        hint = did_you_mean(str(given), ENGINES)
        raise ValueError(f"unknown engine {given!r}.{hint} Allowed: {', '.join(ENGINES)}.")
    return str(given)


def _list(given: Any) -> Any:
    if not isinstance(given, list):
        raise ValueError(f"{given!r} is no list; write it in brackets, as in [{given}]")
    if not given:
        raise ValueError("the list is empty; give at least one entry")
    return given


def _pairs(given: Any) -> Any:
    if not isinstance(given, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in given):
        raise ValueError(f"{given!r} is no list of pairs of arms; write [[swim, relu], [swim, swish]]")
    return given


def _arm(given: Any) -> Any:
    """Turn a bare spec into an arm of that one activation."""
    if isinstance(given, str | list) or (isinstance(given, dict) and "name" in given):
        return {"activation": given}
    if not isinstance(given, dict):
        raise ValueError(
            f"{given!r} is no arm; allowed is an activation, or a mapping with arm, actor, critic, activation"
        )
    return given


def _hyperparameters(given: Any) -> Any:
    if not isinstance(given, dict) or any(not isinstance(values, dict) for values in given.values()):
        raise ValueError(f"{given!r} is not allowed; write the algorithm first, as in {{td3: {{learning_rate: 3e-4}}}}")
    return given


def _levels(given: Any) -> Any:
    """Check the returns to be reached, by task; one return may stand without brackets."""
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is not allowed; write the task first, as in {{HalfCheetah-v5: [4000, 8000]}}")
    levels = {task: list(values) if isinstance(values, list) else [values] for task, values in given.items()}
    for task, values in levels.items():
        for value in values or ["[]"]:
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{value!r} is no return that runs on {task} could reach; allowed are finite numbers")
    return {_task(task): [float(value) for value in values] for task, values in levels.items()}


def _times(given: Any) -> Any:
    """Check budgets of training time, each seconds or a text such as 5m."""
    if not isinstance(given, list):
        raise ValueError(f"{given!r} is no list; write it in brackets, as in [5m, 20m]")
    seconds = []
    for value in given:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        found = float(value) if number else seconds_of(value) if isinstance(value, str) else None
        if found is None or found <= 0:
            raise ValueError(f"{value!r} is no time; allowed are seconds above 0 or a time such as 90s, 5m or 1h30m")
        seconds.append(found)
    return sorted(set(seconds))


Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(check_name)]
Activation = Annotated[str | list[str], BeforeValidator(canonical_activation)]
Seeds = Annotated[list[int], BeforeValidator(read_seeds)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvaluationKeys(_Strict):
    """When and how long a policy is evaluated."""

    every: Whole | None = None
    episodes: Whole = 10


class DiagnosticsKeys(_Strict):
    """When the networks are measured, and on how many rows."""

    every: Annotated[int | str | None, BeforeValidator(_interval)] = AUTO
    probe: Whole | None = None


class ArmKeys(_Strict):
    """One choice of activations."""

    arm: Name | None = None
    activation: Activation | None = None
    actor: Activation | None = None
    critic: Activation | None = None
    activation_lr: Annotated[float, BeforeValidator(_positive)] | None = None
    seeds: Seeds | None = None

    def networks(self) -> tuple[str | list[str], str | list[str]] | None:
        """Return the activations of actor and critic, or None if the keys do not say both or say one twice."""
        if self.activation is not None:
            return None if self.actor is not None or self.critic is not None else (self.activation, self.activation)
        return None if self.actor is None or self.critic is None else (self.actor, self.critic)

    def name(self) -> str | None:
        """Return what the arm is called, or None if its activations are not clear."""
        networks = self.networks()
        return self.arm or (None if networks is None else arm_name(*networks))


class StudyKeys(_Strict):
    """The keys of a study file."""

    name: Name
    description: Text | None = None
    algorithms: Annotated[list[Annotated[str, BeforeValidator(_algorithm)]], BeforeValidator(_list)]
    tasks: Annotated[list[Annotated[str, BeforeValidator(_task)]], BeforeValidator(_list)]
    arms: Annotated[list[Annotated[ArmKeys, BeforeValidator(_arm)]], BeforeValidator(_list)]
    seeds: Seeds
    steps: Whole
    evaluation: EvaluationKeys = EvaluationKeys()
    diagnostics: DiagnosticsKeys = DiagnosticsKeys()
    hyperparameters: Annotated[dict[str, dict[str, Any]], BeforeValidator(_hyperparameters)] = {}
    primary: Annotated[list[list[Text]], BeforeValidator(_pairs)] = []
    margin: Annotated[float, BeforeValidator(_positive)] = 0.05
    control: Text | None = None
    final_evaluations: Whole | None = None
    thresholds: Annotated[dict[str, list[float]], BeforeValidator(_levels)] = {}
    budgets: Annotated[list[float], BeforeValidator(_times)] = []
    device: Annotated[str, BeforeValidator(_device)] = "auto"
    engine: Annotated[str, BeforeValidator(_engine)] = ENGINES[0]


def problems_of(error: ValidationError) -> list[Problem]:
    """Return pydantic's findings in our words."""
    return [_problem(entry["type"], entry["loc"], entry["msg"], entry.get("ctx", {})) for entry in error.errors()]


def _problem(kind: str, location: Location, message: str, context: dict[str, Any]) -> Problem:
    key = str(location[-1])
    if kind == "extra_forbidden":
        holders: dict[str, type[BaseModel]] = {
            "arms": ArmKeys,
            "evaluation": EvaluationKeys,
            "diagnostics": DiagnosticsKeys,
        }
        holder = holders.get(str(location[0]), StudyKeys)
        return Problem(location, unknown_key(key, list(holder.model_fields)))
    if kind == "missing":
        return Problem(location[:-1], f"the key {key!r} is missing")
    if kind == "model_type":
        return Problem(location, "this must be a mapping of keys")
    return Problem(location, str(context["error"]) if kind == "value_error" else message)
