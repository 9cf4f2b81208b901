"""Finished runs count only while their files are there, and only with the libraries that made them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main
from experiments.cohorts import checkpoint_folder
from experiments.finished_runs import lost
from experiments.registry import Registry
from experiments.runner import Ending, Supervisor

StudyFile = Callable[..., Path]
Finished = Callable[..., Path]
_RUN = Path("InvertedPendulum-v5/td3/relu/seed-0")


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("state", "damage", "reason"),
    [
        ("done", lambda _run: None, None),
        ("diverged", lambda _run: None, None),
        ("done", shutil.rmtree, "run.json is missing or damaged"),
        ("done", lambda run: (run / "run.json").write_text("{"), "run.json is missing or damaged"),
        ("done", lambda run: _change(run / "run.json", state="diverged"), "run.json says diverged"),
        ("diverged", lambda run: _change(run / "run.json", state="running"), "run.json says running"),
        ("done", lambda run: (run / "evaluations.csv").unlink(), "evaluations.csv is missing"),
        ("diverged", lambda run: (run / "evaluations.csv").unlink(), "evaluations.csv is missing"),
        ("done", lambda run: (run / "policy.json").unlink(), "policy.json is missing"),
        ("done", lambda run: (run / "policy.safetensors").unlink(), "policy.safetensors is missing"),
        ("diverged", lambda run: (run / "policy.json").unlink(), None),
        ("failed", shutil.rmtree, None),
    ],
)
def test_what_a_finished_run_has_lost(
    state: str, damage: Callable[[Path], Any], reason: str | None, finished: Finished, study_file: StudyFile
) -> None:
    out = finished(study_file(), state=state)
    damage(out / _RUN)
    first, second = Registry(out / "study.sqlite").entries()
    assert lost(out, first) == reason
    assert lost(out, second) is None


def test_a_run_whose_folder_is_gone_is_done_again_and_named(
    finished: Finished, study_file: StudyFile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = finished(study_file())
    shutil.rmtree(out / _RUN)
    monkeypatch.setattr(Supervisor, "run", lambda _self: Ending.COMPLETED)
    command = ["run", "study.yaml", "--out", str(out), "--device", "cpu"]
    assert main([*command, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:5] == [
        "pending   InvertedPendulum-v5 td3 relu seed 0 again: run.json is missing or damaged",
        "done      InvertedPendulum-v5 td3 mix seed 0",
        "cohorts   1: 1 of 1 runs",
    ]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "again     InvertedPendulum-v5 td3 relu seed 0: it was done, but run.json is missing or damaged\n" in output
    assert f"result    1 done, 1 pending in {out}" in output


@pytest.mark.parametrize("library", ["mujoco", "gymnasium", "torch", "stable-baselines3"])
def test_runs_are_not_added_to_those_of_other_versions(
    library: str, finished: Finished, study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    versions = json.loads((out / _RUN / "run.json").read_text())["versions"]
    _change(out / _RUN / "run.json", versions={**versions, library: "0.0.7", "numpy": "0.0.8", "python": "2.7"})
    command = ["run", "study.yaml", "--out", str(out), "--device", "cpu"]
    before = (out / "study.json").read_bytes()
    for more in (["--set", "seeds=2"], ["--set", "seeds=2", "--dry-run"]):
        assert main([*command, *more]) == 2
        output, errors = capsys.readouterr()
        assert (output, errors) == (
            "",
            f"error: the finished runs in {out} were made with {library} 0.0.7 (here {versions[library]}); results of "
            "different versions are never mixed. Give another folder with --out, or run in the old environment.\n",
        )
    assert (out / "study.json").read_bytes() == before
    assert len(Registry(out / "study.sqlite").entries()) == 2
    # With nothing to add there is nothing to mix.
    assert main(command) == 0
    assert f"result    2 done in {out}" in capsys.readouterr().out


def test_a_checkpoint_is_not_gone_on_with_under_other_versions(
    finished: Finished, study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file(), state="pending")
    run = Path("InvertedPendulum-v5/td3/mix/seed-0")
    versions = json.loads((out / run / "run.json").read_text())["versions"]
    _change(out / run / "run.json", versions={**versions, "torch": "0.0.7"})
    command = ["run", "study.yaml", "--out", str(out), "--device", "cpu", "--dry-run"]
    # What begins again from its start is made with one version.
    assert main(command) == 0
    capsys.readouterr()
    entry = Registry(out / "study.sqlite").entries()[1]
    checkpoint = checkpoint_folder(out, str(entry.cohort))
    checkpoint.mkdir(parents=True)
    (checkpoint / "manifest.json").touch()
    assert main(command) == 2
    assert f"error: the begun runs in {out} were made with torch 0.0.7 (here " in capsys.readouterr().err


def test_every_library_and_version_is_named(
    finished: Finished, study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    versions = json.loads((out / _RUN / "run.json").read_text())["versions"]
    _change(out / _RUN / "run.json", versions={"mujoco": "1", "torch": "3"})
    _change(out / "InvertedPendulum-v5/td3/mix/seed-0/run.json", versions={**versions, "mujoco": "2"})
    assert main(["run", "study.yaml", "--out", str(out), "--device", "cpu", "--set", "seeds=2"]) == 2
    expected = f"made with mujoco 1, 2 (here {versions['mujoco']}) and torch 3 (here {versions['torch']}); results"
    assert expected in capsys.readouterr().err


def test_native_kernels_are_a_version_too(
    finished: Finished, study_file: StudyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished(study_file())
    record = json.loads((out / _RUN / "run.json").read_text())
    here = record["versions"]["native_kernels"]
    command = ["run", "study.yaml", "--out", str(out), "--device", "cpu", "--set", "seeds=2", "--dry-run"]
    before = {name: value for name, value in record["versions"].items() if name != "native_kernels"}
    for versions, then in (({**before, "native_kernels": "0"}, "0"), (before, "none")):
        _change(out / _RUN / "run.json", versions=versions)
        assert main(command) == (0 if then == here else 2)
        assert (f"made with native_kernels {then} (here {here})" in capsys.readouterr().err) is (then != here)
    # On a GPU they take no part.
    _change(out / _RUN / "run.json", hardware={"cpu": "some CPU", "device": "NVIDIA H200"})
    assert main(command) == 0
