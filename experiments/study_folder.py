"""The folder of a study: what it holds, and whether a study may go on in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agents.files import read_json, write_bytes_atomically, write_json_atomically
from experiments.problems import InputError, Problem, StudyError
from experiments.study import Study
from experiments.yaml_file import Document

STUDY_FILE = "study.json"
SOURCE_FILE = "study.yaml"
REGISTRY_FILE = "study.sqlite"


def check_folder(folder: Path, study: Study, document: Document) -> None:
    """Check that a study can begin or go on in a folder; writes nothing.

    A study may grow by seeds, arms, tasks and algorithms. What would alter or drop a run that is there already is
    another study.

    Args:
        folder: May be missing.
        study: To run.
        document: Where the study came from.

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
        occupied = any(folder.iterdir())
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be used: {error.strerror}.") from error
    if not (folder / STUDY_FILE).exists():
        if occupied:
            raise InputError(f"the output folder {folder} holds other files and no study; give another with --out.")
        return
    problems = list(_differences(read_study_file(folder), study.to_json(command="")))
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
    for key in ("name", "steps"):
        yield from _changed((key,), old.get(key), new[key])
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


def _arm_differences(index: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("actor", "critic", "activation_lr"):
        yield from _changed(("arms", index, key), old[key], new[key])
    dropped = sorted(set(old["seeds"]) - set(new["seeds"]))
    if dropped:
        yield _dropped(("seeds",), f"of the arm {old['name']} the seeds {', '.join(map(str, dropped))}")


def _changed(location: tuple[str | int, ...], old: Any, new: Any) -> Iterator[Problem]:
    if old != new:
        yield Problem(location, f"the folder's runs have {old!r}, now it is {new!r}; give another folder with --out")


def _dropped(location: tuple[str | int, ...], what: str) -> Problem:
    return Problem(
        location,
        f"the folder's study has {what}, this one does not; runs are never dropped, give another folder with --out",
    )
