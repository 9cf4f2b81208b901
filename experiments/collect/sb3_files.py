"""Evaluations and training returns from Stable-Baselines3's `evaluations.npz` and `progress.csv`."""

import csv
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from experiments.collect.collection import ReturnsKind
from experiments.collect.series import Series, rows_text
from experiments.collect.text_file import TextFileError, read_lines

EVALUATIONS_FILE = "evaluations.npz"
PROGRESS_FILE = "progress.csv"
# The logger's names; `rollout/ep_rew_mean` is the mean of the last 100 training episodes: smooth before it is written.
LOGGER_TAGS: dict[str, ReturnsKind] = {"eval/mean_reward": "evaluation", "rollout/ep_rew_mean": "training"}
_STEP, _ELAPSED = "time/total_timesteps", "time/time_elapsed"


def read_evaluations_npz(path: Path, source: str, notes: list[str]) -> Series | None:
    """Read what `EvalCallback` writes: `timesteps` [E], `results` [E, episodes].

    The return is the mean over the episodes, in NumPy's float64 as `EvalCallback` itself takes it. Nothing is
    unpickled: a file that holds Python objects is refused. It has no clock.

    Returns:
        The evaluations, rows counted from 1; None, with a note, where there are none.
    """
    try:
        # Opened here: NumPy leaves a file open that turns out to be no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            steps = np.asarray(content["timesteps"], dtype=np.float64)
            results = np.asarray(content["results"], dtype=np.float64)
    except KeyError as error:
        notes.append(f"{source}: no array {error.args[0].split(' ')[0]}; no evaluation of this file")
        return None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        reason = "empty" if _is_empty(path) else " ".join(str(error).split()) or type(error).__name__
        notes.append(f"{source}: cannot be read ({reason}); no evaluation of this file")
        return None
    if steps.ndim != 1 or results.ndim not in (1, 2) or results.shape[0] != steps.size:
        shapes = f"timesteps {list(steps.shape)} and results {list(results.shape)}"
        notes.append(f"{source}: {shapes} do not belong together; no evaluation of this file")
        return None
    if not steps.size:
        notes.append(f"{source}: holds no evaluation")
        return None
    episodes = results.reshape(steps.size, -1)
    return Series(
        steps,
        episodes.mean(axis=1) if episodes.shape[1] else np.full(steps.size, np.nan),
        np.full(steps.size, np.nan),
        np.arange(1, steps.size + 1),
        np.zeros(steps.size, np.int64),
        (source,),
        row_word="evaluation",
        averaged=episodes.shape[1] or None,
    )


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def read_progress_csv(path: Path, source: str, notes: list[str]) -> dict[ReturnsKind, Series]:
    """Read what the logger's CSV format writes; cells that a row does not log are empty.

    Seconds stand only in rows that log them; for the others they are unknown.
    """
    try:
        header, *rows = csv.reader(read_lines(path, source, notes))
    except (TextFileError, csv.Error) as error:
        notes.append(f"{source}: {error}; no return of this file")
        return {}
    tags = [tag for tag in LOGGER_TAGS if tag in header]
    if _STEP not in header or not tags:
        notes.append(f"{source}: no column {_STEP} with one of {', '.join(LOGGER_TAGS)}; no return of this file")
        return {}
    found: dict[ReturnsKind, Series] = {}
    bad: set[int] = set()
    for tag in tags:
        entries = _entries(header, rows, tag, bad)
        if entries:
            found[LOGGER_TAGS[tag]] = _series(entries, source)
    if bad:
        notes.append(f"{source}: {rows_text(sorted(bad))} left out: not as many cells as columns, or no numbers")
    if not found:
        notes.append(f"{source}: holds no return")
    return found


def _entries(
    header: list[str], rows: list[list[str]], tag: str, bad: set[int]
) -> list[tuple[float, float, float, int]]:
    """Step, return, seconds and line of each row that logs the tag; lines that cannot be read join `bad`."""
    step, column = header.index(_STEP), header.index(tag)
    elapsed = header.index(_ELAPSED) if _ELAPSED in header else None
    entries = []
    for number, row in enumerate(rows, start=2):
        if len(row) == len(header) and not row[column]:
            continue
        try:
            if len(row) != len(header):
                raise ValueError
            seconds = float(row[elapsed]) if elapsed is not None and row[elapsed] else math.nan
            entries.append((float(row[step]), float(row[column]), seconds, number))
        except ValueError:
            bad.add(number)
    return entries


def _series(entries: list[tuple[float, float, float, int]], source: str) -> Series:
    steps, returns, seconds, lines = (np.array(column) for column in zip(*entries, strict=True))
    return Series(steps, returns, seconds, lines, np.zeros(lines.size, np.int64), (source,), in_time=True)
