"""The registry of a study's runs: who does what, in SQLite, so that no run is done twice."""

import os
import socket
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from agents import RunConfig
from agents.run_folder import now
from experiments.problems import InputError
from experiments.study import config_hash

# Task, algorithm, arm, seed.
Key: TypeAlias = tuple[str, str, str, int]

# On another host nobody can see whether the owner lives; after this silence it counts as gone.
_LONGEST_SILENCE = timedelta(minutes=10)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    task TEXT NOT NULL, algorithm TEXT NOT NULL, arm TEXT NOT NULL, seed INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    attempt INTEGER NOT NULL DEFAULT 0,
    config_hash TEXT NOT NULL,
    pid INTEGER, host TEXT, owner TEXT, heartbeat TEXT,
    started TEXT, finished TEXT, cause TEXT,
    PRIMARY KEY (task, algorithm, arm, seed)
)
"""


@dataclass(frozen=True)
class Entry:
    """One run in the registry.

    Attributes:
        task: With algorithm, arm and seed the key of the run.
        algorithm: See `task`.
        arm: See `task`.
        seed: See `task`.
        state: ``pending``, ``running``, ``done``, ``diverged`` or ``failed``.
        attempt: Number of the last attempt; 0 before the first.
        pid: Process of the supervisor that runs it.
        host: Machine of that supervisor.
        owner: When that process began, which tells it from a later one with the same number.
        heartbeat: When the supervisor last said that it lives.
        started: Of the last attempt.
        finished: Of the last attempt.
        cause: Of its failure.
    """

    task: str
    algorithm: str
    arm: str
    seed: int
    state: str
    attempt: int
    pid: int | None
    host: str | None
    owner: str | None
    heartbeat: str | None
    started: str | None
    finished: str | None
    cause: str | None

    @property
    def key(self) -> Key:
        """The run's key."""
        return self.task, self.algorithm, self.arm, self.seed

    @property
    def begun(self) -> bool:
        """Whether any attempt has begun, after which somebody may have seen results."""
        return self.attempt > 0 or self.state != "pending"

    def abandoned(self) -> bool:
        """Return whether the run counts as running although its supervisor is gone."""
        if self.state != "running":
            return False
        if self.host == socket.gethostname():
            return self.pid is None or process_start(self.pid) != self.owner
        silence = datetime.now(tz=UTC) - datetime.fromisoformat(self.heartbeat or "1970-01-01T00:00:00+00:00")
        return silence > _LONGEST_SILENCE


class Registry:
    """The runs of one study.

    Every call opens the database for itself: calls are seconds apart, and nothing is left open when a process is
    killed. The journal is SQLite's default one, because its write-ahead log does not work on network file systems,
    over which several machines may share a study; readers wait only while a commit is being written.

    Args:
        path: Of the database; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, configs: Iterable[RunConfig], write: Callable[[Sequence[Entry]], None] | None = None) -> None:
        """Enter a study's runs; those that are there stay as they are, and failed or abandoned ones become pending.

        Args:
            configs: The runs.
            write: Called with the runs that were there before, while no other process can enter or claim any, to write
                what belongs to them. If it raises, nothing is entered.

        Raises:
            InputError: A run is there with another configuration.
        """
        with self._transaction() as database:
            database.execute(_SCHEMA)
            before = _read(database)
            known = dict(
                database.execute("SELECT task || '/' || algorithm || '/' || arm || '/' || seed, config_hash FROM runs")
            )
            for position, config in enumerate(configs):
                key, digest = run_key(config), config_hash(config)
                if known.get("/".join(map(str, key)), digest) != digest:
                    raise InputError(
                        f"the run {say(key)} is in the folder with another configuration; give another --out."
                    )
                database.execute(
                    "INSERT INTO runs (task, algorithm, arm, seed, position, config_hash) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET position = excluded.position",
                    (*key, position, digest),
                )
            database.execute("UPDATE runs SET state = 'pending' WHERE state = 'failed'")
            if write is not None:
                write(before)

    def reopen(self, entry: Entry) -> bool:
        """Let a run that is over be done again, unless somebody has begun to already.

        Args:
            entry: As it was read.

        Returns:
            Whether it is pending now.
        """
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE runs SET state = 'pending', finished = NULL, cause = NULL "
                "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ? AND state = ? AND attempt = ?",
                (*entry.key, entry.state, entry.attempt),
            )
            return changed.rowcount == 1

    def claim(self, wanted: Container[Key]) -> Entry | None:
        """Take the next run that nobody does, in the study's order.

        Args:
            wanted: Keys of the runs that the caller can do; another process may have let the study grow by others.

        Returns:
            The run with its new attempt number, or None if there is none to take.
        """
        with self._transaction() as database:
            for entry in _read(database):
                if entry.key in wanted and (entry.state == "pending" or entry.abandoned()):
                    database.execute(
                        "UPDATE runs SET state = 'running', attempt = attempt + 1, pid = ?, host = ?, owner = ?, "
                        "heartbeat = ?, started = ?, finished = NULL, cause = NULL "
                        "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ?",
                        (*_this_process(), now(), now(), *entry.key),
                    )
                    return self._one(database, entry.key)
        return None

    def finish(self, claim: Entry, state: str, cause: str | None) -> bool:
        """Record how a run ended that this process has claimed.

        Args:
            claim: As `claim` returned it.
            state: ``done``, ``diverged``, ``failed`` or, if it was interrupted, ``pending``.
            cause: Of its failure.

        Returns:
            Whether the run was still this process's; if another has taken it over, nothing is recorded.
        """
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE runs SET state = ?, cause = ?, finished = ?, pid = NULL "
                "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ? "
                "AND state = 'running' AND attempt = ? AND pid = ? AND host = ? AND owner = ?",
                (state, cause, now(), *claim.key, claim.attempt, *_this_process()),
            )
            return changed.rowcount == 1

    def beat(self) -> None:
        """Say that this process lives and does its runs."""
        with self._transaction() as database:
            database.execute(
                "UPDATE runs SET heartbeat = ? WHERE state = 'running' AND pid = ? AND host = ? AND owner = ?",
                (now(), *_this_process()),
            )

    def entries(self) -> list[Entry]:
        """Return all runs in the study's order; none if a kill has left the database without its table."""
        with closing(self._connect()) as database:
            table = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'")
            return _read(database) if table.fetchone() else []

    def _one(self, database: sqlite3.Connection, key: Key) -> Entry:
        return next(entry for entry in _read(database) if entry.key == key)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60.0, isolation_level=None)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as database:
            # The write lock at once: two supervisors that read the same pending run must not both take it.
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _this_process() -> tuple[int, str, str | None]:
    # The number alone is no name: another machine, or this one later, may have a process of the same number.
    return os.getpid(), socket.gethostname(), process_start(os.getpid())


def _read(database: sqlite3.Connection) -> list[Entry]:
    columns = ", ".join(entry.name for entry in fields(Entry))
    rows = database.execute(f"SELECT {columns} FROM runs ORDER BY position")  # noqa: S608 - the columns are our own
    return [Entry(*row) for row in rows.fetchall()]


def run_key(config: RunConfig) -> Key:
    """Return the key of a run."""
    return config.task, config.algorithm, config.arm, config.seed


def say(key: Key) -> str:
    """Return a run's key as people read it.

    >>> say(("Hopper-v5", "td3", "swim", 3))
    'Hopper-v5 td3 swim seed 3'
    """
    task, algorithm, arm, seed = key
    return f"{task} {algorithm} {arm} seed {seed}"


def process_start(pid: int) -> str | None:
    """Return a text that tells a living process from every other with the same number, or None if there is none.

    Without ``/proc`` the text only says that a process with this number lives.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return "alive" if not Path("/proc/self").exists() and _exists(pid) else None
    # The second field is the program's name in parentheses and may hold spaces; the first of what follows is the state.
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] == "Z" else after_name[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
