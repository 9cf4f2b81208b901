"""The options of ``train`` as a study of one arm, so that both ways in are one path."""

from collections.abc import Mapping
from typing import Any

from experiments.arms import arm_name, canonical_activation
from experiments.problems import InputError, Location, Places
from experiments.yaml_file import Document, parse_value, to_yaml

# Where the value of each option stands in the study.
_LOCATIONS: Mapping[str, Location] = {
    "--algo": ("algorithms", 0),
    "--env": ("tasks", 0),
    "--activation": ("arms", 0, "activation"),
    "--actor-activation": ("arms", 0, "actor"),
    "--critic-activation": ("arms", 0, "critic"),
    "--activation-lr": ("arms", 0, "activation_lr"),
    "--seeds": ("seeds",),
    "--steps": ("steps",),
    "--eval-every": ("evaluation", "every"),
    "--eval-episodes": ("evaluation", "episodes"),
    "--diagnostics-every": ("diagnostics", "every"),
    "--name": ("name",),
}
_TEXTS = {"--algo", "--env", "--seeds", "--name"}
_ACTIVATIONS = ("--activation", "--actor-activation", "--critic-activation")


def study_from_options(options: Mapping[str, str | None]) -> Document:
    """Return the study that the options of ``train`` describe.

    Args:
        options: Texts by option, as on the command line; None if an option is not given.

    Raises:
        InputError: A text cannot be read, or the activations of the two networks are not given once each.
    """
    given = {option: text for option, text in options.items() if text is not None}
    _check_activations(given)
    content: dict[str, Any] = {"name": "", "algorithms": [None], "tasks": [None], "arms": [{}]}
    places = Places()
    for option, location in _LOCATIONS.items():
        if option in given:
            _put(content, location, _read(option, given[option]))
            places.options[location] = f"{option} {given[option]}"
    if "--net-arch" in given:
        text = given["--net-arch"]
        location = ("hyperparameters", given["--algo"], "net_arch")
        _put(content, location, parse_value(f"[{text.strip('[]')}]", f"--net-arch {text}"))
        places.options[location] = f"--net-arch {text}"
    content["name"] = content["name"] or _default_name(content)
    return Document("train", to_yaml(content), content, places)


def _check_activations(given: Mapping[str, str]) -> None:
    if "--activation" in given:
        twice = [option for option in _ACTIVATIONS[1:] if option in given]
        if twice:
            raise InputError(
                f"--activation is for both networks; give it, or {' and '.join(_ACTIVATIONS[1:])}, not {twice[0]} too."
            )
        return
    missing = [option for option in _ACTIVATIONS[1:] if option not in given]
    if missing:
        raise InputError(
            f"{missing[0]} is missing; give --activation for both networks, or one for each of actor and critic."
        )


def _read(option: str, text: str) -> Any:
    if option == "--seeds" and text.strip().isdecimal():
        return int(text)
    is_list = option in _ACTIVATIONS and text.lstrip().startswith("[")
    if option in _TEXTS or (option in _ACTIVATIONS and not is_list):
        return text
    return parse_value(text, f"{option} {text}")


def _put(content: Any, location: Location, value: Any) -> None:
    for part in location[:-1]:
        content = content[int(part)] if isinstance(content, list) else content.setdefault(part, {})
    content[location[-1]] = value


def _default_name(content: Mapping[str, Any]) -> str:
    arm = content["arms"][0]
    try:
        networks = [canonical_activation(arm.get(key, arm.get("activation"))) for key in ("actor", "critic")]
        name = arm_name(*networks)
    except ValueError:
        # The study's check will say what is wrong with the activation; a name is then of no use.
        name = "arm"
    return f"{content['algorithms'][0]}-{content['tasks'][0]}-{name}".replace("/", "__").replace(" ", "_")[:100]
