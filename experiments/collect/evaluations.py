"""`evaluations.csv` of one run: numbers in, arrays out, tolerant of what a kill leaves."""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.statistics.arrays import FloatArray

IntArray = npt.NDArray[np.int64]

CLOCK_COLUMNS = ("wall_s", "act_s", "simulate_s", "learn_s", "evaluate_s")
PARTS = ("act", "simulate", "learn", "evaluate", "other")


@dataclass(frozen=True, eq=False)
class Evaluations:
    """Evaluations of one run, E rows in order of steps.

    Attributes:
        steps: environment steps, [E].
        returns: mean return over the evaluation's episodes, [E]; NaN where the run had diverged.
        clock: seconds since the start of training, [E, 5], columns as CLOCK_COLUMNS; NaN where not recorded.
        rows: where each stands in the raw file, [E], counted from 1: lines of a text, evaluations of an array file,
            records of an event file. Empty where nobody counted.
        files: which of the run's files each is in, [E]: 0 is `Run.source`, the others are `Run.more_sources`. Empty
            where there is one file.
    """

    steps: FloatArray
    returns: FloatArray
    clock: FloatArray
    rows: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    files: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    @staticmethod
    def empty() -> "Evaluations":
        """No evaluation at all."""
        return Evaluations(np.empty(0), np.empty(0), np.empty((0, len(CLOCK_COLUMNS))))

    @property
    def training_seconds(self) -> FloatArray:
        """Seconds since the start without those spent evaluating, [E]."""
        return self.clock[:, 0] - self.clock[:, 4]

    @property
    def clock_usable(self) -> bool:
        """Whether the training seconds are known, finite and never go back."""
        seconds = self.training_seconds
        return bool(seconds.size > 0 and np.isfinite(seconds).all() and (np.diff(seconds) >= 0).all())

    @property
    def steps_per_second(self) -> float:
        """Environment steps per second of training, without evaluation; NaN where it cannot be known."""
        seconds = float(self.training_seconds[-1]) if self.clock_usable else 0.0
        return float(self.steps[-1]) / seconds if seconds > 0 and self.steps[-1] > 0 else float("nan")

    @property
    def shares(self) -> FloatArray:
        """Share of the run's whole time spent in each of PARTS, [5], sums to 1; NaN where it cannot be known."""
        if not self.clock_usable or not np.isfinite(self.clock[-1]).all() or self.clock[-1, 0] <= 0:
            return np.full(len(PARTS), np.nan)
        wall, *named = self.clock[-1]
        other = max(0.0, wall - sum(named))
        parts = np.array([*named, other])
        return np.asarray(parts / parts.sum(), dtype=np.float64)


def read_evaluations(path: Path, place: str, notes: list[str]) -> Evaluations:
    """Read one file of evaluations; `place` names it in the notes, which this function adds to."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        notes.append(f"{place}: missing; no evaluation of this run")
        return Evaluations.empty()
    lines = content.split("\n")
    # Without its line end the last line may be cut inside a number, which would still parse.
    if lines.pop():
        notes.append(f"{place}: the last line is torn (no line end); it is left out")
    if not lines:
        notes.append(f"{place}: empty; no evaluation of this run")
        return Evaluations.empty()
    header, *rows = csv.reader(lines)
    if not {"step", "return_mean"} <= set(header):
        notes.append(f"{place}: no columns step and return_mean; no evaluation of this run")
        return Evaluations.empty()
    table, numbers = _numbers(header, rows, place, notes)
    evaluations = Evaluations(table[:, 0], table[:, 1], table[:, 2:], numbers)
    bad = int((~np.isfinite(evaluations.returns)).sum())
    if bad:
        notes.append(f"{place}: {bad} of {bad + int(np.isfinite(evaluations.returns).sum())} returns are not finite")
    if table.size and not evaluations.clock_usable:
        notes.append(f"{place}: times are missing or go back; this run is left out of the timings")
    return evaluations


def _numbers(header: list[str], rows: list[list[str]], place: str, notes: list[str]) -> tuple[FloatArray, IntArray]:
    """Rows [E, 7]: step, return_mean, CLOCK_COLUMNS; lines [E]. A row that goes back replaces those from there."""
    columns = [header.index(name) if name in header else None for name in ("step", "return_mean", *CLOCK_COLUMNS)]
    if (table := _orderly(len(header), rows, columns)) is not None:
        return table, np.arange(2, len(rows) + 2)
    kept: list[list[float]] = []
    lines: list[int] = []
    for number, row in enumerate(rows, start=2):
        try:
            if len(row) != len(header):
                raise ValueError(f"{len(row)} columns instead of {len(header)}")
            values = [math.nan if column is None else float(row[column]) for column in columns]
            if not (math.isfinite(values[0]) and values[0] >= 0):
                raise ValueError(f"step is {row[header.index('step')]}")
        except ValueError as error:
            notes.append(f"{place}: line {number} is left out ({error})")
            continue
        # A resumed run repeats the evaluations after its last checkpoint.
        if kept and kept[-1][0] >= values[0]:
            while kept and kept[-1][0] >= values[0]:
                del kept[-1], lines[-1]
            notes.append(f"{place}: line {number} goes back to step {values[0]:.0f}; it replaces the lines from there")
        kept.append(values)
        lines.append(number)
    return np.array(kept, dtype=np.float64).reshape(len(kept), len(columns)), np.array(lines, dtype=np.int64)


def _orderly(width: int, rows: list[list[str]], columns: list[int | None]) -> FloatArray | None:
    """The rows [E, 7] where nothing is odd, several times faster than one by one; None otherwise."""
    if not rows or any(len(row) != width for row in rows):
        return None
    cells = list(zip(*rows, strict=True))
    table = np.full((len(rows), len(columns)), np.nan)
    try:
        for index, column in enumerate(columns):
            if column is not None:
                table[:, index] = list(map(float, cells[column]))
    except ValueError:
        return None
    steps = table[:, 0]
    return table if np.isfinite(steps).all() and steps[0] >= 0 and (np.diff(steps) > 0).all() else None
