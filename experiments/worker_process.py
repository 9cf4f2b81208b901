"""A cohort in a process of its own: how it is started, what it says, and how its end is understood."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import agents
from agents import RunConfig
from agents.files import read_json, write_json_atomically
from agents.run_folder import FINAL_STATES, LOG_FILE, RUN_FILE, run_path, update_run
from agents.worker import EXIT_FAILED, EXIT_INTERRUPTED, cohort_facts
from experiments.cohorts import checkpoint_folder, checkpoint_mark, seconds_to_save
from experiments.registry import Claim, Entry, Key

# The folder that holds the packages, so that the child finds them wherever the command was given.
_ROOT = Path(agents.__file__).resolve().parents[1]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerProcess:
    """A cohort that is being trained.

    The child is in a process group of its own, so that Ctrl-C reaches the supervisor alone, and holds the reading end
    of a pipe from the supervisor: when that breaks, whatever happened to the supervisor, the child ends itself.

    Args:
        study_folder: Of the study.
        configs: All runs of the study by key.
        claim: The cohort, as the registry gave it.
        command: The command that the user gave.
        workers: How many processes share the machine.
    """

    def __init__(
        self, study_folder: Path, configs: Mapping[Key, RunConfig], claim: Claim, command: str, workers: int
    ) -> None:
        self.claim = claim
        self.unsettled: list[Entry] = list(claim.entries)
        self._study = study_folder.resolve()
        self._mark = checkpoint_mark(self._study, claim.cohort)
        checkpoint = checkpoint_folder(self._study, claim.cohort)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        cohort = cohort_facts(claim.cohort, [(entry.arm, entry.seed) for entry in claim.members])
        for entry in claim.entries:
            folder = self._run(entry)
            folder.mkdir(parents=True, exist_ok=True)
            record = _first_record(configs[entry.key], entry, command, workers, cohort)
            # What the run has reached so far is known from its last attempt until the engine says more.
            kept = self._recorded(entry) if self.resuming else {}
            record |= {key: kept[key] for key in ("steps_done", "steps_per_s", "versions", "hardware") if key in kept}
            write_json_atomically(folder / RUN_FILE, record)
        attempts = {entry.key: entry.attempt for entry in claim.entries}
        numbers = [attempts.get(entry.key) or self._recorded(entry).get("attempt", 1) for entry in claim.members]
        self._log = checkpoint.parent / LOG_FILE
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and package
                [
                    *(sys.executable, "-m", "agents", *(str(self._run(entry)) for entry in claim.members)),
                    *("--attempts", ",".join(map(str, numbers)), "--checkpoint", str(checkpoint), "--watch-input"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=_ROOT,
                env=_environment(configs[claim.entries[0].key].threads),
                start_new_session=True,
            )

    @property
    def resuming(self) -> bool:
        """Whether there was a checkpoint when the process was started."""
        return self._mark is not None

    def resumed_from(self) -> int | None:
        """Return the step from which training goes on, or None before that is known."""
        recorded = self._recorded(self.claim.entries[0])
        if recorded.get("attempt") != self.claim.entries[0].attempt or recorded.get("resumed_from") is None:
            return None
        return int(recorded["resumed_from"])

    def ended(self) -> bool:
        """Return whether the process is over."""
        return self.process.poll() is not None

    def advanced(self) -> bool:
        """Return whether the process has written a checkpoint."""
        return checkpoint_mark(self._study, self.claim.cohort) not in {None, self._mark}

    def seconds_to_save(self) -> float | None:
        """Return how long the last checkpoint took, None if there was none or it does not say."""
        return seconds_to_save(self._study, self.claim.cohort)

    def interrupt(self) -> None:
        """Ask the process to save, to record an interruption and to end."""
        if not self.ended():
            self.process.terminate()

    def kill(self) -> None:
        """End the process and all that it has started."""
        if not self.ended():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def newly_over(self) -> list[tuple[Entry, str, str | None]]:
        """Return runs with state and cause that are over, each once, while others of the cohort may go on."""
        found = []
        for entry in list(self.unsettled):
            recorded = self._recorded(entry)
            if recorded.get("attempt") == entry.attempt and recorded.get("state") in FINAL_STATES:
                self.unsettled.remove(entry)
                found.append((entry, str(recorded["state"]), recorded.get("cause")))
        return found

    def outcome(self, *, stopping: bool) -> tuple[str, str | None]:
        """Return state and cause of the runs that the process, which has ended, left unfinished.

        The ``run.json`` of each is brought in line.

        Args:
            stopping: Whether the supervisor itself interrupted the process, whose runs then wait to be trained on.
        """
        if self.process.stdin is not None:
            self.process.stdin.close()
        state, cause = self._interruption() if stopping else ("failed", self._cause())
        for entry in self.unsettled:
            recorded = self._recorded(entry)
            # Another supervisor that has taken the run over keeps the record of a later attempt here.
            if recorded.get("attempt") == entry.attempt and recorded.get("state") != state:
                update_run(self._run(entry), state=state, cause=cause)
        return state, cause

    def _interruption(self) -> tuple[str, str]:
        error = self._error()
        if error is not None:
            # Such as a full disk, which the next command will meet too.
            return "failed", error
        too_slow = self.process.returncode in {-signal.SIGKILL, -signal.SIGALRM}
        return "pending", "interrupted before it had saved" if too_slow else "interrupted"

    def _error(self) -> str | None:
        recorded = self._recorded(self.unsettled[0]) if self.unsettled else {}
        failed = self.process.returncode == EXIT_FAILED and recorded.get("state") == "failed"
        return str(recorded["cause"]) if failed and recorded.get("cause") else None

    def _cause(self) -> str:
        code, error = self.process.returncode, self._error()
        if error is not None:
            return error
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        if code == EXIT_INTERRUPTED:
            return "interrupted"
        return f"exit code {code}: {self._last_line()}"

    def _run(self, entry: Entry) -> Path:
        return self._study / run_path(*entry.key)

    def _recorded(self, entry: Entry) -> dict[str, Any]:
        try:
            return read_json(self._run(entry) / RUN_FILE)
        except (OSError, ValueError):
            return {}

    def _last_line(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._said_before)
            lines = log.read().decode("utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "the process said nothing")


def _first_record(
    config: RunConfig, entry: Entry, command: str, workers: int, cohort: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "format": 1,
        "config": config.to_json(),
        "state": "running",
        "cause": None,
        "attempt": entry.attempt,
        "steps_done": 0,
        "steps_per_s": None,
        "resumed_from": None,
        "started": entry.started,
        "finished": None,
        "versions": {},
        "hardware": {},
        "command": command,
        "workers": workers,
        "engine": config.engine,
        "cohort": dict(cohort),
    }


def _environment(threads: int) -> dict[str, str]:
    # Libraries count their threads when they are loaded, before any of our code could tell them.
    return {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "PYTHONUNBUFFERED": "1"}
