"""How a study stands: one row per run, from the registry and the run folders, while it runs and afterwards."""

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.files import read_json
from agents.run_folder import EVALUATIONS_FILE, FINAL_STATES, PROGRESS_FILE, RUN_FILE, run_path
from experiments.registry import Entry, Key

# A row of evaluations.csv is far shorter; the end of the file is all that is read.
_TAIL_BYTES = 65_536


@dataclass(frozen=True)
class RunView:
    """One run as a user sees it.

    Attributes:
        key: Task, algorithm, arm, seed.
        state: As in the registry, or ``interrupted`` if its supervisor is gone.
        step: Environment steps so far.
        steps: Environment steps in all.
        steps_per_s: Of training without evaluation; None before the first.
        last_return: Mean of the last evaluation; None before the first.
        elapsed_s: Since the attempt began, until its end; None before it began.
        cause: Of its failure.
    """

    key: Key
    state: str
    step: int
    steps: int
    steps_per_s: float | None
    last_return: float | None
    elapsed_s: float | None
    cause: str | None

    @property
    def left_s(self) -> float | None:
        """Seconds that the run still needs if it goes on as so far, or None if that cannot be said."""
        if self.state != "running" or not self.step or not self.elapsed_s:
            return None
        return (self.steps - self.step) * self.elapsed_s / self.step


def view(folder: Path, entry: Entry, steps: int) -> RunView:
    """Look at one run.

    Args:
        folder: Of the study.
        entry: Of the run.
        steps: Environment steps of each run.
    """
    run = folder / run_path(*entry.key)
    state = "interrupted" if entry.abandoned() else entry.state
    # What a waiting run left behind is an earlier attempt's, which will be removed.
    step, rate = _progress(run) if entry.attempt and state != "pending" else (0, None)
    return RunView(
        key=entry.key,
        state=state,
        step=steps if state == "done" else step,
        steps=steps,
        steps_per_s=rate,
        last_return=last_return(run) if entry.attempt and state != "pending" else None,
        elapsed_s=_elapsed(entry),
        cause=entry.cause,
    )


def views(folder: Path, entries: Sequence[Entry], steps: int) -> list[RunView]:
    """Look at all runs of a study."""
    return [view(folder, entry, steps) for entry in entries]


def counts(entries: Sequence[Entry]) -> str:
    """Return how many runs are in which state, in words.

    >>> counts([])
    'no runs'
    """
    order = ("running", "done", "diverged", "failed", "interrupted", "pending")
    found = Counter("interrupted" if entry.abandoned() else entry.state for entry in entries)
    return ", ".join(f"{found[state]} {state}" for state in order if found[state]) or "no runs"


def time_left(rows: Sequence[RunView], workers: int) -> float | None:
    """Return the seconds until all runs are over, or None if no run has made a step yet.

    Args:
        rows: All runs.
        workers: How many runs share the machine.
    """
    moving = [row for row in rows if row.step and row.elapsed_s and row.state in {"running", "done"}]
    spent, made = sum(row.elapsed_s or 0.0 for row in moving), sum(row.step for row in moving)
    waiting = [row for row in rows if row.state not in FINAL_STATES and row.state != "failed"]
    if not waiting:
        return 0.0
    if not made:
        return None
    remaining = sum(row.steps - row.step for row in waiting)
    return remaining * spent / made / min(workers, len(waiting))


def last_return(run: Path) -> float | None:
    """Return the mean return of a run's last complete evaluation, or None before the first."""
    try:
        with (run / EVALUATIONS_FILE).open("rb") as stream:
            header = stream.readline()
            if not header.endswith(b"\n"):
                return None
            stream.seek(max(len(header), stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            # A row that is being written or was torn by a kill has no end of line yet.
            complete = stream.read().decode().rpartition("\n")[0]
        columns = next(csv.reader(io.StringIO(header.decode())))
        cells = complete.rpartition("\n")[2].split(",")
        return float(cells[columns.index("return_mean")]) if complete else None
    except (OSError, ValueError, IndexError):
        return None


def duration(seconds: float | None) -> str:
    """Return a duration as people say it.

    >>> duration(None), duration(42.4), duration(200), duration(7300)
    ('-', '42 s', '3 min 20 s', '2 h 01 min')
    """
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _progress(run: Path) -> tuple[int, float | None]:
    for name, key in ((PROGRESS_FILE, "step"), (RUN_FILE, "steps_done")):
        try:
            content = read_json(run / name)
            rate = content.get("steps_per_s")
            return int(content[key]), None if rate is None else float(rate)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return 0, None


def _elapsed(entry: Entry) -> float | None:
    if entry.started is None or entry.state == "pending":
        return None
    end = datetime.now(tz=UTC) if entry.finished is None else datetime.fromisoformat(entry.finished)
    return (end - datetime.fromisoformat(entry.started)).total_seconds()
