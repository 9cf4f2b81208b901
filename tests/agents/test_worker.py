"""One run in one process: every way in which it can end, and what it records then."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import agents
from agents import sb3_engine, worker

Small = Callable[..., agents.RunConfig]
_ROOT = Path(agents.__file__).parents[1]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(small: Small, tmp_path: Path) -> Path:
    return _write(tmp_path / "run", small())


def _write(folder: Path, config: agents.RunConfig, **more: Any) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"config": config.to_json(), **more}))
    return folder


def _record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content


def test_a_finished_run_is_recorded_with_all_that_can_change_a_number(folder: Path, small: Small) -> None:
    for name in ("evaluations.csv", "events.out.tfevents.1.old.1.0"):
        (folder / name).write_text("of an earlier attempt")
    assert worker.work([folder], [2]) == 0
    record = _record(folder)
    assert agents.RunConfig.from_json(record["config"]) == small()
    expected = {"format": 1, "state": "done", "cause": None, "attempt": 2, "steps_done": 120, "workers": 1}
    assert {key: record[key] for key in expected} == expected
    assert set(record["versions"]) == {
        *("python", "torch", "numpy", "mujoco", "gymnasium", "stable-baselines3", "rl_acts", "native_kernels"),
    }
    assert set(record["hardware"]) == {"cpu", "cores", "threads", "device"}
    assert record["started"] <= record["finished"]
    assert record["steps_per_s"] > 0
    assert record["command"]
    assert (folder / "evaluations.csv").read_text().startswith("step,")
    assert len(list(folder.glob("events*"))) == 1
    agents.load_policy(folder)


def test_a_diverged_run_is_a_result(small: Small, tmp_path: Path) -> None:
    folder = _write(
        tmp_path / "run", small(hyperparameters={"learning_rate": 1e20}), attempt=4, command="mine", workers=3
    )
    assert worker.work([folder]) == 3
    record = _record(folder)
    assert (record["state"], record["attempt"], record["command"], record["workers"]) == ("diverged", 4, "mine", 3)
    assert "_loss not finite" in record["cause"]
    assert record["finished"] is not None
    assert len((folder / "evaluations.csv").read_text().splitlines()) >= 3


def test_any_error_is_recorded_as_the_cause(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sb3_engine, "train", fail)
    assert worker.work([folder]) == 1
    record = _record(folder)
    assert (record["state"], record["cause"]) == ("failed", "OSError: [Errno 28] No space left on device")
    assert "Traceback" in capfd.readouterr().err


def test_a_device_that_is_not_there_fails_before_training(small: Small, tmp_path: Path) -> None:
    folder = _write(tmp_path / "run", small(device="cuda:99"))
    assert worker.work([folder]) == 1
    assert _record(folder)["cause"].startswith("DeviceError: device 'cuda:99' does not exist here")


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    ended = _agents(str(tmp_path))
    assert ended.returncode == 2
    assert "holds no run.json" in ended.stderr


def _agents(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agents", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_finished_run_is_left_as_it_is(state: str, small: Small, tmp_path: Path) -> None:
    folder = _write(tmp_path / "run", small(), state=state, attempt=1)
    (folder / "evaluations.csv").write_text("step\n0\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ended = _agents(str(folder))
    reason = "training it again would delete its results (--attempts N with a higher number does so)."
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: the run in {folder} is {state}; {reason}\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_another_process_has_just_finished_is_left_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def waits(_folders: list[Path], _stop: object) -> Iterator[bool]:
        (folder / "run.json").write_text(json.dumps({**_record(folder), "state": "done"}))
        yield True

    monkeypatch.setattr(worker, "locked", waits)
    assert worker.work([folder]) == 2
    assert "is done; training it again would delete its results" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_finished_run_is_done_again_for_a_supervisor_that_says_so(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _write(tmp_path / "run", small(), state="done", attempt=1)
    (folder / "evaluations.csv").write_text("of the first attempt")
    monkeypatch.setattr(sb3_engine, "train", lambda *_arguments: {"steps_done": 120, "steps_per_s": 9.0})
    assert worker.work([folder], [2]) == 0
    assert (_record(folder)["attempt"], (folder / "evaluations.csv").exists()) == (2, False)


def test_a_damaged_record_is_named_and_nothing_is_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.json").write_text("{")
    (folder / "evaluations.csv").write_text("step\n")
    assert worker.work([folder], [2]) == 2
    assert capsys.readouterr().err.startswith(f"error: {folder / 'run.json'} cannot be read: ")
    assert (folder / "evaluations.csv").exists()


@pytest.fixture(params=["signal", "input"])
def endless(request: pytest.FixtureRequest, small: Small, tmp_path: Path) -> Iterator[tuple[str, Path, Any]]:
    """A run without end that has begun to train, and the way to end it."""
    folder = _write(tmp_path / "run", small(steps=10**9, evaluation_every=10**9))
    process = subprocess.Popen(
        [sys.executable, "-m", "agents", str(folder), "--attempts", "7", "--watch-input"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    tick = threading.Event()
    while process.poll() is None and not (folder / "progress.json").exists():
        tick.wait(0.05)
    yield request.param, folder, process
    with process:
        process.kill()


def test_an_interrupted_run_says_so_and_waits_to_be_run_again(endless: tuple[str, Path, Any]) -> None:
    way, folder, process = endless
    if way == "signal":
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 130
    else:
        # What a supervisor's death does to the pipe, whatever it died of.
        process.stdin.close()
        assert process.wait() == 130
    record = _record(folder)
    assert (record["state"], record["cause"], record["attempt"]) == ("pending", "interrupted", 7)
    assert len((folder / "evaluations.csv").read_text().splitlines()) == 2
    assert process.stderr.read() == b""
