"""Reading folders: what a kill, a crash or a typo leaves is noted, and never stops the report."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.collect.collection import Run, collect
from experiments.collect.evaluations import read_evaluations
from experiments.commands import show_status
from experiments.problems import InputError
from experiments.report import ReportError
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
HEADER = "step,episode_return_0,return_mean,wall_s,act_s,simulate_s,learn_s,evaluate_s\n"


def find(runs: tuple[Run, ...], arm: str, seed: int) -> Run:
    return next(run for run in runs if (run.arm, run.seed) == (arm, seed))


def read(tmp_path: Path, text: str) -> tuple[list[float], list[float], list[str]]:
    path = tmp_path / "evaluations.csv"
    path.write_text(text)
    notes: list[str] = []
    found = read_evaluations(path, "here", notes)
    return found.steps.tolist(), found.returns.tolist(), notes


def test_evaluations_are_read_by_column_name(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.csv"
    path.write_text(HEADER + "0,1,1.5,1,0.1,0.2,0.3,0.4\n100,2,2.5,10,1,2,3,2\n")
    notes: list[str] = []
    found = read_evaluations(path, "here", notes)
    assert found.steps.tolist() == [0, 100]
    assert found.returns.tolist() == [1.5, 2.5]
    assert found.training_seconds.tolist() == [0.6, 8.0]
    assert found.steps_per_second == 12.5
    np.testing.assert_allclose(found.shares, [0.1, 0.2, 0.3, 0.2, 0.2])
    assert notes == []


def test_a_torn_last_line_is_left_out_even_where_it_parses(tmp_path: Path) -> None:
    steps, returns, notes = read(tmp_path, HEADER + "0,1,1,1,0,0,0,0\n100,2,2,10,1,2,3,2")
    assert (steps, returns) == ([0], [1])
    assert notes == ["here: the last line is torn (no line end); it is left out"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("100,2", "2 columns instead of 8"),
        ("x,1,1,1,0,0,0,0", "could not convert"),
        ("nan,1,1,1,0,0,0,0", "step is nan"),
    ],
)
def test_a_bad_line_is_left_out_and_named(tmp_path: Path, line: str, reason: str) -> None:
    steps, _, notes = read(tmp_path, f"{HEADER}0,1,1,1,0,0,0,0\n{line}\n200,2,2,10,1,2,3,2\n")
    assert steps == [0, 200]
    assert len(notes) == 1
    assert notes[0].startswith("here: line 3 is left out (")
    assert reason in notes[0]


def test_evaluations_repeated_after_a_resume_replace_the_earlier_ones(tmp_path: Path) -> None:
    rows = "0,0,0,1,0,0,0,0\n100,1,1,2,0,0,0,0\n200,2,2,3,0,0,0,0\n100,5,5,4,0,0,0,0\n"
    steps, returns, notes = read(tmp_path, HEADER + rows)
    assert (steps, returns) == ([0, 100], [0, 5])
    assert notes == ["here: line 5 goes back to step 100; it replaces the lines from there"]


def test_an_empty_file_and_a_wrong_header_are_noted(tmp_path: Path) -> None:
    assert read(tmp_path, "") == ([], [], ["here: empty; no evaluation of this run"])
    assert read(tmp_path, "a,b\n1,2\n") == (
        [],
        [],
        ["here: no columns step and return_mean; no evaluation of this run"],
    )
    assert read(tmp_path, HEADER) == ([], [], [])


def test_times_that_go_back_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.csv"
    path.write_text(HEADER + "0,0,0,9,0,0,0,0\n100,1,1,2,0,0,0,0\n")
    notes: list[str] = []
    found = read_evaluations(path, "here", notes)
    assert np.isnan(found.steps_per_second)
    assert np.isnan(found.shares).all()
    assert notes == ["here: times are missing or go back; this run is left out of the timings"]


def test_a_whole_study_is_read(make_study: Make) -> None:
    study = make_study()
    study.fill({"relu": [1, 2, 3], "swim": [4, 5, 6]})
    found = collect(study.folder)
    assert [(run.arm, run.seed) for run in found.runs] == [(arm, seed) for arm in ("relu", "swim") for seed in range(3)]
    assert found.notes == ()
    swim = find(found.runs, "swim", 2)
    assert (swim.state, swim.workers, swim.versions["torch"], swim.hardware["cores"]) == ("done", 1, "2.13.0", "2")
    assert swim.evaluations.returns.tolist() == [0, 1.5, 3, 4.5, 6]
    assert found.study.arms[1].actor == ("swim(k=0.5)",)
    assert found.study.arms[1].critic == ("relu", "tanh")


def test_missing_and_damaged_files_become_notes(make_study: Make) -> None:
    study = make_study(seeds=4)
    study.write_plan()
    study.write_run("relu", 0, [0, 1, 2, 3, 4])
    (study.write_run("relu", 1, [0, 1, 2, 3, 4]) / "run.json").write_text('{"state": "do')
    (study.write_run("relu", 2, [0, 1, 2, 3, 4]) / "run.json").unlink()
    (study.write_run("relu", 3, [0, 1]) / "evaluations.csv").unlink()
    (study.write_run("swim", 0, [0, 1]) / "run.json").write_text("[]")
    (study.write_run("swim", 1, [0, 1]) / "evaluations.csv").write_bytes(b"")
    study.write_run("swim", 9, [0, 1])
    found = collect(study.folder)
    states = [run.state for run in found.runs]
    assert states == ["done", "unknown", "unknown", "done", "unknown", "done", "missing", "missing"]
    place = "Hopper-v5/td3"
    for line in (
        f"{place}/relu/seed-2/run.json: missing; the run's state is unknown",
        f"{place}/relu/seed-3/evaluations.csv: missing; no evaluation of this run",
        f"{place}/swim/seed-0/run.json: damaged (not an object); the run's state is unknown",
        f"{place}/swim/seed-1/evaluations.csv: empty; no evaluation of this run",
        f"{place}/swim/seed-2: no such folder; the run has not started",
        f"{place}/swim/seed-9: not a run of study.json; not used",
    ):
        assert line in found.notes
    assert any(note.startswith(f"{place}/relu/seed-1/run.json: damaged (") for note in found.notes)


def test_no_study_is_one_clear_line(tmp_path: Path, make_study: Make) -> None:
    with pytest.raises(ReportError) as caught:
        collect(tmp_path / "nowhere")
    assert str(caught.value) == f"{tmp_path / 'nowhere'} holds no study (study.json is missing)."
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match=r"file/study\.json cannot be read: .*Not a directory"):
        collect(tmp_path / "file")
    with pytest.raises(ReportError, match=r"holds no study \(study\.json is missing\)\.$"):
        collect(tmp_path)
    study = make_study()
    study.write_plan()
    with pytest.raises(ReportError, match=r"no run in .* has an evaluation yet \(6 planned\): start or continue"):
        collect(study.folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 1, "na', r"study\.json cannot be read: Unterminated string"),
        ("[]", r"study\.json cannot be read: .* holds a list, not a mapping"),
        ('{"format": 2}', r"study\.json has format 2; this version reads format 1\."),
        ('{"format": 1, "name": "x"}', r"is damaged \(algorithms: Field required\)"),
    ],
)
def test_a_damaged_study_is_one_clear_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ReportError, match=message) as caught:
        collect(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", '{"format": 1, "na', "[]", "{}", '{"format": 2}'])
def test_the_words_are_those_of_the_other_commands(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError) as told_by_status:
        show_status(tmp_path)
    with pytest.raises(ReportError) as told:
        collect(tmp_path)
    assert str(told.value) == str(told_by_status.value)


def test_a_task_with_a_namespace_is_found_where_its_runs_are_written(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=1, tasks=("my/Pend-v0",))
    study.write_plan()
    folder = study.write_run("relu", 0, [0, 1, 2, 3, 4])
    assert folder == study.folder / "my__Pend-v0" / "td3" / "relu" / "seed-0"
    found = collect(study.folder)
    assert [(run.task, run.state, run.evaluations.returns.tolist()) for run in found.runs] == [
        ("my/Pend-v0", "done", [0, 1, 2, 3, 4])
    ]
    assert found.notes == ()


def test_a_comparison_with_an_unknown_arm_is_named(make_study: Make) -> None:
    study = make_study(changes={"primary": [["swim", "rleu"]]})
    study.write_plan()
    with pytest.raises(ReportError, match=r"'rleu' is compared but is no arm \(arms: relu, swim\)"):
        collect(study.folder)


def test_only_failures_without_an_evaluation_name_the_first_cause(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [], state="failed", cause="out of\nmemory")
    study.write_run("relu", 1, [float("nan")], state="diverged", cause="NaN")
    with pytest.raises(
        ReportError, match=r"2 of 2 failed .*first cause: Hopper-v5, td3, relu, seed 0: out of memory\)"
    ):
        collect(study.folder)
