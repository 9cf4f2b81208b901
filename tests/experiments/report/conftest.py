"""Fixtures of the report's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.report.synthetic import SyntheticStudy


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., SyntheticStudy]:
    """Build a study in a fresh folder."""

    def build(**settings: Any) -> SyntheticStudy:
        return SyntheticStudy(tmp_path / "study", **settings)

    return build
