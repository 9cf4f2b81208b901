"""What the statistics of a page cost, beside rliable's where that is installed, in turns within one sitting.

Each contestant computes the same thing on the same scores: intervals of aggregates, a sample-efficiency curve with its
band, performance profiles with theirs. rliable 1.2 needs arch below 8 and pandas below 3, which is older than what this
project's environment holds, so it usually is not there: the table says so.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType

import numpy as np

from agents.machine import usable_cores, versions
from experiments.problems import InputError
from experiments.statistics import bootstrap as bs
from experiments.statistics import point_estimates as pe
from experiments.statistics.arrays import FloatArray
from experiments.statistics.intervals import percentile_interval
from rl_acts._table import table
from rl_acts.machine import cpu_name

_LEVELS = np.linspace(0.0, 2.0, 101)
_COLUMNS = ("what", "ours, ms", "range", "rliable, ms", "range", "rliable / ours")
Work = Callable[[], object]


@dataclass(frozen=True)
class StatisticsSettings:
    """How to measure.

    Attributes:
        runs: Of each task.
        tasks: That are pooled.
        points: Of the curve.
        replicates: Bootstrap resamples.
        rounds: Turns that each contestant has.
    """

    runs: int = 10
    tasks: int = 5
    points: int = 200
    replicates: int = 2000
    rounds: int = 5


def bench_statistics_table(
    settings: StatisticsSettings,
    say: Callable[[str], None] = lambda _: None,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> str:
    """Measure and return a table, with the machine and the settings above it.

    Args:
        settings: How to measure.
        say: Told what is being done.
        clock: Source of seconds.

    Raises:
        InputError: A setting is below 1.
    """
    for name, value in vars(settings).items():
        if value < 1:
            raise InputError(f"--{name} is {value}; allowed is a whole number of at least 1.")
    scores = np.random.default_rng(0).normal(1.0, 0.3, (settings.runs, settings.tasks, settings.points))
    peer, missing = _rliable()
    ours, theirs = _ours(scores, settings.replicates), _theirs(peer, scores, settings.replicates) if peer else {}
    rows = []
    for what, work in ours.items():
        contestants = {"ours": work} | ({"rliable": theirs[what]} if theirs else {})
        seconds = _turns(contestants, settings.rounds, clock, partial(_told, say, what))
        rows.append((what, *_cells(seconds)))
    return _head(settings, missing) + table(_COLUMNS, rows)


def _told(say: Callable[[str], None], what: str, text: str) -> None:
    say(f"{what}: {text}")


def _turns(
    contestants: Mapping[str, Work], rounds: int, clock: Callable[[], float], say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of each turn; the first round, in which libraries are loaded and memory is found, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            say(f"{name}, {f'round {number} of {rounds}' if number else 'warming up'}")
            start = clock()
            work()
            took = clock() - start
            if number:
                seconds[name].append(took)
    return seconds


def _cells(seconds: Mapping[str, list[float]]) -> tuple[str, ...]:
    ours, theirs = seconds["ours"], seconds.get("rliable")
    if theirs is None:
        return (*_shown(ours), "-", "-", "-")
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    return (*_shown(ours), *_shown(theirs), f"{statistics.median(ratios):.0f}")


def _shown(seconds: list[float]) -> tuple[str, str]:
    low, middle, high = (1000 * value for value in (min(seconds), statistics.median(seconds), max(seconds)))
    return f"{middle:.1f}", f"{low:.1f}-{high:.1f}"


def _ours(scores: FloatArray, replicates: int) -> dict[str, Work]:
    """The work by what it is, on scores [runs, tasks, points]."""
    runs, tasks, points = scores.shape
    curves = scores.transpose(1, 0, 2).reshape(-1, points)
    strata = [scores[:, task, -1] for task in range(tasks)]

    def drawn() -> bs.Resamples:
        rng = np.random.default_rng(0)
        return bs.stack([bs.draw(runs, rng, replicates) for _ in range(tasks)])

    def aggregates() -> object:
        resamples = drawn()
        of = [bs.mean_replicates, bs.median_replicates, bs.optimality_gap_replicates]
        every = [bs.iqm_replicates(pe.pooled(strata), resamples), *(one(strata, resamples) for one in of)]
        return [percentile_interval(one) for one in every]

    return {
        "IQM, mean, median, optimality gap": aggregates,
        "IQM curve": lambda: percentile_interval(bs.iqm_replicates(curves, drawn())),
        "performance profile": lambda: percentile_interval(bs.profile_replicates(strata, _LEVELS, drawn())),
    }


def _theirs(rliable: tuple[ModuleType, ModuleType], scores: FloatArray, replicates: int) -> dict[str, Work]:
    library, metrics = rliable
    names = ("iqm", "mean", "median", "optimality_gap")
    aggregates = [getattr(metrics, f"aggregate_{name}") for name in names]
    last = {"arm": scores[:, :, -1]}

    def all_of(of: FloatArray) -> FloatArray:
        return np.array([one(of) for one in aggregates])

    def curve(of: FloatArray) -> FloatArray:
        return np.array([metrics.aggregate_iqm(of[..., point]) for point in range(of.shape[-1])])

    return {
        "IQM, mean, median, optimality gap": lambda: library.get_interval_estimates(last, all_of, reps=replicates),
        "IQM curve": lambda: library.get_interval_estimates({"arm": scores}, curve, reps=replicates),
        "performance profile": lambda: library.create_performance_profile(last, _LEVELS, reps=replicates),
    }


def _rliable() -> tuple[tuple[ModuleType, ModuleType] | None, str]:
    """Rliable's two modules, or None and why they are not there."""
    try:
        return (import_module("rliable.library"), import_module("rliable.metrics")), ""
    except ImportError:
        return None, "not installed"
    except TypeError as error:
        # arch 7 under pandas 3 fails this way on import.
        return None, f"it cannot be imported ({error})"


def _head(settings: StatisticsSettings, missing: str) -> str:
    advice = "it needs arch<8 and pandas<3, as `pip install rliable 'pandas<3'` gives"
    beside = f"rliable: {missing}; {advice}\n" if missing else ""
    return (
        f"{cpu_name()}, {usable_cores()} usable cores, one used; NumPy {versions()['numpy']}\n"
        f"{settings.runs} runs x {settings.tasks} tasks x {settings.points} points, {settings.replicates} resamples; "
        f"medians and ranges of {settings.rounds} turns\n{beside}"
    )
