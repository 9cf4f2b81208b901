"""Real training through the real supervisor: runs, resumes, kills, two at once."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import experiments
from agents import load_policy
from experiments.cli import main
from experiments.overview import RunView
from experiments.registry import Entry, Key, Registry, run_key
from experiments.runner import Ending, Plan, Supervisor
from experiments.study import read_study
from experiments.study_folder import write_study
from experiments.yaml_file import override, read_yaml

StudyFile = Callable[..., Path]
_ROOT = Path(experiments.__file__).parents[1]
_RUN = Path("InvertedPendulum-v5/td3/relu/seed-0")


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _states(folder: Path) -> list[tuple[str, int, str | None]]:
    return [(entry.state, entry.attempt, entry.cause) for entry in Registry(folder / "study.sqlite").entries()]


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(path: Path, condition: Callable[[Path], bool] = Path.exists) -> None:
    tick = threading.Event()
    while not condition(path):
        tick.wait(0.05)


def test_two_commands_at_once_do_every_run_once_and_a_third_has_nothing_to_do(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["run", str(study_file()), "--out", str(out), "--device", "cpu", "--workers", "1"]
    processes = [_start(*command) for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [errors for _, errors in outputs] == ["", ""]
    started = sorted(line for output, _ in outputs for line in output.splitlines() if line.startswith("start"))
    assert started == [f"start     InvertedPendulum-v5 td3 {arm} seed 0" for arm in ("mix", "relu")]
    assert _states(out) == [("done", 1, None), ("done", 1, None)]
    assert (out / "study.yaml").read_text() == study_file().read_text()

    record = _json(out / _RUN / "run.json")
    assert (record["state"], record["config"]["device"], record["workers"]) == ("done", "cpu", 1)
    assert record["command"] == f"python -m experiments {' '.join(command)}"
    with (out / _RUN / "evaluations.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["0", "60", "120"]
    load_policy(out / _RUN)

    before = (out / _RUN / "evaluations.csv").stat()
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "start " not in output
    assert f"result    2 done in {out}" in output
    assert (out / _RUN / "evaluations.csv").stat() == before
    assert main(["status", str(out)]) == 0
    output = capsys.readouterr().out
    assert "120/120" in output
    assert "tiny: 2 done; time left -" in output

    shutil.rmtree(out / _RUN)
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "again     InvertedPendulum-v5 td3 relu seed 0: it was done, but run.json is missing or damaged" in output
    assert _states(out) == [("done", 2, None), ("done", 1, None)]
    load_policy(out / _RUN)

    assert main([*command, "--set", "steps=240"]) == 2
    assert "--set steps=240: the folder's runs have 120, now it is 240" in capsys.readouterr().err
    assert _json(out / "study.json")["steps"] == 120

    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"page      {tmp_path / 'page.html'}\n"
    assert "tiny" in (tmp_path / "page.html").read_text()


def test_train_is_a_study_of_one_arm_and_names_what_diverged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "--env": "InvertedPendulum-v5",
        "--actor-activation": "[prelu, tanh]",
        "--critic-activation": "swim(k=0.7)",
        "--activation-lr": "1e-2",
        "--seeds": "4-4",
        "--steps": "1_20",
        "--name": "mine",
        "--eval-every": "6e1",
        "--eval-episodes": "1",
        "--diagnostics-every": "50",
        "--net-arch": "8,8",
        "--device": "cpu",
    }
    small = ["--set", "hyperparameters.td3.learning_starts=60", "--set", "hyperparameters.td3.learning_rate=1e20"]
    assert main(["train", *(word for option in options.items() for word in option), *small]) == 1
    output = capsys.readouterr().out
    out = tmp_path / "runs" / "mine"
    study = _json(out / "study.json")
    assert study["arms"][0]["seeds"] == [4]
    assert (study["arms"][0]["critic"], study["arms"][0]["activation_lr"]) == ("swim(k=0.7)", 0.01)
    assert study["evaluation"] == {"every": 60, "episodes": 1}
    assert study["diagnostics"] == {"every": 50, "probe": None}
    assert study["hyperparameters"]["td3"]["net_arch"] == [8, 8]
    assert "tanh" in (out / "study.yaml").read_text()
    (run,) = out.glob("*/*/*/seed-4/run.json")
    record = _json(run)
    assert record["state"] == "diverged"
    arm = "actor-prelu.then.tanh-critic-swim-k0.7"
    assert f"diverged  InvertedPendulum-v5 td3 {arm} seed 4: {record['cause']}\n" in output
    assert "result    1 diverged in runs/mine" in output


class _Hook:
    """A display that does something once a run has begun to train."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.act = act
        self.ends: list[RunView] = []
        self.attempts: list[int] = []
        self.waits: list[int] = []
        self.finished: list[bool] = []
        self.stops: list[int] = []
        self.answers: list[float] = []

    def __enter__(self) -> "_Hook":
        return self

    def __exit__(self, *_arguments: object) -> None:
        pass

    def started(self, keys: Sequence[Key], attempt: int) -> None:
        assert [key[3] for key in keys] == [0]
        self.attempts.append(attempt)

    def resumed(self, keys: Sequence[Key], step: int) -> None:
        pytest.fail(f"{keys} went on from {step}, but Stable-Baselines3 has no checkpoints")

    def stopping(self, count: int) -> None:
        self.stops.append(count)

    def saving(self, seconds: float) -> None:
        self.answers.append(seconds)

    def ended(self, row: RunView) -> None:
        self.ends.append(row)

    def waiting(self, count: int) -> None:
        self.waits.append(count)
        self.act()

    def refresh(self, rows: Callable[[], Sequence[RunView]]) -> None:
        if any(row.state == "running" and row.last_return is not None for row in rows()):
            self.act()


def test_what_another_command_trains_is_waited_for_and_said_once(study_file: StudyFile, tmp_path: Path) -> None:
    study = read_study(read_yaml(study_file()))
    configs = list(study.runs())[:1]
    key = run_key(configs[0])
    registry = Registry(tmp_path / "study.sqlite")
    registry.add(configs)
    claim = registry.claim([key])
    assert claim is not None
    (entry,) = claim.entries
    hook = _Hook()
    hook.act = lambda: hook.finished.append(registry.finish(entry, "done", None))
    assert Supervisor(Plan(tmp_path, configs, "cpu", 1, "command"), registry, hook).run() is Ending.COMPLETED
    assert (hook.waits, hook.attempts, hook.finished) == ([1], [], [True])


@pytest.fixture
def supervise(study_file: StudyFile, tmp_path: Path) -> Callable[..., tuple[Ending, _Hook]]:
    """Return a function that runs the study's first run under a supervisor in this process."""

    def run(act: Callable[[Supervisor], None], steps: int) -> tuple[Ending, _Hook]:
        document = read_yaml(study_file())
        override(document, [f"steps={steps}", "evaluation.every=60"])
        study = read_study(document)
        out = tmp_path / "out"
        write_study(out, study, document, "command")
        registry = Registry(out / "study.sqlite")
        configs = list(study.runs())[:1]
        registry.add(configs)
        hook = _Hook()
        supervisor = Supervisor(Plan(out, configs, "cpu", 2, "command"), registry, hook)
        hook.act = lambda: act(supervisor)
        return supervisor.run(), hook

    return run


def test_a_killed_run_has_failed_and_the_same_command_runs_it_again_from_the_start(
    supervise: Callable[..., tuple[Ending, _Hook]], tmp_path: Path
) -> None:
    ending, hook = supervise(lambda supervisor: supervisor._active[0].process.kill(), 12_000)
    assert ending is Ending.COMPLETED
    assert [(row.state, row.cause) for row in hook.ends] == [("failed", "killed by SIGKILL")]
    record = _json(tmp_path / "out" / _RUN / "run.json")
    assert (record["state"], record["cause"], record["attempt"]) == ("failed", "killed by SIGKILL", 1)

    ending, hook = supervise(lambda _supervisor: os.kill(os.getpid(), signal.SIGINT), 12_000)
    assert ending is Ending.INTERRUPTED
    assert hook.attempts == [2]
    assert [(row.state, row.cause) for row in hook.ends] == [("pending", "interrupted")]
    record = _json(tmp_path / "out" / _RUN / "run.json")
    assert (record["state"], record["cause"], record["attempt"]) == ("pending", "interrupted", 2)
    # The rows of the first attempt are gone: the step begins at zero once.
    with (tmp_path / "out" / _RUN / "evaluations.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)][:1] == ["0"]
    assert (tmp_path / "out" / _RUN / "evaluations.csv").read_text().count("step") == 1
    assert len(list((tmp_path / "out" / _RUN).glob("events*"))) == 1


def test_a_run_that_another_supervisor_has_taken_over_is_left_to_it(
    supervise: Callable[..., tuple[Ending, _Hook]], tmp_path: Path
) -> None:
    record = tmp_path / "out" / _RUN / "run.json"
    later = {"state": "running", "attempt": 2, "cause": None}

    def take_over(supervisor: Supervisor) -> None:
        supervisor._active[0].process.kill()
        supervisor._active[0].process.wait()
        with closing(sqlite3.connect(tmp_path / "out" / "study.sqlite")) as database:
            database.execute("UPDATE runs SET attempt = 2, host = 'elsewhere' WHERE state = 'running'")
            database.commit()
        record.write_text(json.dumps(later))
        os.kill(os.getpid(), signal.SIGINT)

    ending, hook = supervise(take_over, 12_000)
    assert ending is Ending.INTERRUPTED
    assert [(row.state, row.cause) for row in hook.ends] == [("lost", "another supervisor has taken this run over")]
    assert _states(tmp_path / "out") == [("running", 2, None)]
    assert _json(record) == later


def test_a_run_that_cannot_begin_has_failed_with_its_last_words(
    supervise: Callable[..., tuple[Ending, _Hook]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ending, hook = supervise(lambda _supervisor: None, 120)
    assert ending is Ending.COMPLETED
    assert [(row.state, row.cause) for row in hook.ends] == [
        ("failed", "exit code 1: ImportError: libtorch is missing")
    ]
    assert _json(tmp_path / "out" / _RUN / "run.json")["state"] == "failed"


@pytest.fixture
def endless(study_file: StudyFile, tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A study that trains without end in a process, with its first run under way."""
    path = study_file(("steps: 120", "steps: 1_000_000_000"), ("every: 60", "every: 1_000_000_000"))
    out = tmp_path / "out"
    with _start("run", str(path), "--out", str(out), "--device", "cpu", "--workers", "1") as process:
        _wait_for(out / _RUN / "progress.json")
        yield out, process
        process.kill()


def test_nothing_goes_on_training_when_the_supervisor_is_killed(
    endless: tuple[Path, subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, process = endless
    assert main(["status", str(out)]) == 0
    assert "1 running, 1 pending" in capsys.readouterr().out
    process.kill()
    process.wait()
    _wait_for(out / _RUN / "run.json", lambda path: _json(path)["state"] == "pending")
    assert _json(out / _RUN / "run.json")["cause"] == "interrupted"
    assert main(["status", str(out)]) == 0
    output = capsys.readouterr().out
    assert "tiny: 1 interrupted, 1 pending; time left -" in output
    registry = Registry(out / "study.sqlite")
    first: Entry = registry.entries()[0]
    again = registry.claim([first.key])
    assert again is not None
    assert again.entries[0].attempt == 2


def test_an_interrupted_command_says_how_to_go_on(endless: tuple[Path, subprocess.Popen[str]]) -> None:
    out, process = endless
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")
    assert output.splitlines()[-1].startswith("interrupted: the same command goes on; runs not done start")
    assert _states(out) == [("pending", 1, "interrupted"), ("pending", 0, None)]
