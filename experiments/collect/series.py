"""One kind of returns of one run, as a log holds them, and how they become evaluations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from experiments.collect.evaluations import CLOCK_COLUMNS, Evaluations, IntArray
from experiments.statistics.arrays import FloatArray
from experiments.text import count, whole

_MOST_ROWS = 5


@dataclass(frozen=True, eq=False)
class Series:
    """Returns of one run, N entries in the order in which they were written.

    Attributes:
        steps: environment steps, [N]; of an episode, those at its end.
        returns: undiscounted returns, [N].
        seconds: since the run's start, [N]; NaN where the log does not tell.
        rows: place in the raw file, [N], counted from 1.
        files: which of `sources` each entry is in, [N].
        sources: the raw files, relative to what was read.
        episodes: whether each entry is one training episode; otherwise it is a point of a curve.
        in_time: whether entries stand in the order of time, so that steps which go back mean a resumed run.
        row_word: what a row of the raw file is called.
        averaged: number of evaluation episodes behind each entry, where it is known.
    """

    steps: FloatArray
    returns: FloatArray
    seconds: FloatArray
    rows: IntArray
    files: IntArray
    sources: tuple[str, ...]
    episodes: bool = False
    in_time: bool = False
    row_word: str = "line"
    averaged: int | None = None

    @property
    def last_step(self) -> float:
        """The largest number of steps; 0 without an entry."""
        return float(self.steps[-1]) if self.steps.size else 0.0

    @property
    def gap(self) -> float:
        """Median distance of entries in steps; 0 with fewer than two."""
        return float(np.median(np.diff(self.steps))) if self.steps.size > 1 else 0.0

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Series":
        """The entries at an index or mask, in its order."""
        return replace(
            self,
            steps=self.steps[index],
            returns=self.returns[index],
            seconds=self.seconds[index],
            rows=self.rows[index],
            files=self.files[index],
        )

    def same_curve(self, other: "Series") -> bool:
        """Whether both hold the same steps and returns."""
        return np.array_equal(self.steps, other.steps) and np.array_equal(self.returns, other.returns, equal_nan=True)


def cleaned(series: Series, notes: list[str]) -> Series:
    """In order of steps, one entry per step; whatever is set aside or out of order is added to the notes.

    Where the order is that of time, steps that go back are a run resumed from an earlier point: what was written before
    and lies at or beyond that point is replaced. Otherwise entries are sorted, and of several at one step the last
    written is kept. Training episodes may end at the same step, in environments that are stepped side by side.
    """
    good = np.isfinite(series.steps) & (series.steps >= 0)
    if not good.all():
        notes.append(f"{places(series, ~good)} left out: the step is missing, not finite or below 0")
        series = series.take(good)
    series = _unrolled(series, notes) if series.in_time else _sorted(series, notes)
    if not series.episodes:
        series = _last_of_each_step(series, notes)
    bad = ~np.isfinite(series.returns)
    if bad.any():
        notes.append(f"{places(series, bad)}: {int(bad.sum())} of {bad.size} returns are not finite")
    return series


def places(series: Series, chosen: npt.NDArray[np.bool_]) -> str:
    """Files and rows of the chosen entries in words, such as ``a.csv: lines 3 and 5``."""
    found = []
    for index in np.unique(series.files[chosen]):
        rows = series.rows[chosen & (series.files == index)]
        found.append(f"{series.sources[index]}: {rows_text(rows.tolist(), series.row_word)}")
    return "; ".join(found)


def rows_text(rows: Sequence[int], word: str = "line") -> str:
    """Rows in words.

    >>> rows_text([3]), rows_text([3, 5]), rows_text([1, 2, 3, 4, 5, 6, 7])
    ('line 3', 'lines 3, 5', 'lines 1, 2, 3, 4, 5 and 2 more')
    """
    listed = ", ".join(str(row) for row in rows[:_MOST_ROWS])
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f"{word if len(rows) == 1 else word + 's'} {listed}{more}"


def _unrolled(series: Series, notes: list[str]) -> Series:
    keep = np.ones(series.steps.size, dtype=bool)
    backwards = 1 + np.flatnonzero(np.diff(series.steps) < 0)
    for index in backwards:
        replaced = keep[:index] & (series.steps[:index] >= series.steps[index])
        keep[:index] &= ~replaced
        place = f"{series.sources[series.files[index]]}: {series.row_word} {series.rows[index]}"
        amount = count(int(replaced.sum()), "earlier entry").replace("entrys", "entries")
        notes.append(f"{place} goes back to step {whole(series.steps[index])}: a resumed run; it replaces {amount}")
    return series.take(keep) if backwards.size else series


def _sorted(series: Series, notes: list[str]) -> Series:
    if (np.diff(series.steps) >= 0).all():
        return series
    first = np.zeros(series.steps.size, dtype=bool)
    first[1 + np.flatnonzero(np.diff(series.steps) < 0)] = True
    notes.append(f"{places(series, first)}: steps are not in order; sorted")
    return series.take(np.argsort(series.steps, kind="stable"))


def _last_of_each_step(series: Series, notes: list[str]) -> Series:
    earlier = np.append(np.diff(series.steps) == 0, False) if series.steps.size else np.zeros(0, dtype=bool)
    if not earlier.any():
        return series
    notes.append(f"{places(series, earlier)} left out: the same step is written again later, the last one is kept")
    return series.take(~earlier)


def evaluations(series: Series, *, end: float, excludes_evaluation: bool) -> Evaluations:
    """The entries up to step `end` as evaluations.

    Args:
        series: cleaned, a curve's points (not single episodes).
        end: last step to take.
        excludes_evaluation: whether the log's seconds hold no time of evaluating; otherwise that time is unknown, and
            with it the seconds of training.
    """
    series = series.take(series.steps <= end)
    clock = np.full((series.steps.size, len(CLOCK_COLUMNS)), np.nan)
    clock[:, 0] = series.seconds
    if excludes_evaluation:
        clock[:, CLOCK_COLUMNS.index("evaluate_s")] = np.where(np.isfinite(series.seconds), 0.0, np.nan)
    files = series.files if len(series.sources) > 1 else np.empty(0, np.int64)
    return Evaluations(series.steps, series.returns, clock, series.rows, files)


def binned(series: Series, width: float, notes: list[str]) -> Series:
    """Training episodes on a grid: at each multiple of `width`, the mean over the episodes that ended in between.

    The point at step k * width is the plain mean of the returns of the episodes that ended after (k - 1) * width and
    not after k * width; it carries the seconds and the row of the last of them. An interval in which no episode ended
    has no point (curves are then interpolated linearly). The last interval counts if the run's last episode ended in
    its second half. Nothing else is smoothed. An episode with a return that is not finite makes its interval so.
    """
    if not series.steps.size:
        return replace(series, episodes=False)
    # A step of exactly k * width belongs to interval k; at step 0 an episode has not begun.
    interval = np.maximum(np.ceil(series.steps / width), 1).astype(np.int64)
    if series.last_step < (interval[-1] - 0.5) * width:
        late = interval == interval[-1]
        notes.append(f"{places(series, late)} left out: the interval of {whole(width)} steps is less than half full")
        series, interval = series.take(~late), interval[~late]
    numbers, start, amounts = np.unique(interval, return_index=True, return_counts=True)
    last = start + amounts - 1
    means = np.asarray(np.add.reduceat(series.returns, start) / amounts, dtype=np.float64)
    ends: FloatArray = numbers * np.float64(width)
    return replace(series.take(last), steps=ends, returns=means, episodes=False)


def joined(parts: Iterable[Series]) -> Series:
    """Pieces of one run one after the other, in the order of time; their files follow one another."""
    parts = list(parts)
    shifts = np.cumsum([0, *(len(part.sources) for part in parts[:-1])])
    return replace(
        parts[0],
        steps=np.concatenate([part.steps for part in parts]),
        returns=np.concatenate([part.returns for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        files=np.concatenate([part.files + shift for part, shift in zip(parts, shifts, strict=True)]),
        sources=tuple(source for part in parts for source in part.sources),
    )
