"""Which study may go on in a folder, and which is another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.problems import InputError, StudyError
from experiments.registry import Registry
from experiments.study import Study, read_study
from experiments.study_folder import check_folder, made, read_study_file, registered, write_study
from experiments.train_options import study_from_options
from experiments.yaml_file import Document, override, read_yaml

StudyFile = Callable[..., Path]


def _read(path: Path, *settings: str) -> tuple[Study, Document]:
    document = read_yaml(path)
    override(document, list(settings))
    return read_study(document), document


@pytest.fixture
def folder(study_file: StudyFile, tmp_path: Path) -> Path:
    study, document = _read(study_file(), "seeds=2", "algorithms=[td3, sac]", "hyperparameters.sac.learning_starts=9")
    write_study(tmp_path / "deep" / "out", study, document, "python -m experiments run study.yaml")
    return tmp_path / "deep" / "out"


_SAME = ("seeds=2", "algorithms=[td3, sac]", "hyperparameters.sac.learning_starts=9")


def test_the_files_of_a_study(folder: Path) -> None:
    content = json.loads((folder / "study.json").read_text())
    assert list(content) == [
        *("format", "name", "description", "algorithms", "tasks", "arms", "steps", "evaluation", "diagnostics"),
        *("hyperparameters", "primary", "margin", "control", "final_evaluations", "thresholds", "budgets", "device"),
        *("engine", "command"),
    ]
    assert content["command"] == "python -m experiments run study.yaml"
    assert content["arms"][1]["seeds"] == [0, 1]
    assert read_study_file(folder) == content


def test_a_file_without_settings_is_kept_as_it_is(study_file: StudyFile, tmp_path: Path) -> None:
    write_study(tmp_path / "out", *_read(study_file()), "python -m experiments run study.yaml")
    assert (tmp_path / "out" / "study.yaml").read_text() == study_file().read_text()


def test_the_same_study_and_a_larger_one_go_on(folder: Path, study_file: StudyFile) -> None:
    larger = study_file(("- relu", "- swim\n  - relu"), ("[Inv", "[Hopper-v5, Inv"))
    for settings in [_SAME, (*_SAME, "seeds=5"), (*_SAME, "margin=0.2", "control=relu", "device=cpu", "description=x")]:
        for path in (study_file(), larger):
            check_folder(folder, *_read(path, *settings))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "name=other",
            "--set name=other: the folder's runs have 'tiny', now it is 'other'; give another folder with --out",
        ),
        ("steps=240", "--set steps=240: the folder's runs have 120, now it is 240"),
        ("evaluation.every=40", "--set evaluation.every=40: the folder's runs have 60, now it is 40"),
        ("evaluation.episodes=3", "--set evaluation.episodes=3: the folder's runs have 2, now it is 3"),
        (
            "hyperparameters.td3.gamma=0.9",
            "--set hyperparameters.td3.gamma=0.9: the folder's runs have 0.99, now it is 0.9",
        ),
        ("arms.1.critic=tanh", "--set arms.1.critic=tanh: the folder's runs have 'swish', now it is 'tanh'"),
        ("arms.1.actor=prelu", "the folder's runs have 'swim_learnable(per=unit)', now it is 'prelu"),
        ("arms.1.activation_lr=0.5", "the folder's runs have None, now it is 0.5"),
        (
            "arms.1.arm=mixed",
            "line 4, arms: the folder's study has the arm mix, this one does not; runs are never dropped",
        ),
        ("seeds=1", "--set seeds=1: the folder's study has the seeds 1 of the arm relu, this one does not"),
        ("tasks=[Hopper-v5]", "--set tasks=[Hopper-v5]: the folder's study has InvertedPendulum-v5, this one does not"),
    ],
)
def test_what_would_alter_or_drop_a_run_is_another_study(
    setting: str, message: str, folder: Path, study_file: StudyFile
) -> None:
    with pytest.raises(InputError) as caught:
        check_folder(folder, *_read(study_file(), *_SAME, setting))
    assert message in str(caught.value)


def test_a_folder_from_before_there_was_a_choice_of_engines_goes_on_with_stable_baselines(
    folder: Path, study_file: StudyFile
) -> None:
    content = read_study_file(folder)
    del content["engine"]
    (folder / "study.json").write_text(json.dumps(content))
    check_folder(folder, *_read(study_file(), *_SAME))
    with pytest.raises(InputError) as caught:
        check_folder(folder, *_read(study_file(("engine: sb3\n", "")), *_SAME))
    message = "the folder's runs have 'sb3', now it is 'population'; give --engine sb3, or another folder with --out"
    assert str(caught.value).endswith(f"engine: {message}")


_COMPARED = ("primary=[[mix, relu]]", "margin=0.1", "control=relu")


@pytest.fixture
def planned(folder: Path, study_file: StudyFile) -> Path:
    """The folder with comparisons, and its runs in the registry."""
    study, document = _read(study_file(), *_SAME, *_COMPARED)
    write_study(folder, study, document, "command")
    Registry(folder / "study.sqlite").add(study.runs())
    return folder


_OTHER_COMPARISONS = [
    ("primary=[[relu, mix]]", "the folder's study has [['mix', 'relu']], now it is [['relu', 'mix']]"),
    ("primary=[]", "the folder's study has [['mix', 'relu']], now it is []"),
    ("margin=0.2", "the folder's study has 0.1, now it is 0.2"),
    ("control=mix", "the folder's study has 'relu', now it is 'mix'"),
    ("final_evaluations=2", "the folder's study has None, now it is 2"),
    ("thresholds={InvertedPendulum-v5: 9}", "the folder's study has {}, now it is {'InvertedPendulum-v5': [9.0]}"),
    ("budgets=[5m]", "the folder's study has [], now it is [300.0]"),
    ("control=~", "the folder's study has 'relu', now it is None"),
]


@pytest.mark.parametrize(("setting", "message"), _OTHER_COMPARISONS)
@pytest.mark.parametrize("state", ["running", "done", "diverged", "failed", "pending"])
def test_what_is_compared_is_fixed_once_a_run_has_begun(
    state: str, setting: str, message: str, planned: Path, study_file: StudyFile
) -> None:
    registry = Registry(planned / "study.sqlite")
    claim = registry.claim([registry.entries()[3].key])
    assert claim is not None
    if state != "running":
        # An interrupted run waits again, but its curve could be looked at.
        registry.finish(claim.entries[0], state, None)
    check_folder(planned, *_read(study_file(), *_SAME, *_COMPARED))
    with pytest.raises(StudyError) as caught:
        check_folder(planned, *_read(study_file(), *_SAME, *_COMPARED, setting))
    rest = "what is compared is fixed once a run has begun, give another folder with --out"
    assert str(caught.value).endswith(f": --set {setting}: {message}; {rest}")


@pytest.mark.parametrize("setting", [setting for setting, _ in _OTHER_COMPARISONS])
def test_what_is_compared_may_change_before_any_run_has_begun(
    setting: str, planned: Path, study_file: StudyFile
) -> None:
    check_folder(planned, *_read(study_file(), *_SAME, *_COMPARED, setting))


def test_a_folder_from_before_there_was_a_choice_of_what_is_measured(planned: Path, study_file: StudyFile) -> None:
    content = json.loads((planned / "study.json").read_text())
    for key in ("final_evaluations", "thresholds", "budgets"):
        del content[key]
    (planned / "study.json").write_text(json.dumps(content))
    registry = Registry(planned / "study.sqlite")
    registry.claim([registry.entries()[0].key])
    check_folder(planned, *_read(study_file(), *_SAME, *_COMPARED))
    with pytest.raises(StudyError, match=r"the folder's study has \[\], now it is \[300.0\]"):
        check_folder(planned, *_read(study_file(), *_SAME, *_COMPARED, "budgets=[5m]"))


def test_the_runs_that_the_caller_has_read_decide(planned: Path, study_file: StudyFile) -> None:
    registry = Registry(planned / "study.sqlite")
    before = registry.entries()
    registry.claim([before[0].key])
    changed = _read(study_file(), *_SAME, *_COMPARED, "margin=0.2")
    check_folder(planned, *changed, entries=before)
    with pytest.raises(StudyError, match=r"the folder's study has 0\.1"):
        check_folder(planned, *changed, entries=registry.entries())


def test_what_a_killed_first_command_leaves_is_no_other_file(study_file: StudyFile, tmp_path: Path) -> None:
    study, document = _read(study_file())
    out = tmp_path / "out"
    out.mkdir()
    for name in (".study.json.k2_x9", ".study.yaml.abc", "study.sqlite", "study.sqlite-journal"):
        (out / name).touch()
    check_folder(out, study, document)
    Registry(out / "study.sqlite").add(study.runs())
    with pytest.raises(InputError, match="holds other files and no study"):
        check_folder(out, study, document)
    (out / "study.sqlite").unlink()
    (out / ".studyjson").touch()
    with pytest.raises(InputError, match="holds other files and no study"):
        check_folder(out, study, document)


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path: Path) -> None:
    def fail(folder: Path, *names: str) -> None:
        with made(folder):
            for name in names:
                (folder / name).touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail(tmp_path / "runs" / "tiny", "study.sqlite", "study.json", "study.yaml", ".study.json.x")
    assert list(tmp_path.iterdir()) == []
    # What others have put there stays, and so does a folder that was there before.
    with pytest.raises(OSError, match="No space"):
        fail(tmp_path / "runs" / "tiny", "thesis.txt")
    with pytest.raises(OSError, match="No space"):
        fail(tmp_path / "runs" / "tiny", "study.json")
    assert sorted(path.name for path in (tmp_path / "runs" / "tiny").iterdir()) == ["study.json", "thesis.txt"]


def test_a_folder_in_which_another_command_has_begun_is_not_removed(study_file: StudyFile, tmp_path: Path) -> None:
    study, document = _read(study_file())
    out = tmp_path / "out"

    def fail() -> None:
        with made(out):
            write_study(out, study, document, "command")
            Registry(out / "study.sqlite").add(study.runs())
            raise InputError("another study")

    with pytest.raises(InputError, match="another study"):
        fail()
    assert (out / "study.json").exists()
    assert len(registered(out)) == 2


def test_another_name_is_the_only_difference_that_is_told(folder: Path, study_file: StudyFile) -> None:
    with pytest.raises(InputError) as caught:
        check_folder(folder, *_read(study_file(), *_SAME, "name=other", "steps=240", "seeds=1"))
    assert str(caught.value).count("\n") == 0
    assert "steps" not in str(caught.value).partition(": --set name=other")[2]


def test_places_that_are_no_folder_for_a_study(folder: Path, study_file: StudyFile, tmp_path: Path) -> None:
    study, document = _read(study_file())
    file = tmp_path / "file"
    file.write_text("")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    check_folder(foreign, study, document)
    (foreign / "thesis.txt").write_text("")
    (folder / "study.json").write_text("{")
    for path, message in [
        (file, "the output path .*file is a file"),
        (file / "under", "cannot be made: .*file is a file"),
        (foreign, "holds other files and no study"),
        (folder, r"study\.json cannot be read"),
    ]:
        with pytest.raises(InputError, match=message):
            check_folder(path, study, document)


def test_a_study_file_of_another_format_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "study.json").write_text('{"format": 2}')
    with pytest.raises(InputError, match="has format 2; this version reads format 1"):
        read_study_file(folder)
    with pytest.raises(InputError, match="holds no study"):
        read_study_file(tmp_path)


def test_the_kept_file_is_the_study_that_was_run_settings_included(study_file: StudyFile, tmp_path: Path) -> None:
    settings = ("seeds=4", "hyperparameters.td3.gamma=0.9", "arms.0=swim(k=0.7)")
    study, document = _read(study_file(), *settings)
    write_study(tmp_path / "out", study, document, "python -m experiments run study.yaml")
    kept = tmp_path / "out" / "study.yaml"
    assert kept.read_text().splitlines()[1:4] == [f"# --set {setting}" for setting in settings]
    again, _ = _read(kept)
    assert again == study


def test_the_kept_file_of_train_is_its_study(tmp_path: Path) -> None:
    options = dict.fromkeys(("--activation-lr", "--eval-every", "--eval-episodes", "--name", "--critic-activation"))
    options |= {"--actor-activation": None, "--activation": "swim", "--algo": "td3", "--env": "InvertedPendulum-v5"}
    options |= {"--seeds": "2", "--steps": "1e3", "--net-arch": "8,8"}
    document = study_from_options(options)
    override(document, ["hyperparameters.td3.learning_starts=100"])
    study = read_study(document)
    write_study(tmp_path / "out", study, document, "python -m experiments train")
    kept = tmp_path / "out" / "study.yaml"
    assert "seeds: 2\n" in kept.read_text()
    assert _read(kept)[0] == study
