"""The build: with a C compiler a wheel of this platform that holds the native kernels, without one a pure wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
LIBRARY = "rl_acts/libkernels.so"


def built(folder: Path, compiler: str) -> tuple[zipfile.ZipFile, str]:
    """Build a wheel in a copy of what the build reads; return it and what the build said."""
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "rl_acts", folder / "rl_acts", ignore=shutil.ignore_patterns("__pycache__", "libkernels*"))
    ran = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=folder,
        env={**os.environ, "CC": compiler},
        capture_output=True,
        text=True,
        check=True,
    )
    (wheel,) = (folder / "dist").glob("*.whl")
    return zipfile.ZipFile(wheel), ran.stdout + ran.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_wheel_with_kernels(tmp_path: Path) -> None:
    wheel, said = built(tmp_path, "cc")
    if torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"}:
        pytest.skip("whether kernels are built for this processor is not known")
    assert Path(str(wheel.filename)).name.endswith("-py3-none-linux_x86_64.whl")
    assert LIBRARY in wheel.namelist()
    assert "rl_acts/_kernels.c" in wheel.namelist()
    assert "without native kernels" not in said
    # What is in the wheel works where it is unpacked, in a package that has not been imported from here.
    wheel.extractall(tmp_path / "installed")
    code = "import rl_acts; print(rl_acts.native_kernels(), rl_acts.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "RL_ACTS_KERNELS": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "installed",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["1", str(tmp_path / "installed" / "rl_acts" / "__init__.py")]


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_a_wheel_without_kernels(tmp_path: Path, compiler: str) -> None:
    wheel, said = built(tmp_path, compiler)
    assert Path(str(wheel.filename)).name.endswith("-py3-none-any.whl")
    assert LIBRARY not in wheel.namelist()
    assert "rl_acts: built without native kernels" in said
