"""One run in a process of its own: how it is started, what it says, and how its end is understood."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import agents
from agents import RunConfig
from agents.files import read_json, write_json_atomically
from agents.run_folder import LOG_FILE, RUN_FILE, run_path, update_run
from agents.worker import EXIT_DIVERGED, EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED
from experiments.registry import Entry

# The folder that holds the packages, so that the child finds them wherever the command was given.
_ROOT = Path(agents.__file__).resolve().parents[1]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerProcess:
    """A run that is being trained.

    The child is in a process group of its own, so that Ctrl-C reaches the supervisor alone, and holds the reading end
    of a pipe from the supervisor: when that breaks, whatever happened to the supervisor, the child ends itself.

    Args:
        study_folder: Of the study.
        config: Of the run.
        entry: The claim in the registry.
        command: The command that the user gave.
        workers: How many runs share the machine.
    """

    def __init__(self, study_folder: Path, config: RunConfig, entry: Entry, command: str, workers: int) -> None:
        self.config = config
        self.entry = entry
        self.folder = study_folder.resolve() / run_path(*entry.key)
        self.began = monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json_atomically(self.folder / RUN_FILE, _first_record(config, entry, command, workers))
        with (self.folder / LOG_FILE).open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and package
                [sys.executable, "-m", "agents", str(self.folder), "--attempt", str(entry.attempt), "--watch-input"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=_ROOT,
                env=_environment(config.threads),
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Return whether the process is over."""
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Ask the process to record an interruption and end."""
        if not self.ended():
            self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the end; kill the process group if it takes longer."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def outcome(self, *, stopping: bool) -> tuple[str, str | None]:
        """Return state and cause of a run whose process is over, and bring its ``run.json`` in line with them.

        Args:
            stopping: Whether the supervisor itself interrupted the run, which then waits to be run again.
        """
        if self.process.stdin is not None:
            self.process.stdin.close()
        state, cause = self._understand(stopping=stopping)
        recorded = self._recorded()
        # Another supervisor that has taken the run over keeps the record of a later attempt here.
        if recorded.get("attempt") == self.entry.attempt and recorded.get("state") != state:
            update_run(self.folder, state=state, cause=cause)
        return state, cause

    def _understand(self, *, stopping: bool) -> tuple[str, str | None]:
        code, recorded = self.process.returncode, self._recorded()
        state, cause = recorded.get("state"), recorded.get("cause")
        if stopping and state not in {"done", "diverged"}:
            return "pending", "interrupted"
        if (code, state) in {(EXIT_DONE, "done"), (EXIT_DIVERGED, "diverged"), (EXIT_FAILED, "failed")}:
            return str(state), cause
        if code < 0:
            return "failed", f"killed by {signal.Signals(-code).name}"
        if code == EXIT_INTERRUPTED:
            return "failed", "interrupted"
        return "failed", f"exit code {code}: {self._last_line()}"

    def _recorded(self) -> dict[str, Any]:
        try:
            return read_json(self.folder / RUN_FILE)
        except (OSError, ValueError):
            return {}

    def _last_line(self) -> str:
        lines = (self.folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "the process said nothing")


def _first_record(config: RunConfig, entry: Entry, command: str, workers: int) -> dict[str, Any]:
    return {
        "format": 1,
        "config": config.to_json(),
        "state": "running",
        "cause": None,
        "attempt": entry.attempt,
        "steps_done": 0,
        "steps_per_s": None,
        "started": entry.started,
        "finished": None,
        "versions": {},
        "hardware": {},
        "command": command,
        "workers": workers,
    }


def _environment(threads: int) -> dict[str, str]:
    # Libraries count their threads when they are loaded, before any of our code could tell them.
    return {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "PYTHONUNBUFFERED": "1"}
