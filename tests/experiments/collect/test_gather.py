"""From folders and tables to one collection: what is one run, what it is called, and how far it is compared."""

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.collect.collection import Collection
from experiments.collect.corrections import read_corrections, read_seed_pattern
from experiments.collect.gather import Choices, Question, Survey, gather, read_kind, survey
from experiments.collect.table_columns import read_map
from experiments.collect.table_file import TableChoice
from experiments.problems import InputError
from tests.experiments.synthetic import SyntheticStudy

DATA = Path(__file__).parent / "data"


def evaluations(folder: Path, returns: list[float], every: int = 100, name: str = "evaluations.npz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    steps = every * np.arange(1, len(returns) + 1)
    np.savez(folder / name, timesteps=steps, results=np.array(returns)[:, None], ep_lengths=np.ones((len(returns), 1)))
    return folder


def monitor(folder: Path, *episodes: tuple[float, int], name: str = "monitor.csv", task: str = "Hopper-v4") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{r},{length},{index}" for index, (r, length) in enumerate(episodes)]
    (folder / name).write_text(f'#{{"t_start": 0, "env_id": "{task}"}}\nr,l,t\n' + "\n".join(lines) + "\n")
    return folder


def seen(*paths: Path, **choices: object) -> Survey:
    return survey(paths, Choices(TableChoice(read_map([]), {}), **choices))  # type: ignore[arg-type]


def collected(*paths: Path, question: Question | None = None, **choices: object) -> Collection:
    found = Choices(TableChoice(read_map([]), {}), **choices)  # type: ignore[arg-type]
    return gather(survey(paths, found), found, question or Question("q"))


def keys(collection: Collection) -> list[tuple[str, str, str, int]]:
    return [(run.task, run.algorithm, run.arm, run.seed) for run in collection.runs]


def test_a_run_that_keeps_each_log_in_a_folder_of_its_own_is_one_run(tmp_path: Path) -> None:
    run = tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_3"
    evaluations(run / "eval", [1, 2])
    monitor(run / "monitor", (5, 50), (6, 60))
    found = collected(tmp_path)
    assert keys(found) == [("Hopper-v4", "td3", "swim", 3)]
    assert found.runs[0].source.endswith("seed_3/eval/evaluations.npz")
    assert found.runs[0].returns_kind == "evaluation"


def test_folders_of_one_kind_side_by_side_are_runs(tmp_path: Path) -> None:
    for number in (1, 2):
        evaluations(tmp_path / "logs" / "Hopper-v4" / "tb" / f"TD3_{number}", [1, number])
    assert keys(collected(tmp_path / "logs")) == [("Hopper-v4", "td3", "sb3", 1), ("Hopper-v4", "td3", "sb3", 2)]


def test_evaluation_and_training_returns_never_meet(tmp_path: Path) -> None:
    evaluations(tmp_path / "td3" / "Hopper-v4" / "a" / "seed_0", [1, 2])
    monitor(tmp_path / "td3" / "Hopper-v4" / "b" / "seed_0", (5, 100), (6, 100))
    both = evaluations(tmp_path / "td3" / "Hopper-v4" / "c" / "seed_0", [3, 4])
    monitor(both, (7, 100), (8, 100))
    for choice, arms, left in ((None, ["a", "c"], "b"), ("evaluation", ["a", "c"], "b"), ("training", ["b", "c"], "a")):
        found = seen(tmp_path, returns=choice)
        assert [entry.arm for entry in found.runs] == arms
        assert [log.guess.arm for log in found.left_out] == [left]
        kind, other = ("training", "evaluation") if choice == "training" else ("evaluation", "training")
        assert any(f"/{left}/seed_0: only has {other} returns" in note for note in found.notes)
        runs = collected(tmp_path, returns=choice).runs
        assert {run.returns_kind for run in runs} == {kind}
        assert found.kind == kind
    only = collected(tmp_path / "td3" / "Hopper-v4" / "b")
    assert (only.study.returns_kind, only.runs[0].evaluations.returns.tolist()) == ("training", [5, 6])
    with pytest.raises(InputError, match=r"no run in .* has evaluation returns"):
        seen(tmp_path / "td3" / "Hopper-v4" / "b", returns="evaluation")


def test_rl_zoo3s_own_folder_is_read_with_its_settings() -> None:
    found = collected(DATA / "rl_zoo3")
    assert keys(found) == [("InvertedPendulum-v5", "td3", "elu", 11), ("InvertedPendulum-v5", "td3", "elu", 12)]
    assert [run.evaluations.steps.tolist() for run in found.runs] == [[200, 400, 600], [200, 400, 600]]
    assert [run.evaluations.returns.tolist() for run in found.runs] == [[2, 2, 2], [5.5, 3, 2]]
    assert [run.evaluations.rows.tolist() for run in found.runs] == [[1, 2, 3], [1, 2, 3]]
    assert [run.source for run in found.runs] == [
        f"rl_zoo3/td3/InvertedPendulum-v5_{number}/evaluations.npz" for number in (1, 2)
    ]
    assert {run.format for run in found.runs} == {"rl-zoo3"}
    assert found.study.arms[0].actor == ("elu",)
    assert found.study.evaluation.episodes == 2
    assert found.notes == ()
    training = collected(DATA / "rl_zoo3", returns="training", interval=100)
    assert training.runs[0].evaluations.steps.tolist() == [100, 200, 300, 400, 500, 600]
    # The first 22 episodes of the file end within 100 steps; their mean by hand.
    lines = (DATA / "rl_zoo3" / "td3" / "InvertedPendulum-v5_1" / "0.monitor.csv").read_text().splitlines()[2:]
    pairs = [(float(r), int(length)) for r, length, _ in (line.split(",") for line in lines)]
    ends = np.cumsum([length for _, length in pairs])
    first = np.mean([r for (r, _), end in zip(pairs, ends, strict=True) if end <= 100])
    assert training.runs[0].evaluations.returns[0] == pytest.approx(first, rel=1e-12)


def test_arms_of_one_name_from_several_programs_are_kept_apart(tmp_path: Path) -> None:
    study = SyntheticStudy(tmp_path / "study", arms=("relu",), seeds=1, steps=400, every=100)
    study.fill({"relu": [4]})
    evaluations(tmp_path / "sb3" / "Hopper-v5" / "td3" / "relu" / "seed_0", [1, 2, 3, 5])
    assert keys(collected(tmp_path / "study", tmp_path / "sb3")) == [
        ("Hopper-v5", "td3", "relu", 0),
        ("Hopper-v5", "td3", "relu (sb3)", 0),
    ]
    pooled = collected(tmp_path / "study", tmp_path / "sb3", corrections=read_corrections(["sb3/*:arm=relu"]))
    assert keys(pooled) == [("Hopper-v5", "td3", "relu", 0), ("Hopper-v5", "td3", "relu", 1)]
    assert "sb3/Hopper-v5/td3/relu/seed_0: seed 0 of relu is another run too; numbered 1" in pooled.notes


def test_versions_of_a_task_are_tasks_apart(tmp_path: Path) -> None:
    for version in ("v4", "v5"):
        evaluations(tmp_path / f"HalfCheetah-{version}" / "sac" / "swim" / "seed_0", [1, float(version[1])])
    assert collected(tmp_path).study.tasks == ("HalfCheetah-v4", "HalfCheetah-v5")


def test_a_copy_is_left_out_and_named(tmp_path: Path) -> None:
    evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_0", [1, 2, 3])
    evaluations(tmp_path / "again" / "Hopper-v4" / "td3" / "swim" / "seed_0", [1, 2, 3])
    evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_1", [1, 2, 3])
    found = collected(tmp_path)
    assert keys(found) == [("Hopper-v4", "td3", "swim", 0), ("Hopper-v4", "td3", "swim", 1)]
    root = tmp_path.name
    assert (
        found.notes
        == (
            f"{root}/again/Hopper-v4/td3/swim/seed_0: a copy of {root}/Hopper-v4/td3/swim/seed_0, with the same curve; "
            "left out",
        )
        or "a copy of" in found.notes[0]
    )


def test_seeds_that_are_not_known_are_numbered(tmp_path: Path) -> None:
    for name, end in (("seed_1", 1.0), ("first", 2.0), ("second", 3.0)):
        evaluations(tmp_path / "Hopper-v4" / "td3" / name, [0, end])
    found = collected(tmp_path, corrections=read_corrections(["Hopper:arm=swim"]))
    assert keys(found) == [("Hopper-v4", "td3", "swim", seed) for seed in (0, 1, 2)]
    assert [run.evaluations.returns[-1] for run in found.runs] == [2, 1, 3]
    assert [note for note in found.notes if "numbered" in note] == [
        f"{tmp_path.name}/Hopper-v4/td3/first: the seed is not known; numbered 0",
        f"{tmp_path.name}/Hopper-v4/td3/second: the seed is not known; numbered 2",
    ]


def test_what_a_person_says_wins(tmp_path: Path) -> None:
    evaluations(tmp_path / "a-x7", [1, 2])
    evaluations(tmp_path / "b-x9", [1, 3])
    said = ["a-x7:arm=swim(k=0.5,x=1),task=Walker2d-v4,algorithm=sac", "b-*:seed=4", "*b-x9:arm=relu,state=running"]
    found = collected(
        tmp_path, corrections=read_corrections([said[0], said[2]]), seed_pattern=read_seed_pattern(r"-x(\d+)")
    )
    assert keys(found) == [("Walker2d-v4", "sac", "swim(k=0.5,x=1)", 7), ("unknown", "unknown", "relu", 9)]
    assert [run.state for run in found.runs] == ["done", "running"]
    assert any(f"{tmp_path.name}/b-x9: the task is not known" in note for note in found.notes)
    with pytest.raises(InputError, match=r"--set: the pattern 'b-\*' fits no run; there are .*a-x7, .*b-x9"):
        collected(tmp_path, corrections=read_corrections([said[1]]))
    with pytest.raises(InputError, match=r"--seed-from 'y\(\.\)' finds no digits in"):
        collected(tmp_path, seed_pattern=read_seed_pattern("y(.)"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("swim", r"--set 'swim' is not PATTERN:KEY=VALUE"),
        ("a:name=x", r"is not PATTERN:KEY=VALUE,\.\.\., .*; keys: task, algorithm, arm, seed, returns, state"),
        ("a:seed=x", r"--set 'a:seed=x': seed is 'x'; allowed is a whole number from 0"),
        ("a:returns=both", r"returns is 'both'; allowed is evaluation or training"),
        ("a:state=lost", r"state is 'lost'; allowed is done, running, failed or diverged"),
    ],
)
def test_wrong_corrections_are_one_error(entry: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_corrections([entry])


def test_wrong_patterns_and_kinds_are_one_error() -> None:
    with pytest.raises(InputError, match=r"--seed-from '\(' is no regular expression"):
        read_seed_pattern("(")
    with pytest.raises(InputError, match=r"--seed-from 'a' needs one group"):
        read_seed_pattern("a")
    with pytest.raises(InputError, match=r"--returns is 'both'; allowed are evaluation and training"):
        read_kind("both")


def test_excluded_runs_are_named(tmp_path: Path) -> None:
    for seed in (0, 1):
        evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / f"seed_{seed}", [1, seed])
    found = collected(tmp_path, exclude=["*/seed_1"])
    assert [run.seed for run in found.runs] == [0]
    assert found.notes == (f"{tmp_path.name}/Hopper-v4/td3/swim/seed_1: left out, as --exclude '*/seed_1' asks",)
    with pytest.raises(InputError, match=r"--exclude: the pattern 'x9' fits no run"):
        collected(tmp_path, exclude=["x9"])


def test_runs_are_compared_up_to_where_the_first_arm_ends_and_shorter_ones_stay_in(tmp_path: Path) -> None:
    root = tmp_path / "Hopper-v4" / "td3"
    evaluations(root / "long" / "seed_0", [1, 2, 3, 4, 5, 6])
    evaluations(root / "short" / "seed_0", [1, 2, 3, 9])
    evaluations(root / "short" / "seed_1", [1, 8])
    evaluations(root / "short" / "seed_2", [1, 2, np.nan, np.nan])
    found = collected(tmp_path)
    assert [run.evaluations.steps.tolist()[-1] for run in found.runs] == [400, 400, 200, 400]
    assert [run.state for run in found.runs] == ["done", "done", "failed", "diverged"]
    assert [run.cause for run in found.runs] == [
        None, None, "its log ends at step 200; why is not recorded", "its last returns are not finite",
    ]  # fmt: skip
    assert "Hopper-v4, td3: compared up to step 400; long went on, which is not used" in found.notes
    further = collected(tmp_path, until=600)
    assert [run.evaluations.steps.tolist()[-1] for run in further.runs] == [600, 400, 200, 400]
    assert [run.state for run in further.runs] == ["done", "failed", "failed", "diverged"]


def test_missing_seeds_and_late_beginnings_are_noted(tmp_path: Path) -> None:
    for seed in (0, 1, 3):
        evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / f"seed_{seed}", [1, seed], every=100 if seed else 200)
    assert collected(tmp_path).notes[-2:] == (
        "Hopper-v4, td3: first returns are at step 100 (2 runs) and 200 (1 run); before it a run's first return is "
        "carried back",
        "Hopper-v4, td3, swim: seed 2 missing between the others",
    )


def test_an_arm_that_is_asked_for_and_not_there_is_one_error(tmp_path: Path) -> None:
    evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_0", [1, 2])
    with pytest.raises(InputError, match=r"'relu' is to be compared but is no arm; there are swim\."):
        collected(tmp_path, question=Question("q", (("swim", "relu"),)))
    with pytest.raises(InputError, match=r"'tanh' is to be compared but is no arm"):
        collected(tmp_path, question=Question("q", control="tanh"))
    plan = collected(tmp_path, question=Question("q", (), "swim", 0.1, 3)).study
    assert (plan.control, plan.margin, plan.final_evaluations, plan.inferred, plan.planned) == ("swim", 0.1, 3, True, 1)


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    run = evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_0", [1, 2])
    (run / "loop").symlink_to(tmp_path)
    found = collected(tmp_path)
    assert len(found.runs) == 1
    assert found.notes == (
        f"{tmp_path.name}/Hopper-v4/td3/swim/seed_0/loop: a link back to a folder that is read already; not followed",
    )


def test_a_folder_that_may_not_be_entered_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations(tmp_path / "Hopper-v4" / "td3" / "swim" / "seed_0", [1, 2])
    closed = evaluations(tmp_path / "closed", [1, 2])
    # Whoever runs the tests may be allowed to enter anything.
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert collected(tmp_path).notes == (
        f"{tmp_path.name}/closed: cannot be entered (Permission denied); nothing in it is used",
    )


def test_paths_that_cannot_be_used_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        seen(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"no log in .* that is known \(0 files looked at\); tables \(\.csv, .*\) are read"
    ):
        seen(tmp_path)
    with pytest.raises(InputError, match="is given twice"):
        seen(tmp_path, tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"notes\.txt is no log that is known: give a folder, a table"):
        seen(tmp_path / "notes.txt")
    (tmp_path / "evaluations.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"Noted: .*/evaluations\.npz: cannot be read \(empty\)"):
        seen(tmp_path)
    study = SyntheticStudy(tmp_path / "study", arms=("relu",), seeds=1)
    study.write_plan()
    study.write_run("relu", 0, [], state="failed", cause="out of memory")
    with pytest.raises(
        InputError, match=r"no run in .* has a return yet \(1 run\); the first that ended badly: .*: out of memory"
    ):
        seen(tmp_path / "study")


def test_one_run_of_ours_without_its_study_is_read(tmp_path: Path) -> None:
    study = SyntheticStudy(tmp_path / "study", arms=("relu",), seeds=1, steps=200, every=100)
    study.write_plan()
    config = {"task": "Hopper-v5", "algorithm": "td3", "arm": "relu", "seed": 7}
    folder = study.write_run("relu", 0, [1, 2, 3], config=config)
    found = collected(folder)
    assert keys(found) == [("Hopper-v5", "td3", "relu", 7)]
    assert found.runs[0].evaluations.training_seconds[-1] == pytest.approx(0.4 - 0.06)


def test_folders_tell_settings_apart_that_one_activation_shares(tmp_path: Path) -> None:
    for name in ("lr1e-3", "lr1e-4"):
        run = evaluations(tmp_path / name / "HalfCheetah-v4_1", [1, float(name[-1])])
        (run / "HalfCheetah-v4").mkdir()
        (run / "HalfCheetah-v4" / "args.yml").write_text("algo: td3\nenv: HalfCheetah-v4\nseed: 5\n")
        (run / "HalfCheetah-v4" / "config.yml").write_text("policy_kwargs: dict(activation_fn=nn.SiLU)\n")
    assert keys(collected(tmp_path)) == [("HalfCheetah-v4", "td3", name, 5) for name in ("lr1e-3", "lr1e-4")]
    assert keys(collected(tmp_path / "lr1e-3")) == [("HalfCheetah-v4", "td3", "swish", 5)]


def test_the_interval_of_evaluations_is_what_was_found_and_never_finer(tmp_path: Path) -> None:
    evaluations(tmp_path / "Hopper-v4" / "td3" / "relu" / "seed_0", [1, 2, 3], every=200)
    assert collected(tmp_path).study.evaluation.every == 200
    evaluations(tmp_path / "Hopper-v4" / "td3" / "relu" / "seed_0", [1], every=500)
    assert collected(tmp_path).study.evaluation.every == 500
