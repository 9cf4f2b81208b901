"""Builds the native kernels into the package where there is a C compiler; without one the package is pure Python."""

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCE = Path("rl_acts", "_kernels.c")
_LIBRARY = Path("rl_acts", "libkernels.so")

# No -ffast-math and no contraction: each instruction set is to compute the same bits.
_FLAGS = "-O3 -std=c11 -fPIC -fvisibility=hidden -fno-math-errno -fno-trapping-math -ffp-contract=off"
_X86 = {
    "avx512": "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512",
    "avx2": "-mavx2 -mfma",
}


class KernelHook(BuildHookInterface):
    """Runs for wheels and for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the library, and make the wheel one of this platform if that worked."""
        root = Path(self.root)
        try:
            _build(root)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            # One of an earlier build; where it cannot be removed, the package will refuse it.
            with suppress(OSError):
                (root / _LIBRARY).unlink(missing_ok=True)
            said = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"rl_acts: built without native kernels, {said.strip()}")
            return
        build_data["artifacts"].append(_LIBRARY.as_posix())
        build_data["pure_python"] = False
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        # It is called through ctypes, so one library serves every version of Python.
        build_data["tag"] = f"py3-none-{tag}"


def _build(root: Path) -> None:
    """Put the library into the package, whole or not at all.

    Raises:
        OSError: There is no compiler, its result cannot be loaded here, or the package's folder cannot be written.
        ValueError: CC is no command.
        subprocess.CalledProcessError: The compiler refuses.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    digest = hashlib.sha256((root / _SOURCE).read_bytes()).hexdigest()
    sets = _X86 if platform.machine() in ("x86_64", "AMD64") else {"default": ""}
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for name, flags in sets.items():
            # The digest stands in one of the objects.
            source = () if objects else (f'-DSOURCE="{digest}"',)
            objects.append(str(Path(folder, f"{name}.o")))
            given = [*shlex.split(_FLAGS), *flags.split(), f"-DISA={name}", *source]
            _run([*compiler, *given, "-c", "-o", objects[-1], str(root / _SOURCE)])
        library = Path(folder, "kernels.so")
        _run([*compiler, "-shared", "-o", str(library), *objects])
        ctypes.CDLL(str(library))
        # Somebody may be loading the one before, or building too.
        arriving = (root / _LIBRARY).with_suffix(f".{os.getpid()}")
        arriving.write_bytes(library.read_bytes())
        arriving.replace(root / _LIBRARY)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - the compiler
