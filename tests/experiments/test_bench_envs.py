"""The benchmark of environments."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments import bench_envs
from experiments.bench_envs import BenchSettings, bench_envs_table

_TINY = BenchSettings(num_envs=2, threads=1, rounds=2, steps=3)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # MuJoCo writes its warnings to a file in the current folder.
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _no_envpool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_envs, "find_spec", lambda _: None)


class _Pool:
    """Ends every environment at every second step, as EnvPool would: the step after an end only resets."""

    def __init__(self) -> None:
        self.calls = 0

    def reset(self) -> None:
        self.calls = 0

    def step(self, actions: Any) -> Any:
        assert actions.dtype == np.float64
        self.calls += 1
        ended = np.full(len(actions), self.calls % 2 == 1)
        return None, None, ended, np.zeros_like(ended), {}


@pytest.mark.usefixtures("_no_envpool")
def test_the_table_names_the_machine_the_versions_and_every_figure() -> None:
    machine, settings, head, hopper, pendulum = bench_envs_table(["Hopper-v5", "Pendulum-v1"], _TINY).splitlines()
    assert "EnvPool not installed" in machine
    assert "MuJoCo 3." in machine
    assert settings.startswith("2 environments, 1 threads, random actions, resets included, medians of 2 turns of 3")
    assert head.split("  ")[0] == "task"
    for row, task in ((hopper, "Hopper-v5"), (pendulum, "Pendulum-v1")):
        name, ours, loop, pool, to_loop, to_pool, faults = row.split()
        assert (name, pool, to_pool) == (task, "-", "-")
        assert float(ours.replace(",", "")) > 0
        assert float(loop.replace(",", "")) > 0
        assert float(to_loop) > 0
        assert float(faults) >= 0


def test_envpools_steps_that_only_reset_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def make(task: str, kind: str, **more: Any) -> _Pool:
        made.update(more, task=task, kind=kind)
        return _Pool()

    fake = SimpleNamespace(make=make, list_all_envs=lambda: ["Hopper-v5"])
    monkeypatch.setattr(bench_envs, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "envpool", fake)
    play = bench_envs._envpool("Hopper-v5", _TINY)["envpool"]
    assert made == {"task": "Hopper-v5", "kind": "gymnasium", "num_envs": 2, "num_threads": 1, "seed": 0}
    assert play(np.zeros((4, 2, 3), np.float32)) == 4
    assert bench_envs._envpool("Reacher-v5", _TINY) == {}


@pytest.mark.usefixtures("_no_envpool")
def test_ratios_are_medians_within_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Start and end of each turn: ours takes 1, 2 and 4 seconds, the loop 3, 2 and 8.
    ticks = iter([0, 1, 1, 4, 4, 6, 6, 8, 8, 12, 12, 20])
    monkeypatch.setattr(bench_envs, "perf_counter", lambda: float(next(ticks)))
    (row,) = bench_envs.bench_envs(["Hopper-v5"], BenchSettings(num_envs=2, threads=1, rounds=3, steps=4))
    assert row.speeds == {"ours": 4.0, "loop": 8 / 3}
    assert row.ratios == {"loop": 2.0}


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "experiments", "bench", "envs", *arguments]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


def test_the_command_measures_what_is_asked_for() -> None:
    ran = _command("InvertedPendulum-v5", "--num-envs", "3", "--threads", "1", "--rounds", "2", "--steps", "4")
    assert ran.returncode == 0, ran.stderr
    _, settings, _, row = ran.stdout.splitlines()
    assert settings.startswith("3 environments, 1 threads")
    assert settings.endswith("medians of 2 turns of 4 steps")
    assert row.split()[0] == "InvertedPendulum-v5"


def test_the_command_refuses_an_unknown_task() -> None:
    ran = _command("Hoper-v5")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: unknown environment 'Hoper-v5'. Did you mean 'Hopper-v5'")
