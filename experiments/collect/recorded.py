"""What configurations beside the logs record: SB3's saved models, rl-zoo3's settings, CleanRL's hyperparameters.

Nothing is unpickled, evaluated or imported: text that would be code is searched for names.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from experiments.collect.guess import (
    ALGORITHMS,
    Guess,
    activation_name,
    default_activation,
    from_activations,
    from_experiment,
)

# A model's description is some tens of kilobytes; what is larger is not one, or was made to fill the memory.
_MOST_BYTES = 16_000_000
_VERSIONS = {
    "Python": "python",
    "PyTorch": "torch",
    "Numpy": "numpy",
    "Gymnasium": "gymnasium",
    "Stable-Baselines3": "stable-baselines3",
}


def from_model(path: Path, source: str, notes: list[str]) -> tuple[Guess, dict[str, str]]:
    """Read the readable part of a model that Stable-Baselines3 saved: its seed, algorithm, activations, versions.

    The file's `data` is JSON in which objects stand twice, pickled and as text; only the text is looked at.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(_member(archive, "data"))
            system = _member(archive, "system_info.txt").decode() if "system_info.txt" in archive.namelist() else ""
    # zipfile raises RuntimeError for an encrypted member, NotImplementedError for a compression that it does not know.
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        notes.append(f"{source}: no model of Stable-Baselines3 that can be read ({_reason(error)}); not used")
        return Guess(), {}
    if not isinstance(data, dict):
        return Guess(), {}
    module = str(_mapping(data.get("policy_class")).get("__module__", ""))
    algorithm = next((part for part in module.split(".") if part in ALGORITHMS), None)
    seed = data.get("seed")
    guess = Guess(algorithm=algorithm, seed=seed if isinstance(seed, int) else None)
    guess = guess.or_else(_policy_guess(_mapping(data.get("policy_kwargs")), algorithm))
    pairs = (line.removeprefix("- ").split(": ", 1) for line in system.splitlines() if ": " in line)
    versions = {_VERSIONS[name]: value for name, value in pairs if name in _VERSIONS}
    return guess.said_by("saved model"), versions


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f"{name} is larger than {_MOST_BYTES} bytes")
    return archive.read(name)


def _policy_guess(kwargs: Mapping[str, Any], algorithm: str | None) -> Guess:
    common = kwargs.get("activation_fn")
    actor = kwargs.get("actor_activation", common)
    critic = kwargs.get("critic_activation", common)
    if actor is None and critic is None:
        if algorithm is None:
            return Guess()
        default = default_activation(algorithm)
        return from_activations(default, default)
    if actor is None or critic is None:
        # Policies that take both have ReLU where one is not given.
        actor, critic = actor or "relu", critic or "relu"
    return from_activations(_activation(actor), _activation(critic))


def _activation(value: object) -> str:
    if isinstance(value, str):
        return activation_name(value)
    if isinstance(value, Mapping) and "name" in value:
        settings = ",".join(f"{key}={entry}" for key, entry in value.items() if key != "name")
        return f"{value['name']}({settings})" if settings else str(value["name"])
    return str(value)


def from_zoo(folder: Path, source: str, notes: list[str]) -> Guess:
    """Read rl-zoo3's `args.yml` and `config.yml` in a run's settings folder."""
    arguments = _yaml_pairs(folder / "args.yml", f"{source}/args.yml", notes)
    config = _yaml_pairs(folder / "config.yml", f"{source}/config.yml", notes)
    algorithm = _text(arguments.get("algo"))
    seed = arguments.get("seed")
    guess = Guess(
        task=_text(arguments.get("env")),
        algorithm=algorithm,
        seed=int(seed) if isinstance(seed, int) and seed >= 0 else None,
    )
    if config:
        guess = guess.or_else(_policy_guess(_call_arguments(config.get("policy_kwargs")), algorithm))
    return guess.said_by("rl-zoo3's settings")


def _call_arguments(value: object) -> Mapping[str, Any]:
    """The activations in a text such as ``dict(activation_fn=nn.ELU, net_arch=[400, 300])``, which is not evaluated."""
    if isinstance(value, Mapping):
        return value
    pattern = r"""(\w*activation\w*)['"]?\s*[=:]\s*['"]?([\w.]+(?:\([^()]*\))?)"""
    return dict(re.findall(pattern, str(value))) if value is not None else {}


def _yaml_pairs(path: Path, source: str, notes: list[str]) -> dict[str, Any]:
    """A mapping that was dumped as a Python object: lists of pairs below a tag, which is not acted on."""
    # The round-trip loader keeps tags that it does not know as they are; the others refuse them or build objects.
    yaml = YAML(typ="rt")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, YAMLError) as error:
        notes.append(f"{source}: cannot be read ({_reason(error)}); not used")
        return {}
    if isinstance(content, Mapping):
        return dict(content)
    pairs = content[0] if isinstance(content, list) and len(content) == 1 else content
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        notes.append(f"{source}: not a mapping; not used")
        return {}
    return {str(name): value for name, value in pairs}


def from_cleanrl(settings: Mapping[str, str]) -> Guess:
    """Read CleanRL's table of hyperparameters."""
    seed = settings.get("seed", "")
    named = from_experiment(settings["exp_name"]) if "exp_name" in settings else Guess()
    algorithm = settings.get("algorithm", settings.get("algo", "")).lower() or None
    activation = next((value for name, value in settings.items() if name in ("activation", "activation_fn")), None)
    if activation and not named.arm:
        name = activation_name(activation)
        named = named.or_else(from_activations(name, name))
    guess = Guess(
        task=settings.get("env_id") or None, algorithm=algorithm, seed=int(seed) if seed.isdecimal() else None
    )
    return guess.or_else(named).said_by("CleanRL's hyperparameters")


def merged(guesses: Iterable[Guess]) -> Guess:
    """One guess; what an earlier one knows wins."""
    found = Guess()
    for guess in guesses:
        found = found.or_else(guess)
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
