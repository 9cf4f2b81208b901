"""How what is left of a study is divided into cohorts, within the memory that there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from agents import RunConfig
from agents.memory import available_bytes, bytes_per_row, bytes_per_run, replay_rows
from agents.run_folder import FINAL_STATES
from experiments.cohorts import Group, GroupOf, cohort_sizes, group_of, has_checkpoint, new_cohorts
from experiments.estimate import say_bytes
from experiments.finished_runs import lost
from experiments.problems import InputError
from experiments.registry import Entry, Key

# On a CPU a larger cohort saves little more; on a GPU the update is nearly free up to about this many.
_MOST_ON_CPU, MOST_ON_CUDA = 10, 20
_SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True)
class Limits:
    """What cohorts must keep to.

    Attributes:
        device: Where they train.
        workers: Most cohorts at once.
        cohort: Most runs of a cohort; None leaves it to memory, device and workers.
    """

    device: torch.device
    workers: int
    cohort: int | None = None


@dataclass(frozen=True)
class Schedule:
    """What is left of a study.

    Attributes:
        going_on: Runs of each cohort that goes on from a checkpoint, or that another command trains.
        beginning: Runs of each new cohort.
        sizes: Most runs of new cohorts in their order, by group.
        at_once: How many processes share the machine.
        memory: Bytes that the runs trained at once will need.
        available: Bytes that there are.
    """

    going_on: list[list[Key]]
    beginning: list[list[Key]]
    sizes: Mapping[Group, list[int]]
    at_once: int
    memory: int
    available: int

    @property
    def cohorts(self) -> list[list[Key]]:
        """All cohorts, in the order in which they will be trained."""
        return [*self.going_on, *self.beginning]

    def say(self) -> str:
        """Return how many runs train at once, in words."""
        largest = max((len(cohort) for cohort in self.cohorts), default=1)
        if largest == 1:
            return f"{self.at_once} {'run' if self.at_once == 1 else 'runs'} at once"
        processes = "process" if self.at_once == 1 else "processes"
        return f"{self.at_once} {processes} at once, each with up to {largest} runs"


def make_schedule(folder: Path, entries: Sequence[Entry], configs: Mapping[Key, RunConfig], limits: Limits) -> Schedule:
    """Divide the runs of a study that are not over into cohorts.

    Args:
        folder: Of the study.
        entries: Its runs in the registry.
        configs: All its runs by key.
        limits: What cohorts must keep to.

    Raises:
        InputError: Not one run, or not the number that the user wants, fits the memory.
        TaskError: A task cannot be built.
    """
    known = {entry.key: entry for entry in entries}
    going_on: dict[str, list[Key]] = {}
    waiting: list[Key] = []
    for key in configs:
        entry = known.get(key)
        if entry is None or lost(folder, entry) is not None:
            waiting.append(key)
        elif entry.state not in FINAL_STATES:
            trained = entry.state == "running" and not entry.abandoned()
            if entry.cohort is not None and (trained or has_checkpoint(folder, entry)):
                going_on.setdefault(entry.cohort, []).append(key)
            else:
                waiting.append(key)
    runs = len(waiting) + len(going_on)
    groups = {key: group_of(config) for key, config in configs.items()}
    memory = _Memory(configs, groups.__getitem__, limits, max(1, min(limits.workers, runs)))
    sizes = (
        memory.wanted(waiting, limits.cohort)
        if limits.cohort is not None
        else cohort_sizes(
            waiting, len(going_on), limits.workers, lambda group: memory.most(waiting, group), groups.__getitem__
        )
    )
    beginning = new_cohorts(waiting, sizes, groups.__getitem__)
    for cohort in going_on.values():
        # Should its checkpoint be of no use, its runs begin again together.
        sizes.setdefault(groups[cohort[0]], [len(cohort)])
    cohorts = [*going_on.values(), *beginning]
    needs = sorted((sum(bytes_per_run(configs[key]) for key in cohort) for cohort in cohorts), reverse=True)
    at_once = max(1, min(limits.workers, len(cohorts)))
    return Schedule(list(going_on.values()), beginning, sizes, at_once, sum(needs[:at_once]), memory.available)


class _Memory:
    """How many runs of each kind fit into the part of the memory that one process may have."""

    def __init__(self, configs: Mapping[Key, RunConfig], group: GroupOf, limits: Limits, processes: int) -> None:
        self._configs = configs
        self._group = group
        self._limits = limits
        self._processes = processes
        config = next(iter(configs.values()))
        self._single = config.engine == "sb3"
        # Stable-Baselines3 keeps its replay memory with the CPU wherever the networks are.
        self._device = torch.device("cpu") if self._single else limits.device
        self.available = available_bytes(self._device)
        self._share = int(_SHARE_OF_MEMORY * self.available) // processes

    def most(self, waiting: Sequence[Key], group: Group) -> int:
        """Return the largest size of a cohort by default."""
        config = self._one(waiting, group)
        fitting = self._share // bytes_per_run(config)
        if not fitting:
            raise InputError(self._too_large(config, 1))
        return 1 if self._single else min(fitting, MOST_ON_CUDA if self._device.type == "cuda" else _MOST_ON_CPU)

    def wanted(self, waiting: Sequence[Key], size: int) -> dict[Group, list[int]]:
        """Return the size that the user wants for each group."""
        if self._single and size > 1:
            raise InputError(f"--cohort {size}: the engine sb3 trains one run per process; allowed is 1.")
        sizes = {}
        for group in dict.fromkeys(map(self._group, waiting)):
            config, runs = self._one(waiting, group), sum(self._group(key) == group for key in waiting)
            if min(size, runs) * bytes_per_run(config) > self._share:
                raise InputError(self._too_large(config, min(size, runs)))
            sizes[group] = [size]
        return sizes

    def _one(self, waiting: Sequence[Key], group: Group) -> RunConfig:
        return self._configs[next(key for key in waiting if self._group(key) == group)]

    def _too_large(self, config: RunConfig, runs: int) -> str:
        need, row = bytes_per_run(config), bytes_per_row(config)
        rows = max(0, (self._share // runs - (need - replay_rows(config) * row)) // row)
        where = "the GPU" if self._device.type == "cuda" else "this machine"
        each = f" for each of {self._processes} processes" if self._processes > 1 else ""
        fewer = ", or fewer --workers" if self._processes > 1 else ""
        smaller = f", or --cohort {self._share // need}" if self._share >= need else ""
        what = "one run" if runs == 1 else f"a cohort of {runs} runs"
        return (
            f"{what} of {config.algorithm} on {config.task} needs about {say_bytes(runs * need)} of memory, most for "
            f"{replay_rows(config):,} steps of replay, and {where} has {say_bytes(self._share)}{each}; give at most "
            f"--set hyperparameters.{config.algorithm}.buffer_size={rows}{fewer}{smaller}."
        )
