"""What an arm is called, and whether its activations can be built."""

import re
from typing import Any

import rl_acts


def canonical_activation(given: Any) -> str | list[str]:
    """Return one network's activation as canonical text: one spec, or one per hidden layer.

    Args:
        given: A spec as text or mapping, or a list of them.

    Raises:
        ValueError: An unknown or impossible activation; an `rl_acts.ActivationError`.
    """
    if isinstance(given, list):
        specs = [rl_acts.parse(spec) for spec in given]
        rl_acts.check(tuple(specs))
        return [str(spec) for spec in specs]
    spec = rl_acts.parse(given)
    rl_acts.check(spec)
    return str(spec)


def is_learnable(activation: str | list[str]) -> bool:
    """Return whether any layer's activation has something to learn."""
    specs = activation if isinstance(activation, list) else [activation]
    return any(rl_acts.info(rl_acts.parse(spec).name).learnable for spec in specs)


def folder_name(activation: str | list[str]) -> str:
    """Return a name for a folder that reads like the activation.

    >>> folder_name("swim(k=0.7)"), folder_name("swim_learnable(per=unit)"), folder_name(["relu", "swim"])
    ('swim-k0.7', 'swim_learnable-per-unit', 'relu.then.swim')
    """
    if isinstance(activation, list):
        return ".then.".join(folder_name(spec) for spec in activation)
    # A number follows its parameter directly (k0.7); a word needs a mark between (per-unit).
    text = re.sub(r"=(?=[\d.])", "", activation)
    text = re.sub(r"=-(?=[\d.])", "-minus", text)
    text = re.sub(r"[(),=\[\]\s]+", "-", text)
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).strip("-")


def arm_name(actor: str | list[str], critic: str | list[str]) -> str:
    """Return the name of an arm that was given none.

    >>> arm_name("swim(k=0.7)", "swim(k=0.7)"), arm_name("swim", "relu")
    ('swim-k0.7', 'actor-swim-critic-relu')
    """
    if actor == critic:
        return folder_name(actor)
    return f"actor-{folder_name(actor)}-critic-{folder_name(critic)}"


def check_name(name: Any) -> str:
    """Return a name that can be a folder's.

    Raises:
        ValueError: The name is empty, too long, begins with a dot or has characters other than letters, digits,
            ``._-``.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            f"{name!r} is no name for a folder; allowed are 1 to 100 letters, digits, '.', '_' and '-', "
            "not beginning with '.'"
        )
    return name
