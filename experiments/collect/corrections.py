"""What a person says about runs that were guessed wrongly, and which ones to leave out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from experiments.collect.collection import ReturnsKind
from experiments.collect.guess import Guess
from experiments.collect.log import Log
from experiments.problems import InputError
from experiments.text import count

_ALLOWED: Mapping[str, str] = {
    "task": "a name",
    "algorithm": "a name",
    "arm": "a name",
    "seed": "a whole number from 0",
    "returns": "evaluation or training",
    "state": "done, running, failed or diverged",
}
_VALUES = {"returns": r"evaluation|training", "state": r"done|running|failed|diverged", "seed": r"\d+"}
_ENTRY = re.compile(rf"(?P<pattern>.+?):(?P<pairs>(?:{'|'.join(_ALLOWED)})=.+)", re.DOTALL)
_NEXT_PAIR = re.compile(rf",(?=(?:{'|'.join(_ALLOWED)})=)")


@dataclass(frozen=True)
class Correction:
    """New values for the runs whose place fits a pattern."""

    pattern: str
    values: Mapping[str, str]


def read_corrections(entries: Sequence[str]) -> tuple[Correction, ...]:
    """Corrections from texts such as ``*/seed_3*:arm=swim,task=Walker2d-v4,seed=3``.

    Raises:
        InputError: an entry has another form, or a value is not allowed.
    """
    found = []
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise InputError(
                f"--set {entry!r} is not PATTERN:KEY=VALUE,..., as in '*/run_3:arm=swim,seed=3'; keys: "
                f"{', '.join(_ALLOWED)}."
            )
        values = {}
        for pair in _NEXT_PAIR.split(match["pairs"]):
            key, _, value = pair.partition("=")
            if not re.fullmatch(_VALUES.get(key, ".+"), value):
                raise InputError(f"--set {entry!r}: {key} is {value!r}; allowed is {_ALLOWED[key]}.")
            values[key] = value
        found.append(Correction(match["pattern"], values))
    return tuple(found)


def read_seed_pattern(text: str) -> re.Pattern[str]:
    """A regular expression with one group of digits.

    Raises:
        InputError: it is none, or has no group.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InputError(f"--seed-from {text!r} is no regular expression: {error}.") from error
    if pattern.groups != 1:
        raise InputError(f"--seed-from {text!r} needs one group for the digits, as in 'run-([0-9]+)'.")
    return pattern


def fits(place: str, pattern: str) -> bool:
    """Whether a place fits: as a whole with ``*``, ``?`` and ``[...]``, else by holding the text.

    >>> fits("logs/swim/run_3", "*/run_3"), fits("logs/swim/run_3", "swim"), fits("logs/swim/run_3", "run_*")
    (True, True, False)
    """
    return fnmatchcase(place, pattern) if re.search(r"[*?\[]", pattern) else pattern in place


def corrected(
    logs: Sequence[Log], corrections: Sequence[Correction], seed_pattern: re.Pattern[str] | None
) -> list[Log]:
    """The runs with what was said about them; a later correction wins over an earlier one.

    Raises:
        InputError: a pattern fits no run, or the seed's pattern finds no number in any place.
    """
    said: list[dict[str, str]] = [{} for _ in logs]
    if seed_pattern is not None:
        for log, values in zip(logs, said, strict=True):
            match = seed_pattern.search(log.place)
            if match is not None and match[1].isdecimal():
                values["seed"] = match[1]
        if not any(said):
            raise InputError(f"--seed-from {seed_pattern.pattern!r} finds no digits in {_places(logs)}.")
    for correction in corrections:
        chosen = [index for index, log in enumerate(logs) if fits(log.place, correction.pattern)]
        if not chosen:
            raise InputError(f"--set: the pattern {correction.pattern!r} fits no run; there are {_places(logs)}.")
        for index in chosen:
            said[index].update(correction.values)
    return [_with(log, values) if values else log for log, values in zip(logs, said, strict=True)]


def without(logs: Sequence[Log], patterns: Sequence[str], notes: list[str]) -> list[Log]:
    """The runs that fit none of the patterns; the others are named in the notes.

    Raises:
        InputError: a pattern fits no run.
    """
    for pattern in patterns:
        gone = [log for log in logs if fits(log.place, pattern)]
        if not gone:
            raise InputError(f"--exclude: the pattern {pattern!r} fits no run; there are {_places(logs)}.")
        notes.extend(f"{log.place}: left out, as --exclude {pattern!r} asks" for log in gone)
    return [log for log in logs if not any(fits(log.place, pattern) for pattern in patterns)]


def _with(log: Log, values: Mapping[str, str]) -> Log:
    seed = int(values["seed"]) if "seed" in values else None
    said = Guess(values.get("task"), values.get("algorithm"), values.get("arm"), seed).said_by("command line")
    series, run = log.series, log.run
    if "returns" in values and len(log.series) == 1:
        kind: ReturnsKind = "training" if values["returns"] == "training" else "evaluation"
        series = {kind: next(iter(log.series.values()))}
    return replace(log, guess=said.or_else(log.guess), series=series, run=run, corrected=values)


def _places(logs: Sequence[Log]) -> str:
    listed = ", ".join(log.place for log in logs[:5])
    return f"{listed} and {count(len(logs) - 5, 'other')}" if len(logs) > 5 else listed or "none"
