"""Imports run one way: rl_acts, envs <- agents <- experiments."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "rl_acts": set[str](),
    "envs": set[str](),
    "agents": {"rl_acts", "envs"},
    "experiments": {"rl_acts", "envs", "agents"},
}


def imported(source: str) -> set[str]:
    """Return the top-level packages that a module's source imports, wherever in it the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or ".").split(".")[0] if node.level == 0 else "a relative import")
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    allowed = {package, *MAY_IMPORT[package]}
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        ours = imported(file.read_text()) & {*MAY_IMPORT, "tests", "a relative import"}
        assert ours <= allowed, f"{file.relative_to(ROOT)} imports {sorted(ours - allowed)}"


def test_the_library_needs_only_torch() -> None:
    foreign: dict[str, set[str]] = {}
    for file in sorted((ROOT / "rl_acts").rglob("*.py")):
        names = imported(file.read_text()) - set(sys.stdlib_module_names) - {"rl_acts", "torch"}
        if names:
            foreign[str(file.relative_to(ROOT))] = names
    assert foreign == {
        "rl_acts/sb3.py": {"stable_baselines3"},
        # Stable-Baselines3 itself needs NumPy.
        "rl_acts/_sb3_diagnostics.py": {"numpy", "stable_baselines3"},
        "rl_acts/_plot.py": {"matplotlib"},
        "rl_acts/diagnostics/_picture.py": {"matplotlib"},
    }


def test_the_check_sees_imports_inside_functions() -> None:
    assert imported("def f():\n    import experiments.cli\n    from agents import x") == {"experiments", "agents"}
    assert imported("from . import x") == {"a relative import"}
