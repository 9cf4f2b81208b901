"""Which files under a path are logs, and which of them belong to one run."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from agents.run_folder import EVALUATIONS_FILE, RUN_FILE
from experiments.collect import events, monitor, sb3_files
from experiments.problems import InputError
from experiments.study_folder import STUDY_FILE

Kind = Literal["monitor", "evaluations", "progress", "events", "own"]
TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")
COLLECTED_FILE = "collected.parquet"
# Folders in which a run keeps one kind of its logs; several such folders side by side are one run.
_INSIDE_A_RUN = frozenset((
    "csv", "eval", "eval_logs", "evals", "evaluation", "evaluations", "log", "logger", "logs", "monitor", "monitors",
    "progress", "tb", "tb_logs", "tensorboard", "tf", "train", "training",
))  # fmt: skip


@dataclass(frozen=True)
class RunFiles:
    """The logs of one run.

    Attributes:
        folder: its own folder, which is the one above where each kind of log has a folder to itself.
        place: that folder as people are told of it.
        files: by kind; path and the name by which notes call it.
        settings: rl-zoo3's folders of settings.
        models: models that Stable-Baselines3 may have saved.
    """

    folder: Path
    place: str
    files: dict[Kind, list[tuple[Path, str]]]
    settings: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()


@dataclass
class Found:
    """What is under the paths that were given, each with the name by which people are told of it."""

    studies: list[tuple[Path, str]] = field(default_factory=list)
    tables: list[tuple[Path, str]] = field(default_factory=list)
    runs: list[RunFiles] = field(default_factory=list)
    seen: int = 0


@dataclass
class _Folder:
    path: Path
    place: str
    files: dict[Kind, list[tuple[Path, str]]] = field(default_factory=dict)
    models: list[Path] = field(default_factory=list)
    settings: bool = False


def discover(paths: Sequence[Path], notes: list[str]) -> Found:
    """Look through files and folders; links are followed once, what cannot be entered is noted.

    Raises:
        InputError: a path does not exist, is given twice, or is a file that is no known log.
    """
    found = Found()
    for path, label in zip(paths, labels(paths), strict=True):
        if path.is_dir():
            folders = list(_folders(path, label, found, notes))
            found.runs.extend(_runs(folders))
        elif path.exists():
            _file(path, label, found)
        else:
            raise InputError(f"{path} does not exist.")
    return found


def labels(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart; the pages that show them are for sharing.

    Raises:
        InputError: a path is given twice.
    """
    whole = [path.absolute().parts for path in paths]
    if len(set(whole)) < len(whole):
        raise InputError(f"{next(path for path in paths if paths.count(path) > 1)} is given twice.")
    length = 1
    while len({parts[-length:] for parts in whole}) < len(whole):
        length += 1
    return ["/".join(part for part in parts[-length:] if part != os.sep) or "root" for parts in whole]


def kind_of(name: str) -> Kind | None:
    """What kind of log a file's name promises."""
    if name.endswith(monitor.SUFFIXES):
        return "monitor"
    if name == sb3_files.EVALUATIONS_FILE:
        return "evaluations"
    if name == sb3_files.PROGRESS_FILE:
        return "progress"
    return "events" if name.startswith(events.PATTERN) else None


def _file(path: Path, label: str, found: Found) -> None:
    found.seen += 1
    kind = kind_of(path.name)
    if kind is None and path.suffix == ".npz":
        kind = "evaluations"
    if kind is not None:
        place = PurePosixPath(label).with_name(path.absolute().parent.name) / path.name
        found.runs.append(RunFiles(path.parent, place.as_posix(), {kind: [(path, place.as_posix())]}))
    elif path.name.endswith(TABLE_SUFFIXES):
        found.tables.append((path, label))
    else:
        raise InputError(
            f"{path} is no log that is known: give a folder, a table ({', '.join(TABLE_SUFFIXES)}), "
            f"a *.{monitor.SUFFIXES[0]}, {sb3_files.EVALUATIONS_FILE}, {sb3_files.PROGRESS_FILE} or {events.PATTERN}*."
        )


def _folders(root: Path, label: str, found: Found, notes: list[str]) -> Iterator[_Folder]:
    """Every folder with logs below a root, in order of names; a study is handed over whole."""
    entered: set[tuple[int, int]] = set()
    waiting = [(root, label)]
    while waiting:
        path, place = waiting.pop()
        try:
            status = path.stat()
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            notes.append(f"{place}: cannot be entered ({error.strerror}); nothing in it is used")
            continue
        if (status.st_dev, status.st_ino) in entered:
            notes.append(f"{place}: a link back to a folder that is read already; not followed")
            continue
        entered.add((status.st_dev, status.st_ino))
        names = {entry.name for entry in entries}
        if STUDY_FILE in names:
            found.studies.append((path, place))
            continue
        if COLLECTED_FILE in names:
            found.tables.append((path / COLLECTED_FILE, f"{place}/{COLLECTED_FILE}"))
        yield _folder(path, place, entries, found)
        waiting.extend((Path(entry.path), f"{place}/{entry.name}") for entry in reversed(entries) if _enters(entry))


def _enters(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and not entry.name.startswith(".")
    except OSError:
        return False


def _folder(path: Path, place: str, entries: Iterable[os.DirEntry[str]], found: Found) -> _Folder:
    folder = _Folder(path, place)
    names = [entry.name for entry in entries if not _enters(entry)]
    found.seen += len(names)
    folder.settings = "args.yml" in names
    if {RUN_FILE, EVALUATIONS_FILE} <= set(names):
        folder.files["own"] = [(path, place)]
        return folder
    for name in names:
        if (kind := kind_of(name)) is not None:
            folder.files.setdefault(kind, []).append((path / name, f"{place}/{name}"))
        elif name.endswith(".zip"):
            folder.models.append(path / name)
    return folder


def _runs(folders: Sequence[_Folder]) -> Iterator[RunFiles]:
    """Folders of logs put together to runs, in order of places."""
    by_path = {folder.path: folder for folder in folders}
    for folder in folders:
        _hand_over_named_monitors(folder, by_path)
    folders = list(by_path.values())
    settings: dict[Path, list[Path]] = {}
    homes: dict[Path, list[_Folder]] = {}
    for folder in folders:
        if folder.settings:
            settings.setdefault(folder.path.parent, []).append(folder.path)
        if folder.files:
            homes.setdefault(_home(folder.path, folders[0].path), []).append(folder)
    for home, members in homes.items():
        kinds = [kind for member in members for kind in member.files]
        if len(members) > 1 and len(set(kinds)) == len(kinds):
            yield _run(by_path[home], members, settings)
        else:
            for member in members:
                yield _run(member, [member], settings)


def _hand_over_named_monitors(folder: _Folder, by_path: dict[Path, _Folder]) -> None:
    """Give files such as ``seed_5.monitor.csv`` to the run ``seed_5`` beside them, whether or not it has a folder.

    Environments that one run steps side by side have numbers instead: ``0.monitor.csv``, ``1.monitor.csv``.
    """
    kept = []
    for path, source in folder.files.pop("monitor", []):
        name = path.name.split(".monitor.csv")[0]
        if name.isdecimal() or path.name.startswith("monitor.csv") or path.parent != folder.path:
            kept.append((path, source))
        else:
            run = by_path.setdefault(folder.path / name, _Folder(folder.path / name, f"{folder.place}/{name}"))
            run.files.setdefault("monitor", []).append((path, source))
    if kept:
        folder.files["monitor"] = [*kept, *folder.files.get("monitor", [])]


def _home(path: Path, root: Path) -> Path:
    """The run's folder: that of the log, or the one above where the log's folder is named after its kind."""
    while path != root and (path.name.lower() in _INSIDE_A_RUN or _numbered(path.name)):
        path = path.parent
    return path


def _numbered(name: str) -> bool:
    """Whether the name is one that Stable-Baselines3's TensorBoard writer makes, such as ``TD3_1``."""
    stem, _, number = name.rpartition("_")
    return number.isdecimal() and stem.isupper()


def _run(home: _Folder, members: Sequence[_Folder], settings: Mapping[Path, list[Path]]) -> RunFiles:
    files: dict[Kind, list[tuple[Path, str]]] = {}
    for member in members:
        files |= member.files
    folders = dict.fromkeys((home.path, *(member.path for member in members)))
    models = dict.fromkeys(model for folder in (home, *members) for model in folder.models)
    return RunFiles(
        home.path,
        home.place,
        files,
        tuple(path for folder in folders for path in settings.get(folder, ())),
        tuple(models),
    )
