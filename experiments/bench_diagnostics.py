"""What diagnostics cost: the time of one measurement, relative to that of the training between two.

In one process, in turns: training as it is, training while the 100 updates before a measurement are watched, and the
measurement with its files and TensorBoard events.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch.utils.tensorboard import SummaryWriter

import rl_acts
from agents import DeviceError, Population, resolve_device
from agents.diagnostics_events import write_diagnosis
from agents.diagnostics_files import DiagnosticsWriter
from agents.machine import hardware, versions
from envs import check_task
from experiments.bench_options import check_algorithms
from experiments.problems import InputError
from rl_acts._table import table

_COLUMNS = ("algo", "activation", "ms/step", "ms/step watched", "s/measurement", "share %")
_WARM_UP, _STEPS, _WATCHED_UPDATES = 300, 100, 100


@dataclass(frozen=True)
class DiagnosticsSettings:
    """How to measure.

    Attributes:
        task: Gymnasium id.
        algorithms: ``"td3"``, ``"sac"``.
        activations: Specs; one population of each.
        runs: Of a population.
        width: Of both hidden layers.
        every: Environment steps between measurements.
        probe: Rows; None for four per unit.
        rounds: Turns.
        device: Name of a device.
    """

    task: str
    algorithms: tuple[str, ...]
    activations: tuple[str, ...]
    runs: int
    width: int
    every: int
    probe: int | None
    rounds: int
    device: str


@dataclass(frozen=True)
class DiagnosticsCost:
    """Seconds of one population, medians over the turns.

    Attributes:
        step: Of one environment step of all runs and its updates.
        watched: Of one that is watched.
        measurement: Of a measurement with all that is written.
        share: Of a measurement and what watching adds, of the training between two measurements.
    """

    step: float
    watched: float
    measurement: float
    share: float


def bench_diagnostics_table(settings: DiagnosticsSettings, say: Callable[[str], None] = lambda _: None) -> str:
    """Measure and return a table with the machine and the settings above it.

    Args:
        settings: How to measure.
        say: Told what is being done.

    Raises:
        InputError: A setting is not allowed.
        envs.TaskError: The task cannot be trained on.
    """
    _check(settings)
    torch.set_num_threads(1)
    device = resolve_device(settings.device)
    rows = []
    for algorithm in settings.algorithms:
        for activation in settings.activations:
            say(f"{algorithm} {activation}")
            cost = _cost(settings, algorithm, activation)
            times = f"{1e3 * cost.step:.1f}", f"{1e3 * cost.watched:.1f}", f"{cost.measurement:.2f}"
            rows.append((algorithm, activation, *times, f"{100 * cost.share:.2f}"))
    return _head(settings, device) + table(_COLUMNS, rows)


def _head(settings: DiagnosticsSettings, device: torch.device) -> str:
    machine, found = hardware(device, 1), versions()
    return (
        f"{', '.join(f'{name} {value}' for name, value in machine.items())}\n"
        f"torch {found['torch']}, {settings.task}, {settings.runs} runs of {settings.width} x {settings.width} in one "
        f"process, a measurement every {settings.every:,} steps; medians of {settings.rounds} turns\n"
        "share %: of a measurement with its files, and of watching 100 updates, in the training between two\n\n"
    )


def _check(settings: DiagnosticsSettings) -> None:
    check_algorithms(settings.algorithms)
    check_task(settings.task)
    try:
        resolve_device(settings.device)
        for activation in settings.activations:
            rl_acts.check(activation, [settings.width] * 2)
    except (rl_acts.ActivationError, DeviceError) as error:
        raise InputError(str(error)) from error


def _cost(settings: DiagnosticsSettings, algorithm: str, activation: str) -> DiagnosticsCost:
    plain, watched, measurements = [], [], []
    population = Population(
        algorithm,
        settings.task,
        [(activation, seed) for seed in range(settings.runs)],
        hyperparameters={"net_arch": [settings.width] * 2, "learning_starts": _WARM_UP},
        device=settings.device,
        most_steps=_WARM_UP + (2 * settings.rounds + 1) * _STEPS,
        diagnostics_probe=settings.probe,
    )
    with tempfile.TemporaryDirectory() as folder:
        writer, events = DiagnosticsWriter(Path(folder)), SummaryWriter(folder)
        try:
            population.train(_WARM_UP + _STEPS)
            for _ in range(settings.rounds):
                # At an interval of one step every update is watched.
                population.diagnostics.every = None
                plain.append(_seconds(lambda: population.train(_STEPS)) / _STEPS)
                population.diagnostics.every = 1
                watched.append(_seconds(lambda: population.train(_STEPS)) / _STEPS)
                measurements.append(_seconds(lambda: _measured(population, writer, events)))
        finally:
            events.close()
            population.close()
    step, seen, once = median(plain), median(watched), median(measurements)
    added = once + _WATCHED_UPDATES * max(0.0, seen - step)
    return DiagnosticsCost(step, seen, once, added / (settings.every * step))


def _measured(population: Population, writer: DiagnosticsWriter, events: SummaryWriter) -> None:
    # Every run of a population writes files of its own.
    for diagnosis in population.measure().values():
        writer.append(population.step, diagnosis)
        write_diagnosis(events, population.step, diagnosis)


def _seconds(work: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    begin = perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - begin
