"""Studies that are checked in milliseconds and run in seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Results go to the current folder unless a test says otherwise.
    monkeypatch.chdir(tmp_path)
