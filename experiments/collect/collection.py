"""Read every run of a study's folder into one typed structure; what was odd becomes a note, never a crash."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agents.run_folder import EVALUATIONS_FILE, RUN_FILE, run_path
from experiments.collect.bench import Cost, read_costs
from experiments.collect.diagnostics import Diagnostics, read_diagnostics
from experiments.collect.errors import ReportError
from experiments.collect.evaluations import Evaluations, read_evaluations
from experiments.collect.plan import Study, read_study

STATES = ("done", "running", "diverged", "failed", "pending")
ENDED_BADLY = ("diverged", "failed")
ReturnsKind = Literal["evaluation", "training"]


# Runs are compared by identity: they hold arrays.
@dataclass(frozen=True, eq=False)
class Run:
    """One run: its evaluations and how it went.

    `state` is one of STATES, "missing" (no folder) or "unknown" (evaluations without a readable run.json). `workers`
    is how many processes shared the machine, `company` how many runs trained in this one's process.

    `returns_kind` is "evaluation" for a deterministic policy in episodes of its own, "training" for the episodes that
    it learnt from; runs of one Collection are all of one kind. `source` is the raw file, relative to the folder that
    was read, `more_sources` are the further files of a run that was logged in pieces. `format` is who wrote it.
    `diagnostics` is what was measured in its networks; None where nothing was.
    """

    task: str
    algorithm: str
    arm: str
    seed: int
    state: str
    evaluations: Evaluations
    cause: str | None = None
    attempt: int = 1
    started: str | None = None
    finished: str | None = None
    command: str | None = None
    workers: int | None = None
    company: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    returns_kind: ReturnsKind = "evaluation"
    source: str = ""
    more_sources: tuple[str, ...] = ()
    format: str = "rl_acts"
    diagnostics: Diagnostics | None = None

    @property
    def label(self) -> str:
        """The run in words."""
        return f"{self.task}, {self.algorithm}, {self.arm}, seed {self.seed}"

    @property
    def scored(self) -> bool:
        """Whether at least one evaluation is finite."""
        return bool(np.isfinite(self.evaluations.returns).any())

    @property
    def ended(self) -> bool:
        """Whether no further evaluation is to come: a score can be given, if need be by carrying the last one on."""
        return self.state in ("done", *ENDED_BADLY)


@dataclass(frozen=True)
class Collection:
    """A study's plan, all its planned runs in order (missing ones too), and notes about odd files.

    `costs` is what each (algorithm, arm) costs a training step, where that was measured apart from the study.
    """

    study: Study
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    costs: Mapping[tuple[str, str], Cost] = field(default_factory=dict)


def collect(study_dir: Path) -> Collection:
    """Read a study's folder.

    Raises:
        ReportError: no readable study, or no run with an evaluation yet.
    """
    collection = read_collection(study_dir)
    if not any(run.scored for run in collection.runs):
        raise ReportError(_nothing_yet(study_dir, collection.runs))
    return collection


def read_collection(study_dir: Path) -> Collection:
    """Read a study's folder, even where no run has an evaluation yet.

    Raises:
        ReportError: no readable study.
    """
    study = read_study(study_dir)
    notes: list[str] = []
    runs = tuple(
        _read_run(study_dir, (task, algorithm, arm.name, seed), notes)
        for task in study.tasks
        for algorithm in study.algorithms
        for arm in study.arms
        for seed in arm.seeds
    )
    notes.extend(_strangers(study_dir, runs))
    costs = read_costs(study_dir, study, notes)
    return Collection(study, runs, tuple(notes), costs)


def lone_run(folder: Path, place: str, notes: list[str]) -> Run:
    """Read the folder of one run without its study's plan; the names that its run.json does not tell are empty.

    Args:
        folder: with `run.json` and `evaluations.csv`.
        place: what the notes call it.
        notes: gets one line for whatever is odd.
    """
    record = _read_record(folder / RUN_FILE, place, notes)
    config = _mapping(record.get("config"))
    task, algorithm, arm = (str(config.get(name, "")) for name in ("task", "algorithm", "arm"))
    seed = config.get("seed")
    return _run(folder, place, (task, algorithm, arm, seed if isinstance(seed, int) else 0), record, notes)


def run_folder(study_dir: Path, key: tuple[str, str, str, int]) -> Path:
    """Folder of the run (task, algorithm, arm, seed)."""
    return study_dir / run_path(*key)


def _read_run(study_dir: Path, key: tuple[str, str, str, int], notes: list[str]) -> Run:
    task, algorithm, arm, seed = key
    folder = run_folder(study_dir, key)
    place = folder.relative_to(study_dir).as_posix()
    if not folder.is_dir():
        notes.append(f"{place}: no such folder; the run has not started")
        return Run(task, algorithm, arm, seed, "missing", Evaluations.empty())
    record = _read_record(folder / RUN_FILE, place, notes)
    return _run(folder, place, key, record, notes)


def _run(folder: Path, place: str, key: tuple[str, str, str, int], record: dict[str, Any], notes: list[str]) -> Run:
    task, algorithm, arm, seed = key
    evaluations = read_evaluations(folder / EVALUATIONS_FILE, f"{place}/{EVALUATIONS_FILE}", notes)
    state = record.get("state")
    return Run(
        task,
        algorithm,
        arm,
        seed,
        state if state in STATES else "unknown",
        evaluations,
        cause=_text(record.get("cause")),
        attempt=attempt if isinstance(attempt := record.get("attempt"), int) else 1,
        started=_text(record.get("started")),
        finished=_text(record.get("finished")),
        command=_text(record.get("command")),
        workers=workers if isinstance(workers := record.get("workers"), int) else None,
        company=size if isinstance(size := _mapping(record.get("cohort")).get("size"), int) else None,
        versions=_texts(record.get("versions")),
        hardware=_texts(record.get("hardware")),
        source=f"{place}/evaluations.csv",
        diagnostics=read_diagnostics(folder, place, notes),
    )


def _read_record(path: Path, place: str, notes: list[str]) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        notes.append(f"{place}/run.json: missing; the run's state is unknown")
        return {}
    except (ValueError, OSError) as error:
        notes.append(f"{place}/run.json: damaged ({error}); the run's state is unknown")
        return {}
    if not isinstance(record, dict):
        notes.append(f"{place}/run.json: damaged (not an object); the run's state is unknown")
        return {}
    return record


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in _mapping(value).items() if text is not None}


def _strangers(study_dir: Path, runs: tuple[Run, ...]) -> list[str]:
    """Notes about folders of runs that the study does not ask for (any more): they are not used, and that is said."""
    known = {run_folder(study_dir, (run.task, run.algorithm, run.arm, run.seed)) for run in runs}
    found = {path.parent for path in study_dir.rglob("seed-*/run.json")}
    return [
        f"{folder.relative_to(study_dir).as_posix()}: not a run of study.json; not used"
        for folder in sorted(found - known)
    ]


def _nothing_yet(study_dir: Path, runs: tuple[Run, ...]) -> str:
    failed = [run for run in runs if run.state in ENDED_BADLY]
    if failed:
        cause = " ".join((failed[0].cause or "unknown").split())
        return (
            f"no run in {study_dir} has an evaluation: {len(failed)} of {len(runs)} failed or diverged before their "
            f"first one (first cause: {failed[0].label}: {cause}); remove the cause and run the study's command again"
        )
    return (
        f"no run in {study_dir} has an evaluation yet ({len(runs)} planned): start or continue the study with "
        "`python -m experiments run`, the report works from the first evaluation on"
    )
