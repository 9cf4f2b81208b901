"""The supervisor: trains a study's cohorts side by side, each in its own process, and survives whatever they do."""

import dataclasses
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from agents import RunConfig
from agents.files import read_json
from agents.run_folder import FINAL_STATES, RUN_FILE, run_path
from agents.worker import SECONDS_TO_SAVE
from experiments.budget import Budget
from experiments.cohorts import Group, Sizes, group_of, remove_useless_checkpoints, standing
from experiments.display import Display
from experiments.overview import RunView, view, views
from experiments.registry import Claim, Entry, Key, Registry, run_key
from experiments.worker_process import WorkerProcess

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_BEATS = 20.0
_SECONDS_BETWEEN_CLAIMS = 2.0
# A worker that cannot save ends itself; a moment later it is ended from here.
_SECONDS_TO_END = SECONDS_TO_SAVE + 5.0


@dataclass(frozen=True)
class Plan:
    """What a supervisor is to do.

    Attributes:
        folder: Of the study.
        configs: All runs of the study.
        device: For every run that is started now.
        workers: Most cohorts at once.
        command: The command that the user gave.
        sizes: Most runs of new cohorts in their order, by group; one, where nothing is said.
        sharing: How many processes share the machine.
        budget: Time that the command may take; None for as long as it needs.
    """

    folder: Path
    configs: Sequence[RunConfig]
    device: str
    workers: int
    command: str
    sizes: Mapping[Group, Sequence[int]] = field(default_factory=dict)
    sharing: int = 1
    budget: Budget | None = None


class Ending(Enum):
    """Why a supervisor has stopped."""

    COMPLETED = "every run is over"
    INTERRUPTED = "a signal asked to stop"
    OUT_OF_TIME = "the time budget is over"


class Supervisor:
    """Claims cohorts, starts a process for each, and records how their runs end.

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
        self._groups = {key: group_of(config) for key, config in self._configs.items()}
        self._sizes = Sizes(plan.sizes, self._groups.__getitem__)
        self._steps = plan.configs[0].steps
        # Counted, not flagged: a second signal wants an answer too.
        self._signals_seen = 0
        self._active: list[WorkerProcess] = []
        self._silent: list[WorkerProcess] = []
        self._said_waiting = False

    def run(self) -> Ending:
        """Train until every run is over, also those of another supervisor, or a signal or the budget ends it.

        Returns:
            Why it has stopped; the runs it interrupted are pending again.
        """
        with self._signals(), self._display:
            try:
                remove_useless_checkpoints(self._plan.folder, self._registry.entries)
                ending = self._supervise()
            finally:
                self._interrupt_all()
        # The last runs may have come to their end instead of saving.
        return Ending.COMPLETED if self._all_over() else ending

    def _supervise(self) -> Ending:
        claim_due = beat_due = 0.0
        while not self._signals_seen:
            self._settle(stopping=False)
            if self._out_of_time():
                return Ending.OUT_OF_TIME
            if monotonic() >= claim_due and not self._fill():
                claim_due = monotonic() + _SECONDS_BETWEEN_CLAIMS
                if not self._active and not self._wait_for_others():
                    # Too little time to begin what is left is no end of it.
                    return Ending.OUT_OF_TIME if self._anything_left() else Ending.COMPLETED
            if monotonic() >= beat_due:
                self._registry.beat()
                beat_due = monotonic() + _SECONDS_BETWEEN_BEATS
            self._display.refresh(self._rows)
            sleep(_SECONDS_BETWEEN_LOOKS)
        return Ending.INTERRUPTED

    def _out_of_time(self) -> bool:
        budget = self._plan.budget
        return budget is not None and budget.left() < (budget.reserve(self._saving()) if self._active else 0.0)

    def _saving(self) -> float | None:
        """Return how long the slowest of the active cohorts took to save; None if one has not saved yet."""
        found = [process.seconds_to_save() for process in self._active]
        known = [seconds for seconds in found if seconds is not None]
        return max(known) if known and len(known) == len(found) else None

    def _fill(self) -> bool:
        """Start cohorts while there is room; returns whether more may be waiting."""
        budget = self._plan.budget
        while len(self._active) < self._plan.workers:
            if budget is not None and budget.too_late_to_start(self._saving()):
                return False
            self._settle_abandoned()
            claim = self._registry.claim(
                self._configs,
                self._sizes,
                lambda members: standing(self._plan.folder, members),
                self._groups.__getitem__,
            )
            if claim is None:
                return False
            self._start(claim)
        return True

    def _settle_abandoned(self) -> None:
        """Record which runs of a supervisor that is gone were over before it could record it."""
        for entry in self._registry.entries():
            if entry.state == "running" and entry.abandoned():
                try:
                    record = read_json(self._plan.folder / run_path(*entry.key) / RUN_FILE)
                except (OSError, ValueError):
                    continue
                if record.get("attempt") == entry.attempt and record.get("state") in FINAL_STATES:
                    self._registry.settle(entry, str(record["state"]), record.get("cause"))

    def _start(self, claim: Claim) -> None:
        process = WorkerProcess(self._plan.folder, self._configs, claim, self._plan.command, self._plan.sharing)
        self._active.append(process)
        if process.resuming:
            self._silent.append(process)
        else:
            self._display.started([entry.key for entry in claim.entries], claim.entries[0].attempt)

    def _announce(self, process: WorkerProcess) -> None:
        """Say from where a cohort goes on, once its process knows it."""
        if process in self._silent and (step := process.resumed_from()) is not None:
            self._silent.remove(process)
            self._display.resumed([entry.key for entry in process.claim.entries], step)

    def _settle(self, *, stopping: bool) -> None:
        for process in list(self._active):
            # Asked first: what a process says between the two questions would otherwise be lost.
            ended = process.ended()
            self._announce(process)
            for entry, state, cause in process.newly_over():
                self._finish(entry, state, cause)
            if ended:
                self._active.remove(process)
                self._end(process, stopping=stopping)

    def _end(self, process: WorkerProcess, *, stopping: bool) -> None:
        state, cause = process.outcome(stopping=stopping)
        # What has got further than its last start may get to its end; what has not would fail here again.
        again = not stopping and cause != "interrupted" and process.advanced()
        for entry in process.unsettled:
            if again:
                self._finish(entry, "pending", f"{cause}; it goes on from its checkpoint", shown="failed")
            else:
                self._finish(entry, state, cause)
        remove_useless_checkpoints(self._plan.folder, self._registry.entries)

    def _finish(self, entry: Entry, state: str, cause: str | None, shown: str | None = None) -> None:
        ours = self._registry.finish(entry, state, cause)
        row = self._view(entry.key)
        if not ours:
            # Here it was silent for so long that another machine's supervisor took the run over.
            row = dataclasses.replace(row, state="lost", cause="another supervisor has taken this run over")
        elif shown is not None:
            row = dataclasses.replace(row, state=shown)
        self._display.ended(row)

    def _interrupt_all(self) -> None:
        answered, end = self._signals_seen, monotonic() + _SECONDS_TO_END
        for process in self._active:
            process.interrupt()
        if self._active:
            self._display.stopping(len(self._active))
        while monotonic() < end and not all(process.ended() for process in self._active):
            if self._signals_seen > answered:
                self._display.saving(end - monotonic())
                answered = self._signals_seen
            sleep(_SECONDS_BETWEEN_LOOKS)
        for process in self._active:
            process.kill()
        self._settle(stopping=True)

    def _anything_left(self) -> bool:
        return any(entry.state == "pending" and entry.key in self._configs for entry in self._registry.entries())

    def _all_over(self) -> bool:
        return all(entry.state in FINAL_STATES for entry in self._registry.entries() if entry.key in self._configs)

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
        def count(_number: int, _frame: FrameType | None) -> None:
            self._signals_seen += 1

        before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
