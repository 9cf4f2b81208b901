"""How fast training is: populations, Stable-Baselines3 and peers in turns (ABCABC), everything but evaluation included.

A group is an algorithm with an activation. Its contestants' processes are started and warmed up first; in a turn those
of one contestant measure at the same time, and all others wait. The clock of a shared machine drifts, so only ratios
within one round of one group compare: neither two groups, nor two calls.

Contestants are ours with each number of runs per process and Stable-Baselines3, with one process per core and one
thread each; Stable-Baselines3 ``as is``, in one process with PyTorch's own threads; and peers, both ways. How to add a
peer is told in `experiments.bench_peers`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import rl_acts
from agents import DeviceError, HyperparameterError, resolve_device
from agents.files import write_json_atomically
from agents.machine import hardware, usable_cores, versions
from agents.network_size import flops_per_update
from envs import check_task
from experiments.bench_contestants import MIXED, MIXTURE, OURS, SB3, Job
from experiments.bench_options import ALGORITHMS, check_algorithms
from experiments.bench_peers import Peers
from experiments.bench_processes import BenchError, Processes, UnavailableError, take_turns
from experiments.bench_updates_table import updates_table
from experiments.problems import InputError

__all__ = ["BenchError", "UpdateSettings", "bench_updates", "bench_updates_table", "check_settings"]

AS_IS = " as is"
_PEERS_PACKAGES = ("sbx-rl", "jax")


@dataclass(frozen=True)
class UpdateSettings:
    """How to measure.

    Attributes:
        task: Gymnasium id.
        algorithms: ``"td3"``, ``"sac"``.
        activations: Specs, and ``"mixed"`` for relu, swish, swim and swim_learnable in one population.
        runs: Runs per process of ours; one contestant for each number.
        width: Of both hidden layers.
        rounds: Turns of each contestant.
        seconds: Of a turn, about.
        processes: At once; None: one per usable core, on a GPU 1.
        device: Name of a device.
        rows: Of the replay memories.
        batch_size: Rows of a batch.
    """

    task: str = "HalfCheetah-v5"
    algorithms: tuple[str, ...] = ALGORITHMS
    activations: tuple[str, ...] = ("relu",)
    runs: tuple[int, ...] = (1, 4, 10, 20)
    width: int = 256
    rounds: int = 7
    seconds: float = 3.0
    processes: int | None = None
    device: str = "auto"
    rows: int = 2_000
    batch_size: int = 256


@dataclass(frozen=True)
class _Contestant:
    name: str
    kind: str
    hook: str = ""
    runs: int = 1
    one_thread: bool = True


def check_settings(settings: UpdateSettings) -> None:
    """Check everything that can be checked before a process is started.

    Raises:
        InputError: A value is not allowed.
        envs.TaskError: The task cannot be trained on.
    """
    _check_numbers(settings)
    for option, names in (("--runs", settings.runs), ("--activations", settings.activations)):
        if not names or len(set(names)) < len(names):
            raise InputError(f"{option} is {','.join(map(str, names))!r}; allowed is at least one, each once.")
    check_algorithms(settings.algorithms)
    check_task(settings.task)
    try:
        resolve_device(settings.device)
        for activation in settings.activations:
            if activation != MIXED:
                rl_acts.make(activation, settings.width)
        for algorithm in settings.algorithms:
            _job(settings, algorithm, MIXED, _Contestant("", OURS), 0).hyperparameters()
    except (rl_acts.ActivationError, DeviceError, HyperparameterError) as error:
        raise InputError(str(error)) from error


def _check_numbers(settings: UpdateSettings) -> None:
    wholes = {
        "--runs": settings.runs,
        "--width": (settings.width,),
        "--rounds": (settings.rounds,),
        "--processes": () if settings.processes is None else (settings.processes,),
        "--replay-rows": (settings.rows,),
    }
    for option, value in ((option, value) for option, values in wholes.items() for value in values):
        if value < 1:
            raise InputError(f"{option} is {value}; allowed is a whole number of at least 1.")
    if not 0 < settings.seconds < float("inf"):
        raise InputError(f"--seconds is {settings.seconds}; allowed is a number above 0.")


def bench_updates(
    settings: UpdateSettings, peers: Peers, say: Callable[[str], None] = lambda _: None
) -> Iterator[dict[str, Any]]:
    """Measure one group after the other.

    Args:
        settings: As checked by `check_settings`.
        peers: As chosen by `bench_peers.choose_peers`.
        say: Told what is being done.

    Yields:
        Of each group ``algorithm``, ``activation``, ``flops_per_update``, ``contestants`` (name, kind, runs, processes,
        threads), ``absent`` (the cause by name) and ``turns`` in their order, each with what every process measured.

    Raises:
        BenchError: A process ended.
    """
    for algorithm in settings.algorithms:
        for activation in settings.activations:
            yield _group(settings, peers, algorithm, activation, say)


def bench_updates_table(
    settings: UpdateSettings, peers: Peers, json_file: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> str:
    """Return `bench_updates` as a table with the machine, the versions and the settings above it.

    Args:
        settings: How to measure.
        peers: Whom to compare with.
        json_file: For everything that was measured, rewritten after each group.
        say: Told what is being done.

    Raises:
        InputError: A setting is not allowed, or the file's folder does not exist.
        BenchError: A process ended.
    """
    check_settings(settings)
    return updates_table(collected(settings, bench_updates(settings, peers, say), json_file))


def collected(settings: UpdateSettings, groups: Iterator[dict[str, Any]], json_file: Path | None) -> dict[str, Any]:
    """Return the facts with all groups, written to a file after each group.

    Args:
        settings: How it is measured.
        groups: Measured as they are taken.
        json_file: The file, or None.

    Raises:
        InputError: The file's folder does not exist; nothing was measured.
    """
    if json_file is not None and (json_file.is_dir() or not json_file.absolute().parent.is_dir()):
        raise InputError(f"--json {json_file}: allowed is a file in a folder that exists.")
    measured = {**facts(settings), "groups": []}
    for group in groups:
        measured["groups"].append(group)
        if json_file is not None:
            write_json_atomically(json_file, measured)
    return measured


def facts(settings: UpdateSettings) -> dict[str, Any]:
    """Return when, where, with which versions and how it is measured, as it goes to a file."""
    found = versions()
    for package in _PEERS_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    device = resolve_device(settings.device)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "hardware": hardware(device, 1),
        "on_gpu": device.type == "cuda",
        "matmul_precision": torch.get_float32_matmul_precision(),
        "versions": found,
        "settings": {**asdict(settings), "processes": process_count(settings)},
    }


def process_count(settings: UpdateSettings) -> int:
    """Return how many processes of one thread measure at once."""
    if settings.processes is not None:
        return settings.processes
    return 1 if resolve_device(settings.device).type == "cuda" else usable_cores()


def _contestants(settings: UpdateSettings, peers: Peers) -> list[_Contestant]:
    others = {**({SB3: ""} if peers.sb3 else {}), **peers.hooks}
    return [
        *(_Contestant(f"ours P={runs}", OURS, runs=runs) for runs in settings.runs),
        *(_Contestant(name, name, hook) for name, hook in others.items()),
        *(_Contestant(name + AS_IS, name, hook, one_thread=False) for name, hook in others.items()),
    ]


def _job(settings: UpdateSettings, algorithm: str, activation: str, contestant: _Contestant, index: int) -> Job:
    return Job(
        kind=contestant.kind,
        hook=contestant.hook,
        algorithm=algorithm,
        task=settings.task,
        activation=activation,
        runs=contestant.runs,
        width=settings.width,
        batch_size=settings.batch_size,
        rows=settings.rows,
        device=settings.device,
        index=index,
    )


def _group(
    settings: UpdateSettings, peers: Peers, algorithm: str, activation: str, say: Callable[[str], None]
) -> dict[str, Any]:
    group: dict[str, Any] = {
        "algorithm": algorithm,
        "activation": activation,
        "flops_per_update": flops_per_update(_job(settings, algorithm, activation, _Contestant("", OURS), 0).config()),
        "contestants": [],
        "absent": dict.fromkeys(peers.missing, "not installed"),
        "turns": [],
    }
    with ExitStack() as stack:
        ready: dict[str, Processes] = {}
        lacking: set[str] = set()
        for contestant in _contestants(settings, peers):
            if contestant.kind in lacking:
                continue
            if activation == MIXED and contestant.kind == OURS and contestant.runs < len(MIXTURE):
                group["absent"][contestant.name] = f"fewer runs than the {len(MIXTURE)} activations"
                continue
            say(f"{algorithm} {activation}: warming up {contestant.name}")
            count = process_count(settings) if contestant.one_thread else 1
            jobs = [_job(settings, algorithm, activation, contestant, index) for index in range(count)]
            processes = Processes(contestant.name, jobs, one_thread=contestant.one_thread)
            stack.callback(processes.close)
            try:
                processes.wait_until_ready()
            except UnavailableError as error:
                group["absent"][contestant.name] = str(error)
                lacking.add(contestant.kind)
                continue
            ready[contestant.name] = processes
            group["contestants"].append(
                {
                    "name": contestant.name,
                    "kind": contestant.kind,
                    "runs": contestant.runs,
                    "processes": count,
                    "threads": processes.threads,
                }
            )
        group["turns"] = take_turns(
            ready, settings.rounds, settings.seconds, lambda text: say(f"{algorithm} {activation}: {text}")
        )
    return group
