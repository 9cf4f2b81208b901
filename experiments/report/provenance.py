"""The record of a report: which raw files it read, which files it wrote, each with its digest."""

import base64
import hashlib
import json
import os
import platform
import zlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError, field_validator

from agents.files import read_json
from agents.run_folder import DIAGNOSTICS_FILE, EVALUATIONS_FILE, RUN_FILE, SHAPES_FILE
from experiments.collect.bench import BENCH_FILE
from experiments.collect.collection import Collection, run_folder
from experiments.collect.errors import ReportError, first_problem
from experiments.report.outputs import Outputs
from experiments.study_folder import STUDY_FILE

RECORD = "provenance.json"
_FORMAT = 1
# What can change the last digits of a number, or the drawing of a figure.
_LIBRARIES = ("numpy", "matplotlib", "pyarrow")
# Of a run's folder, what a report reads.
_RAW_FILES = (EVALUATIONS_FILE, RUN_FILE, DIAGNOSTICS_FILE, SHAPES_FILE)


class Digest(BaseModel):
    """What a file was.

    Attributes:
        sha256: Of its bytes, in hexadecimal digits.
        lines: CRC-32 of each line, its end left out, in base 85: they tell which line of a damaged file differs.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    sha256: str
    lines: str

    @field_validator("lines")
    @classmethod
    def _readable(cls, lines: str) -> str:
        _unpacked(lines)
        return lines

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the digest of a file's content."""
        return cls(sha256=sha256(content), lines=_packed(zlib.crc32(line) for line in content.split(b"\n")))

    def first_difference(self, content: bytes) -> int | None:
        """Return the number, from 1, of the first line that differs; None if the content is the same.

        Args:
            content: The file's bytes of today.
        """
        if sha256(content) == self.sha256:
            return None
        lines = _unpacked(self.lines), _unpacked(Digest.of(content).lines)
        shorter = min(map(len, lines))
        pairs = zip(*lines, strict=False)
        return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), shorter + 1)


class Record(BaseModel):
    """What one report read and wrote; paths are relative to the folder of the record.

    Attributes:
        format: Of the record's file.
        command: The command that the page shows as its own.
        page: The page.
        study: The study's folder; None where the runs came from elsewhere.
        formats: Of the figures' files.
        versions: Of Python and of the libraries that compute and draw.
        raw: Digests of the study's files that were read.
        published: SHA-256 of the page and of the files that the report wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = _FORMAT
    command: StrictStr
    page: StrictStr
    study: StrictStr | None
    formats: tuple[Literal["png", "svg", "pdf"], ...]
    versions: dict[StrictStr, StrictStr]
    raw: dict[StrictStr, Digest]
    published: dict[StrictStr, StrictStr]


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
    raw: dict[str, Digest] = {}
    try:
        for path in raw_files(*study) if study is not None else ():
            raw[name_in(places.folder, path)] = Digest.of(path.read_bytes())
    except OSError as error:
        raise ReportError(f"{error.filename} cannot be read: {error.strerror}") from error
    page_name = name_in(places.folder, places.page)
    written = {page_name: page, **dict(sorted(files.items()))}
    record = Record.model_validate(
        {
            "command": command,
            "page": page_name,
            "study": None if study is None else name_in(places.folder, study[0]),
            "formats": dict.fromkeys(name.rpartition(".")[2] for name in files if name.startswith("figures/")).keys(),
            "versions": current_versions(),
            "raw": raw,
            "published": {name: sha256(content) for name, content in written.items()},
        }
    )
    return (json.dumps(record.model_dump(), indent=1) + "\n").encode()


def name_in(folder: Path, path: Path) -> str:
    """How a record in this folder calls a file."""
    return Path(os.path.relpath(path, folder)).as_posix()


def sha256(content: bytes) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


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
        return Record.model_validate(content)
    except ValidationError as error:
        raise ReportError(f"{path} is damaged ({first_problem(error)}): make the report again") from error


def current_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute and draw."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _packed(numbers: Iterable[int]) -> str:
    return base64.b85encode(np.fromiter(numbers, dtype="<u4").tobytes()).decode()


def _unpacked(text: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(base64.b85decode(text), dtype="<u4").tolist())
