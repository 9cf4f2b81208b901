"""Cohorts: which runs train together in one process, and the folders of those that have begun."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import rl_acts
from agents import RunConfig
from agents.files import read_json
from agents.network_size import changed_widths
from agents.run_folder import (
    CHECKPOINT_FOLDER,
    EVALUATIONS_FILE,
    FINAL_STATES,
    checkpoint_file,
    is_locked,
    run_path,
)
from experiments.registry import Entry, Key, Standing, say

COHORTS_FOLDER = "cohorts"
# Task and algorithm, and the widths where activations change them: what the runs of a cohort share.
Group: TypeAlias = tuple[str, ...]
GroupOf: TypeAlias = Callable[[Key], Group]


def group_of(config: RunConfig) -> Group:
    """Return what a run shares with all that can train in one cohort with it."""
    try:
        widths = changed_widths(config)
    except rl_acts.ActivationError:
        # The run's own process says what is wrong with it.
        widths = ""
    return (config.task, config.algorithm, *([widths] if widths else []))


def _by_key(key: Key) -> Group:
    return key[:2]


def cohort_sizes(
    waiting: Sequence[Key], going_on: int, workers: int, most: Callable[[Group], int], group: GroupOf = _by_key
) -> dict[Group, list[int]]:
    """Return the sizes of new cohorts for each group, in the order in which they begin.

    Cohorts are as large as they may be, but so many that every worker has one, in whole rounds: 11 runs on two workers
    are not ten and one, but six and five.

    Args:
        waiting: Keys of the runs that begin from their start.
        going_on: How many cohorts go on from a checkpoint.
        workers: Most cohorts at once.
        most: Largest size of a cohort of one group.
        group: Of a run; without it, task and algorithm.

    >>> cohort_sizes([("Hopper-v5", "td3", "relu", seed) for seed in range(5)], 0, 2, lambda group: 10)
    {('Hopper-v5', 'td3'): [3, 2]}
    """
    runs = Counter(map(group, waiting))
    if not runs:
        return {}
    parts = {each: -(-count // most(each)) for each, count in runs.items()}
    rounds = -(-(sum(parts.values()) + going_on) // workers)
    wanted = min(rounds * workers - going_on, sum(runs.values()))
    while sum(parts.values()) < wanted:
        longest = max(runs, key=lambda each: runs[each] / parts[each])
        parts[longest] += 1
    return {
        each: [count // parts[each] + (part < count % parts[each]) for part in range(parts[each])]
        for each, count in runs.items()
    }


class Sizes:
    """Says how large the next new cohort of a group is.

    Args:
        sizes: By group, in order; the last holds for all that follow, and one where nothing is said.
        group: Of a run; without it, task and algorithm.
    """

    def __init__(self, sizes: Mapping[Group, Sequence[int]], group: GroupOf = _by_key) -> None:
        self._left = {each: list(found) for each, found in sizes.items()}
        self._group = group

    def __call__(self, key: Key) -> int:
        """Return the size of the cohort whose first run has this key, to be asked once for each."""
        left = self._left.get(self._group(key), [1])
        return left.pop(0) if len(left) > 1 else left[0]


def new_cohorts(
    waiting: Sequence[Key], sizes: Mapping[Group, Sequence[int]], group: GroupOf = _by_key
) -> list[list[Key]]:
    """Return the cohorts in the order in which they will be claimed."""
    left, cohorts, size = list(waiting), [], Sizes(sizes, group)
    while left:
        cohort = [key for key in left if group(key) == group(left[0])][: size(left[0])]
        left = [key for key in left if key not in set(cohort)]
        cohorts.append(cohort)
    return cohorts


def describe(keys: Sequence[Key]) -> str:
    """Return the runs of a cohort as people read them.

    >>> describe([("Hopper-v5", "td3", arm, seed) for arm in ("relu", "swim") for seed in (0, 1, 2, 5)][:5])
    'Hopper-v5 td3: 5 runs (relu seeds 0-2,5, swim seed 0)'
    """
    if len(keys) == 1:
        return say(keys[0])
    arms: dict[str, list[int]] = {}
    for _, _, arm, seed in keys:
        arms.setdefault(arm, []).append(seed)
    words = [f"{arm} {'seed' if len(seeds) == 1 else 'seeds'} {_ranges(seeds)}" for arm, seeds in arms.items()]
    return f"{' '.join(keys[0][:2])}: {len(keys)} runs ({', '.join(words)})"


def _ranges(seeds: Iterable[int]) -> str:
    texts = []
    for _, stretch in groupby(enumerate(sorted(seeds)), key=lambda pair: pair[1] - pair[0]):
        found = [seed for _, seed in stretch]
        texts.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(texts)


def cohort_folder(folder: Path, cohort: str) -> Path:
    """Return a cohort's folder in its study's."""
    return folder / COHORTS_FOLDER / cohort


def checkpoint_folder(folder: Path, cohort: str) -> Path:
    """Return the folder of a cohort's checkpoint, which exists once there is one."""
    return cohort_folder(folder, cohort) / CHECKPOINT_FOLDER


def has_checkpoint(folder: Path, entry: Entry) -> bool:
    """Return whether a run, if it is not over, goes on from a checkpoint."""
    if entry.cohort is None or entry.state in FINAL_STATES:
        return False
    return checkpoint_file(checkpoint_folder(folder, entry.cohort)).is_file()


def standing(folder: Path, members: Sequence[Entry]) -> Standing:
    """Return how a cohort stands that nobody trains.

    Args:
        folder: Of the study.
        members: All runs of the cohort.
    """
    runs = [folder / run_path(*entry.key) for entry in members]
    if any(map(is_locked, runs)):
        return Standing.BUSY
    # A checkpoint goes on with what its runs have written so far.
    whole = all((run / EVALUATIONS_FILE).is_file() for run in runs)
    unfinished = [entry for entry in members if entry.state not in FINAL_STATES]
    return Standing.RESUMABLE if whole and has_checkpoint(folder, unfinished[0]) else Standing.LOST


def checkpoint_mark(folder: Path, cohort: str) -> tuple[int, int] | None:
    """Return what differs between any two complete checkpoints of a cohort; None if there is none."""
    try:
        found = checkpoint_file(checkpoint_folder(folder, cohort)).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def seconds_to_save(folder: Path, cohort: str) -> float | None:
    """Return how long a checkpoint of a cohort took, as the last one says; None if there is none, or it does not say.

    The first cannot know yet how long it takes, and says zero.
    """
    try:
        return float(read_json(checkpoint_file(checkpoint_folder(folder, cohort)))["seconds"]) or None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_useless_checkpoints(folder: Path, entries: Callable[[], Sequence[Entry]]) -> None:
    """Remove checkpoints that nobody will go on from; logs stay.

    Args:
        folder: Of the study.
        entries: Reads all its runs.
    """
    # First the folders: one that is made after the runs were read belongs to a cohort that has just begun.
    found = list((folder / COHORTS_FOLDER).glob(f"*/{CHECKPOINT_FOLDER}*"))
    needed = {entry.cohort for entry in entries() if entry.state not in FINAL_STATES}
    for path in found:
        if path.parent.name not in needed:
            shutil.rmtree(path, ignore_errors=True)
