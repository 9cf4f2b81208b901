"""Diagnostics from the command line: in a study's runs, and what they cost."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents import Population
from experiments import bench_diagnostics
from experiments.bench_diagnostics import DiagnosticsSettings, bench_diagnostics_table
from experiments.cli import main

_ROOT = Path(__file__).parents[2]
_SMALL = ["--set", "hyperparameters.td3.learning_starts=30", "--set", "hyperparameters.td3.batch_size=8"]


def _settings(**changes: object) -> DiagnosticsSettings:
    plain: dict[str, object] = {
        "task": "InvertedPendulum-v5",
        "algorithms": ("td3",),
        "activations": ("relu",),
        "runs": 2,
        "width": 8,
        "every": 1000,
        "probe": 32,
        "rounds": 1,
        "device": "cpu",
    }
    return DiagnosticsSettings(**{**plain, **changes})  # type: ignore[arg-type]


def _python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments", *words]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_study_measures_its_runs(tmp_path: Path) -> None:
    words = [
        "--env",
        "InvertedPendulum-v5",
        "--activation",
        "prelu",
        "--seeds",
        "1",
        "--steps",
        "100",
        "--device",
        "cpu",
    ]
    words += ["--eval-episodes", "1", "--net-arch", "8,8", "--diagnostics-every", "60", "--out", "out", *_SMALL]
    done = _python(tmp_path, "train", *words, "--set", "diagnostics.probe=16")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("out/*/*/*/seed-0/diagnostics.csv")
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["step"] for row in rows} == {"60", "100"}
    assert (path.parent / "shapes.npz").is_file()
    # Another interval is the same study, and the run stays as it is.
    before = path.read_bytes()
    again = _python(tmp_path, "train", *words, "--set", "diagnostics.every=never")
    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == before


def test_the_table_says_what_a_measurement_costs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_diagnostics, "_STEPS", 5)
    monkeypatch.setattr(bench_diagnostics, "_WARM_UP", 20)
    machine, versions, share, empty, head, row = bench_diagnostics_table(_settings()).splitlines()
    assert machine.startswith("cpu ")
    assert "InvertedPendulum-v5, 2 runs of 8 x 8" in versions
    assert "every 1,000 steps; medians of 1 turns" in versions
    assert share.startswith("share %")
    assert empty == ""
    assert head.split("  ")[0] == "algo"
    name, activation, *numbers = row.split()
    assert (name, activation) == ("td3", "relu")
    step, watched, once, percent = map(float, numbers)
    assert min(step, watched, percent) > 0
    assert once >= 0


def test_the_share_is_of_the_training_between_two_measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    # Of each kind of turn: 100 steps of 0.01 s, 100 watched ones of 0.03 s, a measurement of 0.5 s.
    seconds = iter([1.0, 3.0, 0.5] * 3)
    monkeypatch.setattr(bench_diagnostics, "_seconds", lambda _: next(seconds))
    monkeypatch.setattr(Population, "train", lambda *_: 0)
    cost = bench_diagnostics._cost(_settings(rounds=3), "td3", "relu")
    assert (cost.step, cost.watched, cost.measurement) == (0.01, 0.03, 0.5)
    assert cost.share == pytest.approx((0.5 + 100 * 0.02) / (1000 * 0.01))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--algo", "ppo"], "--algo is 'ppo'; allowed are td3, sac and both."),
        (["--task", "Hoper-v5"], "Hoper-v5"),
        (["--activations", "swimm"], "swimm"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_bad_options_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "diagnostics", *words]) == 2
    assert message in capsys.readouterr().err
