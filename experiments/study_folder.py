"""The folder of a study: what it holds, and whether a study may go on in it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agents.files import read_json, write_bytes_atomically, write_json_atomically
from experiments.problems import InputError, Problem, StudyError
from experiments.registry import Entry, Registry
from experiments.study import Study
from experiments.yaml_file import Document

STUDY_FILE = "study.json"
SOURCE_FILE = "study.yaml"
REGISTRY_FILE = "study.sqlite"
# SQLite keeps what a transaction replaces in the journal until it is over.
_REGISTRY_FILES = (REGISTRY_FILE, f"{REGISTRY_FILE}-journal")
# Keys that the first studies' files lack, with what holds for those.
_LATER_KEYS: Mapping[str, Any] = {"final_evaluations": None, "thresholds": {}, "budgets": []}
# Names of the temporary files by which ours are written; a kill can leave some behind.
_TEMPORARIES = (f".{STUDY_FILE}.", f".{SOURCE_FILE}.")


def check_folder(folder: Path, study: Study, document: Document, entries: Sequence[Entry] | None = None) -> None:
    """Check that a study can begin or go on in a folder; writes nothing.

    A study may grow by seeds, arms, tasks and algorithms. What would alter or drop a run that is there already is
    another study, and so is, once any run has begun, another choice of what is compared and measured: ``primary``,
    ``margin``, ``control``, ``final_evaluations``, ``thresholds`` or ``budgets``.

    Args:
        folder: May be missing.
        study: To run.
        document: Where the study came from.
        entries: The runs in the folder; None reads them from its registry.

    Raises:
        InputError: The path is a file or cannot be reached, the folder holds other things, or its study file is
            damaged.
        StudyError: The folder holds another study; each difference is listed with old and new value.
    """
    try:
        if not folder.exists():
            _check_parents(folder)
            return
        if not folder.is_dir():
            raise InputError(f"the output path {folder} is a file; give a folder with --out.")
        found = [path.name for path in folder.iterdir()]
        entries = registered(folder) if entries is None else entries
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be used: {error.strerror}.") from error
    if STUDY_FILE not in found:
        # A first command that was killed may have left temporary files and a registry without runs.
        if entries or not all(name.startswith(_TEMPORARIES) or name in _REGISTRY_FILES for name in found):
            raise InputError(f"the output folder {folder} holds other files and no study; give another with --out.")
        return
    old, new = read_study_file(folder), study.to_json(command="")
    problems = list(_differences(old, new))
    if not problems and any(entry.begun for entry in entries):
        problems = list(_other_comparisons(old, new))
    if problems:
        raise StudyError(f"{folder} holds another study than {document.source}", problems, document.places)


def read_study_file(folder: Path) -> dict[str, Any]:
    """Return the content of a study folder's ``study.json``.

    Raises:
        InputError: The folder or the file is missing, or the file is damaged.
    """
    path = folder / STUDY_FILE
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no study ({STUDY_FILE} is missing).") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if content.get("format") != 1:
        raise InputError(f"{path} has format {content.get('format')!r}; this version reads format 1.")
    return content


def registered(folder: Path) -> list[Entry]:
    """Return the runs in a study folder's registry, none if there is no registry.

    Raises:
        sqlite3.DatabaseError: The registry is damaged, or locked for a minute.
    """
    path = folder / REGISTRY_FILE
    return Registry(path).entries() if path.exists() else []


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a study's folder if need be, and remove it again if the ``with`` block fails.

    Raises:
        OSError: The folder cannot be made.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        if new:
            _remove(new)
        raise


def _remove(new: Sequence[Path]) -> None:
    """Remove folders, innermost first, the first of which holds a study without runs."""
    folder = new[0]
    with suppress(OSError, sqlite3.DatabaseError):
        # Runs in it are those of another command that came here meanwhile.
        if registered(folder):
            return
        for path in folder.iterdir() if folder.exists() else ():
            if path.name.startswith(_TEMPORARIES) or path.name in {*_REGISTRY_FILES, STUDY_FILE, SOURCE_FILE}:
                path.unlink()
        for path in new:
            if path.exists():
                path.rmdir()


def write_study(folder: Path, study: Study, document: Document, command: str) -> None:
    """Make the folder if need be and write the study's files into it.

    Args:
        folder: As checked by `check_folder`.
        study: To run.
        document: Its text is kept verbatim.
        command: The command that makes the runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomically(folder / STUDY_FILE, study.to_json(command))
    write_bytes_atomically(folder / SOURCE_FILE, document.text.encode())


def _check_parents(folder: Path) -> None:
    nearest = next(parent for parent in folder.absolute().parents if parent.exists())
    if not nearest.is_dir():
        raise InputError(f"the output folder {folder} cannot be made: {nearest} is a file.")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    if old["name"] != new["name"]:
        # Everything else will differ too, and would bury the one difference that explains it.
        yield from _changed(("name",), old["name"], new["name"])
        return
    # Before there was a choice, Stable-Baselines3 trained everything.
    engine = old.get("engine", "sb3")
    if engine != new["engine"]:
        message = f"the folder's runs have {engine!r}, now it is {new['engine']!r}"
        yield Problem(("engine",), f"{message}; give --engine {engine}, or another folder with --out")
    yield from _changed(("steps",), old["steps"], new["steps"])
    for key in ("every", "episodes"):
        yield from _changed(("evaluation", key), old["evaluation"].get(key), new["evaluation"][key])
    for algorithm in old["algorithms"]:
        before, after = old["hyperparameters"][algorithm], new["hyperparameters"].get(algorithm, {})
        for key in after:
            yield from _changed(("hyperparameters", algorithm, key), before.get(key), after[key])
    for key in ("algorithms", "tasks"):
        for dropped in sorted(set(old[key]) - set(new[key])):
            yield _dropped((key,), dropped)
    arms = {arm["name"]: (index, arm) for index, arm in enumerate(new["arms"])}
    for arm in old["arms"]:
        if arm["name"] in arms:
            yield from _arm_differences(arms[arm["name"]][0], arm, arms[arm["name"]][1])
        else:
            yield _dropped(("arms",), f"the arm {arm['name']}")


def _other_comparisons(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what would change the question after some of the answer may have been seen."""
    for key in ("primary", "margin", "control", *_LATER_KEYS):
        before = old.get(key, _LATER_KEYS.get(key))
        if before != new[key]:
            message = (
                f"the folder's study has {before!r}, now it is {new[key]!r}; what is compared is "
                "fixed once a run has begun, give another folder with --out"
            )
            yield Problem((key,), message)


def _arm_differences(index: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("actor", "critic", "activation_lr"):
        yield from _changed(("arms", index, key), old[key], new[key])
    dropped = sorted(set(old["seeds"]) - set(new["seeds"]))
    if dropped:
        yield _dropped(("seeds",), f"the seeds {', '.join(map(str, dropped))} of the arm {old['name']}")


def _changed(location: tuple[str | int, ...], old: Any, new: Any) -> Iterator[Problem]:
    if old != new:
        yield Problem(location, f"the folder's runs have {old!r}, now it is {new!r}; give another folder with --out")


def _dropped(location: tuple[str | int, ...], what: str) -> Problem:
    return Problem(
        location,
        f"the folder's study has {what}, this one does not; runs are never dropped, give another folder with --out",
    )
