"""``python -m agents RUN_DIR``: train the run that a folder's ``run.json`` describes."""

import argparse
import sys
from pathlib import Path

from agents.run_folder import RUN_FILE
from agents.worker import work


def main() -> int:
    """Read the arguments and train; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agents", description="Train one run.")
    parser.add_argument("run_dir", type=Path, help="the run's folder, with its run.json")
    parser.add_argument(
        "--attempt",
        type=int,
        help="number of this attempt, which replaces earlier ones, even finished (default: as in run.json)",
    )
    parser.add_argument("--watch-input", action="store_true", help="end when standard input closes")
    arguments = parser.parse_args()
    folder: Path = arguments.run_dir.resolve()
    if not (folder / RUN_FILE).is_file():
        parser.error(f"{folder} holds no {RUN_FILE}")
    return work(folder, arguments.attempt, watch_input=arguments.watch_input)


if __name__ == "__main__":
    sys.exit(main())
