"""The record of a report: which raw files it read, which files it wrote, each with its digest."""

import base64
import hashlib
import platform
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from agents.files import read_json
from experiments.collect.errors import ReportError

RECORD = "provenance.json"
_FORMAT = 1
# What can change the last digits of a number, or the drawing of a figure.
_LIBRARIES = ("numpy", "matplotlib", "pyarrow")


@dataclass(frozen=True)
class Digest:
    """What a file was.

    Attributes:
        sha256: Of its bytes, in hexadecimal digits.
        lines: CRC-32 of each line, its end left out: they tell which line of a damaged file differs.
    """

    sha256: str
    lines: tuple[int, ...]

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the digest of a file's content."""
        return cls(hashlib.sha256(content).hexdigest(), tuple(zlib.crc32(line) for line in content.split(b"\n")))

    def first_difference(self, content: bytes) -> int | None:
        """Return the number, from 1, of the first line that differs; None if the content is the same.

        Args:
            content: The file's bytes of today.
        """
        today = Digest.of(content)
        if today.sha256 == self.sha256:
            return None
        pairs = zip(self.lines, today.lines, strict=False)
        shorter = min(len(self.lines), len(today.lines))
        return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), shorter + 1)


@dataclass(frozen=True)
class Record:
    """What one report read and wrote; paths are relative to the folder of the record.

    Attributes:
        command: The command that the page shows as its own.
        versions: Of Python and of the libraries that compute and draw.
        raw: Digests of the raw files.
        published: SHA-256 of the files that the report wrote.
    """

    command: str
    versions: Mapping[str, str]
    raw: Mapping[str, Digest]
    published: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "format": _FORMAT,
            "command": self.command,
            "versions": dict(self.versions),
            "raw": {name: {"sha256": raw.sha256, "lines": _packed(raw.lines)} for name, raw in self.raw.items()},
            "published": dict(self.published),
        }


def make_record(folder: Path, command: str, raw: Iterable[Path], published: Mapping[str, bytes]) -> Record:
    """Return the record of a report.

    Args:
        folder: Where the record will lie; the raw files lie in it or below.
        command: The command that the page shows as its own.
        raw: The files that were read.
        published: Contents of the files that are written, by path relative to the folder.

    Raises:
        OSError: A raw file cannot be read.
    """
    digests = {path.relative_to(folder).as_posix(): Digest.of(path.read_bytes()) for path in sorted(set(raw))}
    written = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(published.items())}
    return Record(command, current_versions(), digests, written)


def read_record(folder: Path) -> Record:
    """Read a report's record.

    Raises:
        ReportError: There is none, or it is damaged or of another format.
    """
    path = folder / RECORD
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise ReportError(
            f"{folder} holds no {RECORD}: only what `python -m experiments report` has written can be verified"
        ) from None
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read: {error}") from error
    if content.get("format") != _FORMAT:
        raise ReportError(f"{path} has format {content.get('format')!r}; this version reads {_FORMAT}")
    try:
        raw = {name: Digest(entry["sha256"], _unpacked(entry["lines"])) for name, entry in content["raw"].items()}
        return Record(content["command"], dict(content["versions"]), raw, dict(content["published"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{path} is damaged ({type(error).__name__}: {error}): make the report again") from error


def current_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute and draw."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _packed(numbers: Iterable[int]) -> str:
    return base64.b85encode(np.fromiter(numbers, dtype="<u4").tobytes()).decode()


def _unpacked(text: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(base64.b85decode(text), dtype="<u4").tolist())
