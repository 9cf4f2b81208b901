"""The record of a report: which raw files it read, which files it wrote, each with its digest."""

import base64
import hashlib
import json
import os
import platform
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from agents.files import read_json
from agents.run_folder import EVALUATIONS_FILE, RUN_FILE
from experiments.collect.bench import BENCH_FILE
from experiments.collect.collection import Collection, run_folder
from experiments.collect.errors import ReportError
from experiments.report.outputs import Outputs
from experiments.study_folder import STUDY_FILE

RECORD = "provenance.json"
_FORMAT = 1
# What can change the last digits of a number, or the drawing of a figure.
_LIBRARIES = ("numpy", "matplotlib", "pyarrow")
# Of a run's folder, what a report reads.
_RAW_FILES = (EVALUATIONS_FILE, RUN_FILE, "diagnostics.csv", "shapes.npz")


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
        page: The page.
        study: The study's folder; None where the runs came from elsewhere.
        formats: Of the figures' files.
        versions: Of Python and of the libraries that compute and draw.
        raw: Digests of the study's files that were read.
        published: SHA-256 of the page and of the files that the report wrote.
    """

    command: str
    page: str
    study: str | None
    formats: tuple[str, ...]
    versions: Mapping[str, str]
    raw: Mapping[str, Digest]
    published: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "format": _FORMAT,
            "command": self.command,
            "page": self.page,
            "study": self.study,
            "formats": list(self.formats),
            "versions": dict(self.versions),
            "raw": {name: {"sha256": raw.sha256, "lines": _packed(raw.lines)} for name, raw in self.raw.items()},
            "published": dict(self.published),
        }


def record_bytes(
    places: Outputs,
    page: bytes,
    files: Mapping[str, bytes],
    command: str,
    study: tuple[Path, Collection] | None = None,
) -> bytes:
    """Return the record's file for a report that is about to be written.

    Args:
        places: Where it is written.
        page: The page.
        files: Contents of the other files, by path below `places.folder`.
        command: The command that the page shows as its own.
        study: The study's folder and what was read from it; None where the runs came from elsewhere.

    Raises:
        ReportError: A raw file cannot be read any more.
    """

    def relative(path: Path) -> str:
        return Path(os.path.relpath(path, places.folder)).as_posix()

    raw: dict[str, Digest] = {}
    try:
        for path in raw_files(*study) if study is not None else ():
            raw[relative(path)] = Digest.of(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{error.filename} cannot be read: {error.strerror}") from error
    written = {relative(places.page): page, **dict(sorted(files.items()))}
    record = Record(
        command,
        relative(places.page),
        None if study is None else relative(study[0]),
        tuple(dict.fromkeys(name.rpartition(".")[2] for name in files if name.startswith("figures/"))),
        current_versions(),
        raw,
        {name: hashlib.sha256(content).hexdigest() for name, content in written.items()},
    )
    return (json.dumps(record.to_json(), indent=1) + "\n").encode()


def raw_files(study_dir: Path, collection: Collection) -> list[Path]:
    """The files of a study's folder that a report is made from."""
    folders = [run_folder(study_dir, (run.task, run.algorithm, run.arm, run.seed)) for run in collection.runs]
    paths = [folder / name for folder in folders for name in _RAW_FILES]
    return [study_dir / STUDY_FILE, *(path for path in (study_dir / BENCH_FILE, *paths) if path.is_file())]


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
        stored = _Stored.model_validate(content)
        raw = {name: Digest(entry.sha256, _unpacked(entry.lines)) for name, entry in stored.raw.items()}
    except ValueError as error:
        reason = _problem_text(error) if isinstance(error, ValidationError) else str(error)
        raise ReportError(f"{path} is damaged ({reason}): make the report again") from error
    return Record(stored.command, stored.page, stored.study, stored.formats, stored.versions, raw, stored.published)


class _StoredDigest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    sha256: str
    lines: str


class _Stored(BaseModel):
    """The record as it lies in its file."""

    model_config = ConfigDict(extra="forbid")

    format: int
    command: StrictStr
    page: StrictStr
    study: StrictStr | None
    formats: tuple[Literal["png", "svg", "pdf"], ...]
    versions: dict[StrictStr, StrictStr]
    raw: dict[StrictStr, _StoredDigest]
    published: dict[StrictStr, StrictStr]


def _problem_text(error: ValidationError) -> str:
    """The first problem, with its place."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"


def current_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute and draw."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _packed(numbers: Iterable[int]) -> str:
    return base64.b85encode(np.fromiter(numbers, dtype="<u4").tobytes()).decode()


def _unpacked(text: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(base64.b85decode(text), dtype="<u4").tolist())
