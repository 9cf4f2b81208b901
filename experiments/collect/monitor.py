"""Training episodes from the CSV files of Stable-Baselines3's `Monitor`.

A file is a line ``#{"t_start": ..., "env_id": ...}``, a line of column names that begins ``r,l,t``, and one line per
episode: return, length in steps, seconds since the file's start. Environments that are stepped side by side have one
file each (``0.monitor.csv``, ``1.monitor.csv``).
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.collect.series import Series, rows_text
from experiments.collect.text_file import TextFileError, read_lines

SUFFIXES = ("monitor.csv", "monitor.csv.gz")


@dataclass(frozen=True)
class _File:
    header: dict[str, Any]
    # Columns: return, length, seconds since the first start, line.
    episodes: list[tuple[float, float, float, int]]


def read_monitors(paths: Sequence[Path], sources: Sequence[str], notes: list[str]) -> tuple[Series | None, str | None]:
    """Read the Monitor files of one run.

    The steps of an episode are the lengths of all episodes that had ended by then, over all files in order of time, as
    `stable_baselines3.common.monitor.load_results` orders them. With one environment that is exact. With several it
    leaves out the steps of episodes that had not ended.

    Args:
        paths: the files.
        sources: what the notes call them.
        notes: gets one line for whatever is odd.

    Returns:
        The episodes, None without any; and the environment's id, None where no file names one.
    """
    if len(paths) > 1:
        notes.append(f"{sources[0]} and {len(paths) - 1} more: taken as environments of one run, stepped side by side")
    files = [_read(path, source, notes) for path, source in zip(paths, sources, strict=True)]
    task = next((file.header["env_id"] for file in files if isinstance(file.header.get("env_id"), str)), None)
    entries = [(start + t, r, length, line, index) for index, file in enumerate(files)
               for start in [_start(file)] for r, length, t, line in file.episodes]  # fmt: skip
    if not entries:
        return None, task
    # Stable: episodes of one file keep their order even where their times are equal.
    entries.sort(key=lambda entry: entry[0])
    times, returns, lengths, lines, indices = (np.array(column) for column in zip(*entries, strict=True))
    origin = min(_start(file) for file in files if file.episodes)
    series = Series(
        steps=np.cumsum(lengths, dtype=np.float64),
        returns=returns.astype(np.float64),
        seconds=times - origin,
        rows=lines.astype(np.int64),
        files=indices.astype(np.int64),
        sources=tuple(sources),
        episodes=True,
        in_time=True,
    )
    return series, task


def _start(file: _File) -> float:
    start = file.header.get("t_start")
    return float(start) if isinstance(start, int | float) and math.isfinite(start) else 0.0


def _read(path: Path, source: str, notes: list[str]) -> _File:
    try:
        lines = read_lines(path, source, notes)
    except TextFileError as error:
        notes.append(f"{source}: {error}; no episode of this file")
        return _File({}, [])
    header: dict[str, Any] = {}
    begin = 0
    if lines and lines[0].startswith("#"):
        begin = 1
        try:
            content = json.loads(lines[0][1:])
            header = content if isinstance(content, dict) else {}
        except ValueError:
            notes.append(f"{source}: line 1 is not JSON; the time of the start is not known")
    if len(lines) <= begin or not {"r", "l", "t"} <= set(columns := next(csv.reader([lines[begin]]))):
        notes.append(f"{source}: no columns r, l and t; no episode of this file")
        return _File(header, [])
    return _File(header, _episodes(lines, begin + 1, columns, source, notes))


def _episodes(
    lines: Sequence[str], begin: int, columns: list[str], source: str, notes: list[str]
) -> list[tuple[float, float, float, int]]:
    r, length, t = (columns.index(name) for name in ("r", "l", "t"))
    episodes: list[tuple[float, float, float, int]] = []
    bad: list[int] = []
    shift = last = 0.0
    for number, row in enumerate(csv.reader(lines[begin:]), start=begin + 1):
        try:
            values = float(row[r]), float(row[length]), float(row[t])
            # The length is what steps are counted from: without it nothing after this line has a place.
            if len(row) != len(columns) or not (values[1] > 0 and math.isfinite(values[1] + values[2])):
                raise ValueError
        except (ValueError, IndexError):
            bad.append(number)
            continue
        if values[2] + shift < last:
            # Another process goes on in the same file; it counts its seconds from its own start.
            shift = last
            notes.append(f"{source}: line {number} starts the clock anew: a resumed run; its episodes are counted on")
        last = values[2] + shift
        episodes.append((values[0], values[1], last, number))
    if bad:
        notes.append(f"{source}: {rows_text(bad)} left out: not a return, a length above 0 and a time")
    return episodes
