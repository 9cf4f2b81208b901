"""The settings of each algorithm: their names, defaults, types and ranges.

Names and meanings are Stable-Baselines3's, with one of ours: ``exploration_noise``, the standard deviation of the
Gaussian noise on actions in [-1, 1] (TD3 and DDPG; SAC explores by sampling). Defaults of TD3 are those of its
authors' repository of today, of SAC those of Stable-Baselines3 with a warm-up of 10,000 steps; DDPG is TD3 with one
critic, no target noise and no delay, as in Stable-Baselines3.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rl_acts.errors import did_you_mean

ALGORITHMS = ("td3", "sac", "ddpg")
# More units per layer or steps than this are a slip of the keyboard, and would only fail later for want of memory.
_WIDEST_LAYER = 65_536
_LARGEST_COUNT = 10**12


class HyperparameterError(ValueError):
    """A hyperparameter that is unknown, not for this algorithm, of a wrong type or out of range.

    Attributes:
        key: The hyperparameter in question.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class _Rule:
    """What one hyperparameter may be."""

    allowed: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer() and abs(value) <= _LARGEST_COUNT


def _number(allowed: str, accepts: Callable[[float], bool]) -> _Rule:
    return _Rule(f"a number {allowed}", lambda value: _is_number(value) and accepts(value), float)


def _whole(least: int) -> _Rule:
    return _Rule(f"a whole number of at least {least}", lambda value: _is_whole(value) and value >= least, int)


def _is_layers(value: Any) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(_is_whole(width) and 1 <= width <= _WIDEST_LAYER for width in value)


def _is_architecture(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"pi", "qf"} and all(_is_layers(layers) for layers in value.values())
    return _is_layers(value)


def _architecture(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: [int(width) for width in value[key]] for key in ("pi", "qf")}
    return [int(width) for width in value]


def _is_entropy_coefficient(value: Any) -> bool:
    if isinstance(value, str):
        head, _, start = value.partition("_")
        return value == "auto" or (head == "auto" and _is_positive_text(start))
    return _is_number(value) and value >= 0


def _is_positive_text(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _text_or_float(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


_POSITIVE = _number("above 0", lambda value: value > 0)
_NOT_NEGATIVE = _number("of at least 0", lambda value: value >= 0)
_GRADIENT_STEPS = _Rule(
    "a whole number of at least 1, or -1 for as many as environment steps",
    lambda value: _is_whole(value) and (value >= 1 or value == -1),
    int,
)
_RULES: Mapping[str, _Rule] = {
    "learning_rate": _POSITIVE,
    "net_arch": _Rule(
        f"a list of widths from 1 to {_WIDEST_LAYER}, or {{pi: [...], qf: [...]}}", _is_architecture, _architecture
    ),
    "batch_size": _whole(1),
    "learning_starts": _whole(0),
    "exploration_noise": _NOT_NEGATIVE,
    "target_policy_noise": _NOT_NEGATIVE,
    "target_noise_clip": _NOT_NEGATIVE,
    "policy_delay": _whole(1),
    "gamma": _number("from 0 to 1", lambda value: 0 <= value <= 1),
    "tau": _number("above 0 and at most 1", lambda value: 0 < value <= 1),
    "buffer_size": _whole(1),
    "train_freq": _whole(1),
    "gradient_steps": _GRADIENT_STEPS,
    "ent_coef": _Rule(
        "a number of at least 0, auto, or auto_X with X above 0", _is_entropy_coefficient, _text_or_float
    ),
    "target_entropy": _Rule("a number or auto", lambda value: value == "auto" or _is_number(value), _text_or_float),
    "target_update_interval": _whole(1),
}

_SHARED: Mapping[str, Any] = {
    "learning_rate": 3e-4,
    "net_arch": [256, 256],
    "batch_size": 256,
    "gamma": 0.99,
    "tau": 0.005,
    "buffer_size": 1_000_000,
    "train_freq": 1,
    "gradient_steps": 1,
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "td3": {
        **_SHARED,
        "learning_starts": 25_000,
        "exploration_noise": 0.1,
        "target_policy_noise": 0.2,
        "target_noise_clip": 0.5,
        "policy_delay": 2,
    },
    "sac": {
        **_SHARED,
        "learning_starts": 10_000,
        "ent_coef": "auto",
        "target_entropy": "auto",
        "target_update_interval": 1,
    },
    "ddpg": {**_SHARED, "learning_starts": 25_000, "exploration_noise": 0.1},
}


def resolve_hyperparameters(algorithm: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every hyperparameter of an algorithm: the given ones checked, the others at their defaults.

    Args:
        algorithm: ``"td3"``, ``"sac"`` or ``"ddpg"``.
        given: Some hyperparameters by name.

    Raises:
        HyperparameterError: A name is unknown or not for this algorithm, or a value has a wrong type or is out of
            range.

    >>> resolve_hyperparameters("td3", {"learning_rate": 1e-3})["learning_rate"]
    0.001
    """
    resolved = dict(_DEFAULTS[algorithm])
    for key, value in given.items():
        check_hyperparameter(algorithm, key, value)
        resolved[key] = _RULES[key].convert(value)
    return resolved


def check_hyperparameter(algorithm: str, key: str, value: Any) -> None:
    """Check one hyperparameter of one algorithm.

    Raises:
        HyperparameterError: See `resolve_hyperparameters`.
    """
    own = _DEFAULTS[algorithm]
    if key not in own:
        owners = [name for name in ALGORITHMS if key in _DEFAULTS[name]]
        reason = (
            f"it belongs to {' and '.join(owners)}." if owners else f"there is no such name.{did_you_mean(key, own)}"
        )
        raise HyperparameterError(
            key, f"{key} is no hyperparameter of {algorithm}: {reason} Allowed: {', '.join(own)}."
        )
    rule = _RULES[key]
    if not rule.accepts(value):
        raise HyperparameterError(key, f"{key} is {value!r}; allowed is {rule.allowed}.")
