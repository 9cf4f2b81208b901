"""The registry: every run is taken once, and what a dead process has taken is taken over."""

import dataclasses
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from agents import RunConfig
from experiments.problems import InputError
from experiments.processes import process_start
from experiments.registry import Claim, Entry, Key, Registry, Standing, run_key
from experiments.study import config_hash, read_study
from experiments.yaml_file import override, read_yaml


@pytest.fixture
def configs(study_file: Callable[..., Path]) -> list[RunConfig]:
    document = read_yaml(study_file())
    override(document, ["seeds=3"])
    return list(read_study(document).runs())


@pytest.fixture
def registry(tmp_path: Path, configs: list[RunConfig]) -> Registry:
    registry = Registry(tmp_path / "study.sqlite")
    registry.add(configs)
    return registry


@pytest.fixture
def keys(configs: list[RunConfig]) -> list[Key]:
    return [run_key(config) for config in configs]


def _claimed(registry: Registry, keys: list[Key]) -> Entry:
    claim = registry.claim(keys)
    assert claim is not None
    (entry,) = claim.entries
    return entry


def _set(tmp_path: Path, key: Key, **values: object) -> None:
    database = sqlite3.connect(tmp_path / "study.sqlite")
    for column, value in values.items():
        database.execute(f"UPDATE runs SET {column} = ? WHERE arm = ? AND seed = ?", (value, key[2], key[3]))  # noqa: S608 - a test's own names
    database.commit()
    database.close()


def test_runs_are_claimed_in_order_and_once(registry: Registry, keys: list[Key]) -> None:
    entries = [_claimed(registry, keys) for _ in keys]
    assert [entry.key for entry in entries] == keys
    assert {(entry.state, entry.attempt, entry.pid) for entry in entries} == {("running", 1, os.getpid())}
    assert registry.claim(keys) is None


@pytest.mark.usefixtures("registry")
def test_many_at_once_never_take_the_same_run(keys: list[Key], tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _index: Registry(tmp_path / "study.sqlite").claim(keys), range(12)))
    assert sorted(claim.entries[0].key for claim in claims if claim is not None) == sorted(keys)


def test_only_wanted_runs_are_claimed(registry: Registry, keys: list[Key]) -> None:
    assert _claimed(registry, keys[4:]).key == keys[4]


def test_done_and_diverged_stay_and_the_rest_is_run_again(
    registry: Registry, keys: list[Key], configs: list[RunConfig]
) -> None:
    for state, cause in [
        ("done", None),
        ("diverged", "loss"),
        ("failed", "killed by SIGKILL"),
        ("pending", "interrupted"),
    ]:
        assert registry.finish(_claimed(registry, keys), state, cause)
        # What was interrupted would be claimed at once again.
        keys = keys if state == "pending" else keys[1:]
    registry.add(configs)
    entries = registry.entries()
    assert [entry.state for entry in entries[:4]] == ["done", "diverged", "pending", "pending"]
    assert [entry.cause for entry in entries[:3]] == [None, "loss", "killed by SIGKILL"]
    again = _claimed(registry, [entry.key for entry in entries])
    assert (again.key, again.attempt, again.cause, again.finished) == (entries[2].key, 2, None, None)


def test_a_dead_process_loses_its_runs_and_a_living_one_keeps_them(
    registry: Registry, keys: list[Key], tmp_path: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as dead:
        dead.wait()
    _claimed(registry, keys)
    assert not registry.entries()[0].abandoned()
    _set(tmp_path, keys[0], pid=dead.pid)
    assert registry.entries()[0].abandoned()
    entry = _claimed(registry, keys)
    assert (entry.key, entry.attempt) == (keys[0], 2)


def test_another_process_with_the_same_number_is_another_process(
    registry: Registry, keys: list[Key], tmp_path: Path
) -> None:
    _claimed(registry, keys)
    _set(tmp_path, keys[0], owner="long ago")
    assert registry.entries()[0].abandoned()


def test_a_process_on_another_machine_counts_as_gone_after_a_long_silence(
    registry: Registry, keys: list[Key], tmp_path: Path
) -> None:
    _claimed(registry, keys)
    _set(tmp_path, keys[0], host="elsewhere", pid=1)
    assert not registry.entries()[0].abandoned()
    _set(tmp_path, keys[0], heartbeat="2020-01-01T00:00:00+00:00")
    assert registry.entries()[0].abandoned()


def test_a_heartbeat_is_of_ones_own_runs(registry: Registry, keys: list[Key], tmp_path: Path) -> None:
    for key in keys[:4]:
        assert _claimed(registry, keys).key == key
        _set(tmp_path, key, heartbeat="2020-01-01T00:00:00+00:00")
    _set(tmp_path, keys[1], pid=1)
    _set(tmp_path, keys[2], host="elsewhere")
    _set(tmp_path, keys[3], owner="a process of this number that was here before")
    registry.beat()
    beats = [(entry.heartbeat or "")[:4] for entry in registry.entries()[:4]]
    assert beats[0] > "2025"
    assert beats[1:] == ["2020", "2020", "2020"]


@pytest.mark.parametrize(
    "planted", [{"pid": 1}, {"host": "elsewhere"}, {"owner": "long ago"}, {"attempt": 2}, {"state": "done"}]
)
def test_what_another_has_taken_over_is_not_finished(
    planted: dict[str, object], registry: Registry, keys: list[Key], tmp_path: Path
) -> None:
    claim = _claimed(registry, keys)
    _set(tmp_path, keys[0], **planted)
    before = registry.entries()
    assert not registry.finish(claim, "failed", "killed by SIGKILL")
    assert registry.entries() == before


def test_ones_own_run_is_finished_once(registry: Registry, keys: list[Key]) -> None:
    claim = _claimed(registry, keys)
    assert registry.finish(claim, "diverged", "loss")
    entry = registry.entries()[0]
    assert (entry.state, entry.cause, entry.attempt) == ("diverged", "loss", 1)
    assert not registry.finish(claim, "done", None)


def test_a_run_that_is_over_is_reopened_once_and_never_while_it_is_done_again(
    registry: Registry, keys: list[Key]
) -> None:
    registry.finish(_claimed(registry, keys), "done", None)
    done = registry.entries()[0]
    assert registry.reopen(done)
    entry = registry.entries()[0]
    assert (entry.state, entry.attempt, entry.finished, entry.begun) == ("pending", 1, None, True)
    again = _claimed(registry, keys)
    assert not registry.reopen(done)
    registry.finish(again, "done", None)
    assert not registry.reopen(done)
    assert (registry.entries()[0].state, registry.entries()[0].attempt) == ("done", 2)


def test_a_run_has_begun_from_its_first_attempt_on(registry: Registry, keys: list[Key]) -> None:
    assert not registry.entries()[0].begun
    claim = _claimed(registry, keys)
    assert registry.entries()[0].begun
    registry.finish(claim, "pending", "interrupted")
    assert registry.entries()[0].begun


def test_a_run_with_another_configuration_is_refused_and_nothing_is_entered(
    registry: Registry, configs: list[RunConfig]
) -> None:
    changed = [dataclasses.replace(configs[0], seed=77), dataclasses.replace(configs[1], steps=240)]
    with pytest.raises(InputError, match="the run InvertedPendulum-v5 td3 mix seed 0 is in the folder with another"):
        registry.add(changed)
    assert len(registry.entries()) == 6


def test_a_study_may_grow_in_any_order(registry: Registry, configs: list[RunConfig], keys: list[Key]) -> None:
    registry.finish(_claimed(registry, keys), "done", None)
    grown = [dataclasses.replace(configs[0], seed=77), *configs]
    registry.add(grown)
    assert [(entry.seed, entry.state) for entry in registry.entries()][:2] == [(77, "pending"), (0, "done")]


def test_the_database_lets_others_read_while_it_is_written(registry: Registry, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "study.sqlite", isolation_level=None)
    # The write-ahead log does not work on network file systems.
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE runs SET state = 'running'")
    assert {entry.state for entry in registry.entries()} == {"pending"}
    database.execute("COMMIT")
    assert {entry.state for entry in registry.entries()} == {"running"}
    database.close()


def test_a_database_without_its_table_has_no_runs(tmp_path: Path, configs: list[RunConfig]) -> None:
    (tmp_path / "study.sqlite").touch()
    registry = Registry(tmp_path / "study.sqlite")
    assert registry.entries() == []
    registry.add(configs)
    assert len(registry.entries()) == 6


def test_runs_are_entered_only_if_what_belongs_to_them_is_written(
    registry: Registry, configs: list[RunConfig], tmp_path: Path
) -> None:
    seen: list[int] = []

    def write(entries: Sequence[Entry]) -> None:
        seen.append(len(entries))
        raise OSError(28, "No space left on device")

    grown = [dataclasses.replace(configs[0], seed=77), *configs]
    with pytest.raises(OSError, match="No space"):
        registry.add(grown, write)
    assert (seen, len(registry.entries())) == ([6], 6)
    empty = Registry(tmp_path / "other.sqlite")
    with pytest.raises(OSError, match="No space"):
        empty.add(configs, write)
    assert empty.entries() == []


def _together(_key: Key) -> int:
    return 10


def test_a_cohort_is_of_one_task_and_algorithm_in_the_studys_order_and_no_larger_than_allowed(tmp_path: Path) -> None:
    keys = [("A", "td3", "x", 0), ("B", "td3", "x", 0), ("A", "sac", "x", 0)]
    keys += [("A", "td3", "y", 0), ("A", "td3", "x", 1), ("B", "td3", "x", 1)]
    registry = _registry_of(tmp_path, keys)
    sizes = {"A": 2, "B": 9}
    claims = [registry.claim(keys, lambda key: sizes[key[0]]) for _ in range(5)]
    first = claims[0]
    assert first is not None
    found = [claim and [entry.key for entry in claim.entries] for claim in claims]
    assert found == [[keys[0], keys[3]], [keys[1], keys[5]], [keys[2]], [keys[4]], None]
    places = [(entry.cohort == first.cohort, entry.member) for entry in registry.entries()]
    assert places == [(True, 0), (False, 0), (False, 0), (True, 1), (False, 0), (False, 1)]
    assert len({claim.cohort for claim in claims if claim}) == 4
    assert first.cohort.startswith("A-td3-")


def _registry_of(tmp_path: Path, keys: Sequence[Key]) -> Registry:
    registry = Registry(tmp_path / "other.sqlite")
    registry.add([])
    with registry._transaction() as database:
        for position, key in enumerate(keys):
            database.execute(
                "INSERT INTO runs (task, algorithm, arm, seed, position, config_hash) VALUES (?, ?, ?, ?, ?, '')",
                (*key, position),
            )
    return registry


def _interrupted(registry: Registry, keys: list[Key], over: int = 0) -> Claim:
    """Claim all runs as one cohort; those before `over` come to their end, the others are interrupted."""
    claim = registry.claim(keys, _together)
    assert claim is not None
    for place, entry in enumerate(claim.entries):
        assert registry.finish(entry, "done" if place < over else "pending", None)
    return claim


def test_a_cohort_with_a_checkpoint_is_taken_again_whole_and_in_its_order(
    registry: Registry, keys: list[Key], configs: list[RunConfig]
) -> None:
    first = _interrupted(registry, keys, over=2)
    registry.add([dataclasses.replace(configs[0], seed=77), *reversed(configs)])
    seen: list[list[Key]] = []

    def resumable(members: Sequence[Entry]) -> Standing:
        seen.append([entry.key for entry in members])
        return Standing.RESUMABLE

    everything = [(*keys[0][:3], 77), *keys]
    again = registry.claim(everything, lambda _key: 1, resumable)
    assert again is not None
    assert again.cohort == first.cohort
    assert [entry.key for entry in again.members] == keys
    assert seen == [keys]
    assert [(entry.key, entry.attempt, entry.member) for entry in again.entries] == [
        (key, 2, place) for place, key in enumerate(keys) if place >= 2
    ]
    new = registry.claim(everything, _together, resumable)
    assert new is not None
    assert [entry.seed for entry in new.entries] == [77]


def test_a_cohort_is_left_alone_while_any_of_its_runs_is_trained_or_its_last_process_ends(
    registry: Registry, keys: list[Key], tmp_path: Path
) -> None:
    _interrupted(registry, keys)
    assert registry.claim(keys, _together, lambda _members: Standing.BUSY) is None
    # Who does not know all of its runs cannot train it.
    assert registry.claim(keys[1:], _together, lambda _members: Standing.RESUMABLE) is None
    owner = process_start(os.getpid())
    _set(tmp_path, keys[3], state="running", pid=os.getpid(), host=socket.gethostname(), owner=owner)
    assert registry.claim(keys, _together, lambda _members: Standing.RESUMABLE) is None
    _set(tmp_path, keys[3], owner="long ago")
    assert registry.claim(keys, _together, lambda _members: Standing.RESUMABLE) is not None


def test_a_cohort_without_a_checkpoint_is_no_cohort_any_more(registry: Registry, keys: list[Key]) -> None:
    first = _interrupted(registry, keys, over=1)
    again = registry.claim(keys, lambda _key: 3, lambda _members: Standing.LOST)
    assert again is not None
    assert again.cohort != first.cohort
    assert [entry.key for entry in again.members] == [entry.key for entry in again.entries] == keys[1:4]
    assert [entry.cohort for entry in registry.entries()] == [first.cohort, *[again.cohort] * 3, None, None]


def test_a_run_that_is_done_again_takes_its_cohort_with_it_but_not_from_under_a_process(
    registry: Registry, keys: list[Key]
) -> None:
    claim = registry.claim(keys, _together)
    assert claim is not None
    assert registry.finish(claim.entries[0], "done", None)
    done = registry.entries()[0]
    assert not registry.reopen(done)
    for entry in claim.entries[1:]:
        registry.finish(entry, "pending", "interrupted")
    assert registry.reopen(done)
    assert {(entry.state, entry.cohort, entry.member) for entry in registry.entries()} == {("pending", None, None)}


def test_what_a_dead_supervisor_left_over_is_settled_once(registry: Registry, keys: list[Key], tmp_path: Path) -> None:
    _claimed(registry, keys)
    _set(tmp_path, keys[0], owner="long ago")
    left = registry.entries()[0]
    assert not registry.settle(dataclasses.replace(left, attempt=7), "done", None)
    assert not registry.settle(dataclasses.replace(left, owner="somebody else"), "done", None)
    assert registry.settle(left, "diverged", "loss")
    assert not registry.settle(left, "done", None)
    entry = registry.entries()[0]
    assert (entry.state, entry.cause, entry.attempt) == ("diverged", "loss", 1)


def test_a_registry_of_the_first_version_is_read_as_it_is_and_goes_on(
    tmp_path: Path, configs: list[RunConfig], keys: list[Key]
) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE runs (task TEXT NOT NULL, algorithm TEXT NOT NULL, arm TEXT NOT NULL, seed INTEGER NOT NULL, "
            "position INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending', attempt INTEGER NOT NULL DEFAULT 0, "
            "config_hash TEXT NOT NULL, pid INTEGER, host TEXT, owner TEXT, heartbeat TEXT, started TEXT, "
            "finished TEXT, cause TEXT, PRIMARY KEY (task, algorithm, arm, seed))"
        )
        database.execute(
            "INSERT INTO runs (task, algorithm, arm, seed, position, state, attempt, config_hash) "
            "VALUES (?, ?, ?, ?, 0, 'done', 1, ?)",
            (*keys[0], config_hash(configs[0])),
        )
        database.commit()
    before = path.read_bytes()
    (entry,) = Registry(path).entries()
    assert (entry.key, entry.state, entry.cohort, entry.member) == (keys[0], "done", None, None)
    # Who only looks changes nothing.
    assert path.read_bytes() == before
    registry = Registry(path)
    registry.add(configs)
    claim = registry.claim(keys, _together)
    assert claim is not None
    assert [entry.key for entry in claim.entries] == keys[1:]
    registry.add(configs)


def test_a_process_is_told_by_its_start() -> None:
    own = process_start(os.getpid())
    assert own
    assert process_start(os.getpid()) == own
    assert process_start(2**22 + 1) is None
