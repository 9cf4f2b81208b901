"""A checkpoint on the disk: arrays in safetensors and NumPy files, and a manifest with their digests, written last.

A kill at any moment leaves the checkpoint that was there, or the new one: a new one's files go into a folder of their
own, then the manifest is replaced in one step, then the old folder is removed. Reading runs no code from the files.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from agents.files import read_json, write_json_atomically

MANIFEST_FILE = "manifest.json"
FORMAT = 2
_TENSORS_FILE = "tensors.safetensors"
_DATA = "data-"
_PIECE = 2**22


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, of another format, or not of what is to be continued."""


class _Digesting:
    """A stream to write to that keeps the SHA-256 of what went through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self._stream.write(content)


def write_checkpoint(
    folder: Path, facts: Mapping[str, Any], tensors: Mapping[str, Tensor], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a checkpoint in place of the one that is there.

    Args:
        folder: Made if missing.
        facts: Plain values for the manifest.
        tensors: By name, any device; one file holds them all.
        arrays: By name, a file for each; for what is large.

    Raises:
        OSError: The disk is full or cannot be written; the old checkpoint is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in folder.glob(f"{_DATA}*")}
    number = 1 + max(
        (int(name.removeprefix(_DATA)) for name in before if name.removeprefix(_DATA).isdecimal()), default=0
    )
    data = folder / f"{_DATA}{number}"
    data.mkdir()
    try:
        digests = {}
        content = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        digests[_TENSORS_FILE] = _write(data / _TENSORS_FILE, safetensors.torch.save(content))
        for name, array in arrays.items():
            digests[f"{name}.npy"] = _write(data / f"{name}.npy", array)
        _sync(data)
        write_json_atomically(folder / MANIFEST_FILE, {"format": FORMAT, "data": data.name, "sha256": digests, **facts})
        _sync(folder)
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    for name in before:
        shutil.rmtree(folder / name, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's manifest.

    Raises:
        CheckpointError: There is none, it cannot be read, or it has another format.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no checkpoint ({MANIFEST_FILE} is missing).") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {manifest.get('format')!r}; this version reads format {FORMAT}.")
    return manifest


def read_data(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, NDArray[Any]]]:
    """Return the tensors, on the CPU, and the arrays of a checkpoint.

    Raises:
        CheckpointError: A file is missing or not the one that the manifest speaks of.
    """
    data = folder / str(manifest["data"])
    for name, expected in manifest["sha256"].items():
        found = _digest(data / name)
        if found != expected:
            raise CheckpointError(f"{data / name} is damaged: its SHA-256 is {found}, expected {expected}.")
    tensors = safetensors.torch.load_file(data / _TENSORS_FILE)
    names = [name.removesuffix(".npy") for name in manifest["sha256"] if name.endswith(".npy")]
    return tensors, {name: np.load(data / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}


def _write(path: Path, content: bytes | NDArray[Any]) -> str:
    with path.open("wb") as stream:
        digesting = _Digesting(stream)
        if isinstance(content, bytes):
            digesting.write(content)
        else:
            np.lib.format.write_array(digesting, content, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())
    return digesting.digest.hexdigest()


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
