"""About how long a study will take and how much disk it needs, before it begins."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from agents import RunConfig
from agents.config import AUTO
from agents.diagnostics_files import EVERY_ON_CPU
from agents.files import read_json
from agents.memory import bytes_per_row, replay_rows
from agents.network_size import flops_per_update, parameters
from agents.run_folder import RUN_FILE, run_path
from experiments.cohorts import Group
from experiments.registry import Entry, Key

# What part of the speed of one large matrix product whole updates reach: the rest goes to activations and the
# optimiser, and on a GPU to products too small to fill it. On CPUs fitted to runs of TD3 on HalfCheetah-v5.
EFFICIENCY = {("population", "cpu"): 0.6, ("sb3", "cpu"): 0.6, ("population", "cuda"): 0.3, ("sb3", "cuda"): 0.03}
# What a step costs however small the networks are: acting, simulating, storing, and starting each operation. A
# population starts them for each arm, however many runs it has. Fitted to runs with networks of two times 16.
_SECONDS_PER_STEP = {"population": 2e-3, "sb3": 3e-3}
_MEASURED_SECONDS = 0.2
_PRODUCT = 256
# Weights, targets and Adam's two moments.
_COPIES_IN_CHECKPOINT = 4
# One number of an evaluation as text, and the clock and step of its row.
_BYTES_PER_NUMBER, _BYTES_PER_ROW = 23, 110
# Of diagnostics: numbers, curves, and TensorBoard events of both.
_BYTES_PER_MEASUREMENT = 70_000


@dataclass(frozen=True)
class Work:
    """What is to be trained.

    Attributes:
        configs: All runs of the study by key.
        cohorts: Keys of the runs of each cohort that is not over.
        steps_done: Environment steps that runs going on from a checkpoint have made, by key.
        workers: Most cohorts at once.
    """

    configs: Mapping[Key, RunConfig]
    cohorts: Sequence[Sequence[Key]]
    steps_done: Mapping[Key, int]
    workers: int


def measured_rates(folder: Path, entries: Sequence[Entry]) -> dict[Group, float]:
    """Return run-steps per second of one process, from the runs that are done, by task and algorithm.

    The steps of all runs of a cohort count: five runs at 40 steps per second each are 200.
    """
    rates = defaultdict(list)
    for entry in entries:
        if entry.state == "done":
            try:
                record = read_json(folder / run_path(*entry.key) / RUN_FILE)
                rate = float(record["steps_per_s"]) * int((record.get("cohort") or {}).get("size", 1))
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if rate > 0:
                rates[entry.key[:2]].append(rate)
    return {group: median(found) for group, found in rates.items()}


def product_speed(device: torch.device, threads: int) -> float:
    """Return the floating-point operations per second of matrix products of 256 × 256, measured for 0.2 s."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        one, two = (torch.rand(_PRODUCT, _PRODUCT, device=device) for _ in range(2))
        float((one @ two).sum())
        start, made = perf_counter(), 0
        while perf_counter() < start + _MEASURED_SECONDS:
            for _ in range(20):
                one @ two
            # Reading a number waits for the device.
            float((one @ two)[0, 0])
            made += 21
        return 2.0 * _PRODUCT**3 * made / (perf_counter() - start)
    finally:
        torch.set_num_threads(before)


def cohort_seconds(configs: Sequence[RunConfig], done: int, speed: float, device: torch.device) -> float:
    """Return about how many seconds a process takes for its runs, by the operations of their networks.

    Args:
        configs: The runs.
        done: Environment steps that they have made already.
        speed: As `product_speed` returns it.
        device: Where they train.

    Raises:
        TaskError: The runs' task cannot be built.
    """
    first, arms = configs[0], {config.arm for config in configs}
    settings, left = first.hyperparameters, first.steps - done
    learning = first.steps - max(done, min(settings["learning_starts"], first.steps))
    each = settings["gradient_steps"]
    updates = learning if each == -1 else learning * each / settings["train_freq"]
    per_update = flops_per_update(first) / (EFFICIENCY[first.engine, device.type] * speed)
    return float(left * len(arms) * _SECONDS_PER_STEP[first.engine] + len(configs) * updates * per_update)


def total_seconds(work: Work, rates: Mapping[Group, float], speed: float, device: torch.device) -> float:
    """Return about how many seconds all of the work takes, evaluations not counted.

    Args:
        work: What is to be trained.
        rates: As `measured_rates` returns them; they win over the networks' operations.
        speed: As `product_speed` returns it.
        device: Where it trains.

    Raises:
        TaskError: A run's task cannot be built.
    """
    cohorts = []
    for cohort in work.cohorts:
        configs, done = [work.configs[key] for key in cohort], work.steps_done.get(cohort[0], 0)
        rate = rates.get(cohort[0][:2])
        left = len(cohort) * (configs[0].steps - done)
        cohorts.append(cohort_seconds(configs, done, speed, device) if rate is None else left / rate)
    return max(sum(cohorts) / work.workers, max(cohorts, default=0.0))


def result_bytes(config: RunConfig) -> int:
    """Return about how many bytes a finished run leaves: evaluations, diagnostics and the policy's weights.

    Raises:
        TaskError: The run's task cannot be built.
    """
    rows = config.steps // config.evaluation_every + 2
    evaluations = rows * (2 * config.evaluation_episodes * _BYTES_PER_NUMBER + _BYTES_PER_ROW)
    every = EVERY_ON_CPU if config.diagnostics_every == AUTO else config.diagnostics_every
    measurements = 0 if every is None else -(-config.steps // int(every))
    return evaluations + measurements * _BYTES_PER_MEASUREMENT + 4 * parameters(config)


def checkpoint_bytes(work: Work) -> int:
    """Return about how many bytes of checkpoints lie on the disk at most, while they are needed.

    Each worker has one checkpoint and, while it writes the next, two.

    Raises:
        TaskError: A run's task cannot be built.
    """
    sizes = sorted((sum(_checkpoint(work.configs[key]) for key in cohort) for cohort in work.cohorts), reverse=True)
    return 2 * sum(sizes[: work.workers])


def _checkpoint(config: RunConfig) -> int:
    if config.engine == "sb3":
        return 0
    return replay_rows(config) * bytes_per_row(config) + 4 * _COPIES_IN_CHECKPOINT * parameters(config)


def say_bytes(count: float) -> str:
    """Return a size as people say it.

    >>> say_bytes(512), say_bytes(3_400_000), say_bytes(12_200_000_000)
    ('512 B', '3.4 MB', '12.2 GB')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"
