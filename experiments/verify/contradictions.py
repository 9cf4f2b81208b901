"""Rows of our own evaluations whose parts contradict one another."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from agents.run_folder import EVALUATIONS_FILE

_RELATIVE = 1e-9


def contradictions(path: Path, name: str) -> Iterator[str]:
    """Say in which rows the mean return is not the mean of the episodes beside it.

    A report is made from the mean alone; whoever altered one of the two has altered what was measured.

    Args:
        path: An `evaluations.csv`; any other file holds no episodes and says nothing.
        name: What to call it.
    """
    if path.name != EVALUATIONS_FILE or not path.is_file():
        return
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        for number, row in enumerate(csv.DictReader(stream), 2):
            try:
                episodes = [float(value) for key, value in row.items() if key and key.startswith("episode_return_")]
                mean = float(row["return_mean"])
            except (KeyError, TypeError, ValueError):
                # A torn row; reading it has been noted.
                continue
            expected = fmean(episodes) if episodes else mean
            same = math.isclose(mean, expected, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
            if not same and not (math.isnan(mean) and math.isnan(expected)):
                yield f"{name}: row {number} has return_mean {mean}, its episodes have {expected}"
