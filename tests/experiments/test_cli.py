"""The command line: what it refuses, and what the user sees. Real training by it is in `test_runs`."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import experiments
from experiments import study_folder
from experiments.cli import main
from experiments.commands import python
from experiments.registry import Registry
from experiments.runner import Ending, Supervisor

StudyFile = Callable[..., Path]
_ROOT = Path(experiments.__file__).parents[1]
_TRAIN = ["train", "--env", "InvertedPendulum-v5", "--steps", "1e3", "--set", "hyperparameters.td3.learning_starts=9"]


def _everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.yaml"], "error: cannot read missing.yaml: No such file or directory."),
        (["run", "."], "error: . is a folder; give the study's YAML file."),
        (
            ["run", "study.yaml", "--set", "arms.0=swimm"],
            "error: study.yaml: --set arms.0=swimm (activation): Unknown activation",
        ),
        (["run", "study.yaml", "--set", "arms.0=swim(k=-1)"], "swim: k=-1 is not allowed"),
        (
            ["run", "study.yaml", "--set", "tasks.0=Hoper-v5"],
            "unknown environment 'Hoper-v5'. Did you mean 'Hopper-v5'",
        ),
        (["run", "study.yaml", "--set", "algorithms.0=td4"], "unknown algorithm 'td4'. Did you mean 'td3'?"),
        (
            ["run", "study.yaml", "--set", "control=rleu"],
            "unknown arm 'rleu'. Did you mean 'relu'? The arms are relu, mix.",
        ),
        (["run", "study.yaml", "--set", "stepps=1"], "unknown key 'stepps'. Did you mean 'steps'"),
        (["run", "study.yaml", "--set", "steps=0", "--set", "seeds=-1"], "error: study.yaml: 2 problems:"),
        (["run", "study.yaml", "--set", "evaluation.every=0"], "--set evaluation.every=0: 0 is not allowed"),
        (
            ["run", "study.yaml", "--device", "cuda:99"],
            "error: device 'cuda:99' does not exist here; allowed are auto, cpu",
        ),
        (["run", "study.yaml", "--device", "tpu"], "error: device 'tpu' does not exist here"),
        (["run", "study.yaml", "--out", "study.yaml"], "error: the output path study.yaml is a file"),
        (["run", "study.yaml", "--out", "."], "error: the output folder . holds other files and no study"),
        (["run", "study.yaml", "--workers", "0"], "error: Invalid value for '--workers'"),
        (["run", "study.yaml", "--cohort", "0"], "error: Invalid value for '--cohort'"),
        (
            ["run", "study.yaml", "--cohort", "2"],
            "error: --cohort 2: the engine sb3 trains one run per process; allowed is 1.",
        ),
        (
            ["run", "study.yaml", "--engine", "sb4"],
            "error: study.yaml: --engine sb4: unknown engine 'sb4'. Did you mean 'sb3'? Allowed: population, sb3.",
        ),
        (["run", "study.yaml", "--set", "engine=[]"], "--set engine=[]: unknown engine []."),
        (
            ["run", "study.yaml", "--time-budget", "soon"],
            "error: --time-budget soon: this is no time; allowed is a time of at least 1 min, such as 9m, 1h30m, 90s",
        ),
        (["run", "study.yaml", "--time-budget", "59s"], "error: --time-budget 59s: 59 s is too short; allowed is"),
        ([*_TRAIN, "--activation", "relu", "--time-budget", "-1"], "error: --time-budget -1: this is no time"),
        ([*_TRAIN, "--activation", "relu", "--engine", "x"], "--engine x: unknown engine 'x'."),
        (["run", "study.yaml", "--wokers", "1"], "error: No such option: --wokers"),
        (["run"], "error: Missing argument 'study'"),
        (["rum", "study.yaml"], "error: No such command 'rum'"),
        (["report", "nowhere"], "error: "),
        (["status", "nowhere"], "error: nowhere holds no study (study.json is missing)."),
        (["train", "--env", "Hopper-v5"], "error: --actor-activation is missing; give --activation for both networks"),
        ([*_TRAIN, "--actor-activation", "relu"], "error: --critic-activation is missing"),
        ([*_TRAIN, "--activation", "relu", "--critic-activation", "relu"], "error: --activation is for both networks"),
        ([*_TRAIN, "--activation", "swimm"], "error: train: --activation swimm: Unknown activation 'swimm'"),
        ([*_TRAIN, "--activation", "[relu, swim]", "--net-arch", "8"], "Got 2 activations for 1 hidden layers"),
        ([*_TRAIN, "--activation", "relu", "--env", "Hoper-v5"], "error: train: --env Hoper-v5: unknown environment"),
        ([*_TRAIN, "--activation", "relu", "--algo", "ppo"], "--algo ppo: unknown algorithm 'ppo'."),
        ([*_TRAIN, "--activation", "relu", "--seeds", "3-1"], "--seeds 3-1: the range '3-1' must go upwards"),
        ([*_TRAIN, "--activation", "relu", "--steps", "0"], "--steps 0: 0 is not allowed"),
        ([*_TRAIN, "--activation", "relu", "--steps", "[1"], "error: --steps [1: this is no YAML"),
        ([*_TRAIN, "--activation", "relu", "--eval-every", "0"], "--eval-every 0: 0 is not allowed"),
        ([*_TRAIN, "--activation", "relu", "--diagnostics-every", "0"], "--diagnostics-every 0: 0 is not allowed"),
        ([*_TRAIN, "--activation", "relu", "--eval-episodes", "x"], "--eval-episodes x: 'x' is not allowed"),
        ([*_TRAIN, "--activation", "relu", "--net-arch", "64,0"], "--net-arch 64,0: net_arch is [64, 0]"),
        (
            [*_TRAIN, "--activation", "relu", "--activation-lr", "1e-3"],
            "--activation-lr 1e-3: activation_lr is 0.001, but",
        ),
        (["bench", "activations", "swimm"], "error: Unknown activation 'swimm'. Did you mean 'swim'"),
        (["bench", "activations", "--device", "cuda:99"], "error: device 'cuda:99' does not exist here"),
        (["bench", "activations", "--rounds", "0"], "error: Invalid value for '--rounds'"),
        ([*_TRAIN, "--activation", "relu", "--name", "a/b"], "--name a/b: 'a/b' is no name for a folder"),
    ],
)
def test_bad_input_is_one_error_and_nothing_is_written(
    arguments: list[str],
    message: str,
    study_file: StudyFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study_file()
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: ")
    assert message in errors
    assert _everything(tmp_path) == ["study.yaml"]


def test_a_damaged_registry_is_named(study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(study_file()), "--dry-run"]) == 0
    out = tmp_path / "runs" / "tiny"
    assert not out.exists()
    out.mkdir(parents=True)
    (out / "study.json").write_text('{"format": 1, "name": "tiny", "steps": 120}')
    (out / "study.sqlite").write_text("this is no database" * 100)
    assert main(["status", str(out)]) == 2
    assert "error: the study's registry cannot be used: file is not a database" in capsys.readouterr().err


def test_a_dry_run_lists_the_runs_and_leaves_no_trace(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(study_file()), "--dry-run", "--device", "cpu", "--workers", "7", "--set", "seeds=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "study     tiny: 4 runs of 120 steps in runs/tiny"
    assert lines[1].startswith("device    cpu (")
    assert lines[1].endswith("), 4 runs at once")
    assert lines[2:7] == [
        "pending   InvertedPendulum-v5 td3 relu seed 0",
        "pending   InvertedPendulum-v5 td3 mix seed 0",
        "pending   InvertedPendulum-v5 td3 relu seed 1",
        "pending   InvertedPendulum-v5 td3 mix seed 1",
        "cohorts   4: 4 of 1 runs",
    ]
    assert lines[-1] == "dry run: nothing was started or written"
    assert _everything(tmp_path) == ["study.yaml"]


def test_a_registry_without_its_table_has_no_runs(
    finished: Callable[..., Path], study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    (out / "study.sqlite").unlink()
    (out / "study.sqlite").touch()
    assert main(["status", str(out)]) == 0
    assert "tiny: no runs; time left -" in capsys.readouterr().out
    assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("pending   Inverted") == 2


def test_status_reads_while_a_supervisor_writes(
    finished: Callable[..., Path], study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    with closing(sqlite3.connect(out / "study.sqlite", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE runs SET state = 'pending'")
        assert main(["status", str(out)]) == 0
    assert "tiny: 2 done; time left -" in capsys.readouterr().out


def test_train_names_an_option_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", "--env", "Hopper-v5", "--activation", "swim", "--steps", "10_000", "--name", "x"]
    assert main(command) == 2
    option = "--set hyperparameters.td3.learning_starts=1000"
    message = "learning_starts of td3 is 25000 by default, but steps is 10000: nothing would be learnt"
    assert capsys.readouterr().err == f"error: train: --steps 10_000: {message}; add {option}\n"
    monkeypatch.setattr(Supervisor, "run", lambda _self: Ending.COMPLETED)
    assert main([*command, *option.split()]) == 0
    study = json.loads((tmp_path / "runs" / "x" / "study.json").read_text())
    assert study["hyperparameters"]["td3"]["learning_starts"] == 1000


def test_a_study_that_cannot_be_written_leaves_nothing(
    study_file: StudyFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(study_folder, "write_bytes_atomically", fail)
    assert main(["run", str(study_file()), "--device", "cpu"]) == 2
    message = "error: the output folder runs/tiny cannot be written: No space left on device.\n"
    assert capsys.readouterr().err == message
    assert _everything(tmp_path) == ["study.yaml"]


def test_a_locked_registry_before_the_start_changes_nothing(
    finished: Callable[..., Path],
    study_file: StudyFile,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = finished(study_file())
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def impatient(_self: Registry) -> sqlite3.Connection:
        return sqlite3.connect(out / "study.sqlite", timeout=0.0, isolation_level=None)

    monkeypatch.setattr(Registry, "_connect", impatient)
    with closing(impatient(Registry(out))) as database:
        database.execute("BEGIN IMMEDIATE")
        assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu", "--set", "margin=0.2"]) == 2
        assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu", "--set", "seeds=2"]) == 2
    errors = capsys.readouterr().err
    assert "margin=0.2: the folder's study has 0.05, now it is 0.2" in errors
    assert "error: the study's registry cannot be used: database is locked." in errors
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_another_command_that_has_begun_since_the_first_check_is_noticed(
    finished: Callable[..., Path],
    study_file: StudyFile,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = finished(study_file())
    # As if the folder had been empty of begun runs when the command began.
    monkeypatch.setattr(study_folder, "registered", lambda _folder: [])
    before = (out / "study.json").read_bytes()
    assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu", "--set", "margin=0.2"]) == 2
    assert "margin=0.2: the folder's study has 0.05, now it is 0.2" in capsys.readouterr().err
    assert (out / "study.json").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            sqlite3.OperationalError("database is locked"),
            "the registry runs/tiny/study.sqlite cannot be used: database",
        ),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device. The same command"),
    ],
)
def test_a_study_that_must_stop_on_the_way_is_no_bad_input(
    error: Exception,
    reason: str,
    study_file: StudyFile,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_self: Registry) -> None:
        raise error

    monkeypatch.setattr(Registry, "beat", fail)
    assert main(["run", str(study_file()), "--device", "cpu", "--workers", "1"]) == 1
    output, errors = capsys.readouterr()
    assert "start     InvertedPendulum-v5 td3 relu seed 0" in output
    assert errors.startswith(f"error: the study stopped: {reason}")
    assert errors.endswith(". The same command goes on with what is not done.\n")
    states = [(entry.state, entry.attempt) for entry in Registry(tmp_path / "runs/tiny/study.sqlite").entries()]
    assert states == [("pending", 1), ("pending", 0)]


@pytest.mark.parametrize(
    ("interpreter", "on_path", "expected"),
    [
        ("venv/bin/python", "venv/bin", "python"),
        ("venv/bin/python3", "venv/bin", "python"),
        ("venv/bin/python", "usr/bin", "venv/bin/python"),
        ("venv/bin/python", "nowhere", "venv/bin/python"),
        ("../elsewhere/bin/python", "usr/bin", "{parent}/elsewhere/bin/python"),
        ("python", "usr/bin", "./python"),
    ],
)
def test_the_interpreter_is_named_so_that_the_shell_finds_it(
    interpreter: str, on_path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    real = here / "usr" / "bin" / "python"
    real.parent.mkdir(parents=True)
    real.write_text("")
    real.chmod(0o755)
    # Virtual environments hold links to the interpreter that made them.
    for link in ("venv/bin/python", "venv/bin/python3", "../elsewhere/bin/python", "python"):
        (here / link).parent.mkdir(parents=True, exist_ok=True)
        (here / link).symlink_to(real)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "executable", os.path.normpath(here / interpreter))
    monkeypatch.setenv("PATH", str(here / on_path))
    assert python() == expected.format(parent=tmp_path)


def test_the_next_command_can_be_typed_as_it_is_printed(
    finished: Callable[..., Path], study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu"]) == 0
    word, *words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert (word, words[1:]) == ("next", ["-m", "experiments", "report", str(out)])
    ended = subprocess.run([words[0], "-c", "import typer"], check=False)
    assert ended.returncode == 0


def _cli(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # The command is given elsewhere, as users do with an installed checkout.
    code = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from experiments.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_real_process_refuses_bad_input_with_exit_code_2(study_file: StudyFile, tmp_path: Path) -> None:
    study_file(("steps: 120", "steps: 0"))
    ended = _cli("run", "study.yaml", folder=tmp_path)
    allowed = "a whole number of at least 1, such as 100_000 or 1e5"
    message = f"error: study.yaml: line 8, steps: 0 is not allowed; allowed is {allowed}\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", message)
    assert _everything(tmp_path) == ["study.yaml"]


def test_help_is_plain_words() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "experiments", "train", "--help"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0
    options = [
        *("--env", "--algo", "--activation", "--actor-activation", "--critic-activation", "--activation-lr", "--seeds"),
        *(
            "--steps",
            "--name",
            "--eval-every",
            "--eval-episodes",
            "--net-arch",
            "--set",
            "--out",
            "--device",
            "--engine",
            "--workers",
            "--cohort",
            "--time-budget",
            "--dry-run",
        ),
    ]
    assert [option for option in options if f"  {option}" not in ended.stdout] == []
    assert "\x1b" not in ended.stdout


def test_bench_measures_the_shape_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "activations", "silu", "prelu(per=unit)", "--batch", "4", "--width", "6", "--rounds", "2"]
    assert main([*command, "--device", "cpu"]) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert "shape (4, 6), median of 2 turns" in head
    assert [row.split()[0] for row in rows] == ["silu", "prelu(per=unit)"]


def test_no_arguments_show_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("Usage: python -m experiments")
    assert "error:" not in errors
