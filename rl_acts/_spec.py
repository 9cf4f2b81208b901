"""Activation specs: the text form and its parser, which reads and never evaluates.

Grammar of a call::

    spec      = name [ "(" [ argument { "," argument } ] ")" ]
    argument  = name "=" value
    value     = number | true | false | none | name | quoted text | "[" [ value { "," value } ] "]" | spec
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from torch import nn

from rl_acts.errors import ActivationError

Value: TypeAlias = "float | int | bool | str | tuple[Value, ...] | ActivationSpec | None"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<infinite>[+-](?:inf|nan)\b)
      | (?P<name>[A-Za-z_][\w.]*)
      | (?P<quoted>'[^']*'|"[^"]*")
      | (?P<mark>[()\[\],=])
    )""",
    re.VERBOSE,
)
# Longer texts are no activation; the bound keeps a hostile file from costing time or stack.
_LONGEST_TEXT = 1000
_DEEPEST_NESTING = 8
_WORDS: Mapping[str, Value] = MappingProxyType(
    {"true": True, "false": False, "none": None, "null": None, "inf": math.inf, "nan": math.nan}
)
_QUOTING_HINT = "a call with a comma must be quoted in YAML lists and in shells, as in 'swim_learnable(k=1, per=unit)'"


@dataclass(frozen=True)
class ActivationSpec:
    """A parsed spec: which activation, with which arguments.

    Attributes:
        name: Canonical name in the registry (aliases are resolved by `rl_acts.parse`).
        arguments: Read-only mapping from parameter name to value, in the order given.
    """

    name: str
    arguments: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))

    def __str__(self) -> str:
        """Return the call text, which parses to an equal spec."""
        if not self.arguments:
            return self.name
        inside = ", ".join(f"{key}={_value_text(value)}" for key, value in self.arguments.items())
        return f"{self.name}({inside})"

    def __hash__(self) -> int:
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActivationSpec) and self._key() == other._key()

    def _key(self) -> tuple[str, frozenset[tuple[str, Value]]]:
        return self.name, frozenset(self.arguments.items())

    def __reduce__(self) -> tuple[type["ActivationSpec"], tuple[str, dict[str, Value]]]:
        return ActivationSpec, (self.name, dict(self.arguments))


# What `make`, `mlp` and the policies take for one layer.
Spec: TypeAlias = str | Mapping[str, object] | ActivationSpec | type[nn.Module] | Callable[[int | None], nn.Module]


def _value_text(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value_text(item) for item in value)}]"
    if isinstance(value, str) and (value.lower() in _WORDS or not re.fullmatch(r"[A-Za-z_][\w.]*", value)):
        quote = '"' if "'" in value else "'"
        return f"{quote}{value}{quote}"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(value)


def parse_text(text: str) -> ActivationSpec:
    """Parse ``swim`` or ``swim(k=0.7)`` into an `ActivationSpec` whose name is as written.

    Raises:
        ActivationError: The text is not of the grammar in this module's docstring.
    """
    return _Parser(text).parse()


def spec_from_mapping(mapping: Mapping[str, object]) -> ActivationSpec:
    """Turn ``{"name": "swim", "k": 0.7}`` into an `ActivationSpec` whose name is as written.

    Raises:
        ActivationError: The name is missing, or a key or value is of no allowed type.
    """
    rest = dict(mapping)
    name = rest.pop("name", None)
    if not isinstance(name, str):
        raise ActivationError(f"An activation given as a mapping needs a 'name' (text); got {dict(mapping)!r}.")
    if "(" in name:
        raise ActivationError(f"In a mapping the name stands alone and arguments are keys; got name={name!r}.")
    return ActivationSpec(name, {_key_text(key): _plain_value(name, key, value) for key, value in rest.items()})


def _key_text(key: object) -> str:
    if not isinstance(key, str):
        raise ActivationError(f"Argument names are text; got {key!r}.")
    return key


def _plain_value(name: str, key: object, value: object) -> Value:
    if value is None or isinstance(value, bool | int | float | str | ActivationSpec):
        return value
    if isinstance(value, Mapping):
        return spec_from_mapping(value)
    if isinstance(value, list | tuple):
        return tuple(_plain_value(name, key, item) for item in value)
    raise ActivationError(
        f"{name}: {key}={value!r} has type {type(value).__name__}; "
        "allowed are numbers, true/false, text, lists of those and nested activations."
    )


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        self.next = 0

    def parse(self) -> ActivationSpec:
        if len(self.text) > _LONGEST_TEXT:
            raise ActivationError(
                f"An activation's text has at most {_LONGEST_TEXT} characters; got {len(self.text)}: "
                f"{self.text[:40]!r}…"
            )
        self.tokens = self._tokenise()
        if sum((mark == "(") - (mark == ")") for kind, mark in self.tokens if kind == "mark"):
            raise ActivationError(f"Unbalanced parentheses in {self.text!r}: {_QUOTING_HINT}.")
        kind, name = self._take()
        if kind != "name":
            raise self._error("it must start with a name")
        spec = self._call(name, depth=0)
        if self.next < len(self.tokens):
            raise self._error(f"nothing may follow the closing parenthesis, found {self.tokens[self.next][1]!r}")
        return spec

    def _tokenise(self) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        stripped = self.text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:
                raise self._error(f"cannot read from {stripped[position:].strip()[:20]!r} on")
            tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()
        return tokens

    def _take(self) -> tuple[str, str]:
        if self.next >= len(self.tokens):
            raise self._error("it ends too early")
        self.next += 1
        return self.tokens[self.next - 1]

    def _peek(self) -> str | None:
        return self.tokens[self.next][1] if self.next < len(self.tokens) else None

    def _call(self, name: str, depth: int) -> ActivationSpec:
        if depth > _DEEPEST_NESTING:
            raise self._error(f"calls may be nested at most {_DEEPEST_NESTING} deep")
        arguments: dict[str, Value] = {}
        if self._peek() == "(":
            self._take()
            while self._peek() != ")":
                key = self._key(name)
                if key in arguments:
                    raise self._error(f"argument {key!r} is given twice")
                arguments[key] = self._value(depth)
                self._comma_unless(")")
            self._take()
        return ActivationSpec(name, arguments)

    def _key(self, name: str) -> str:
        kind, key = self._take()
        if kind != "name" or self._peek() != "=":
            raise self._error(f"arguments are written by name, as in {name}(parameter=value); found {key!r}")
        self._take()
        return key

    def _value(self, depth: int) -> Value:
        kind, text = self._take()
        if kind == "number":
            return _number(text)
        if kind == "quoted":
            return text[1:-1]
        if kind == "infinite":
            return float(text)
        if kind == "name" and self._peek() == "(":
            return self._call(text, depth + 1)
        if kind == "name":
            return _word(text)
        return self._list(depth) if text == "[" else self._missing(text)

    def _missing(self, token: str) -> NoReturn:
        raise self._error(f"a value is missing before {token!r}")

    def _list(self, depth: int) -> Value:
        if depth > _DEEPEST_NESTING:
            raise self._error(f"lists may be nested at most {_DEEPEST_NESTING} deep")
        items: list[Value] = []
        while self._peek() != "]":
            items.append(self._value(depth + 1))
            self._comma_unless("]")
        self._take()
        return tuple(items)

    def _comma_unless(self, closing: str) -> None:
        if self._peek() == closing:
            return
        _, mark = self._take()
        if mark != ",":
            raise self._error(f"expected ',' or {closing!r} before {mark!r}")

    def _error(self, problem: str) -> ActivationError:
        return ActivationError(f"Cannot read the activation {self.text!r}: {problem}.")


def _number(token: str) -> int | float:
    plain = token.replace("_", "")
    return int(plain) if re.fullmatch(r"[+-]?\d+", plain) else float(plain)


def _word(token: str) -> Value:
    return _WORDS.get(token.lower(), token)
