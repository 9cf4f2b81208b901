"""Which study may go on in a folder, and which is another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.problems import InputError
from experiments.study import Study, read_study
from experiments.study_folder import check_folder, read_study_file, write_study
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


def test_the_files_of_a_study(folder: Path, study_file: StudyFile) -> None:
    assert (folder / "study.yaml").read_text() == study_file().read_text()
    content = json.loads((folder / "study.json").read_text())
    assert list(content) == [
        *("format", "name", "description", "algorithms", "tasks", "arms", "steps", "evaluation", "hyperparameters"),
        *("primary", "margin", "control", "device", "command"),
    ]
    assert content["command"] == "python -m experiments run study.yaml"
    assert content["arms"][1]["seeds"] == [0, 1]
    assert read_study_file(folder) == content


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
        ("seeds=1", "--set seeds=1: the folder's study has of the arm relu the seeds 1, this one does not"),
        ("tasks=[Hopper-v5]", "--set tasks=[Hopper-v5]: the folder's study has InvertedPendulum-v5, this one does not"),
    ],
)
def test_what_would_alter_or_drop_a_run_is_another_study(
    setting: str, message: str, folder: Path, study_file: StudyFile
) -> None:
    with pytest.raises(InputError) as caught:
        check_folder(folder, *_read(study_file(), *_SAME, setting))
    assert message in str(caught.value)


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
