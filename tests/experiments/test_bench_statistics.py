"""The benchmark of statistics: the real command, a stand-in for the peer, and the table that given times make."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import bench_statistics, cli
from experiments.bench_statistics import StatisticsSettings, bench_statistics_table
from experiments.statistics.arrays import FloatArray

_ROOT = Path(__file__).parents[2]
_TINY = StatisticsSettings(runs=3, tasks=2, points=4, replicates=20, rounds=3)


def test_the_command_says_that_rliable_is_missing() -> None:
    options = ("--runs", "3", "--tasks", "2", "--points", "4", "--replicates", "20", "--rounds", "2")
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "bench", "statistics", *options],
        cwd=_ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(_ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "3 runs x 2 tasks x 4 points, 20 resamples; medians and ranges of 2 turns"
    assert lines[2].startswith("rliable: not installed; it needs arch<8 and pandas<3")
    assert [line.split("  ")[0] for line in lines[4:]] == [
        "IQM, mean, median, optimality gap",
        "IQM curve",
        "performance profile",
    ]
    assert "IQM curve: ours, round 2 of 2" in done.stderr


def test_contestants_take_turns_and_ratios_are_within_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def estimates(scores: dict[str, FloatArray], of: Callable[[FloatArray], FloatArray], reps: int) -> FloatArray:
        seen.append(("estimates", reps))
        return of(scores["arm"])

    library = SimpleNamespace(
        get_interval_estimates=estimates,
        create_performance_profile=lambda _scores, tau, reps: seen.append((f"profile {tau.size}", reps)),
    )
    metrics = SimpleNamespace(**{f"aggregate_{name}": np.mean for name in ("iqm", "mean", "median", "optimality_gap")})
    monkeypatch.setattr(bench_statistics, "_rliable", lambda: ((library, metrics), ""))
    said: list[str] = []
    # ours takes 1, 2, 4 ms and rliable ten times as long: start and end of each turn, the first round not counted
    turns = [0.009, 0.009, 0.001, 0.01, 0.002, 0.02, 0.004, 0.04] * 3
    ends = iter([moment for index, took in enumerate(turns) for moment in (index, index + took)])
    table = bench_statistics_table(_TINY, said.append, clock=lambda: next(ends))
    rows = [line.split() for line in table.splitlines()[3:]]
    assert rows[1] == ["IQM", "curve", "2.0", "1.0-4.0", "20.0", "10.0-40.0", "10"]
    assert said[:4] == [
        "IQM, mean, median, optimality gap: ours, warming up",
        "IQM, mean, median, optimality gap: rliable, warming up",
        "IQM, mean, median, optimality gap: ours, round 1 of 3",
        "IQM, mean, median, optimality gap: rliable, round 1 of 3",
    ]
    assert seen == [("estimates", 20)] * 8 + [("profile 101", 20)] * 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("No module named 'rliable'"), "rliable: not installed;"),
        (TypeError("deprecate() got"), "rliable: it cannot be imported (deprecate() got);"),
    ],
)
def test_a_peer_that_fails_to_import_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def fail(_name: str) -> None:
        raise error

    monkeypatch.setattr(bench_statistics, "import_module", fail)
    assert bench_statistics_table(_TINY).splitlines()[2].startswith(said)


@pytest.mark.parametrize("option", ["runs", "tasks", "points", "replicates", "rounds"])
def test_a_setting_below_one_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "statistics", f"--{option}", "0"]) == 2
    assert f"--{option} is 0; allowed is a whole number of at least 1." in capsys.readouterr().err
