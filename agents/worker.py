"""A cohort in one process: from the ``run.json`` of each of its runs to finished folders, whatever happens between."""

import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.config import RunConfig
from agents.control import InterruptedRun
from agents.device import resolve_device
from agents.files import read_json, write_json_atomically
from agents.machine import hardware, versions
from agents.run_folder import (
    FINAL_STATES,
    RUN_FILE,
    checkpoint_file,
    locked,
    now,
    read_progress,
    remove_attempt,
    update_run,
)

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED, EXIT_DIVERGED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
# A checkpoint of large replay memories takes this long on a slow disk.
SECONDS_TO_SAVE = 60
_STANDARD_INPUT = 0


class RefusedError(Exception):
    """The folders cannot or must not be trained; nothing has been changed."""


def work(
    folders: Sequence[Path],
    attempts: Sequence[int] | None = None,
    *,
    checkpoint: Path | None = None,
    watch_input: bool = False,
) -> int:
    """Train the runs whose configurations are in the ``run.json`` of their folders, in one process.

    A signal to end, or the closing of standard input, lets the engine write a checkpoint; after a minute the process
    ends without.

    Args:
        folders: Of the runs, in the order of the cohort; with a checkpoint, all that it was made with.
        attempts: Number of each run's attempt; None takes those in ``run.json``. A run that is done or has diverged
            stays as it is under the attempt that made it so: it comes along in a checkpoint and is refused otherwise,
            because training begins with removing what is there.
        checkpoint: Folder of the cohort's checkpoint; None makes none. Its parent is where the process works.
        watch_input: End as if interrupted when standard input closes. Whoever starts the process holds the other end
            of that pipe, so its death, even by SIGKILL, ends training.

    Returns:
        The exit code: 0 all done, 3 some diverged and none failed, 130 interrupted, 1 failed, 2 refused with nothing
        changed.
    """
    stop = _Stop(watch_input=watch_input)
    numbers: Sequence[int | None] = attempts or [None] * len(folders)
    try:
        _over(folders, numbers, checkpoint)
        with locked(folders, stop) as held:
            # Whoever held the folders until now may have finished the runs.
            over = _over(folders, numbers, checkpoint)
            # Interrupted while waiting for the folders: nothing was begun.
            return _attempt(folders, numbers, checkpoint, _Records(folders, over, stop)) if held else EXIT_INTERRUPTED
    except RefusedError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_REFUSED


class _Stop:
    """Whether somebody has asked to end; the asking never tears through whatever the process is doing."""

    def __init__(self, *, watch_input: bool) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if watch_input:
            threading.Thread(target=self._end_with_input, daemon=True).start()

    def __call__(self) -> bool:
        return self._asked

    def _on_signal(self, _number: int, _frame: object) -> None:
        if not self._asked:
            self._asked = True
            # Its default action ends the process, even one that hangs in foreign code.
            signal.alarm(SECONDS_TO_SAVE)

    def _end_with_input(self) -> None:
        while os.read(_STANDARD_INPUT, 1):
            pass
        self._asked = True
        time.sleep(SECONDS_TO_SAVE)
        # The main thread hangs in foreign code and never came to see the request.
        os._exit(EXIT_INTERRUPTED)


class _Records:
    """Keeps each run's ``run.json`` while the engine trains; it is the engine's `Control`.

    Args:
        folders: Of the runs.
        over: Indices of those that were over before; they stay as they are.
        stop: Whether somebody has asked to end.
    """

    def __init__(self, folders: Sequence[Path], over: set[int], stop: _Stop) -> None:
        self._folders = folders
        self._over = set(over)
        self._stop = stop

    def unfinished(self) -> list[int]:
        """Return the indices of the runs that are not over."""
        return [index for index in range(len(self._folders)) if index not in self._over]

    def should_stop(self) -> bool:
        return self._stop()

    def resumed(self, step: int) -> None:
        sys.stdout.write(f"resuming from step {step}\n" if step else "starting at step 0\n")
        sys.stdout.flush()
        for index in self.unfinished():
            update_run(self._folders[index], resumed_from=step, steps_done=step)

    def done(self, index: int, steps_per_s: float) -> None:
        steps = read_json(self._folders[index] / RUN_FILE)["config"]["steps"]
        self._end(index, state="done", cause=None, steps_done=steps, steps_per_s=steps_per_s)

    def diverged(self, index: int, cause: str, step: int) -> None:
        self._end(index, state="diverged", cause=cause, steps_done=step)

    def end(self, state: str, cause: str) -> None:
        """Record how the process ends for all runs that are not over."""
        for index in self.unfinished():
            self._end(index, state=state, cause=cause)

    def _end(self, index: int, **changes: Any) -> None:
        if index in self._over:
            # It was over before the process that wrote the checkpoint ended, and has been trained to its end again.
            return
        self._over.add(index)
        step, rate = read_progress(self._folders[index])
        update_run(self._folders[index], **{"steps_done": step, "steps_per_s": rate, **changes, "finished": now()})


def _over(folders: Sequence[Path], attempts: Sequence[int | None], checkpoint: Path | None) -> set[int]:
    """Return the indices of the runs that are over and stay so.

    Raises:
        RefusedError: A record cannot be read; or there is no checkpoint and a run is over; or all are.
    """
    over = []
    for index, (folder, attempt) in enumerate(zip(folders, attempts, strict=True)):
        record = _record(folder)
        if record.get("state") in FINAL_STATES and attempt in {None, record.get("attempt", 1)}:
            over.append((index, record["state"]))
    if over and (len(over) == len(folders) or not _complete(checkpoint)):
        index, state = over[0]
        again = "training it again would delete its results (--attempts N with a higher number does so)."
        raise RefusedError(f"the run in {folders[index]} is {state}; {again}")
    return {index for index, _ in over}


def _record(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / RUN_FILE)
    except (OSError, ValueError) as error:
        raise RefusedError(f"{folder / RUN_FILE} cannot be read: {error}") from error


def _complete(checkpoint: Path | None) -> bool:
    return checkpoint is not None and checkpoint_file(checkpoint).is_file()


def _attempt(
    folders: Sequence[Path], attempts: Sequence[int | None], checkpoint: Path | None, records: _Records
) -> int:
    # MuJoCo writes its warnings to a file in the current folder.
    os.chdir(folders[0] if checkpoint is None else checkpoint.parent)
    try:
        configs = [RunConfig.from_json(read_json(folder / RUN_FILE)["config"]) for folder in folders]
        for index in records.unfinished():
            _begin(folders[index], configs, configs[index], attempts[index], resuming=_complete(checkpoint))
        from agents.engine import train  # noqa: PLC0415 - an engine comes late: its import takes seconds

        train(configs[0].engine, configs, folders, checkpoint, records)
        if records.unfinished() and not records.should_stop():
            raise RuntimeError("the engine ended before its runs did")
    except InterruptedRun:
        pass
    except Exception as error:  # noqa: BLE001 - whatever runs die of is recorded as their cause
        traceback.print_exc()
        records.end("failed", f"{type(error).__name__}: {error}")
        return EXIT_FAILED
    if records.unfinished():
        records.end("pending", "interrupted")
        return EXIT_INTERRUPTED
    diverged = any(read_json(folder / RUN_FILE)["state"] == "diverged" for folder in folders)
    return EXIT_DIVERGED if diverged else EXIT_DONE


def _begin(
    folder: Path, configs: Sequence[RunConfig], config: RunConfig, attempt: int | None, *, resuming: bool
) -> None:
    found = read_json(folder / RUN_FILE)
    if not resuming:
        remove_attempt(folder)
    step, rate = read_progress(folder) if resuming else (0, None)
    device = resolve_device(config.device)
    facts: dict[str, Any] = {
        "format": 1,
        "config": config.to_json(),
        "state": "running",
        "cause": None,
        "attempt": attempt or found.get("attempt", 1),
        "steps_done": step,
        "steps_per_s": rate,
        "resumed_from": None,
        "started": now(),
        "finished": None,
        "versions": versions(device),
        "hardware": hardware(device, config.threads),
        "command": found.get("command") or shlex.join(["python", "-m", "agents", *sys.argv[1:]]),
        "workers": found.get("workers", 1),
        "engine": config.engine,
        "cohort": found.get("cohort") or cohort_facts(None, [(each.arm, each.seed) for each in configs]),
    }
    write_json_atomically(folder / RUN_FILE, facts)


def cohort_facts(name: str | None, members: Sequence[tuple[str, int]]) -> Mapping[str, Any]:
    """Return what ``run.json`` says of the cohort in which a run was trained.

    Args:
        name: Of the cohort's folder; None if it has none.
        members: Arm and seed of each run.
    """
    return {"id": name, "size": len(members), "members": [list(member) for member in members]}
