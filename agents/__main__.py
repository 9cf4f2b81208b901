"""``python -m agents RUN_DIR...``: train the runs that the folders' ``run.json`` describe, in one process."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.run_folder import RUN_FILE
from agents.worker import work


def main() -> int:
    """Read the arguments and train; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agents", description="Train runs in one process.")
    parser.add_argument("run_dir", nargs="+", type=Path, help="a run's folder, with its run.json")
    parser.add_argument(
        "--attempts",
        type=_numbers,
        help="number of each run's attempt, as in 1,1,2: a higher one than in run.json replaces the results of earlier "
        "ones, even finished (default: as in run.json)",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="folder of the runs' checkpoint, from which they go on (default: none is made)"
    )
    parser.add_argument("--watch-input", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    folders: list[Path] = [folder.resolve() for folder in arguments.run_dir]
    for folder in folders:
        if not (folder / RUN_FILE).is_file():
            parser.error(f"{folder} holds no {RUN_FILE}")
    attempts: Sequence[int] | None = arguments.attempts
    if attempts is not None and len(attempts) != len(folders):
        parser.error(f"--attempts has {len(attempts)} numbers for {len(folders)} folders; allowed is one for each")
    checkpoint: Path | None = arguments.checkpoint and arguments.checkpoint.resolve()
    if checkpoint is not None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
    return work(folders, attempts, checkpoint=checkpoint, watch_input=arguments.watch_input)


def _numbers(text: str) -> list[int]:
    numbers = [int(word) if word.strip().isdecimal() else 0 for word in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed are whole numbers from 1, as in 1,1,2")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
