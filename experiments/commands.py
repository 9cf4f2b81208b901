"""What the commands do: check everything first, then run, and say in the end how it went."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from agents import DeviceError, resolve_device
from agents.device import device_name
from agents.machine import usable_cores
from experiments.display import make_display
from experiments.overview import counts, duration, time_left, views
from experiments.problems import InputError
from experiments.registry import Entry, Registry, say
from experiments.runner import Plan, Supervisor
from experiments.study import Study, read_study
from experiments.study_folder import REGISTRY_FILE, check_folder, read_study_file, write_study
from experiments.table import runs_table
from experiments.yaml_file import Document

EXIT_DONE, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
# Each process holds a context of its own on the GPU, about half a gigabyte, and they take turns there.
_MOST_WORKERS_ON_CUDA = 4
_RUNS_ROOT = Path("runs")


@dataclass(frozen=True)
class Settings:
    """How to run a study, as opposed to what.

    Attributes:
        command: What the user typed, for the record.
        out: The study's folder; None takes ``runs/<study name>``.
        device: In place of the study's; None keeps it.
        workers: Most runs at once; None takes one per usable core, on a GPU at most 4.
        dry_run: Only list the runs.
    """

    command: str
    out: Path | None
    device: str | None
    workers: int | None
    dry_run: bool = False


def run_study(document: Document, settings: Settings) -> int:
    """Run a study, or what of it is not done yet.

    Args:
        document: The study, unchecked.
        settings: How.

    Returns:
        The exit code: 0 done, 1 some runs failed or diverged, 130 interrupted.

    Raises:
        InputError: Anything is wrong with the input; nothing has been started or written.
    """
    study = read_study(document)
    device = _device(settings.device or study.device)
    workers = settings.workers or _default_workers(device)
    folder = settings.out or _RUNS_ROOT / study.name
    check_folder(folder, study, document)
    console = Console()
    configs = list(study.runs())
    _line(console, f"study     {study.name}: {len(configs)} runs of {study.steps:,} steps in {folder}")
    _line(console, f"device    {device} ({device_name(device)}), {min(workers, len(configs))} runs at once")
    if settings.dry_run:
        _list_runs(console, study, folder)
        return EXIT_DONE
    registry = _prepare(folder, study, document, settings.command)
    plan = Plan(folder, configs, str(device), workers, settings.command)
    completed = Supervisor(plan, registry, make_display(console, workers)).run()
    return _conclude(console, folder, registry.entries(), completed=completed)


def show_status(folder: Path) -> int:
    """Print how a study stands.

    Args:
        folder: Of the study.

    Raises:
        InputError: There is no study in the folder.
    """
    facts = read_study_file(folder)
    entries = _registered(folder)
    rows = views(folder, entries, int(facts["steps"]))
    console = Console()
    console.print(runs_table(rows))
    active = sum(row.state == "running" for row in rows)
    left = duration(time_left(rows, active)) if active else "-"
    _line(console, f"{facts['name']}: {counts(entries)}; time left {left}")
    return EXIT_DONE


def _registered(folder: Path) -> list[Entry]:
    path = folder / REGISTRY_FILE
    return Registry(path).entries() if path.exists() else []


def _device(name: str) -> torch.device:
    try:
        return resolve_device(name)
    except DeviceError as error:
        raise InputError(str(error)) from error


def _default_workers(device: torch.device) -> int:
    cores = usable_cores()
    return cores if device.type == "cpu" else min(cores, _MOST_WORKERS_ON_CUDA)


def _prepare(folder: Path, study: Study, document: Document, command: str) -> Registry:
    try:
        write_study(folder, study, document, command)
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}.") from error
    registry = Registry(folder / REGISTRY_FILE)
    registry.add(study.runs())
    return registry


def _list_runs(console: Console, study: Study, folder: Path) -> None:
    states = {entry.key: entry.state for entry in _registered(folder)}
    for config in study.runs():
        key = (config.task, config.algorithm, config.arm, config.seed)
        _line(console, f"{states.get(key, 'pending'):<9} {say(key)}")
    _line(console, "dry run: nothing was started or written")


def _conclude(console: Console, folder: Path, entries: Sequence[Entry], *, completed: bool) -> int:
    _line(console, f"result    {counts(entries)} in {folder}")
    unlucky = [entry for entry in entries if entry.state in {"failed", "diverged"}]
    for entry in unlucky:
        _line(console, f"{entry.state:<9} {say(entry.key)}: {entry.cause}")
    if not completed:
        _line(console, "interrupted: the same command goes on with what is not done")
        return EXIT_INTERRUPTED
    _line(console, f"next      python -m experiments report {shlex.quote(str(folder))}")
    return EXIT_FAILED if unlucky else EXIT_DONE


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
