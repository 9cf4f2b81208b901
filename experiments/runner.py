"""The supervisor: trains a study's runs side by side, each in a process of its own, and survives whatever they do."""

import dataclasses
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType

from agents import RunConfig
from experiments.display import Display
from experiments.overview import RunView, view, views
from experiments.registry import Entry, Key, Registry, run_key
from experiments.worker_process import WorkerProcess

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_BEATS = 20.0
_SECONDS_BETWEEN_CLAIMS = 2.0
_SECONDS_TO_END = 30.0


@dataclass(frozen=True)
class Plan:
    """What a supervisor is to do.

    Attributes:
        folder: Of the study.
        configs: All runs of the study.
        device: For every run that is started now.
        workers: Most runs at once.
        command: The command that the user gave.
    """

    folder: Path
    configs: Sequence[RunConfig]
    device: str
    workers: int
    command: str


class Supervisor:
    """Claims runs, starts a process for each, and records how they end.

    Args:
        plan: What to do.
        registry: With the plan's runs in it.
        display: Shows what happens.
    """

    def __init__(self, plan: Plan, registry: Registry, display: Display) -> None:
        self._plan = plan
        self._registry = registry
        self._display = display
        self._configs: Mapping[Key, RunConfig] = {
            run_key(config): dataclasses.replace(config, device=plan.device) for config in plan.configs
        }
        self._steps = plan.configs[0].steps
        self._stop = Event()
        self._active: list[WorkerProcess] = []
        self._said_waiting = False
        waiting = sum(entry.state == "pending" or entry.abandoned() for entry in registry.entries())
        self._sharing = max(1, min(plan.workers, waiting))

    def run(self) -> bool:
        """Train until every run is over, also those of another supervisor, or until a signal asks to stop.

        Returns:
            False if it was stopped; the runs it interrupted are pending again.
        """
        claim_due = beat_due = 0.0
        with self._signals(), self._display:
            try:
                while not self._stop.is_set():
                    self._settle(stopping=False)
                    if monotonic() >= claim_due and not self._fill():
                        claim_due = monotonic() + _SECONDS_BETWEEN_CLAIMS
                        if not self._active and not self._wait_for_others():
                            break
                    if monotonic() >= beat_due:
                        self._registry.beat()
                        beat_due = monotonic() + _SECONDS_BETWEEN_BEATS
                    self._display.refresh(self._rows)
                    self._stop.wait(_SECONDS_BETWEEN_LOOKS)
            finally:
                self._interrupt_all()
        return not self._stop.is_set()

    def _fill(self) -> bool:
        """Start runs while there is room; returns whether more may be waiting."""
        while len(self._active) < self._plan.workers:
            entry = self._registry.claim(self._configs)
            if entry is None:
                return False
            self._start(entry)
        return True

    def _start(self, entry: Entry) -> None:
        process = WorkerProcess(self._plan.folder, self._configs[entry.key], entry, self._plan.command, self._sharing)
        self._active.append(process)
        self._display.started(entry.key, entry.attempt)

    def _settle(self, *, stopping: bool) -> None:
        for process in [process for process in self._active if process.ended()]:
            self._active.remove(process)
            state, cause = process.outcome(stopping=stopping)
            ours = self._registry.finish(process.entry, state, cause)
            row = self._view(process.entry.key)
            if not ours:
                # Here it was silent for so long that another machine's supervisor took the run over.
                row = dataclasses.replace(row, state="lost", cause="another supervisor has taken this run over")
            self._display.ended(row)

    def _interrupt_all(self) -> None:
        for process in self._active:
            process.interrupt()
        end = monotonic() + _SECONDS_TO_END
        for process in self._active:
            process.wait(max(0.1, end - monotonic()))
        self._settle(stopping=True)

    def _wait_for_others(self) -> bool:
        """Say once that other commands train what is left; return whether any does."""
        entries = self._registry.entries()
        others = sum(entry.state == "running" and entry.key in self._configs for entry in entries)
        if others and not self._said_waiting:
            self._display.waiting(others)
            self._said_waiting = True
        return others > 0

    def _view(self, key: Key) -> RunView:
        entry = next(entry for entry in self._registry.entries() if entry.key == key)
        return view(self._plan.folder, entry, self._steps)

    def _rows(self) -> list[RunView]:
        return views(self._plan.folder, self._registry.entries(), self._steps)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stop.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
