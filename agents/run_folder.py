"""The folder of one run: what is in it and how it is written.

=========================  =================================================================
``run.json``               configuration, state, cause of failure, versions, hardware
``evaluations.csv``        one row per evaluation, appended; a kill can tear only the last
``progress.json``          where training is, rewritten about once a second
``policy.safetensors``     actor and critics at the end (with ``policy.json``)
``events.out.tfevents.*``  TensorBoard curves with Stable-Baselines3's tag names
``log.txt``                what the run's process wrote to its output
=========================  =================================================================
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from agents.evaluation import Evaluation
from agents.files import read_json, write_json_atomically

RUN_FILE = "run.json"
EVALUATIONS_FILE = "evaluations.csv"
PROGRESS_FILE = "progress.json"
LOG_FILE = "log.txt"
# A run in one of these stays as it is; any other is trained again from its start.
FINAL_STATES = ("done", "diverged")
_LOCK_FILE = ".lock"
_CLOCK_COLUMNS = ("wall_s", "act_s", "simulate_s", "learn_s", "evaluate_s")
_FROM_AN_ATTEMPT = (
    EVALUATIONS_FILE,
    PROGRESS_FILE,
    "policy.safetensors",
    "policy.json",
    "events.out.tfevents.*",
    "*.TXT",
    # Of writes that a kill cut short.
    f".{PROGRESS_FILE}",
    *(f".{name}.*" for name in (RUN_FILE, "policy.safetensors", "policy.json")),
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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder alone, waiting until another process has let go of it.

    After the death of a supervisor its last workers may still be closing their files when the next supervisor starts
    the same run.
    """
    with (folder / _LOCK_FILE).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def remove_attempt(folder: Path) -> None:
    """Remove what an earlier, unfinished attempt left; its ``run.json`` and ``log.txt`` stay."""
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


class EvaluationWriter:
    """Appends evaluations to ``evaluations.csv``, each safely on the disk before training goes on.

    Args:
        folder: The run's folder.
        episodes: Episodes per evaluation.
    """

    def __init__(self, folder: Path, episodes: int) -> None:
        self._stream: TextIO = (folder / EVALUATIONS_FILE).open("x", encoding="utf-8", newline="")
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
