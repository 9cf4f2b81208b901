"""Names of runs that are to be compared: no two alike, and nothing pooled that only happens to be called the same."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from experiments.collect.collection import ReturnsKind
from experiments.collect.log import Log

UNKNOWN = "unknown"
_ROUNDING = 1e-6
_RECORDED = ("saved model", "rl-zoo3's settings", "CleanRL's hyperparameters")
Key: TypeAlias = tuple[str, str, str, int]


@dataclass(frozen=True)
class Named:
    """A log with the run that it is taken to be."""

    log: Log
    task: str
    algorithm: str
    arm: str
    seed: int

    @property
    def key(self) -> Key:
        """Task, algorithm, arm and seed."""
        return self.task, self.algorithm, self.arm, self.seed


def named(logs: Sequence[Log], kind: ReturnsKind, notes: list[str]) -> list[Named]:
    """Names for all logs, in their order; every name that had to be made up or changed is noted.

    - An arm is called by its recorded activation; where folders tell runs with one activation apart, by the folder.
    - Arms of one name that different programs trained are kept apart, as in ``relu (sb3)``; so are those of different
      paths if they hold the same seeds. Who wants them pooled gives both the same name by ``--set``.
    - A seed that is not recorded, or that another run of its arm has already, is numbered.
    - The same curve under another path or in another format is a copy, and is left out.
    """
    tasks = [log.guess.task or UNKNOWN for log in logs]
    algorithms = [log.guess.algorithm or UNKNOWN for log in logs]
    for what, values in (("task", tasks), ("algorithm", algorithms)):
        notes.extend(
            f"{log.place}: the {what} is not known; --set '{log.place}:{what}=NAME' says it"
            for log, value in zip(logs, values, strict=True)
            if value == UNKNOWN
        )
    arms = _arms(logs, list(zip(tasks, algorithms, strict=True)))
    found = [
        Named(log, task, algorithm, arm, -1 if log.guess.seed is None else log.guess.seed)
        for log, task, algorithm, arm in zip(logs, tasks, algorithms, arms, strict=True)
    ]
    found = _apart(found, [entry.log.format for entry in found], same_seed=False)
    found = _without_copies(found, kind, notes)
    found = _apart(found, [entry.log.root for entry in found], same_seed=True)
    return _numbered(found, notes)


def _arms(logs: Sequence[Log], places: Sequence[tuple[str, str]]) -> list[str]:
    folders: dict[tuple[str, ...], set[str | None]] = defaultdict(set)
    keys = [(*place, log.format, log.guess.arm or "") for log, place in zip(logs, places, strict=True)]
    for log, key in zip(logs, keys, strict=True):
        folders[key].add(log.guess.folder_arm)
    arms = []
    for log, key in zip(logs, keys, strict=True):
        guess = log.guess
        by_folder = guess.how.get("arm") in _RECORDED and len(folders[key]) > 1 and guess.folder_arm
        arms.append((guess.folder_arm if by_folder else guess.arm) or guess.folder_arm or log.format)
    return arms


def _apart(found: Sequence[Named], origins: Sequence[str], *, same_seed: bool) -> list[Named]:
    """Arms of one name and several origins get their origin's name, except those of our own and those of a person."""
    by_name: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for entry, origin in zip(found, origins, strict=True):
        if "arm" not in entry.log.corrected and not (same_seed and entry.seed < 0):
            by_name[entry.key if same_seed else (entry.arm,)].add(origin)
    mixed = {key[2] if same_seed else key[0]: found for key, found in by_name.items() if len(found) > 1}
    return [
        replace(entry, arm=f"{entry.arm} ({origin})")
        if entry.arm in mixed and origin != "rl_acts" and "arm" not in entry.log.corrected
        else entry
        for entry, origin in zip(found, origins, strict=True)
    ]


def _without_copies(found: Sequence[Named], kind: ReturnsKind, notes: list[str]) -> list[Named]:
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    curves: dict[int, npt.NDArray[np.float64]] = {}
    for index, entry in enumerate(found):
        steps, returns = _curve(entry.log, kind)
        finite = returns[np.isfinite(returns)]
        # A curve of one value, such as the most that a task gives, is no sign of being the same run.
        if finite.size and finite.min() < finite.max():
            alike[entry.task, entry.algorithm, steps.tobytes()].append(index)
            curves[index] = returns
    twins: dict[int, int] = {}
    for group in alike.values():
        for a, b in _near(group, curves):
            first, second = min(a, b), max(a, b)
            if first not in twins and second not in twins and _may_be_copies(found[first], found[second]):
                twins[second] = first
    notes.extend(
        f"{found[index].log.place}: a copy of {found[twin].log.place}, with the same curve; left out"
        for index, twin in sorted(twins.items())
    )
    return [entry for index, entry in enumerate(found) if index not in twins]


def _near(group: Sequence[int], curves: Mapping[int, npt.NDArray[np.float64]]) -> Iterator[tuple[int, int]]:
    """Pairs of equal curves, up to the rounding to 32 bit of event files."""
    # Equal curves have equal means, so those that are far apart in order of means need no comparing.
    means = [float(np.mean(curves[index][np.isfinite(curves[index])])) for index in group]
    sizes = [float(np.max(np.abs(curves[index][np.isfinite(curves[index])]))) for index in group]
    order = np.argsort(means, kind="stable")
    for position, one in enumerate(order):
        for other in order[position + 1 :]:
            if means[other] - means[one] > _ROUNDING * (sizes[one] + sizes[other]):
                break
            if np.allclose(curves[group[one]], curves[group[other]], rtol=_ROUNDING, atol=0.0, equal_nan=True):
                yield group[one], group[other]


def _may_be_copies(a: Named, b: Named) -> bool:
    """Two runs of one program with different seeds are two runs, however alike."""
    return a.log.format != b.log.format or a.seed == b.seed or min(a.seed, b.seed) < 0


def _curve(log: Log, kind: ReturnsKind) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if log.run is not None:
        return log.run.evaluations.steps, log.run.evaluations.returns
    return log.series[kind].steps, log.series[kind].returns


def _numbered(found: Sequence[Named], notes: list[str]) -> list[Named]:
    used: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    again: list[int] = []
    result = list(found)
    for index, entry in enumerate(found):
        seeds = used[entry.key[:3]]
        if entry.seed < 0 or entry.seed in seeds:
            again.append(index)
        else:
            seeds.add(entry.seed)
    for index in again:
        entry = found[index]
        seeds = used[entry.key[:3]]
        number = next(number for number in range(len(seeds) + 1) if number not in seeds)
        seeds.add(number)
        reason = "the seed is not known" if entry.seed < 0 else f"seed {entry.seed} of {entry.arm} is another run too"
        notes.append(f"{entry.log.place}: {reason}; numbered {number}")
        result[index] = replace(entry, seed=number)
    return result
