"""The benchmark of arms: real processes of tiny sizes, and the figures that follow from given turns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments import cli
from experiments.bench_arms import arms_table, bench_arms_table, summary
from experiments.bench_contestants import Job, build
from experiments.bench_updates import UpdateSettings
from experiments.problems import InputError

_ROOT = Path(__file__).parents[2]
_TINY = ("--task", "InvertedPendulum-v5", "--width", "16", "--processes", "1", "--runs", "2")


def _turn(number: int, name: str, *processes: tuple[float, float, int]) -> dict[str, Any]:
    return {
        "round": number,
        "contestant": name,
        "processes": [
            {"seconds": seconds, "parts": {"act": 0.0, "simulate": 0.0, "learn": learn}, "updates": updates}
            for seconds, learn, updates in processes
        ],
    }


def _group() -> dict[str, Any]:
    return {
        "algorithm": "td3",
        "form": "eager",
        "activations": ["relu", "swim"],
        "turns": [
            _turn(1, "relu", (1.0, 0.5, 100), (1.0, 0.5, 100)),
            _turn(1, "swim", (2.0, 2.0, 100), (2.0, 2.0, 100)),
            _turn(2, "relu", (1.0, 0.8, 200), (1.0, 0.8, 200)),
            _turn(2, "swim", (1.0, 0.8, 100), (1.0, 0.8, 100)),
            _turn(3, "relu", (1.0, 0.5, 100), (1.0, 0.5, 100)),
            _turn(3, "swim", (1.5, 1.0, 100), (1.5, 1.0, 100)),
        ],
    }


def test_ratios_are_of_times_within_rounds() -> None:
    figures = summary(_group())
    assert figures["relu"] == {"updates_per_s": 200.0, "step": (1.0, 1.0, 1.0), "learn": (1.0, 1.0, 1.0)}
    assert figures["swim"]["updates_per_s"] == pytest.approx(400 / 3)
    assert figures["swim"]["step"] == pytest.approx((2.0, 1.5, 2.0))
    assert figures["swim"]["learn"] == pytest.approx((2.0, 2.0, 4.0))


def test_a_gpu_shows_no_part_of_the_clock() -> None:
    measured = {
        "hardware": {"cpu": "a processor", "cores": 2, "device": "a GPU"},
        "on_gpu": True,
        "versions": {"torch": "2", "mujoco": "3"},
        "date": "today",
        "settings": {
            "task": "T",
            "width": 8,
            "batch_size": 4,
            "runs": (3,),
            "processes": 1,
            "rounds": 3,
            "seconds": 1.0,
        },
        "groups": [_group()],
    }
    rows = [line.split() for line in arms_table(measured).splitlines()[4:]]
    assert rows == [
        ["td3", "eager", "relu", "200.0", "1.00", "1.00-1.00", "-", "-"],
        ["td3", "eager", "swim", "133.3", "2.00", "1.50-2.00", "-", "-"],
    ]


def test_the_command_measures_each_arm_beside_relu(tmp_path: Path) -> None:
    given = ("--activations", "swim", "--rounds", "2", "--seconds", "0.1", "--json", "arms.json")
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "bench", "arms", *given, *_TINY],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines[-2:]] == [["td3", "eager", "relu"], ["td3", "eager", "swim"]]
    (group,) = json.loads((tmp_path / "arms.json").read_text())["groups"]
    order = [(turn["round"], turn["contestant"]) for turn in group["turns"]]
    assert order == [(1, "relu"), (1, "swim"), (2, "relu"), (2, "swim")]
    assert all(one["updates"] > 0 and one["updates"] % 2 == 0 for turn in group["turns"] for one in turn["processes"])


@pytest.mark.parametrize(("form", "compiled"), [("eager", False), ("compiled", True)])
def test_a_form_says_whether_losses_are_compiled(form: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "agents.learner.Setting.compile_methods",
        lambda setting, _, *names: asked.append(names if setting.compiled else ()),
    )
    build(Job("ours", "", "td3", "InvertedPendulum-v5", "relu", 1, 8, 4, 10, "cpu", 0, form))
    assert bool(asked[0]) is compiled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forms", "captured"], "--forms: 'captured' is not allowed; allowed here are eager, compiled."),
        (["--forms", ""], "--forms names none; allowed here are eager, compiled."),
        (["--activations", "mixed"], "--activations: 'mixed' is no activation"),
        (["--activations", "swimm"], "Unknown activation 'swimm'. Did you mean"),
        (["--json", "nowhere/file.json"], "--json nowhere/file.json: allowed is a file in a folder that exists."),
    ],
)
def test_bad_input_starts_nothing(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "arms", "--device", "cpu", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_there_is_one_number_of_runs() -> None:
    with pytest.raises(InputError, match="--runs is '1,2'; allowed is one number"):
        bench_arms_table(UpdateSettings(runs=(1, 2), activations=("relu",), device="cpu"), ["eager"])
