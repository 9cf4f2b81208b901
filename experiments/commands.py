"""What the commands do: check everything first, then run, and say in the end how it went."""

import shlex
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from agents import DeviceError, resolve_device
from agents.device import device_name
from agents.machine import usable_cores
from experiments.budget import Budget
from experiments.cohorts import has_checkpoint
from experiments.display import make_display
from experiments.finished_runs import check_versions, lost
from experiments.overview import counts, duration, time_left, views
from experiments.preview import preview
from experiments.problems import InputError, StoppedError
from experiments.registry import Entry, Registry, run_key, say
from experiments.runner import Ending, Plan, Supervisor
from experiments.schedule import Limits, make_schedule
from experiments.study import Study, read_study
from experiments.study_folder import REGISTRY_FILE, check_folder, made, read_study_file, registered, write_study
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
        workers: Most cohorts at once; None takes one per usable core, on a GPU at most 4.
        cohort: Most runs of a cohort; None takes what keeps all workers busy, fits the memory and is no more than 10,
            on a GPU 20.
        budget: Time that the command may take; None for as long as it needs.
        dry_run: Only say what would be done.
    """

    command: str
    out: Path | None
    device: str | None
    workers: int | None
    cohort: int | None = None
    budget: Budget | None = None
    dry_run: bool = False


def run_study(document: Document, settings: Settings) -> int:
    """Run a study, or what of it is not done yet.

    Args:
        document: The study, unchecked.
        settings: How.

    Returns:
        The exit code: 0 done, 1 some runs failed or diverged, 130 interrupted or out of time.

    Raises:
        InputError: Anything is wrong with the input; nothing has been started or written.
        sqlite3.DatabaseError: The registry cannot be used; likewise.
        StoppedError: The registry or the disk failed later on.
    """
    study = read_study(document)
    device = _device(settings.device or study.device)
    workers = settings.workers or _default_workers(device)
    folder = settings.out or _RUNS_ROOT / study.name
    check_folder(folder, study, document)
    configs = {run_key(config): config for config in study.runs()}
    entries = registered(folder)
    check_versions(folder, entries, configs)
    schedule = make_schedule(folder, entries, configs, Limits(device, workers, settings.cohort))
    console = Console()
    _line(console, f"study     {study.name}: {len(configs)} runs of {study.steps:,} steps in {folder}")
    _line(console, f"device    {device} ({device_name(device)}), {schedule.say()}")
    if settings.dry_run:
        for line in preview(folder, entries, configs, schedule, device):
            _line(console, line)
        return EXIT_DONE
    registry = _prepare(folder, study, document, settings.command)
    plan = Plan(
        folder,
        list(configs.values()),
        str(device),
        workers,
        settings.command,
        sizes=schedule.sizes,
        sharing=schedule.at_once,
        budget=settings.budget,
    )
    try:
        return _carry_out(console, plan, registry)
    except sqlite3.DatabaseError as error:
        raise StoppedError(f"the registry {folder / REGISTRY_FILE} cannot be used: {error}") from error
    except OSError as error:
        raise StoppedError(str(error)) from error


def _carry_out(console: Console, plan: Plan, registry: Registry) -> int:
    wanted = {run_key(config) for config in plan.configs}
    for entry in registry.entries():
        reason = lost(plan.folder, entry)
        if reason is not None and entry.key in wanted and registry.reopen(entry):
            _line(console, f"again     {say(entry.key)}: it was {entry.state}, but {reason}")
    ending = Supervisor(plan, registry, make_display(console, plan.workers)).run()
    return _conclude(console, plan, registry.entries(), ending)


def show_status(folder: Path) -> int:
    """Print how a study stands.

    Args:
        folder: Of the study.

    Raises:
        InputError: There is no study in the folder.
    """
    facts = read_study_file(folder)
    entries = registered(folder)
    rows = views(folder, entries, int(facts["steps"]))
    console = Console()
    console.print(runs_table(rows))
    active = len({row.cohort or row.key for row in rows if row.state == "running"})
    left = duration(time_left(rows, active)) if active else "-"
    _line(console, f"{facts['name']}: {counts(entries)}; time left {left}")
    return EXIT_DONE


def _device(name: str) -> torch.device:
    try:
        return resolve_device(name)
    except DeviceError as error:
        raise InputError(str(error)) from error


def _default_workers(device: torch.device) -> int:
    cores = usable_cores()
    return cores if device.type == "cpu" else min(cores, _MOST_WORKERS_ON_CUDA)


def _prepare(folder: Path, study: Study, document: Document, command: str) -> Registry:
    registry = Registry(folder / REGISTRY_FILE)

    def write(entries: Sequence[Entry]) -> None:
        # Since the first check another command may have begun here.
        check_folder(folder, study, document, entries)
        write_study(folder, study, document, command)

    try:
        with made(folder):
            registry.add(study.runs(), write)
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}.") from error
    return registry


def _conclude(console: Console, plan: Plan, entries: Sequence[Entry], ending: Ending) -> int:
    _line(console, f"result    {counts(entries)} in {plan.folder}")
    unlucky = [entry for entry in entries if entry.state in {"failed", "diverged"}]
    for entry in unlucky:
        _line(console, f"{entry.state:<9} {say(entry.key)}: {entry.cause}")
    if ending is not Ending.COMPLETED:
        _line(console, f"{_reason(plan, ending)}: the same command goes on{_from_where(plan, entries)}")
        return EXIT_INTERRUPTED
    _line(console, f"next      {shlex.join([python(), '-m', 'experiments', 'report', str(plan.folder)])}")
    return EXIT_FAILED if unlucky else EXIT_DONE


def _reason(plan: Plan, ending: Ending) -> str:
    if ending is Ending.OUT_OF_TIME and plan.budget is not None:
        return f"time budget of {duration(plan.budget.seconds)} is over"
    return "interrupted"


def _from_where(plan: Plan, entries: Sequence[Entry]) -> str:
    begun = [entry for entry in entries if entry.attempt and entry.state in {"pending", "failed"}]
    saved = sum(has_checkpoint(plan.folder, entry) for entry in begun)
    if saved == len(begun):
        return " from the last checkpoint" if begun else ""
    if not saved:
        return "; runs not done start at step 0 again"
    return f" from the last checkpoint; {len(begun) - saved} runs without one start at step 0 again"


def python() -> str:
    """Return what to type in the current folder for the interpreter that runs this.

    That is ``python`` where the shell would find the same one, else its path, relative if it lies below the folder.
    """
    here, found = Path(sys.executable).absolute(), shutil.which("python")
    # In a virtual environment the interpreter is a link to one outside, so its folder counts too.
    if found and Path(found).absolute().parent.resolve() == here.parent.resolve() and Path(found).samefile(here):
        return "python"
    if not here.is_relative_to(Path.cwd()):
        return str(here)
    # Without a folder before it, the shell would look for the name elsewhere.
    relative = here.relative_to(Path.cwd())
    return str(relative) if len(relative.parts) > 1 else f"./{relative}"


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
