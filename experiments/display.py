"""What a user sees while runs are trained: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from experiments.cohorts import describe
from experiments.overview import RunView, duration, time_left
from experiments.registry import Key, say
from experiments.table import runs_table

_SECONDS_BETWEEN_TABLES = 1.0
_SECONDS_BETWEEN_LINES = 15.0
_LINES_AROUND_TABLE = 5


class Display(Protocol):
    """Shows a study while it runs."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def started(self, keys: Sequence[Key], attempt: int) -> None:
        """A cohort has been started from step 0."""

    def resumed(self, keys: Sequence[Key], step: int) -> None:
        """A cohort goes on from a checkpoint of this step."""

    def ended(self, row: RunView) -> None:
        """A run is over."""

    def waiting(self, count: int) -> None:
        """Nothing is left to start, but another command still trains some runs."""

    def stopping(self, count: int) -> None:
        """This many processes have been asked to save and to end."""

    def saving(self, seconds: float) -> None:
        """Somebody asks to stop again; what is not saved within these seconds is given up."""

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        """Time has passed; `rows` looks at all runs, which costs reading their files."""


def make_display(console: Console, workers: int) -> Display:
    """Return the display that fits the console.

    Args:
        console: To write to.
        workers: Most cohorts at once.
    """
    return LiveTable(console, workers) if console.is_terminal else PlainLines(console, workers)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _say_stopping(console: Console, count: int) -> None:
    processes = "a process saves" if count == 1 else f"{count} processes save"
    _say(console, f"stopping  {processes} what can go on later")


def _say_saving(console: Console, seconds: float) -> None:
    _say(console, f"stopping  still saving; what is not saved within {duration(seconds)} is given up")


class PlainLines:
    """One line when a cohort starts or a run ends, and one now and then for the whole.

    Args:
        console: To write to.
        workers: Most cohorts at once.
    """

    def __init__(self, console: Console, workers: int) -> None:
        self._console = console
        self._workers = workers
        self._due = monotonic() + _SECONDS_BETWEEN_LINES

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: lines stand as they are."""

    def started(self, keys: Sequence[Key], attempt: int) -> None:
        """Say which runs have been started."""
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self._say(f"start     {describe(keys)}{again}")

    def resumed(self, keys: Sequence[Key], step: int) -> None:
        """Say which runs go on, and from where."""
        self._say(f"resume    {describe(keys)} from step {step:,}")

    def ended(self, row: RunView) -> None:
        """Say how a run ended."""
        facts = [] if row.elapsed_s is None else [f"in {duration(row.elapsed_s)}"]
        if row.steps_per_s is not None:
            facts.append(f"{row.steps_per_s:.0f} steps/s")
        if row.last_return is not None:
            facts.append(f"last return {row.last_return:.1f}")
        if row.cause:
            facts.append(row.cause)
        self._say(f"{row.state:<9} {say(row.key)}: {', '.join(facts)}")

    def waiting(self, count: int) -> None:
        """Say what is waited for."""
        self._say(f"waiting   for {count} {'run' if count == 1 else 'runs'} that another command trains")

    def stopping(self, count: int) -> None:
        """Say that processes have been asked to end."""
        _say_stopping(self._console, count)

    def saving(self, seconds: float) -> None:
        """Say that they are not at their end yet."""
        _say_saving(self._console, seconds)

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        """Say now and then how far the whole is."""
        if monotonic() < self._due:
            return
        self._due = monotonic() + _SECONDS_BETWEEN_LINES
        self._say(summary(rows(), self._workers))

    def _say(self, line: str) -> None:
        _say(self._console, line)


class LiveTable:
    """The table of all runs, drawn anew each second.

    Args:
        console: A terminal.
        workers: Most cohorts at once.
    """

    def __init__(self, console: Console, workers: int) -> None:
        self._console = console
        self._workers = workers
        self._live = Live(console=console, auto_refresh=False)
        self._due = 0.0

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table on the screen."""
        self._live.stop()

    def started(self, keys: Sequence[Key], attempt: int) -> None:
        """Draw soon: the table shows what runs."""
        del keys, attempt
        self._due = 0.0

    def resumed(self, keys: Sequence[Key], step: int) -> None:
        """Draw soon: the table shows what runs."""
        del keys, step
        self._due = 0.0

    def ended(self, row: RunView) -> None:
        """Draw soon: the table shows what has ended."""
        del row
        self._due = 0.0

    def waiting(self, count: int) -> None:
        """Do nothing: the table shows what still runs."""
        del count

    def stopping(self, count: int) -> None:
        """Say above the table that processes have been asked to end."""
        _say_stopping(self._console, count)

    def saving(self, seconds: float) -> None:
        """Say above the table that they are not at their end yet."""
        _say_saving(self._console, seconds)

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        """Draw the table if it is a second old."""
        if monotonic() < self._due:
            return
        self._due = monotonic() + _SECONDS_BETWEEN_TABLES
        current = rows()
        table = runs_table(current, most=self._console.height - _LINES_AROUND_TABLE)
        self._live.update(Group(table, Text(summary(current, self._workers))), refresh=True)


def summary(rows: Sequence[RunView], workers: int) -> str:
    """Return how far a study is, in one line.

    Args:
        rows: All runs.
        workers: Most cohorts at once.
    """
    over = sum(row.state in {"done", "diverged", "failed"} for row in rows)
    made, steps = sum(row.step for row in rows), sum(row.steps for row in rows)
    left = time_left(rows, workers)
    ending = "" if left == 0 else f", about {duration(left)} left" if left is not None else ""
    return f"progress  {over} of {len(rows)} runs over, {made / max(steps, 1):.0%} of all steps{ending}"
