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
from agents.run_folder import EVALUATIONS_FILE, FINAL_STATES, RUN_FILE, read_progress, run_path
from experiments.cohorts import has_checkpoint
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
        cohort: Id of the cohort in which it trains or has trained.
        resumed_from: Environment step from which the last attempt went on.
    """

    key: Key
    state: str
    step: int
    steps: int
    steps_per_s: float | None
    last_return: float | None
    elapsed_s: float | None
    cause: str | None
    cohort: str | None = None
    resumed_from: int = 0

    @property
    def made(self) -> int:
        """Environment steps of the last attempt."""
        return max(0, self.step - self.resumed_from)

    @property
    def left_s(self) -> float | None:
        """Seconds that the run still needs if it goes on as so far, or None if that cannot be said."""
        if self.state != "running" or not self.made or not self.elapsed_s:
            return None
        return (self.steps - self.step) * self.elapsed_s / self.made


def view(folder: Path, entry: Entry, steps: int) -> RunView:
    """Look at one run.

    Args:
        folder: Of the study.
        entry: Of the run.
        steps: Environment steps of each run.
    """
    run = folder / run_path(*entry.key)
    state = "interrupted" if entry.abandoned() else entry.state
    # What a run left behind that waits without a checkpoint will be removed.
    known = entry.attempt > 0 and (state != "pending" or has_checkpoint(folder, entry))
    step, rate = read_progress(run) if known else (0, None)
    return RunView(
        key=entry.key,
        state=state,
        step=steps if state == "done" else step,
        steps=steps,
        steps_per_s=rate,
        last_return=last_return(run) if known else None,
        elapsed_s=_elapsed(entry),
        cause=entry.cause,
        cohort=entry.cohort,
        resumed_from=_resumed_from(run) if known else 0,
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

    The runs of a cohort share the time of one process: of an hour in which five made their steps, each has a fifth.

    Args:
        rows: All runs.
        workers: Most cohorts at once.
    """
    moving = [row for row in rows if row.made and row.elapsed_s and row.state in {"running", "done"}]
    sizes = Counter(row.cohort for row in moving)
    spent = sum((row.elapsed_s or 0.0) / (1 if row.cohort is None else sizes[row.cohort]) for row in moving)
    made = sum(row.made for row in moving)
    waiting = [row for row in rows if row.state not in FINAL_STATES and row.state != "failed"]
    if not waiting:
        return 0.0
    if not made:
        return None
    remaining = sum(row.steps - row.step for row in waiting)
    begun = {row.cohort for row in waiting if row.cohort is not None}
    # Those that have not begun will be divided so that no worker is idle.
    processes = len(begun) + sum(row.cohort is None for row in waiting)
    return remaining * spent / made / min(workers, processes)


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


def _resumed_from(run: Path) -> int:
    try:
        return int(read_json(run / RUN_FILE).get("resumed_from") or 0)
    except (OSError, ValueError):
        return 0


def _elapsed(entry: Entry) -> float | None:
    if entry.started is None or entry.state == "pending":
        return None
    end = datetime.now(tz=UTC) if entry.finished is None else datetime.fromisoformat(entry.finished)
    return (end - datetime.fromisoformat(entry.started)).total_seconds()
