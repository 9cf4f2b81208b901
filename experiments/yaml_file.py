"""Reads YAML 1.2 as plain values with the line of each, and refuses what a study must not contain.

The text is parsed to nodes only; no constructor of the YAML library runs, so a file can name no class and call no code.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from experiments.problems import InputError, Location, Places, Problem, StudyError
from rl_acts.errors import did_you_mean

_LARGEST_FILE = 1_000_000
# An alias repeats a whole branch, so a small file can stand for a huge one.
_MOST_VALUES = 100_000
_DEEPEST = 30
_PREFIX = "tag:yaml.org,2002:"
_QUOTING_HINT = (
    'an activation with a comma must be quoted inside [...] and {...}, as in "swim_learnable(k=0.5, per=unit)"'
)


@dataclass
class Document:
    """A YAML text as plain values.

    Attributes:
        source: What the text is called in messages.
        text: As it was read.
        content: The top-level mapping.
        places: Where each value was written.
        problems: Duplicate keys, tags and whatever else a study must not have, to be reported with the problems of its
            values.
    """

    source: str
    text: str
    content: dict[str, Any]
    places: Places = field(default_factory=Places)
    problems: list[Problem] = field(default_factory=list)


def read_yaml(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises:
        InputError: The file is missing, unreadable, too large or no text.
        StudyError: It is no YAML, or no mapping.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the study's YAML file.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE:
        raise InputError(f"{path} has {len(content):,} bytes; a study file has at most {_LARGEST_FILE:,}.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text (byte {error.start}).") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> Document:
    """Read a YAML text whose top level is a mapping.

    Args:
        text: The YAML.
        source: What to call it in messages.

    Raises:
        StudyError: See `read_yaml`.
    """
    document = Document(source, text, {})
    root = _compose(text, document)
    if not isinstance(root, MappingNode):
        problem = Problem((), "a study is a mapping of keys such as name, algorithms, tasks, arms, seeds and steps")
        raise StudyError(source, [problem], document.places)
    reader = _Reader()
    document.content = reader.value(root, ())
    document.places.lines = reader.lines
    document.problems = reader.problems
    return document


def parse_value(text: str, option: str) -> Any:
    """Read one value, as on the right of ``--set key=value``.

    Raises:
        InputError: It is no YAML, or nothing that a study may contain.
    """
    document = Document(option, text, {})
    try:
        root = _compose(text, document)
        reader = _Reader()
        value = None if root is None else reader.value(root, ())
    except StudyError as error:
        raise InputError(f"{option}: {error.problems[0].message}") from error
    if reader.problems:
        raise InputError(f"{option}: {reader.problems[0].message}")
    return value


def override(document: Document, settings: list[str], options: Mapping[str, str | None] | None = None) -> None:
    """Apply ``key=value`` settings to a document; keys are dotted, values are YAML.

    Args:
        document: Changed in place, its text with it.
        settings: Such as ``hyperparameters.td3.learning_rate=1e-3`` or ``arms.0.actor=relu``.
        options: Texts of top-level keys that have an option of their own, such as ``engine`` with ``--engine``; None
            where it is not given. They win over `settings`.

    Raises:
        InputError: A setting has no ``=``, its value is no YAML, or its key leads into something that is no mapping or
            list.
    """
    made_by = []
    for setting in settings:
        option = f"--set {setting}"
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise InputError(
                f"{option}: write key=value, with dots between the keys, as in --set evaluation.every=1000."
            )
        location = _put(document.content, key.split("."), parse_value(text, option), option)
        document.places.options[location] = option
        made_by.append(option)
    for key, value in (options or {}).items():
        if value is not None:
            document.content[key] = value
            document.places.options[(key,)] = f"--{key} {value}"
            made_by.append(f"--{key} {value}")
    if made_by:
        # The text is what the study's folder keeps, and what is run from it again must be the same study.
        lines = "".join(f"# {option}\n" for option in made_by if "\n" not in option)
        document.text = f"# {document.source} with\n{lines}{to_yaml(document.content)}"


def to_yaml(content: Mapping[str, Any]) -> str:
    """Return plain values as a YAML text that reads back to them."""
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(content, stream)
    return stream.getvalue()


def _put(content: dict[str, Any], keys: list[str], value: Any, option: str) -> Location:
    holder: Any = content
    location: Location = ()
    for index, key in enumerate(keys):
        part = _part(holder, key, keys[:index], option)
        location = (*location, part)
        if index == len(keys) - 1:
            holder[part] = value
        elif isinstance(holder, dict):
            holder = holder.setdefault(part, {})
        else:
            holder = holder[part]
    return location


def _part(holder: Any, key: str, before: list[str], option: str) -> str | int:
    if isinstance(holder, dict):
        return key
    if isinstance(holder, list) and key.isdecimal() and int(key) < len(holder):
        return int(key)
    where = ".".join(before)
    allowed = f"numbers from 0 to {len(holder) - 1}" if isinstance(holder, list) else "nothing"
    raise InputError(f"{option}: {where} is {holder!r}, which has no {key!r} inside; allowed is {allowed}.")


def _compose(text: str, document: Document) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        places = Places({(): mark.line + 1} if mark is not None else {})
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise StudyError(document.source, [Problem((), f"this is no YAML: {message}")], places) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise StudyError(document.source, [Problem((), f"this is no YAML: {error}")], document.places) from error
    return node


def _whole(text: str) -> int:
    # In YAML 1.2 a leading zero means nothing: 010 is ten.
    return int(text, 0) if text.lstrip("+-")[:2] in {"0x", "0o", "0b"} else int(text)


def _number(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: Mapping[str, Callable[[str], Any]] = {"int": _whole, "float": _number, "bool": lambda text: text == "true"}


class _Reader:
    """Turns nodes to values, collecting lines and problems by location."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []
        self._values = 0

    def value(self, node: Node, location: Location) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        self._values += 1
        if self._values > _MOST_VALUES or len(location) > _DEEPEST:
            # Once is enough: what follows would be the same message a hundred thousand times.
            if not any(problem.location == () for problem in self.problems):
                limits = f"at most {_MOST_VALUES:,} values, {_DEEPEST} levels deep"
                self.problems.append(Problem((), f"this is too large for a study: {limits}, aliases counted in full"))
            return None
        if isinstance(node, MappingNode) and node.tag == f"{_PREFIX}map":
            return self._mapping(node, location)
        if isinstance(node, SequenceNode) and node.tag == f"{_PREFIX}seq":
            return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        self.problems.append(Problem(location, f"the tag {node.tag!r} is not allowed; a study has plain values only"))
        return None

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.lines[(*location, "?")] = line
                self.problems.append(Problem((*location, "?"), "a key must be a plain word"))
                continue
            key = str(key_node.value)
            inside = (*location, key)
            if key in content:
                first = self.lines[inside]
                message = f"the key {key!r} is given twice (first in line {first})"
                # The place of a duplicate is its own line, not the first one's.
                twin = (*location, f"{key} (again)")
                self.lines[twin] = line
                self.problems.append(Problem(twin, message))
                continue
            self.lines[inside] = line
            content[key] = self.value(value_node, inside)
        return content

    def _scalar(self, node: ScalarNode, location: Location) -> Any:
        kind = str(node.tag).removeprefix(_PREFIX)
        text = str(node.value)
        convert = _SCALARS.get(kind)
        try:
            if convert is not None:
                return convert(text.replace("_", "").lower())
        except ValueError:
            self.problems.append(Problem(location, f"{text!r} cannot be read as {kind}"))
            return None
        if kind == "null":
            return None
        if kind in {"str", "timestamp"}:
            return text
        self.problems.append(Problem(location, f"the tag {node.tag!r} is not allowed; a study has plain values only"))
        return None


def unknown_key(key: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return the message for a key that a mapping does not have."""
    hint = f" ({_QUOTING_HINT})" if "(" in key or ")" in key else ""
    return f"unknown key {key!r}.{did_you_mean(key, list(known))} Allowed: {', '.join(known)}.{hint}"
