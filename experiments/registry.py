"""The registry of a study's runs: who does what, in SQLite, so that no run is done twice."""

import secrets
import socket
import sqlite3
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from agents import RunConfig
from agents.run_folder import now
from experiments.problems import InputError
from experiments.processes import process_start, this_process
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
    cohort TEXT, member INTEGER,
    PRIMARY KEY (task, algorithm, arm, seed)
)
"""
# What tables of the first version lack.
_ADDED_COLUMNS = {"cohort": "TEXT", "member": "INTEGER"}


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
        cohort: Id of the cohort in which the run trains or has trained; None before the first attempt.
        member: Place in that cohort, from 0.
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
    cohort: str | None = None
    member: int | None = None

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


@dataclass(frozen=True)
class Claim:
    """A cohort that this process has taken.

    Attributes:
        cohort: Its id.
        members: All its runs, in the order in which the cohort began, also those that are over.
        entries: Its runs that are to be trained, with their new attempt numbers, in the same order.
    """

    cohort: str
    members: list[Entry]
    entries: list[Entry]


class Standing(Enum):
    """How a cohort stands that has begun before and that nobody trains."""

    RESUMABLE = "it has a checkpoint and goes on from there"
    LOST = "it has none, and its runs begin again in any company"
    BUSY = "its last process has not ended yet"


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
            _prepare(database)
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
        """Let a run that is over be done again from its start, unless somebody trains it or its cohort.

        The other runs of its cohort that are not over begin again too: without this one, their checkpoint is of no use.

        Args:
            entry: As it was read.

        Returns:
            Whether it is pending now.
        """
        with self._transaction() as database:
            if entry.cohort is not None:
                cohort = [other for other in _read(database) if other.cohort == entry.cohort]
                if any(other.state == "running" and not other.abandoned() for other in cohort):
                    return False
            changed = database.execute(
                "UPDATE runs SET state = 'pending', finished = NULL, cause = NULL "
                "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ? AND state = ? AND attempt = ?",
                (*entry.key, entry.state, entry.attempt),
            )
            if changed.rowcount == 1 and entry.cohort is not None:
                _dissolve(database, entry.cohort)
            return changed.rowcount == 1

    def claim(
        self,
        wanted: Container[Key],
        size: Callable[[Key], int] = lambda _key: 1,
        standing: Callable[[Sequence[Entry]], Standing] = lambda _cohort: Standing.LOST,
        group: Callable[[Key], Hashable] = lambda key: key[:2],
    ) -> Claim | None:
        """Take the next runs that nobody does: first a cohort that goes on, then a new one, in the study's order.

        Args:
            wanted: Keys of the runs that the caller can do; another process may have let the study grow by others.
            size: Most runs of a new cohort whose first run has this key, asked once if there is one.
            standing: Of a cohort that has begun before, given all its runs in their order.
            group: What the runs of a cohort share; without it, task and algorithm.

        Returns:
            The cohort, or None if there is nothing to take.
        """
        with self._transaction() as database:
            entries = _read(database)
            for name in dict.fromkeys(entry.cohort for entry in entries if entry.cohort and _free(entry)):
                members = _members(entries, name)
                if any(entry.state == "running" and not _free(entry) for entry in members):
                    continue
                stands = standing(members)
                if stands is Standing.LOST:
                    _dissolve(database, name)
                elif stands is Standing.RESUMABLE and all(entry.key in wanted for entry in members):
                    return self._take(database, name, [entry.key for entry in members if _free(entry)])
            new = [
                entry.key for entry in _read(database) if entry.cohort is None and entry.key in wanted and _free(entry)
            ]
            if not new:
                return None
            alike = [key for key in new if group(key) == group(new[0])]
            return self._take(database, _new_cohort(new[0]), alike[: size(new[0])])

    def _take(self, database: sqlite3.Connection, cohort: str, keys: Sequence[Key]) -> Claim:
        process, begun = this_process(), now()
        for place, key in enumerate(keys):
            database.execute(
                "UPDATE runs SET state = 'running', attempt = attempt + 1, pid = ?, host = ?, owner = ?, "
                "heartbeat = ?, started = ?, finished = NULL, cause = NULL, "
                # A run keeps its place in a cohort that goes on.
                "member = CASE WHEN cohort IS NULL THEN ? ELSE member END, cohort = ? "
                "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ?",
                (*process, begun, begun, place, cohort, *key),
            )
        members = _members(_read(database), cohort)
        return Claim(cohort, members, [entry for entry in members if entry.key in set(keys)])

    def settle(self, entry: Entry, state: str, cause: str | None) -> bool:
        """Record that a run was over before its supervisor was gone, which did not come to record it.

        Args:
            entry: As it was read, abandoned.
            state: ``done`` or ``diverged``.
            cause: Of its divergence.

        Returns:
            Whether it was still as it was read.
        """
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE runs SET state = ?, cause = ?, finished = ?, pid = NULL "
                "WHERE task = ? AND algorithm = ? AND arm = ? AND seed = ? "
                "AND state = 'running' AND attempt = ? AND host IS ? AND owner IS ?",
                (state, cause, now(), *entry.key, entry.attempt, entry.host, entry.owner),
            )
            return changed.rowcount == 1

    def finish(self, claim: Entry, state: str, cause: str | None) -> bool:
        """Record how a run ended that this process has claimed.

        Args:
            claim: As `claim` returned it among its entries.
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
                (state, cause, now(), *claim.key, claim.attempt, *this_process()),
            )
            return changed.rowcount == 1

    def beat(self) -> None:
        """Say that this process lives and does its runs."""
        with self._transaction() as database:
            database.execute(
                "UPDATE runs SET heartbeat = ? WHERE state = 'running' AND pid = ? AND host = ? AND owner = ?",
                (now(), *this_process()),
            )

    def entries(self) -> list[Entry]:
        """Return all runs in the study's order; none if a kill has left the database without its table."""
        with closing(self._connect()) as database:
            table = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'")
            return _read(database) if table.fetchone() else []

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


def _prepare(database: sqlite3.Connection) -> None:
    database.execute(_SCHEMA)
    for column, kind in _ADDED_COLUMNS.items():
        if column not in _columns(database):
            database.execute(f"ALTER TABLE runs ADD COLUMN {column} {kind}")


def _columns(database: sqlite3.Connection) -> set[str]:
    return {row[1] for row in database.execute("PRAGMA table_info(runs)")}


def _read(database: sqlite3.Connection) -> list[Entry]:
    # A folder of the first version may be looked at where nobody may write.
    there = _columns(database)
    columns = ", ".join(entry.name if entry.name in there else "NULL" for entry in fields(Entry))
    rows = database.execute(f"SELECT {columns} FROM runs ORDER BY position")  # noqa: S608 - the columns are our own
    return [Entry(*row) for row in rows.fetchall()]


def _free(entry: Entry) -> bool:
    return entry.state == "pending" or entry.abandoned()


def _members(entries: Iterable[Entry], cohort: str) -> list[Entry]:
    return sorted((entry for entry in entries if entry.cohort == cohort), key=lambda entry: entry.member or 0)


def _dissolve(database: sqlite3.Connection, cohort: str) -> None:
    """Take a cohort's unfinished runs out of it; those that are over stay, for the record of what they trained with."""
    database.execute(
        "UPDATE runs SET cohort = NULL, member = NULL WHERE cohort = ? AND state NOT IN ('done', 'diverged')", (cohort,)
    )


def _new_cohort(key: Key) -> str:
    # Chance keeps the folder of a cohort that was given up from becoming another's.
    return f"{key[0].replace('/', '__')}-{key[1]}-{secrets.token_hex(4)}"


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
