"""Studies that are checked in milliseconds and run in seconds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.machine import versions
from agents.run_folder import run_path
from experiments.registry import Registry, run_key
from experiments.study import read_study
from experiments.study_folder import write_study
from experiments.yaml_file import override, read_yaml
from tests.experiments.synthetic import SyntheticStudy

_STAND_IN = Path(__file__).parent / "stand_in_trainer.py"
STUDY = """\
name: tiny
algorithms: [td3]
tasks: [InvertedPendulum-v5]
arms:
  - relu
  - {arm: mix, actor: "swim_learnable(per=unit)", critic: swish}
seeds: 1
steps: 120
evaluation: {every: 60, episodes: 2}
hyperparameters:
  td3: {learning_starts: 60, net_arch: [8], batch_size: 8}
engine: sb3
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the study above, with some texts replaced."""

    def write(*replacements: tuple[str, str], name: str = "study.yaml") -> Path:
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that plants a study whose runs have ended, without training them."""

    def plant(path: Path, *settings: str, state: str = "done") -> Path:
        document = read_yaml(path)
        override(document, list(settings))
        study = read_study(document)
        out = tmp_path / "out"
        write_study(out, study, document, "command")
        registry = Registry(out / "study.sqlite")
        registry.add(study.runs())
        for key in map(run_key, study.runs()):
            claim = registry.claim([key])
            assert claim is not None
            registry.finish(claim.entries[0], state, None)
            run = out / run_path(*key)
            run.mkdir(parents=True)
            (run / "run.json").write_text(json.dumps({"state": state, "attempt": 1, "versions": versions()}))
            for name in ("evaluations.csv", "policy.json", "policy.safetensors"):
                (run / name).write_text("")
        return out

    return plant


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Results go to the current folder unless a test says otherwise.
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def population(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that says what the stand-in for the population does in every process started from now on."""
    packages = tmp_path / "packages"
    packages.mkdir()
    # A module of this name is the first thing that an interpreter imports.
    (packages / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "from importlib.util import spec_from_file_location\n"
        "class Finder(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        return spec_from_file_location(name, {str(_STAND_IN)!r}) if name == 'agents.trainer' else None\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    told = tmp_path / "stand-in.json"
    monkeypatch.setenv("STAND_IN", str(told))
    monkeypatch.setenv("PYTHONPATH", str(packages))

    def tell(**wishes: Any) -> Path:
        told.write_text(json.dumps(wishes))
        return told

    tell()
    return tell


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., SyntheticStudy]:
    """Return a function that builds the folder of a made-up study, to be reported on."""

    def build(**settings: Any) -> SyntheticStudy:
        return SyntheticStudy(tmp_path / "study", **settings)

    return build
