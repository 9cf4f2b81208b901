"""The folder of one run: what is in it and how it is written.

=========================  =================================================================
``run.json``               configuration, state, cause of failure, versions, hardware
``evaluations.csv``        one row per evaluation, appended; a kill can tear only the last
``diagnostics.csv``        a row per number measured in the networks, appended by measurement
``shapes.npz``             learnt activations as curves over time, if there are any
``progress.json``          where training is, rewritten about once a second
``policy.safetensors``     actor and critics at the end (with ``policy.json``)
``events.out.tfevents.*``  TensorBoard curves with Stable-Baselines3's tag names
=========================  =================================================================

A cohort is the runs that train in one process. Its folder holds ``log.txt``, what that process wrote to its output, and
``checkpoint/`` while training is not over.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any, TextIO

import numpy as np

from agents.evaluation import Evaluation
from agents.files import read_json, write_json_atomically

RUN_FILE = "run.json"
EVALUATIONS_FILE = "evaluations.csv"
DIAGNOSTICS_FILE = "diagnostics.csv"
SHAPES_FILE = "shapes.npz"
PROGRESS_FILE = "progress.json"
LOG_FILE = "log.txt"
CHECKPOINT_FOLDER = "checkpoint"
# In a cohort's checkpoint; it is there if and only if the checkpoint is complete.
_CHECKPOINT_FILE = "manifest.json"
# A run in one of these stays as it is; any other is trained on.
FINAL_STATES = ("done", "diverged")
_LOCK_FILE = ".lock"
_SECONDS_BETWEEN_TRIES = 0.1
_CLOCK_COLUMNS = ("wall_s", "act_s", "simulate_s", "learn_s", "evaluate_s")
_FROM_AN_ATTEMPT = (
    EVALUATIONS_FILE,
    DIAGNOSTICS_FILE,
    SHAPES_FILE,
    PROGRESS_FILE,
    "policy.safetensors",
    "policy.json",
    "events.out.tfevents.*",
    "*.TXT",
    # Of writes that a kill cut short.
    f".{PROGRESS_FILE}",
    *(f".{name}.*" for name in (RUN_FILE, DIAGNOSTICS_FILE, SHAPES_FILE, "policy.safetensors", "policy.json")),
)


def run_path(task: str, algorithm: str, arm: str, seed: int) -> Path:
    """Return a run's folder relative to its study's.

    >>> run_path("Hopper-v5", "td3", "swim-k0.7", 3).as_posix()
    'Hopper-v5/td3/swim-k0.7/seed-3'
    """
    # Ids such as "dm_control/walker-v0" name a namespace; in a folder's name it would add a level.
    return Path(task.replace("/", "__"), algorithm, arm, f"seed-{seed}")


def now() -> str:
    """Return this moment as ISO text in UTC, to the second."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def checkpoint_file(checkpoint: Path) -> Path:
    """Return the file that is in a checkpoint's folder if and only if the checkpoint is complete."""
    return checkpoint / _CHECKPOINT_FILE


@contextmanager
def locked(folders: Iterable[Path], should_stop: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Hold runs' folders alone, waiting until other processes have let go of them.

    After the death of a supervisor its last workers may still be saving when the next supervisor starts the same runs.

    Args:
        folders: Of the runs.
        should_stop: Asked while waiting.

    Yields:
        Whether they are held; False if waiting was ended by `should_stop`.
    """
    with ExitStack() as stack:
        # In one order for all, or two processes could each wait for the other.
        streams = [stack.enter_context((folder / _LOCK_FILE).open("w")) for folder in sorted(folders)]
        while not (held := all(map(_lock, streams))) and not should_stop():
            sleep(_SECONDS_BETWEEN_TRIES)
        yield held


def is_locked(folder: Path) -> bool:
    """Return whether a process holds a run's folder."""
    try:
        with (folder / _LOCK_FILE).open("r") as stream:
            return not _lock(stream)
    except FileNotFoundError:
        return False


def _lock(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_attempt(folder: Path) -> None:
    """Remove what an earlier, unfinished attempt left; its ``run.json`` stays."""
    for pattern in _FROM_AN_ATTEMPT:
        for path in folder.glob(pattern):
            path.unlink()


def update_run(folder: Path, **changes: Any) -> None:
    """Change some keys of ``run.json``.

    Args:
        folder: The run's folder, with its ``run.json``.
        **changes: New values by key.
    """
    write_json_atomically(folder / RUN_FILE, {**read_json(folder / RUN_FILE), **changes})


def write_progress(folder: Path, step: int, seconds: Mapping[str, float]) -> None:
    """Write where training is, for whoever watches.

    Args:
        folder: The run's folder.
        step: Environment steps so far.
        seconds: As `Clock.seconds` gives them.
    """
    # Not synced to the disk: after a power cut nobody watches, and a sync each second would slow other runs down.
    training = seconds["wall_s"] - seconds["evaluate_s"]
    rate = step / training if training > 0 else 0.0
    text = f'{{"step": {step}, "wall_s": {seconds["wall_s"]:.3f}, "steps_per_s": {rate:.3f}}}\n'
    temporary = folder / f".{PROGRESS_FILE}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / PROGRESS_FILE)


def read_progress(folder: Path) -> tuple[int, float | None]:
    """Return a run's environment steps so far and its steps per second, which may be None.

    They come from ``progress.json``, else from ``run.json``; without either a run has made no step.
    """
    for name, key in ((PROGRESS_FILE, "step"), (RUN_FILE, "steps_done")):
        try:
            content = read_json(folder / name)
            rate = content.get("steps_per_s")
            return int(content[key]), None if rate is None else float(rate)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return 0, None


class EvaluationWriter:
    """Appends evaluations to ``evaluations.csv``, each safely on the disk before training goes on.

    A file that is there is gone on with.

    Args:
        folder: The run's folder.
        episodes: Episodes per evaluation.
    """

    def __init__(self, folder: Path, episodes: int) -> None:
        path = folder / EVALUATIONS_FILE
        begun = path.exists()
        self._stream: TextIO = path.open("a", encoding="utf-8", newline="")
        if begun:
            return
        columns = ["step"]
        columns += [f"episode_return_{index}" for index in range(episodes)]
        columns += [f"episode_length_{index}" for index in range(episodes)]
        columns += ["return_mean", "return_std", "length_mean", *_CLOCK_COLUMNS]
        self._write(columns)

    def append(self, step: int, evaluation: Evaluation, seconds: Mapping[str, float]) -> None:
        """Append one row.

        Args:
            step: Environment steps so far.
            evaluation: Returns and lengths of the episodes.
            seconds: ``wall_s`` and the parts of the clock, as `Clock.seconds` gives them.
        """
        returns, lengths = evaluation.returns, evaluation.lengths
        # repr of a Python float is the shortest text that reads back to the same number.
        cells = [str(step), *(repr(float(value)) for value in returns), *(str(int(value)) for value in lengths)]
        cells += [repr(float(value)) for value in (np.mean(returns), np.std(returns), np.mean(lengths))]
        cells += [f"{seconds[column]:.6f}" for column in _CLOCK_COLUMNS]
        self._write(cells)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _write(self, cells: list[str]) -> None:
        self._stream.write(",".join(cells) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
