"""Diagnostics in a run's folder: numbers in ``diagnostics.csv``, learnt shapes in ``shapes.npz``.

``diagnostics.csv`` has a row for each number: step, network (``actor``, ``q1``, ``q2``), layer (``layer1``, ...,
``output``, ``all``), name, value. ``shapes.npz`` holds one curve for each step S at which a layer's learnt activation
was drawn: ``step`` (S,), ``network`` (S,), ``layer`` (S,), ``x`` (S, points), ``y`` (S, points), the mean over the
layer's outputs, and ``low`` and ``high`` (S, points), the smallest and the largest of them.
"""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import CheckpointError
from agents.config import AUTO
from agents.files import write_bytes_atomically
from agents.run_folder import DIAGNOSTICS_FILE, SHAPES_FILE
from rl_acts.diagnostics import Measured

_HEADER = "step,network,layer,name,value\n"
_TEXTS = ("network", "layer")
# On a CPU a measurement takes less than one percent of so many steps (`python -m experiments bench diagnostics`). On a
# GPU so many steps of small networks take seconds, of which it would be a large part.
EVERY_ON_CPU = 25_000


def interval(every: int | str | None, device: torch.device) -> int | None:
    """Return the environment steps between measurements, None for none, from what a run's configuration says."""
    if every == AUTO:
        return EVERY_ON_CPU if device.type == "cpu" else None
    return None if every is None else int(every)


_CURVES = ("x", "y", "low", "high")


def keep_until(folder: Path, step: int) -> None:
    """Remove what belongs to later steps, which will be measured again, and a last line that a kill has torn.

    Args:
        folder: Of the run.
        step: At which it was measured last, by the checkpoint; 0 for never.

    Raises:
        CheckpointError: There is nothing of that step, or the shapes cannot be read.
    """
    path = folder / DIAGNOSTICS_FILE
    if not step:
        path.unlink(missing_ok=True)
        (folder / SHAPES_FILE).unlink(missing_ok=True)
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines[1:] if line.endswith("\n")]
    kept = [line for line in whole if int(line.partition(",")[0]) <= step]
    if not kept or int(kept[-1].partition(",")[0]) != step:
        raise CheckpointError(f"{path} has no numbers of step {step}, of which the checkpoint speaks.")
    write_bytes_atomically(path, "".join([_HEADER, *kept]).encode())
    shapes = _read_shapes(folder / SHAPES_FILE)
    if shapes is not None:
        early = shapes["step"] <= step
        _write_shapes(folder / SHAPES_FILE, {name: values[early] for name, values in shapes.items()})


class DiagnosticsWriter:
    """Appends measurements to a run's files, each safely on the disk before training goes on.

    Files that are there are gone on with.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._shapes_path = folder / DIAGNOSTICS_FILE, folder / SHAPES_FILE

    def append(self, step: int, diagnosis: Mapping[str, Measured]) -> None:
        """Append one measurement: the shapes first, so that numbers never speak of curves that are not there.

        Args:
            step: Environment steps so far.
            diagnosis: Of the run.
        """
        self._append_shapes(step, diagnosis)
        # repr of a Python float is the shortest text that reads back to the same number.
        lines = [
            f"{step},{network},{row.layer},{row.name},{row.value!r}\n"
            for network, measured in diagnosis.items()
            for row in measured.rows
        ]
        begin = not self._path.exists()
        with self._path.open("a", encoding="utf-8", newline="") as stream:
            stream.write("".join([_HEADER, *lines] if begin else lines))
            stream.flush()
            os.fsync(stream.fileno())

    def _append_shapes(self, step: int, diagnosis: Mapping[str, Measured]) -> None:
        places = [(network, layer) for network, measured in diagnosis.items() for layer in measured.shapes]
        if not places:
            return
        shapes = [diagnosis[network].shapes[layer] for network, layer in places]
        new: dict[str, NDArray[Any]] = {
            "step": np.full(len(places), step, dtype=np.int64),
            "network": np.array([network for network, _ in places]),
            "layer": np.array([layer for _, layer in places]),
            **{name: np.stack([getattr(shape, name).float().numpy() for shape in shapes]) for name in _CURVES},
        }
        old = _read_shapes(self._shapes_path)
        if old is not None:
            # A kill between the two files leaves curves of a step that is measured again.
            early = old["step"] < step
            new = {name: np.concatenate([old[name][early], values]) for name, values in new.items()}
        _write_shapes(self._shapes_path, new)


def _read_shapes(path: Path) -> dict[str, NDArray[Any]] | None:
    try:
        # From memory: of a damaged file NumPy would leave the handle open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return {name: stored[name] for name in ("step", *_TEXTS, *_CURVES)}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _write_shapes(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_bytes_atomically(path, stream.getvalue())
