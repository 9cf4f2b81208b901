"""What stepping environments costs: batches of `envs`, a loop over Gymnasium's own, and EnvPool where it is installed.

All take random actions and reset what ends. Only true transitions count: EnvPool's extra step for a reset simulates
nothing. The loop runs MuJoCo as it is delivered, with its timers on. EnvPool brings another MuJoCo version and draws
other first states.
"""

import resource
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import gymnasium
import mujoco  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

import envs
from rl_acts.machine import cpu_name

DEFAULT_TASKS = ("HalfCheetah-v5", "Hopper-v5", "Walker2d-v5", "Ant-v5", "Humanoid-v5")
_WARM_UP_STEPS = 20

Actions = NDArray[np.float32]
Play = Callable[[Actions], int]


@dataclass(frozen=True)
class BenchSettings:
    """How to measure.

    Attributes:
        num_envs: Environments of each contestant.
        threads: Stepping threads of `envs` and of EnvPool; the loop has one.
        rounds: Turns of each contestant.
        steps: Steps of all environments in one turn.
    """

    num_envs: int = 10
    threads: int = 2
    rounds: int = 5
    steps: int = 500


@dataclass(frozen=True)
class BenchRow:
    """One task's medians over the rounds.

    Attributes:
        task: Gymnasium's id.
        speeds: Transitions per second by contestant, ``"ours"``, ``"loop"`` and, if measured, ``"envpool"``.
        ratios: Our speed relative to another's in the same round, by contestant.
        faults: Minor page faults of the process in one of our steps.
    """

    task: str
    speeds: dict[str, float]
    ratios: dict[str, float]
    faults: float


def bench_envs(tasks: Sequence[str], settings: BenchSettings) -> list[BenchRow]:
    """Measure tasks one after the other, the contestants in turns (ABCABC).

    Args:
        tasks: Gymnasium ids that `envs.make` knows.
        settings: How to measure.

    Raises:
        envs.TaskError: An id that `envs` refuses; nothing is measured then.
    """
    for task in tasks:
        envs.check_task(task)
    return [_measured(task, settings) for task in tasks]


def bench_envs_table(tasks: Sequence[str] | None, settings: BenchSettings) -> str:
    """Return `bench_envs` as a table with the machine, the versions and the settings above it."""
    rows = bench_envs(tasks or DEFAULT_TASKS, settings)
    peers = f"EnvPool {version('envpool')}" if _has_envpool() else "EnvPool not installed"
    head = (
        f"{cpu_name()}, {envs.usable_cores()} usable cores, MuJoCo {mujoco.__version__}, Gymnasium "
        f"{gymnasium.__version__}, {peers}\n"
        f"{settings.num_envs} environments, {settings.threads} threads, random actions, resets included, medians of "
        f"{settings.rounds} turns of {settings.steps} steps\n"
    )
    columns = ("task", "steps/s", "loop steps/s", "EnvPool steps/s", "ours / loop", "ours / EnvPool", "faults/step")
    lines = [columns, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return head + "".join(f"{line.rstrip()}\n" for line in padded)


def _cells(row: BenchRow) -> tuple[str, ...]:
    speeds = [f"{row.speeds[name]:,.0f}" if name in row.speeds else "-" for name in ("ours", "loop", "envpool")]
    ratios = [f"{row.ratios[name]:.2f}" if name in row.ratios else "-" for name in ("loop", "envpool")]
    return (row.task, *speeds, *ratios, f"{row.faults:.2f}")


def _measured(task: str, settings: BenchSettings) -> BenchRow:
    batch = envs.make(task, settings.num_envs, seeds=range(settings.num_envs), threads=settings.threads)
    space = batch.single_action_space
    shape = (_WARM_UP_STEPS + settings.steps, settings.num_envs, *space.shape)
    actions = np.random.default_rng(0).uniform(space.low, space.high, shape).astype(np.float32)
    plays = {
        "ours": _ours(batch, settings.num_envs),
        "loop": _loop(task, settings.num_envs),
        **_envpool(task, settings),
    }
    for play in plays.values():
        play(actions[:_WARM_UP_STEPS])
    speeds: dict[str, list[float]] = {name: [] for name in plays}
    faults = []
    for _ in range(settings.rounds):
        for name, play in plays.items():
            envs.switch_timers(name == "loop")
            before = _minor_faults()
            start = perf_counter()
            transitions = play(actions[_WARM_UP_STEPS:])
            speeds[name].append(transitions / (perf_counter() - start))
            if name == "ours":
                faults.append((_minor_faults() - before) / settings.steps)
    envs.switch_timers(False)
    batch.close()
    return BenchRow(
        task=task,
        speeds={name: statistics.median(values) for name, values in speeds.items()},
        ratios={
            name: statistics.median(ours / other for ours, other in zip(speeds["ours"], values, strict=True))
            for name, values in speeds.items()
            if name != "ours"
        },
        faults=statistics.median(faults),
    )


def _minor_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _ours(batch: envs.BatchedEnv, num_envs: int) -> Play:
    batch.reset()

    def play(actions: Actions) -> int:
        for action in actions:
            _, _, terminated, truncated, _ = batch.step(action)
            ended = terminated | truncated
            if ended.any():
                batch.reset(options={"reset_mask": ended})
        return len(actions) * num_envs

    return play


def _loop(task: str, num_envs: int) -> Play:
    environments = [gymnasium.make(task, disable_env_checker=True) for _ in range(num_envs)]
    for seed, environment in enumerate(environments):
        environment.reset(seed=seed)

    def play(actions: Actions) -> int:
        for action in actions:
            for environment, own in zip(environments, action, strict=True):
                _, _, terminated, truncated, _ = environment.step(own)
                if terminated or truncated:
                    environment.reset()
        return len(actions) * num_envs

    return play


def _has_envpool() -> bool:
    return find_spec("envpool") is not None


def _envpool(task: str, settings: BenchSettings) -> dict[str, Play]:
    if not _has_envpool():
        return {}
    envpool: Any = import_module("envpool")
    if task not in envpool.list_all_envs():
        return {}
    pool = envpool.make(task, "gymnasium", num_envs=settings.num_envs, num_threads=settings.threads, seed=0)
    pool.reset()
    ended = np.zeros(settings.num_envs, dtype=np.bool_)

    def play(actions: Actions) -> int:
        transitions = 0
        # EnvPool takes float64 alone.
        for action in actions.astype(np.float64):
            # The step after an end resets and simulates nothing.
            transitions += settings.num_envs - int(np.count_nonzero(ended))
            _, _, terminated, truncated, _ = pool.step(action)
            np.logical_or(terminated, truncated, out=ended)
        return transitions

    return {"envpool": play}
