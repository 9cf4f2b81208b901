"""Everything that a report published, recomputed from its raw files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.analysis import analyse
from experiments.collect.collection import Collection, collect
from experiments.collect.discover import COLLECTED_FILE
from experiments.collect.errors import ReportError
from experiments.collect.tidy import read_table, to_table
from experiments.report.outputs import Outputs
from experiments.report.provenance import RECORD, Record, current_versions, name_in, raw_files, read_record, sha256
from experiments.report.write import report_files
from experiments.study_folder import STUDY_FILE
from experiments.verify.contradictions import contradictions
from experiments.verify.row_diff import first_row_difference
from experiments.verify.text_diff import first_difference

_DRAWN = (".svg", ".png", ".pdf")
_MOST_NOTES = 5
# As in `source_row` of the published table, a row of a CSV file is counted with the header.
_LINES = {".csv": "row", ".json": "line"}


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes:
        problems: One line each, raw files first; empty if everything holds.
        notes: What could not be compared, and why.
        raw_files: How many raw files have a digest in the record.
        rows: How many evaluations they hold today.
        published: How many published files were compared with what the raw files give.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    raw_files: int
    rows: int
    published: int


def verify(folder: Path) -> Verification:
    """Recompute a report from its raw files and compare.

    Three witnesses must agree: the raw files, the table of their rows that was published with them
    (`collected.parquet`), and the record of digests (`provenance.json`); and every published file must be the one that
    the raw files give today. The runs of `compare` came from anywhere, so there the published table stands in for the
    raw files.

    Args:
        folder: Holds the record: the study's folder, or `NAME_files/` of a page elsewhere.

    Raises:
        ReportError: There is no record, or one that cannot be read.
    """
    record = read_record(folder)
    problems: list[str] = list(_raw_problems(folder, record))
    notes: list[str] = []
    try:
        collection = _collection(folder, record)
        today = to_table(collection)
        if record.study is None:
            notes.append(f"the raw files lie elsewhere: everything is recomputed from {COLLECTED_FILE}")
        else:
            problems += _unrecorded(folder, folder / record.study, record, collection)
            problems += _row_problems(folder, folder / record.study, collection, today)
        found, unseen, compared = _published_problems(folder, record, collection)
    except ReportError as error:
        problems.append(f"the report cannot be made again: {error}")
        return Verification(tuple(problems), tuple(notes), len(record.raw), 0, 0)
    if problems or found:
        # What reading the files found odd may well be the cause.
        unseen += [f"{note} (said when the files were read)" for note in collection.notes[:_MOST_NOTES]]
    rows = today.num_rows - today["step_env"].null_count
    return Verification(tuple(problems + found), tuple(notes + unseen), len(record.raw), rows, compared)


def _raw_problems(folder: Path, record: Record) -> Iterator[str]:
    for name, digest in record.raw.items():
        try:
            content = (folder / name).read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            yield f"{name}: cannot be read ({reason}), but the report was made from it"
            continue
        line = digest.first_difference(content)
        if line is not None:
            place = next((f"{word} {line} " for ending, word in _LINES.items() if name.endswith(ending)), "")
            yield f"{name}: {place}is not what it was when the report was made"


def _collection(folder: Path, record: Record) -> Collection:
    if record.study is not None:
        return collect(folder / record.study)
    if (folder / STUDY_FILE).exists():
        raise ReportError(f"{RECORD} says that the runs came from elsewhere, but {STUDY_FILE} lies beside it")
    return read_table(folder / COLLECTED_FILE)


def _unrecorded(folder: Path, study: Path, record: Record, collection: Collection) -> Iterator[str]:
    """Say which raw files have no digest, so that nobody could tell whether they were altered."""
    for path in raw_files(study, collection):
        name = name_in(folder, path)
        if name not in record.raw:
            yield f"{name}: was read, and {RECORD} has no digest of it"


def _row_problems(folder: Path, study: Path, collection: Collection, today: pa.Table) -> Iterator[str]:
    try:
        said = first_row_difference(pq.read_table(folder / COLLECTED_FILE), today)
    except (OSError, pa.ArrowException) as error:
        said = f"{COLLECTED_FILE}: cannot be read ({' '.join(str(error).split())})"
    if said is not None:
        yield said
    for run in collection.runs:
        if run.source:
            yield from contradictions(study / run.source, name_in(folder, study / run.source))


def _published_problems(folder: Path, record: Record, collection: Collection) -> tuple[list[str], list[str], int]:
    """Return problems, notes, and how many files were compared."""
    page, files = report_files(
        analyse(collection), Outputs(folder / record.page, folder), record.command, record.formats
    )
    expected = {record.page: page, **files}
    same_library = record.versions.get("matplotlib") == current_versions()["matplotlib"]
    notes = []
    if not same_library:
        notes.append(
            f"figures are not compared: they were drawn with matplotlib {record.versions.get('matplotlib')}, here is "
            f"{current_versions()['matplotlib']}"
        )
    problems = [f"{name}: would be published today and is not" for name in expected.keys() - record.published.keys()]
    compared = 0
    for name, digest in record.published.items():
        as_published = name == COLLECTED_FILE or (name.endswith(_DRAWN) and not same_library)
        compared += not as_published
        problem = _file_problem(folder, name, digest, None if as_published else expected)
        if problem is not None:
            problems.append(problem)
    return problems, notes, compared


def _file_problem(folder: Path, name: str, digest: str, expected: Mapping[str, bytes] | None) -> str | None:
    """Say how a file differs from what is expected; without that, from what was published."""
    if expected is not None and name not in expected:
        return f"{name}: was published, and the raw files do not give it"
    try:
        content = (folder / name).read_bytes()
    except (OSError, ValueError) as error:
        return f"{name}: cannot be read ({error}), but was published"
    untouched = sha256(content) == digest
    if expected is None:
        return None if untouched else f"{name}: is not the file that was published"
    if name.endswith((".png", ".pdf")):
        same = content == expected[name]
        return None if same else f"{name}: is not the figure that the raw files give"
    # A changed file is held to every digit; one as it was written may differ in the last ones on another processor.
    found = first_difference(_text(content), _text(expected[name]), exact=not untouched)
    if found is not None:
        return f"{name}: {found}"
    return None if untouched else f"{name}: {RECORD} has another digest for it"


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
