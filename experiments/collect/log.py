"""One run as its logs tell of it: which returns they offer and which run it seems to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from experiments.collect.collection import Collection, ReturnsKind, Run, lone_run, read_collection
from experiments.collect.discover import Found, RunFiles
from experiments.collect.events import read_events
from experiments.collect.guess import Guess, from_folders
from experiments.collect.monitor import read_monitors
from experiments.collect.recorded import from_cleanrl, from_model, from_zoo, merged
from experiments.collect.sb3_files import read_evaluations_npz, read_progress_csv
from experiments.collect.series import Series, cleaned
from experiments.collect.table_file import TableChoice, read_table_runs
from experiments.collect.tidy import is_collected, read_table

KINDS: tuple[ReturnsKind, ...] = ("evaluation", "training")


@dataclass(frozen=True, eq=False)
class Log:
    """What is known of one run.

    Attributes:
        place: its folder, or its table and key, as people are told of it and as patterns of corrections match it.
        format: who wrote it: rl_acts, sb3, rl-zoo3, cleanrl, tensorboard or table.
        guess: which run it seems to be.
        series: returns by kind, cleaned.
        run: a run of ours, which needs no series.
        versions: of libraries, where they are recorded.
        corrected: what a person said: values by task, algorithm, arm, seed, returns or state.
        averaged: number of evaluation episodes behind each return, where it is known.
    """

    place: str
    format: str
    guess: Guess
    series: Mapping[ReturnsKind, Series] = field(default_factory=dict)
    run: Run | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    corrected: Mapping[str, str] = field(default_factory=dict)
    averaged: int | None = None

    @property
    def root(self) -> str:
        """What was given to be read: runs of one root are told apart by their seeds."""
        return self.place.split(":")[0] if self.format == "table" else self.place.split("/")[0]

    @property
    def scored(self) -> bool:
        """Whether it holds any return."""
        if self.run is not None:
            return self.run.scored
        return any(np.isfinite(series.returns).any() for series in self.series.values())

    @property
    def kinds(self) -> tuple[ReturnsKind, ...]:
        """The kinds of returns that it offers."""
        if self.run is not None:
            return (self.run.returns_kind,)
        return tuple(kind for kind in KINDS if kind in self.series)


def read_logs(found: Found, choice: TableChoice, notes: list[str]) -> list[Log]:
    """Every run of what was found, in its order: studies, tables, runs.

    Raises:
        ReportError: a study's plan is damaged.
        InputError: a table cannot be read or used.
    """
    logs: list[Log] = []
    for path, place in found.studies:
        collection = read_collection(path)
        notes.extend(f"{place}/{note}" for note in collection.notes)
        logs.extend(_of_ours(collection, place, "study.json"))
    for path, place in found.tables:
        if is_collected(path):
            collection = read_table(path)
            notes.extend(f"{place}: {note}" for note in collection.notes)
            logs.extend(_of_ours(collection, place, "table"))
        else:
            logs.extend(_of_table(path, place, choice, notes))
    logs.extend(log for files in found.runs if (log := _of_files(files, notes)) is not None)
    return logs


def _of_ours(collection: Collection, place: str, said_by: str) -> list[Log]:
    """Runs that were collected before, with the activations that their plan states."""
    arms = {arm.name: arm for arm in collection.study.arms}
    logs = []
    for run in collection.runs:
        arm = arms[run.arm]
        guess = Guess(
            run.task,
            run.algorithm,
            run.arm,
            run.seed,
            folder_arm=run.arm,
            actor="; ".join(arm.actor),
            critic="; ".join(arm.critic),
        ).said_by(said_by)
        placed = replace(
            run,
            source=f"{place}/{run.source}" if run.source else "",
            more_sources=tuple(f"{place}/{source}" for source in run.more_sources),
        )
        where = f"{place}/{run.task}/{run.algorithm}/{run.arm}/seed-{run.seed}"
        logs.append(
            Log(
                where,
                run.format,
                guess,
                run=placed,
                versions=run.versions,
                averaged=collection.study.evaluation.episodes,
            )
        )
    return logs


def _of_table(path: Path, place: str, choice: TableChoice, notes: list[str]) -> list[Log]:
    logs = []
    stated = True
    named = from_folders([Path(place).name.split(".")[0]])
    for found in read_table_runs(path, place, choice, notes):
        key = found.key
        seed = key.get("seed", "").removesuffix(".0")
        guess = Guess(
            task=key.get("task") or None,
            algorithm=key.get("algorithm", "").lower() or None,
            arm=key.get("arm") or None,
            seed=int(seed) if seed.isdecimal() else None,
        ).said_by("column")
        kind: ReturnsKind = "training" if key.get("kind") == "training" else "evaluation"
        stated = stated and key.get("kind") in KINDS
        label = "/".join(value for meaning, value in key.items() if meaning != "kind")
        own_notes: list[str] = []
        series = {kind: cleaned(found.series, own_notes)}
        notes.extend(f"{note} ({label})" for note in own_notes)
        logs.append(Log(f"{place}:{label}", "table", guess.or_else(named), series))
    if logs and not stated:
        notes.append(
            f"{place}: no column says whether returns are of evaluation or of training; they are taken as evaluation "
            "(--set 'PATTERN:returns=training' says otherwise)"
        )
    return logs


def _of_files(files: RunFiles, notes: list[str]) -> Log | None:
    """None, with notes, where no file holds a return."""
    parts = files.place.split("/")
    if "own" in files.files:
        run = lone_run(files.folder, files.place, notes)
        guess = Guess(run.task or None, run.algorithm or None, run.arm or None, run.seed if run.task else None)
        return Log(files.place, "rl_acts", guess.said_by("run.json").or_else(from_folders(parts)), run=run)
    series, clues, settings = _series(files, notes)
    if not series:
        return None
    guesses = [from_zoo(path, f"{files.place}/{path.name}", notes) for path in files.settings]
    model, versions = _model(files, notes)
    named = from_folders(parts)
    # Below a run's own folder names such as TD3_1 are the same for every run: they number nothing.
    inside = replace(from_folders(next(iter(series.values())).sources[0].split("/")[:-1]), seed=None, arm=None)
    guess = merged([*guesses, from_cleanrl(settings), model, clues, named, inside])
    # Folders tell settings apart that no configuration shows.
    guess = replace(guess, folder_arm=named.folder_arm)
    form = _format(files, settings)
    clean = {kind: cleaned(one, notes) for kind, one in series.items()}
    averaged = series["evaluation"].averaged if "evaluation" in series else None
    return Log(files.place, form, guess, clean, versions=versions, averaged=averaged)


def _series(files: RunFiles, notes: list[str]) -> tuple[dict[ReturnsKind, Series], Guess, dict[str, str]]:
    """Returns by kind; where several files hold one kind, the least rounded and smoothed is taken."""
    series: dict[ReturnsKind, Series] = {}
    guess, settings = Guess(), dict[str, str]()
    for path, source in files.files.get("evaluations", ()):
        if (found := read_evaluations_npz(path, source, notes)) is not None:
            series["evaluation"] = found
    if "monitor" in files.files:
        paths, sources = zip(*files.files["monitor"], strict=True)
        episodes, task = read_monitors(paths, sources, notes)
        guess = Guess(task=task).said_by("Monitor's header")
        if episodes is not None:
            series["training"] = episodes
    for path, source in files.files.get("progress", ()):
        series = {**read_progress_csv(path, source, notes), **series}
    if "events" in files.files:
        paths, sources = zip(*files.files["events"], strict=True)
        events, settings = read_events(paths, sources, notes, needed=not series)
        series = {**events, **series}
    return series, guess, settings


def _model(files: RunFiles, notes: list[str]) -> tuple[Guess, dict[str, str]]:
    """What the first readable model of the run records; the notes are about models only where none is readable."""
    unread: list[str] = []
    for path in files.models:
        guess, versions = from_model(path, f"{files.place}/{path.name}", unread)
        if guess != Guess():
            return guess, versions
    notes.extend(unread)
    return Guess(), {}


def _format(files: RunFiles, settings: Mapping[str, str]) -> str:
    if files.settings:
        return "rl-zoo3"
    if "env_id" in settings or from_folders([files.place.split("/")[-1]]).how.get("seed") == "folder's name":
        return "cleanrl"
    return "tensorboard" if set(files.files) == {"events"} else "sb3"
