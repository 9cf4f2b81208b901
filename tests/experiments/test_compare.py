"""`compare` on real logs of several programs: right numbers, right labels, one page; or one error."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.cli import app, main
from experiments.collect.tidy import read_table
from tests.experiments.collect.foreign import STEPS, TASK, train_cleanrl, train_sb3
from tests.experiments.synthetic import SyntheticStudy

DATA = Path(__file__).parent / "collect" / "data"
Lines = Callable[..., list[str]]


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with runs that SB3 and a program in CleanRL's style have trained just now."""
    folder = tmp_path_factory.mktemp("logs") / "foreign"
    for seed in (5, 6):
        train_sb3(folder / "sb3" / f"seed_{seed}", seed)
    train_cleanrl(folder / "runs", 1)
    return folder


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Return a function that runs the command and returns what it printed, its errors last."""

    def call(*words: str | Path, code: int = 0) -> list[str]:
        # Drawing takes most of the time, and is tested with the report.
        assert main(["compare", *map(str, words), "--formats", "none"]) == code
        captured = capsys.readouterr()
        return (captured.out + captured.err).splitlines()

    return call


def test_real_logs_of_four_programs_on_one_page(foreign: Path, compare: Lines, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    lines = compare(foreign, DATA / "rl_acts", DATA / "rl_zoo3", "--out", page, "--control", "swim")
    assert [line.split()[:5] for line in lines[1:4]] == [
        [TASK, "td3", "swim", "0,1", "rl_acts"],
        [TASK, "td3", "tanh", "5,6", "sb3"],
        [TASK, "td3", "elu", "11,12", "rl-zoo3"],
    ]
    assert "task: Monitor's header; algorithm, arm, seed: saved model" in lines[2]
    assert lines[4] == "6 runs with evaluation returns"
    assert lines[5].startswith(f"left out: 1 run with training returns alone: foreign/runs/{TASK}__td3_continuous")
    assert lines[-1] == f"page      {page}"
    runs = {(run.arm, run.seed): run for run in read_table(tmp_path / "page_files" / "collected.parquet").runs}
    # Literal for the logs that are kept, and for fresh ones what their own file holds.
    assert runs["swim", 0].evaluations.returns.tolist() == [8.5, 16, 6, 3]
    assert runs["swim", 0].evaluations.steps.tolist() == [0, 200, 400, 600]
    assert runs["elu", 12].evaluations.returns.tolist() == [5.5, 3, 2]
    for seed in (5, 6):
        with np.load(foreign / "sb3" / f"seed_{seed}" / "evaluations.npz", allow_pickle=False) as raw:
            assert runs["tanh", seed].evaluations.steps.tolist() == raw["timesteps"].tolist() == [200, 400, 600]
            np.testing.assert_array_equal(runs["tanh", seed].evaluations.returns, raw["results"].mean(axis=1))
        assert runs["tanh", seed].source == f"foreign/sb3/seed_{seed}/evaluations.npz"
        assert runs["tanh", seed].versions["stable-baselines3"].startswith("2.")
    text = page.read_text()
    assert "return, deterministic policy" in text
    assert "training episodes" not in text
    assert str(tmp_path) not in text


def test_training_returns_of_real_logs(foreign: Path, compare: Lines, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    lines = compare(foreign, DATA / "rl_zoo3", "--returns", "training", "--interval", "200", "--out", page)
    assert [line.split()[2:5] for line in lines[1:4]] == [
        ["cleanrl", "1", "cleanrl"], ["tanh", "5,6", "sb3"], ["elu", "11,12", "rl-zoo3"],
    ]  # fmt: skip
    runs = {(run.arm, run.seed): run for run in read_table(tmp_path / "page_files" / "collected.parquet").runs}
    assert {run.returns_kind for run in runs.values()} == {"training"}
    raw = (foreign / "sb3" / "seed_5.monitor.csv").read_text().splitlines()[2:]
    episodes = [(float(r), int(length)) for r, length, _ in (line.split(",") for line in raw)]
    ends = np.cumsum([length for _, length in episodes])
    for end, mean in zip(*(runs["tanh", 5].evaluations.steps, runs["tanh", 5].evaluations.returns), strict=True):
        inside = [r for (r, _), step in zip(episodes, ends, strict=True) if end - 200 < step <= end]
        assert mean == pytest.approx(np.mean(inside), rel=1e-12)
    assert runs["tanh", 5].evaluations.steps.tolist() == [200, 400, STEPS]
    assert "return of training episodes" in page.read_text()


def test_events_alone_give_what_the_other_files_of_the_run_give(foreign: Path, compare: Lines, tmp_path: Path) -> None:
    events = next((foreign / "sb3" / "seed_5").glob("events.*"))
    alone = tmp_path / "tb" / "seed_5"
    alone.mkdir(parents=True)
    (alone / events.name).write_bytes(events.read_bytes())
    lines = compare(foreign / "sb3", alone.parent, "--set", f"tb/*:task={TASK},algorithm=td3", "--dry-run")
    assert "note: tb/seed_5: a copy of sb3/seed_5, with the same curve; left out" in lines
    lines = compare(alone.parent, "--set", f"tb/*:task={TASK},algorithm=td3,arm=x", "--out", tmp_path / "p.html")
    found = read_table(tmp_path / "p_files" / "collected.parquet").runs
    with np.load(foreign / "sb3" / "seed_5" / "evaluations.npz", allow_pickle=False) as raw:
        np.testing.assert_allclose(found[0].evaluations.returns, raw["results"].mean(axis=1), rtol=1e-6)


def test_the_public_curves_give_the_known_answers(compare: Lines, tmp_path: Path) -> None:
    words = ["--map", "step=step,return=return_mean,arm=activation", "--where", "source=swim_authors"]
    asked = ["--primary", "swim,swish", "--control", "swish", "--name", "Swim", "--out", tmp_path / "swim.html"]
    lines = compare(DATA / "public_extract.csv", *words, *asked)
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["Walker2d-v2", "td3", "swish", "1-5"],
        ["Walker2d-v2", "td3", "swim", "1-5"],
    ]
    page = (tmp_path / "swim.html").read_text()
    headline = page.split('class="headline">')[1].split("<")[0]
    assert "not established" in headline
    assert "<h1>Swim</h1>" in page
    collected = read_table(tmp_path / "swim_files" / "collected.parquet")
    assert collected.study.primary == (("swim", "swish"),)
    ends = {
        arm: np.mean([run.evaluations.returns[-1] for run in collected.runs if run.arm == arm])
        for arm in ("swim", "swish")
    }
    # The authors' own metric is the mean over seeds at 1M steps, from the same file.
    raw = [line.split(",") for line in (DATA / "public_extract.csv").read_text().splitlines()]
    for arm, mean in ends.items():
        rows = [float(row[6]) for row in raw if row[0] == "swim_authors" and row[3] == arm and row[5] == "1000000"]
        assert mean == pytest.approx(np.mean(rows), rel=1e-12)
    assert all(
        raw[row - 1][5] == f"{step:.0f}"
        for run in collected.runs
        for row, step in zip(run.evaluations.rows, run.evaluations.steps, strict=True)
    )


def test_a_table_of_collected_runs_makes_the_same_comparison_again(compare: Lines, tmp_path: Path) -> None:
    compare(DATA / "rl_acts", DATA / "rl_zoo3", "--out", tmp_path / "a.html")
    lines = compare(tmp_path / "a_files", "--out", tmp_path / "b.html")
    assert [line.split()[2:5] for line in lines[1:3]] == [["swim", "0,1", "rl_acts"], ["elu", "11,12", "rl-zoo3"]]
    first, second = (read_table(tmp_path / f"{name}_files" / "collected.parquet") for name in "ab")
    for mine, theirs in zip(first.runs, second.runs, strict=True):
        assert mine.evaluations.returns.tolist() == theirs.evaluations.returns.tolist()
        assert theirs.source == f"a_files/collected.parquet/{mine.source}"


def test_a_dry_run_lists_each_run_and_writes_nothing(compare: Lines, tmp_path: Path) -> None:
    lines = compare(DATA / "rl_zoo3", "--dry-run", "--set", "*_2:arm=mine,seed=3")
    assert [line.split()[2:4] for line in lines[1:3]] == [["elu", "11"], ["mine", "3"]]
    assert "arm, seed: command line" in lines[2]
    assert lines[-1] == "dry run: nothing was written"
    assert list(tmp_path.iterdir()) == []


def test_the_options_reach_the_comparison(compare: Lines, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    compare(*(DATA / "rl_zoo3", "--seed-from", r"_(\d)$", "--exclude", "*_9", "--until", "400", "--out", page), code=2)
    compare(
        *(DATA / "rl_zoo3", DATA / "rl_acts", "--seed-from", r"_(\d)$", "--exclude", "*_1", "--until", "400"),
        *("--margin", "0.2", "--control", "swim", "--primary", "elu, swim", "--final-evaluations", "2", "--out", page),
    )
    found = read_table(tmp_path / "page_files" / "collected.parquet")
    assert [(run.arm, run.seed) for run in found.runs] == [("swim", 0), ("swim", 1), ("elu", 2)]
    assert {run.evaluations.steps[-1] for run in found.runs} == {400}
    study = found.study
    assert (study.margin, study.control, study.primary, study.final_evaluations) == (0.2, "swim", (("elu", "swim"),), 2)
    assert study.name == "Comparison of rl_zoo3, rl_acts"


def test_one_figure_alone_is_drawn_by_the_command_that_the_page_shows(compare: Lines, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    compare(DATA / "rl_zoo3", "--out", page)
    shown = "python -m experiments compare rl_zoo3 --out page.html --formats none --figure learning_curve-"
    assert shown in page.read_text()
    before = sorted(tmp_path.rglob("*"))
    command = ["compare", str(DATA / "rl_zoo3"), "--out", str(page), "--figure", "learning_curve", "--formats", "svg"]
    assert main(command) == 0
    new = [path.relative_to(tmp_path).as_posix() for path in sorted(set(tmp_path.rglob("*")) - set(before))]
    assert [name for name in new if name.endswith(".svg")] == [
        "page_files/figures/learning_curve-InvertedPendulum-v5-td3.svg"
    ]


def test_report_writes_the_table_too(tmp_path: Path) -> None:
    study = SyntheticStudy(tmp_path / "study", seeds=2, steps=200, every=100)
    study.fill({"relu": [1, 2], "swim": [3, 4]})
    assert main(["report", str(study.folder), "--formats", "none"]) == 0
    found = read_table(study.folder / "collected.parquet")
    assert [run.evaluations.returns[-1] for run in found.runs] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "error: nowhere does not exist."),
        (
            ["."],
            "error: no log in . that is known (0 files looked at); tables (.csv, .csv.gz, .tsv, .parquet) are read "
            "when they are named themselves.",
        ),
        (
            [str(DATA / "rl_zoo3"), "--primary", "elu"],
            "error: --primary 'elu' is not ARM,ARM, two different arms as in swim,relu.",
        ),
        ([str(DATA / "rl_zoo3"), "--control", "x"], "error: 'x' is to be compared but is no arm; there are elu."),
        (
            [str(DATA / "rl_zoo3"), "--returns", "both"],
            "error: --returns is 'both'; allowed are evaluation and training.",
        ),
        (
            [str(DATA / "public_extract.csv"), "--where", "source=x"],
            "error: public_extract.csv has no row with source=x; it has swim_authors, td3_authors.",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    compare: Lines, tmp_path: Path, words: list[str], message: str
) -> None:
    assert compare(*words, code=2)[-1] == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", bytes(range(256))])
@pytest.mark.parametrize(
    "name", ["monitor.csv", "evaluations.npz", "progress.csv", "events.out.tfevents.1.x", "t.csv", "collected.parquet"]
)
def test_a_file_of_nothing_or_of_rubbish_is_one_error(
    compare: Lines, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    lines = compare(tmp_path / name, code=2)
    assert len(lines) == 1
    assert name in lines[0]


def test_one_run_and_one_seed_make_a_page(compare: Lines, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    compare(DATA / "rl_zoo3" / "td3" / "InvertedPendulum-v5_2", "--out", page)
    assert 'class="headline">' in page.read_text()
    assert compare(DATA / "rl_zoo3", "--out", tmp_path, code=2)[-1].startswith(f"error: {tmp_path} is a folder")


def test_the_command_works_as_a_process() -> None:
    command = [sys.executable, "-m", "experiments", "compare", str(DATA / "rl_zoo3"), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:4] == [TASK, "td3", "elu", "11"]
    shown = CliRunner().invoke(app, ["compare", "--help"])
    assert "--seed-from" in shown.output
