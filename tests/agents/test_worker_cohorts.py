"""Several runs in one process: what is recorded of each, what comes along, and how the process is ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import agents
from agents import engine, run_folder, worker
from agents.control import Control
from agents.network_size import flops_per_update, parameters

Small = Callable[..., agents.RunConfig]
Engine = Callable[[Sequence[agents.RunConfig], Sequence[Path], Control], None]
_ROOT = Path(agents.__file__).parents[1]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folders(small: Small, tmp_path: Path) -> list[Path]:
    """Three runs with something of an earlier attempt in each folder."""
    found = [tmp_path / f"run-{seed}" for seed in range(3)]
    for seed, folder in enumerate(found):
        folder.mkdir()
        _write(folder, config=small(seed=seed, engine="population").to_json(), state="pending", attempt=1)
        (folder / "evaluations.csv").write_text("step\n0\n")
        (folder / "progress.json").write_text('{"step": 40, "steps_per_s": 8.0}')
    return found


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "cohort/checkpoint").mkdir(parents=True)
    (tmp_path / "cohort/checkpoint/manifest.json").write_text("{}")
    return tmp_path / "cohort/checkpoint"


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], None]:
    """Return a function that puts an engine in place of ours."""

    def put(act: Engine) -> None:
        def train(
            name: str, configs: Sequence[agents.RunConfig], given: Sequence[Path], _checkpoint: object, control: Control
        ) -> None:
            assert name == "population"
            act(configs, given, control)

        monkeypatch.setattr(engine, "train", train)

    return put


def _write(folder: Path, **content: Any) -> None:
    (folder / "run.json").write_text(json.dumps(content))


def _record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content


def _all_done(_configs: Sequence[agents.RunConfig], given: Sequence[Path], control: Control) -> None:
    control.resumed(0)
    for index in range(len(given)):
        control.done(index, 50.0)


def test_runs_are_recorded_each_and_at_once(
    folders: list[Path], trains: Callable[[Engine], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(configs: Sequence[agents.RunConfig], given: Sequence[Path], control: Control) -> None:
        assert ([config.seed for config in configs], given) == ([0, 1, 2], folders)
        assert Path.cwd() == tmp_path / "cohort"
        assert not list(tmp_path.glob("run-*/evaluations.csv"))
        control.resumed(0)
        assert [_record(folder)["resumed_from"] for folder in folders] == [0, 0, 0]
        control.diverged(1, "loss not finite (NaN) at step 70", 70)
        assert [_record(folder)["state"] for folder in folders] == ["running", "diverged", "running"]
        control.done(2, 50.0)
        assert [_record(folder)["state"] for folder in folders] == ["running", "diverged", "done"]
        control.done(0, 51.5)

    trains(act)
    (tmp_path / "cohort").mkdir()
    assert worker.work(folders, [2, 3, 4], checkpoint=tmp_path / "cohort/checkpoint") == 3
    records = [_record(folder) for folder in folders]
    assert [record["attempt"] for record in records] == [2, 3, 4]
    assert [record["steps_done"] for record in records] == [120, 70, 120]
    assert [record["steps_per_s"] for record in records] == [51.5, None, 50.0]
    assert [record["cause"] for record in records] == [None, "loss not finite (NaN) at step 70", None]
    assert None not in [record["finished"] for record in records]
    members = [["arm", 0], ["arm", 1], ["arm", 2]]
    expected = {"engine": "population", "cohort": {"id": None, "size": 3, "members": members}}
    assert {key: records[0][key] for key in expected} == expected
    assert capsys.readouterr().out == "starting at step 0\n"


def test_all_done_is_exit_code_0(folders: list[Path], trains: Callable[[Engine], None]) -> None:
    trains(_all_done)
    assert worker.work(folders) == 0
    assert [_record(folder)["state"] for folder in folders] == ["done"] * 3


def test_what_a_checkpoint_goes_on_with_is_kept_and_what_is_over_comes_along_untouched(
    folders: list[Path],
    checkpoint: Path,
    trains: Callable[[Engine], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def act(configs: Sequence[agents.RunConfig], given: Sequence[Path], control: Control) -> None:
        assert ([config.seed for config in configs], given) == ([0, 1, 2], folders)
        assert {(folder / "evaluations.csv").read_text() for folder in folders} == {"step\n0\n"}
        assert (_record(folders[0])["state"], _record(folders[0])["steps_done"]) == ("running", 40)
        control.resumed(30)
        assert (_record(folders[0])["resumed_from"], _record(folders[0])["steps_done"]) == (30, 30)
        # After a kill the engine may come by the end of a run again that had come to it before.
        control.diverged(1, "another cause", 90)
        control.done(0, 50.0)
        control.done(2, 50.0)

    trains(act)
    _write(folders[1], **{**_record(folders[1]), "state": "diverged", "cause": "loss", "attempt": 1})
    before = (folders[1] / "run.json").read_bytes()
    assert worker.work(folders, [2, 1, 2], checkpoint=checkpoint) == 3
    assert (folders[1] / "run.json").read_bytes() == before
    assert (_record(folders[0])["state"], _record(folders[0])["attempt"]) == ("done", 2)
    assert capsys.readouterr().out == "resuming from step 30\n"


@pytest.mark.parametrize(
    ("states", "attempts", "manifest"),
    [
        (["done", "pending", "pending"], None, False),
        (["pending", "diverged", "pending"], [2, 1, 2], False),
        (["done", "diverged", "done"], None, True),
    ],
)
def test_what_is_over_is_refused_unless_a_checkpoint_goes_on_with_the_others(
    states: list[str],
    attempts: list[int] | None,
    manifest: bool,
    folders: list[Path],
    checkpoint: Path,
    trains: Callable[[Engine], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trains(lambda *_arguments: pytest.fail("nothing is to be trained"))
    for folder, state in zip(folders, states, strict=True):
        _write(folder, **{**_record(folder), "state": state})
    if not manifest:
        (checkpoint / "manifest.json").unlink()
    before = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    assert worker.work(folders, attempts, checkpoint=checkpoint) == 2
    first = next(place for place, state in enumerate(states) if state != "pending")
    assert f"error: the run in {folders[first]} is {states[first]}; training it again" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


def test_an_error_is_the_cause_of_all_that_were_not_over(
    folders: list[Path], trains: Callable[[Engine], None], capfd: pytest.CaptureFixture[str]
) -> None:
    def act(_configs: Sequence[agents.RunConfig], _given: Sequence[Path], control: Control) -> None:
        control.done(1, 50.0)
        raise OSError(28, "No space left on device")

    trains(act)
    assert worker.work(folders) == 1
    cause = "OSError: [Errno 28] No space left on device"
    found = [(_record(folder)["state"], _record(folder)["cause"]) for folder in folders]
    assert found == [("failed", cause), ("done", None), ("failed", cause)]
    assert "Traceback" in capfd.readouterr().err


def test_an_engine_that_ends_too_early_has_failed(folders: list[Path], trains: Callable[[Engine], None]) -> None:
    trains(lambda _configs, _given, control: control.done(0, 50.0))
    assert worker.work(folders) == 1
    assert _record(folders[2])["cause"] == "RuntimeError: the engine ended before its runs did"


def test_a_signal_asks_to_save_once_and_gives_a_minute_for_it(
    folders: list[Path], trains: Callable[[Engine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[int] = []
    monkeypatch.setattr(signal, "alarm", alarms.append)

    def act(_configs: Sequence[agents.RunConfig], given: Sequence[Path], control: Control) -> None:
        assert not control.should_stop()
        (given[0] / "progress.json").write_text('{"step": 50, "steps_per_s": 9.0}')
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            assert control.should_stop()
        control.done(1, 50.0)

    trains(act)
    assert worker.work(folders) == 130
    assert alarms == [60]
    record = _record(folders[0])
    assert (record["state"], record["cause"], record["steps_done"]) == ("pending", "interrupted", 50)
    assert _record(folders[1])["state"] == "done"


def test_a_signal_ends_the_waiting_for_a_folder_and_changes_nothing(
    folders: list[Path], trains: Callable[[Engine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(lambda *_arguments: pytest.fail("nothing is to be trained"))
    monkeypatch.setattr(run_folder, "sleep", lambda _seconds: os.kill(os.getpid(), signal.SIGTERM))
    before = (folders[0] / "run.json").read_bytes()
    with run_folder.locked(folders[1:2]):
        assert [run_folder.is_locked(folder) for folder in folders] == [False, True, False]
        assert worker.work(folders) == 130
    assert (folders[0] / "run.json").read_bytes() == before
    assert not run_folder.is_locked(folders[1])


@pytest.mark.parametrize(("way", "code"), [("signal", -signal.SIGALRM), ("input", 130)])
def test_a_process_that_hangs_ends_all_the_same(way: str, code: int, folders: list[Path]) -> None:
    script = (
        "import signal, sys, threading\nfrom pathlib import Path\nfrom agents import engine, worker\n"
        "worker.SECONDS_TO_SAVE = 1\n"
        "def train(*arguments):\n    print('hangs', flush=True)\n    while True:\n        threading.Event().wait()\n"
        "engine.train = train\n"
        "sys.exit(worker.work([Path(word) for word in sys.argv[1:]], watch_input=True))\n"
    )
    command = [sys.executable, "-c", script, *map(str, folders)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"hangs\n"
        if way == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait() == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attempts", "1,2"], "--attempts has 2 numbers for 3 folders; allowed is one for each"),
        (["--attempts", "1,x,2"], "'1,x,2' is not allowed; allowed are whole numbers from 1, as in 1,1,2"),
        (["--attempts", "1,0,2"], "'1,0,2' is not allowed"),
    ],
)
def test_wrong_attempts_are_named(arguments: list[str], message: str, folders: list[Path]) -> None:
    command = [sys.executable, "-m", "agents", *map(str, folders), *arguments]
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert message in ended.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"task": "Hopper-v5"},
            "the runs of a cohort share their task, but it is 'InvertedPendulum-v5' and 'Hopper-v5'",
        ),
        ({"algorithm": "sac"}, "share their algorithm, but it is 'td3' and 'sac'"),
        ({"steps": 240}, "share their steps, but it is 120 and 240"),
        ({"evaluation_every": 60}, "share their evaluation_every, but it is 50 and 60"),
        ({"evaluation_episodes": 3}, "share their evaluation_episodes, but it is 2 and 3"),
        ({"hyperparameters": {"gamma": 0.5}}, "share their hyperparameters"),
        ({"device": "auto"}, "share their device, but it is 'cpu' and 'auto'"),
        ({"threads": 2}, "share their threads, but it is 1 and 2"),
        ({"engine": "sb3"}, "share their engine, but it is 'population' and 'sb3'"),
        ({"seed": 3}, "a cohort has each run once, but arm seed 3 is there twice"),
    ],
)
def test_runs_that_cannot_share_a_process_are_refused(changes: dict[str, Any], message: str, small: Small) -> None:
    other = {"arm": "other"} if "seed" not in changes else {}
    with pytest.raises(agents.ConfigError, match=message):
        engine.check_cohort([small(engine="population"), small(**{"engine": "population", **other, **changes})])
    engine.check_cohort([small(engine="population"), small(engine="population", arm="other", actor_activation="relu")])


def test_stable_baselines_trains_one_run_at_a_time(small: Small) -> None:
    with pytest.raises(agents.ConfigError, match="a cohort of the engine sb3 has 2 runs; allowed is one"):
        engine.check_cohort([small(), small(seed=4)])
    with pytest.raises(agents.ConfigError, match="a cohort has no runs"):
        engine.check_cohort([])
    with pytest.raises(agents.ConfigError, match="engine is 'sb4'; allowed are population, sb3"):
        small(engine="sb4")


def test_a_record_from_before_there_was_a_choice_is_of_stable_baselines(small: Small) -> None:
    plain = small(engine="population").to_json()
    assert agents.RunConfig.from_json(plain).engine == "population"
    del plain["engine"]
    assert agents.RunConfig.from_json(plain).engine == "sb3"


@pytest.mark.parametrize(
    ("algorithm", "task", "millions", "count"),
    [
        # Two hidden layers of 256, batches of 256: for TD3 324 million for the critics and 181 for the actor, which
        # learns every second time.
        ("td3", "HalfCheetah-v5", 414.6, 2 * 72_193 + 71_942),
        ("sac", "HalfCheetah-v5", 581.6, 2 * 72_193 + 73_484),
        ("ddpg", "HalfCheetah-v5", 361.2, 72_193 + 71_942),
        ("td3", "Humanoid-v5", 818.7, 2 * 159_745 + 159_505),
    ],
)
def test_what_one_update_computes(algorithm: str, task: str, millions: float, count: int) -> None:
    config = agents.RunConfig(task, algorithm, "relu", "relu", "relu", None, 0, 10**6, 10**4, 10, {})
    assert flops_per_update(config) / 1e6 == pytest.approx(millions, abs=0.05)
    assert parameters(config) == count
    smaller = agents.RunConfig(task, algorithm, "relu", "relu", "relu", None, 0, 10**6, 10**4, 10, {"batch_size": 64})
    assert flops_per_update(smaller) == pytest.approx(flops_per_update(config) / 4)
