"""Everything that a report published, recomputed from its raw files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.collect.errors import ReportError
from experiments.report.write import ReportFiles, remade
from experiments.verify.provenance import Record, read_record

_TEXTS = (".html", ".csv", ".md", ".tex", ".svg")


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        problems: One line each, raw files first; empty if everything holds.
        notes: What could not be compared, and why.
        raw_files: How many raw files were read.
        rows: How many of their rows.
        published: How many published files were compared with what the raw files give.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    raw_files: int
    rows: int
    published: int


def verify(folder: Path) -> Verification:
    """Recompute a report from its raw files and compare.

    Three witnesses must agree: the raw files, the table of their rows that was published with them, and the record of
    digests; and every published text must be the one that the raw files give today.

    Args:
        folder: Holds the record, `provenance.json`: the study's folder, or `NAME_files/` of a page elsewhere.

    Raises:
        ReportError: There is no record, or one that cannot be read.
    """
    record = read_record(folder)
    problems = list(_raw_problems(folder, record))
    files = _remade(folder, record, problems)
    if files is None:
        return Verification(tuple(problems), (), len(record.raw), 0, 0)
    problems += _row_problems(folder, files)
    found, notes = _published_problems(folder, record, files)
    return Verification(
        tuple(problems + found), tuple(notes), len(record.raw), files.table.num_rows, len(record.published)
    )


def _raw_problems(folder: Path, record: Record) -> Iterator[str]:
    for name, digest in record.raw.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            yield f"{name}: cannot be read ({error.strerror}), but the report was made from it"
            continue
        line = digest.first_difference(content)
        if line is not None:
            row = f"line {line}" + (f" (row {line - 1})" if name.endswith(".csv") and line > 1 else "")
            yield f"{name}: {row} is not what it was when the report was made"


def _remade(folder: Path, record: Record, problems: list[str]) -> ReportFiles | None:
    try:
        return remade(folder, record)
    except ReportError as error:
        problems.append(f"the report cannot be made again: {error}")
        return None
