"""Cohorts through the real command line and real processes, with a stand-in for what trains in them."""

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

import experiments
from experiments import runner
from experiments.budget import Budget
from experiments.cli import main
from experiments.registry import Registry

StudyFile = Callable[..., Path]
Population = Callable[..., Path]
_ROOT = Path(experiments.__file__).parents[1]
_TASK = "InvertedPendulum-v5 td3"


@pytest.fixture
def command(study_file: StudyFile, tmp_path: Path) -> list[str]:
    """The command of a study with five runs that can train together."""
    path = study_file(
        ('  - {arm: mix, actor: "swim_learnable(per=unit)", critic: swish}\n', ""), ("seeds: 1", "seeds: 5")
    )
    study = ["run", str(path), "--out", str(tmp_path / "out"), "--engine", "population"]
    return [*study, "--device", "cpu", "--workers", "1"]


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _record(out: Path, seed: int) -> dict[str, Any]:
    return _json(_run(out, seed) / "run.json")


def _run(out: Path, seed: int) -> Path:
    return out / f"InvertedPendulum-v5/td3/relu/seed-{seed}"


def _step(out: Path, seed: int) -> int | None:
    path = _run(out, seed) / "progress.json"
    return int(_json(path)["step"]) if path.exists() else None


def _steps(out: Path, seed: int) -> list[str]:
    return [line.split(",")[0] for line in (_run(out, seed) / "evaluations.csv").read_text().splitlines()]


def _states(out: Path) -> list[tuple[str, int, str | None]]:
    return [(entry.state, entry.attempt, entry.cause) for entry in Registry(out / "study.sqlite").entries()]


def _lines(capsys: pytest.CaptureFixture[str], *heads: str) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(heads)]


def _wait_for(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    while not condition():
        tick.wait(0.02)


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    code = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from experiments.cli import main; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_runs_train_together_and_their_records_say_with_whom(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    population(checkpoints=[50])
    assert main([*command[:-1], "2"]) == 0
    output = capsys.readouterr().out
    assert "2 processes at once, each with up to 3 runs\n" in output
    starts = sorted(line for line in output.splitlines() if line.startswith("start"))
    assert starts == [f"start     {_TASK}: {runs}" for runs in ("2 runs (relu seeds 3-4)", "3 runs (relu seeds 0-2)")]
    out = tmp_path / "out"
    assert _states(out) == [("done", 1, None)] * 5
    record = _record(out, 1)
    name = record["cohort"].pop("id")
    assert record["cohort"] == {"size": 3, "members": [["relu", 0], ["relu", 1], ["relu", 2]]}
    assert (record["engine"], record["workers"], record["resumed_from"]) == ("population", 2, 0)
    assert (record["steps_done"], record["steps_per_s"]) == (120, 30.0)
    assert _record(out, 4)["cohort"]["members"] == [["relu", 3], ["relu", 4]]
    assert _steps(out, 4) == ["step", "0", "60", "120"]
    # What is over needs no checkpoint; what its process said stays.
    assert [path.name for path in (out / "cohorts" / name).iterdir()] == ["log.txt"]
    assert (out / "cohorts" / name / "log.txt").read_text() == "starting at step 0\n"
    assert main([*command, "--dry-run"]) == 0
    assert not _lines(capsys, "cohorts", "time", "disk", "memory")


def test_an_interrupted_cohort_goes_on_in_the_same_company_from_where_it_was(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population(wait_at=70, diverge={"relu/1": 65})
    with _process(command) as process:
        _wait_for(lambda: _step(out, 0) == 69)
        _wait_for(lambda: ("diverged", 1, "critic_loss not finite (NaN) at step 65") in _states(out))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    assert process.returncode == 130
    assert output.splitlines()[-1] == "interrupted: the same command goes on from the last checkpoint"
    assert [state for state, _, _ in _states(out)] == ["pending", "diverged", "pending", "pending", "pending"]
    assert (_record(out, 2)["state"], _record(out, 2)["steps_done"]) == ("pending", 69)
    before = (_run(out, 1) / "run.json").read_bytes()

    assert main([*command, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == [f"pending, at step 69  {_TASK} relu seed 0", f"diverged  {_TASK} relu seed 1"]
    assert "cohorts   1: 1 of 4 runs" in lines
    assert main(["status", str(out)]) == 0
    assert "69/120" in capsys.readouterr().out

    population()
    # Another order of the study, other workers and more runs change nothing for a cohort that has begun.
    assert main([*command[:-1], "2", "--set", "seeds=[5,4,3,2,1,0]"]) == 1
    output = capsys.readouterr().out
    assert f"resume    {_TASK}: 4 runs (relu seeds 0,2-4) from step 70\n" in output
    assert f"start     {_TASK} relu seed 5\n" in output
    assert (_run(out, 1) / "run.json").read_bytes() == before
    record = _record(out, 3)
    assert (record["state"], record["attempt"], record["resumed_from"]) == ("done", 2, 70)
    assert [seed for _, seed in record["cohort"]["members"]] == [0, 1, 2, 3, 4]
    assert [_steps(out, seed)[1:] for seed in (0, 1, 2)] == [["0", "60", "120"], ["0", "60"], ["0", "60", "120"]]
    log = out / "cohorts" / record["cohort"]["id"] / "log.txt"
    assert log.read_text() == "starting at step 0\nresuming from step 70\n"


def test_a_killed_cohort_goes_on_if_it_had_got_further_and_has_failed_if_not(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population(checkpoints=[30], kill_at=[40, 45])
    assert main(command) == 1
    output = capsys.readouterr().out
    again = "killed by SIGKILL; it goes on from its checkpoint"
    assert [line.partition(": ")[2].split(", ")[-1] for line in output.splitlines() if line.startswith("failed")] == [
        *[again] * 5,
        *["killed by SIGKILL"] * 10,
    ]
    assert output.count("resume ") == 1
    assert f"resume    {_TASK}: 5 runs (relu seeds 0-4) from step 31\n" in output
    assert _states(out) == [("failed", 2, "killed by SIGKILL")] * 5
    assert (_record(out, 0)["state"], _record(out, 0)["cause"]) == ("failed", "killed by SIGKILL")
    assert main(command) == 0
    assert f"resume    {_TASK}: 5 runs (relu seeds 0-4) from step 31\n" in capsys.readouterr().out
    assert _states(out) == [("done", 3, None)] * 5
    assert _steps(out, 3) == ["step", "0", "60", "120"]


def test_an_error_is_the_cause_for_every_run_that_is_not_over_and_without_a_checkpoint_all_begin_again(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population(fail_at=80, diverge={"relu/0": 10})
    assert main(command) == 1
    cause = "RuntimeError: no more of this"
    assert _states(out) == [("diverged", 1, "critic_loss not finite (NaN) at step 10"), *[("failed", 1, cause)] * 4]
    first = _record(out, 1)["cohort"]["id"]
    assert "RuntimeError: no more of this" in (out / "cohorts" / first / "log.txt").read_text()
    population()
    capsys.readouterr()
    assert main(command) == 1
    assert _lines(capsys, "start", "resume") == [f"start     {_TASK}: 4 runs (relu seeds 1-4) (attempt 2)"]
    assert [state for state, _, _ in _states(out)] == ["diverged", *["done"] * 4]
    # A run that was over was no part of what began anew.
    assert _record(out, 1)["cohort"]["members"] == [["relu", seed] for seed in (1, 2, 3, 4)]
    assert _record(out, 1)["cohort"]["id"] != first
    assert _steps(out, 0) == ["step", "0"]


def test_a_killed_supervisor_loses_nothing(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population(wait_at=70)
    with _process(command) as process:
        _wait_for(lambda: _step(out, 4) == 69)
        process.kill()
    # At once: the last worker may still be saving.
    population()
    assert main(command) == 0
    assert _lines(capsys, "start", "resume") == [f"resume    {_TASK}: 5 runs (relu seeds 0-4) from step 70"]
    assert _states(out) == [("done", 2, None)] * 5


def test_what_a_killed_supervisor_did_not_come_to_record_is_not_trained_again(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population()
    assert main(command) == 0
    before = (_run(out, 0) / "run.json").read_bytes()
    registry = Registry(out / "study.sqlite")
    with registry._transaction() as database:
        database.execute("UPDATE runs SET state = 'running', owner = 'long ago'")
    capsys.readouterr()
    assert main(command) == 0
    assert not _lines(capsys, "start", "resume")
    assert _states(out) == [("done", 1, None)] * 5
    assert (_run(out, 0) / "run.json").read_bytes() == before


def test_two_commands_share_the_cohorts(command: list[str], population: Population, tmp_path: Path) -> None:
    population()
    shared = [*command, "--cohort", "4"]
    with _process(shared) as first, _process(shared) as second:
        outputs = [process.communicate()[0] for process in (first, second)]
    starts = sorted(line for output in outputs for line in output.splitlines() if line.startswith("start"))
    assert starts == [f"start     {_TASK} relu seed 4", f"start     {_TASK}: 4 runs (relu seeds 0-3)"]
    assert _states(tmp_path / "out") == [("done", 1, None)] * 5


def test_a_folder_of_the_other_engine_is_refused(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    population()
    assert main(command) == 0
    before = (tmp_path / "out" / "study.json").read_bytes()
    capsys.readouterr()
    command[command.index("population")] = "sb3"
    assert main(command) == 2
    message = "--engine sb3: the folder's runs have 'population', now it is 'sb3'; give --engine population, or another"
    assert message in capsys.readouterr().err
    assert (tmp_path / "out" / "study.json").read_bytes() == before
    assert "# --engine population\n" in (tmp_path / "out" / "study.yaml").read_text()
    assert "engine: population\n" in (tmp_path / "out" / "study.yaml").read_text()


def test_a_second_signal_is_answered_while_the_first_is_obeyed(
    command: list[str], population: Population, tmp_path: Path
) -> None:
    out, hold = tmp_path / "out", tmp_path / "hold"
    hold.touch()
    population(wait_at=70, hold=str(hold))
    with _process(command) as process:
        assert process.stdout is not None
        _wait_for(lambda: _step(out, 0) == 69)
        process.send_signal(signal.SIGINT)
        lines = iter(process.stdout.readline, "")
        assert "stopping  a process saves what can go on later\n" in lines
        process.send_signal(signal.SIGINT)
        assert next(lines).startswith("stopping  still saving; what is not saved within 1 min 0")
        hold.unlink()
        process.wait()
    assert process.returncode == 130
    assert {state for state, _, _ in _states(out)} == {"pending"}


def test_what_cannot_save_in_time_is_ended_and_goes_on_from_the_checkpoint_before(
    command: list[str],
    population: Population,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, hold = tmp_path / "out", tmp_path / "hold"
    hold.touch()
    population(checkpoints=[50], wait_at=70, hold=str(hold))
    monkeypatch.setattr(runner, "_SECONDS_TO_END", 0.5)
    with _signalled_when(lambda: _step(out, 0) == 69):
        assert main(command) == 130
    assert "interrupted: the same command goes on from the last checkpoint\n" in capsys.readouterr().out
    assert _states(out) == [("pending", 1, "interrupted before it had saved")] * 5
    population()
    assert main(command) == 0
    assert _lines(capsys, "resume") == [f"resume    {_TASK}: 5 runs (relu seeds 0-4) from step 51"]


def test_an_error_while_saving_is_told(
    command: list[str], population: Population, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    population(checkpoints=[50], wait_at=70, hold="unwritable")
    with _signalled_when(lambda: _step(out, 0) == 69):
        assert main(command) == 130
    cause = "OSError: [Errno 28] No space left on device"
    assert _states(out) == [("failed", 1, cause)] * 5
    output = capsys.readouterr().out
    assert f"failed    {_TASK} relu seed 3: {cause}\n" in output
    assert output.endswith("interrupted: the same command goes on from the last checkpoint\n")


@contextmanager
def _signalled_when(condition: Callable[[], bool]) -> Iterator[None]:
    def wait() -> None:
        _wait_for(condition)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield
    thread.join()


def test_the_time_budget_ends_a_command_that_could_go_on(
    command: list[str],
    population: Population,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    population(checkpoints=[60], wait_at=70)
    # The clock leaps to where twice the quarter of a second that a checkpoint takes, and five seconds, are left.
    monkeypatch.setattr(Budget.__init__, "__defaults__", (_Clock(100.0 - 5.4, lambda: _step(out, 0) == 69),))
    budget = ["--cohort", "2", "--time-budget", "100s"]
    assert main([*command, *budget]) == 130
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "time budget of 1 min 40 s is over: the same command goes on from the last checkpoint"
    assert [(state, attempt) for state, attempt, _ in _states(out)] == [("pending", 1)] * 2 + [("pending", 0)] * 3
    assert _record(out, 0)["steps_done"] == 69
    # With nothing begun and too little time to begin there is nothing to do but to say so.
    population()
    monkeypatch.setattr(Budget.__init__, "__defaults__", (_Clock(70.5),))
    assert main([*command, *budget]) == 130
    assert not _lines(capsys, "start", "resume")
    monkeypatch.setattr(Budget.__init__, "__defaults__", (_Clock(69.5),))
    assert main([*command, *budget]) == 0


class _Clock:
    """Stands at zero once for each command, and then at another time as soon as something is so."""

    def __init__(self, later: float, when: Callable[[], bool] = lambda: True) -> None:
        self._later = later
        self._when = when
        self._begun = False

    def __call__(self) -> float:
        before, self._begun = self._begun, True
        return self._later if before and self._when() else 0.0


def _numbers(out: Path) -> dict[str, list[list[str]]]:
    """Return every run's evaluations without the clock."""
    found = {}
    for path in sorted(out.glob("*/*/*/*/evaluations.csv")):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        found[str(path.relative_to(out))] = [row[: rows[0].index("wall_s")] for row in rows]
    return found


@pytest.mark.exhaustive
def test_the_real_population_goes_on_after_a_signal_to_the_same_bits(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study_file(("steps: 120", "steps: 300"), ("every: 60", "every: 100"), ("engine: sb3\n", ""))
    command = ["run", str(path), "--device", "cpu", "--set", "seeds=2"]
    assert main([*command, "--out", str(tmp_path / "whole"), "--workers", "2"]) == 0
    cut = [*command, "--out", str(tmp_path / "cut"), "--workers", "1"]
    progress = tmp_path / "cut/InvertedPendulum-v5/td3/mix/seed-1/progress.json"
    with _process(cut) as process:
        _wait_for(lambda: progress.exists() and _json(progress)["step"] > 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 130
    step = _json(progress)["step"]
    capsys.readouterr()
    assert main(cut) == 0
    runs = "4 runs (relu seeds 0-1, mix seeds 0-1)"
    assert _lines(capsys, "start", "resume") == [f"resume    {_TASK}: {runs} from step {step:,}"]
    whole = _numbers(tmp_path / "whole")
    assert len(whole) == 4
    assert {len(rows) for rows in whole.values()} == {5}
    assert _numbers(tmp_path / "cut") == whole
    run = Path("InvertedPendulum-v5/td3/mix/seed-1/policy.safetensors")
    assert (tmp_path / "cut" / run).read_bytes() == (tmp_path / "whole" / run).read_bytes()
    assert _json(tmp_path / "cut" / run.with_name("run.json"))["cohort"]["size"] == 4
    assert _json(tmp_path / "whole" / run.with_name("run.json"))["cohort"]["size"] == 2
