"""The library of native kernels: there where it can be built, refused where it is not the one that belongs here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import rl_acts
from rl_acts import _kernels
from rl_acts._kernels import Kernels, kernels
from tests.rl_acts.kernel_cases import batch, needs_kernels

LIBRARY = Path(_kernels.__file__).with_name("libkernels.so")
SOURCE = Path(_kernels.__file__).with_name("_kernels.c")
ON_X86 = "avx512" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "avx2"


def test_they_are_there_where_they_can_be_built() -> None:
    capable = torch.backends.cpu.get_cpu_capability() in {"AVX512", "AVX2"}
    if not capable or shutil.which("cc") is None:
        pytest.skip("no compiler, or a processor that has no kernels")
    assert os.environ.get("RL_ACTS_KERNELS") == "0" or kernels.instruction_set == ON_X86
    assert rl_acts.native_kernels() == ("none" if kernels.instruction_set is None else "1")


def names_of_versions(**environment: str) -> str:
    code = "import rl_acts; print(rl_acts.native_kernels())"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_the_environment_variable_does_without_them() -> None:
    assert names_of_versions(RL_ACTS_KERNELS="0") == "none"
    assert names_of_versions(RL_ACTS_KERNELS="1") == names_of_versions(RL_ACTS_KERNELS="")


@needs_kernels
def test_a_library_of_another_source_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "_kernels.c"
    changed.write_bytes(SOURCE.read_bytes() + b"\n")
    with pytest.warns(RuntimeWarning, match=r"is not used: it was built from another _kernels\.c\. Activations go"):
        assert Kernels(LIBRARY, changed).instruction_set is None


def test_a_damaged_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "libkernels.so").write_bytes(b"no library")
    with pytest.warns(RuntimeWarning, match=r"libkernels\.so is not used: .*Activations go without"):
        assert Kernels(tmp_path / "libkernels.so", SOURCE).instruction_set is None
    if LIBRARY.exists():
        with pytest.warns(RuntimeWarning, match=r"is not used: .*No such file"):
            assert Kernels(LIBRARY, tmp_path / "_kernels.c").instruction_set is None


def test_no_library_and_an_older_processor_are_no_reason_to_warn(tmp_path: Path) -> None:
    assert Kernels(tmp_path / "libkernels.so", SOURCE).instruction_set is None
    if kernels.instruction_set in {"avx2", "avx512"}:
        older = Kernels(capability="DEFAULT")
        assert older.instruction_set is None
        assert not older.take("swim", batch(), (0.7,))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_source_has_no_warnings(tmp_path: Path) -> None:
    if kernels.instruction_set not in {"avx2", "avx512"}:
        pytest.skip("the flags are those of another processor")
    warn = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion"]
    command = ["cc", "-std=c11", "-O3", *warn, "-mavx2", "-mfma", "-DISA=avx2", "-c", "-o", str(tmp_path / "kernels.o")]
    assert subprocess.run([*command, str(SOURCE)], capture_output=True, text=True, check=True).stderr == ""
