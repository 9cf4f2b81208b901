"""The house rules that a file count can show."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("rl_acts", "envs", "agents", "experiments")


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_has_a_readme_of_at_most_a_page(package: str) -> None:
    lines = (ROOT / package / "README.md").read_text().splitlines()
    assert 5 <= len(lines) <= 60


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_400_lines(package: str) -> None:
    long = {str(f): len(f.read_text().splitlines()) for f in (ROOT / package).rglob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_constraints_pin_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    direct = {re.split(r"[\[<>=~ ]", line)[0].lower().replace("_", "-") for line in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert direct - pinned == set()


def test_the_torch_pin_is_in_the_constraints_alone() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()
    assert '"torch>=2.8"' in (ROOT / "pyproject.toml").read_text()
