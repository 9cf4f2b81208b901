"""One run in one process: from ``run.json`` to a finished folder, whatever happens in between."""

import os
import shlex
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from agents.config import RunConfig
from agents.device import resolve_device
from agents.divergence import DivergedError
from agents.files import read_json, write_json_atomically
from agents.machine import hardware, versions
from agents.run_folder import FINAL_STATES, PROGRESS_FILE, RUN_FILE, locked, now, remove_attempt, update_run

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED, EXIT_DIVERGED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
_SECONDS_TO_END = 20.0
_STANDARD_INPUT = 0


class InterruptedRun(BaseException):
    """Somebody asked the process to end. It is no `Exception`, so that no handler of errors on its way swallows it."""


def work(folder: Path, attempt: int | None = None, *, watch_input: bool = False) -> int:
    """Train the run whose configuration is in a folder's ``run.json``.

    Args:
        folder: The run's folder.
        attempt: Number of this attempt; None takes the one in ``run.json``, and refuses a run that is done or has
            diverged, because training begins with removing what is there.
        watch_input: End as if interrupted when standard input closes. Whoever starts the process holds the other end
            of that pipe, so its death, even by SIGKILL, ends training.

    Returns:
        The exit code: 0 done, 3 diverged, 130 interrupted, 1 failed, 2 refused with nothing changed.
    """
    if _refused(folder, attempt):
        return EXIT_REFUSED
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    if watch_input:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        with locked(folder):
            # Whoever held the folder until now may have finished the run.
            return EXIT_REFUSED if _refused(folder, attempt) else _attempt(folder, attempt)
    except InterruptedRun:
        # Interrupted while waiting for the folder: nothing was begun.
        return EXIT_INTERRUPTED


def _refused(folder: Path, attempt: int | None) -> bool:
    """Say so and return True if the folder's record cannot be read, or is of a finished run nobody wants repeated."""
    try:
        state = read_json(folder / RUN_FILE).get("state")
    except (OSError, ValueError) as error:
        reason = f"{folder / RUN_FILE} cannot be read: {error}"
    else:
        if attempt is not None or state not in FINAL_STATES:
            return False
        reason = f"the run in {folder} is {state}; training it again would delete its results (--attempt N does so)."
    sys.stderr.write(f"error: {reason}\n")
    return True


def _attempt(folder: Path, attempt: int | None) -> int:
    # MuJoCo writes its warnings to a file in the current folder.
    os.chdir(folder)
    try:
        _begin(folder, attempt)
        from agents.sb3_engine import train  # noqa: PLC0415 - its import takes seconds, in which a signal must already be caught

        result = train(RunConfig.from_json(read_json(folder / RUN_FILE)["config"]), folder)
    except InterruptedRun:
        return _end(folder, EXIT_INTERRUPTED, "pending", "interrupted")
    except DivergedError as error:
        return _end(folder, EXIT_DIVERGED, "diverged", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a run dies of is recorded as its cause
        traceback.print_exc()
        return _end(folder, EXIT_FAILED, "failed", f"{type(error).__name__}: {error}")
    return _end(folder, EXIT_DONE, "done", None, **result)


def _begin(folder: Path, attempt: int | None) -> None:
    found = read_json(folder / RUN_FILE)
    config = RunConfig.from_json(found["config"])
    remove_attempt(folder)
    facts: dict[str, Any] = {
        "format": 1,
        "config": config.to_json(),
        "state": "running",
        "cause": None,
        "attempt": attempt or found.get("attempt", 1),
        "steps_done": 0,
        "steps_per_s": None,
        "started": now(),
        "finished": None,
        "versions": versions(),
        "hardware": hardware(resolve_device(config.device), config.threads),
        "command": found.get("command") or shlex.join(["python", "-m", "agents", *sys.argv[1:]]),
        "workers": found.get("workers", 1),
    }
    write_json_atomically(folder / RUN_FILE, facts)


def _end(folder: Path, code: int, state: str, cause: str | None, **changes: Any) -> int:
    # A second signal must not tear the record of the first.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    update_run(folder, **{**_reached(folder), **changes}, state=state, cause=cause, finished=now())
    return code


def _reached(folder: Path) -> dict[str, Any]:
    """Return where an unfinished run was, from its last progress."""
    try:
        progress = read_json(folder / PROGRESS_FILE)
        return {"steps_done": int(progress["step"]), "steps_per_s": float(progress["steps_per_s"])}
    except (OSError, ValueError, KeyError):
        return {}


def _interrupt(_number: int, _frame: object) -> None:
    raise InterruptedRun


def _end_with_input() -> None:
    while os.read(_STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SECONDS_TO_END)
    # The main thread hangs in foreign code and never came to see the signal.
    os._exit(EXIT_INTERRUPTED)
