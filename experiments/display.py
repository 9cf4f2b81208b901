"""What a user sees while runs are trained: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

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

    def started(self, key: Key, attempt: int) -> None:
        """A run has been started."""

    def ended(self, row: RunView) -> None:
        """A run is over."""

    def waiting(self, count: int) -> None:
        """Nothing is left to start, but another command still trains some runs."""

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        """Time has passed; `rows` looks at all runs, which costs reading their files."""


def make_display(console: Console, workers: int) -> Display:
    """Return the display that fits the console.

    Args:
        console: To write to.
        workers: How many runs share the machine.
    """
    return LiveTable(console, workers) if console.is_terminal else PlainLines(console, workers)


class PlainLines:
    """One line when a run starts or ends, and one now and then for the whole.

    Args:
        console: To write to.
        workers: How many runs share the machine.
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

    def started(self, key: Key, attempt: int) -> None:
        """Say that a run has been started."""
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self._say(f"start     {say(key)}{again}")

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

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        """Say now and then how far the whole is."""
        if monotonic() < self._due:
            return
        self._due = monotonic() + _SECONDS_BETWEEN_LINES
        self._say(summary(rows(), self._workers))

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveTable:
    """The table of all runs, drawn anew each second.

    Args:
        console: A terminal.
        workers: How many runs share the machine.
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

    def started(self, key: Key, attempt: int) -> None:
        """Draw soon: the table shows what runs."""
        del key, attempt
        self._due = 0.0

    def ended(self, row: RunView) -> None:
        """Draw soon: the table shows what has ended."""
        del row
        self._due = 0.0

    def waiting(self, count: int) -> None:
        """Do nothing: the table shows what still runs."""
        del count

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
        workers: How many runs share the machine.
    """
    over = sum(row.state in {"done", "diverged", "failed"} for row in rows)
    made, steps = sum(row.step for row in rows), sum(row.steps for row in rows)
    left = time_left(rows, workers)
    ending = "" if left == 0 else f", about {duration(left)} left" if left is not None else ""
    return f"progress  {over} of {len(rows)} runs over, {made / max(steps, 1):.0%} of all steps{ending}"
