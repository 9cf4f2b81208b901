"""A report is verified, and whatever was altered afterwards is named: raw files, rows, numbers, digests."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.collect.errors import ReportError
from experiments.report import write_report
from experiments.report.provenance import RECORD, Digest, read_record
from experiments.verify import Verification, verify
from tests.experiments.synthetic import SyntheticStudy

RAW = "Hopper-v5/td3/swim/seed-1/evaluations.csv"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder with its report, not to be touched."""
    study = SyntheticStudy(tmp_path_factory.mktemp("published") / "study", seeds=5)
    study.write_plan()
    draws = np.random.default_rng(0)
    for arm in study.arms:
        for seed in range(study.seeds):
            study.write_run(arm, seed, returns=list(10.0 * draws.random(5) + np.arange(5)))
    write_report(study.folder, formats=[])
    return study.folder


@pytest.fixture
def study(published: Path, tmp_path: Path) -> Path:
    """A copy to alter."""
    return Path(shutil.copytree(published, tmp_path / "study"))


def alter(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def alter_return(study: Path, row: int) -> tuple[float, float]:
    """Change the first digit of the mean return in a raw row; return the number as it was and as it is."""
    lines = (study / RAW).read_text().splitlines(keepends=True)
    fields = lines[row].split(",")
    column = lines[0].split(",").index("return_mean")
    old = fields[column]
    fields[column] = ("1" if old[0] != "1" else "2") + old[1:]
    lines[row] = ",".join(fields)
    (study / RAW).write_text("".join(lines))
    return float(old), float(fields[column])


def test_an_untouched_report_is_verified(published: Path) -> None:
    found = verify(published)
    assert found == Verification((), (), raw_files=1 + 10 * 2, rows=50, published=found.published)
    assert found.published > 20


def test_a_changed_byte_of_a_raw_file_is_named_by_file_and_row(study: Path) -> None:
    old, new = alter_return(study, 3)
    problems = verify(study).problems
    assert problems[0] == f"{RAW}: row 4 is not what it was when the report was made"
    assert problems[1] == f"{RAW}: row 4 has return_undiscounted {new}, published was {old}"
    # And every published number that rests on it.
    assert any(problem.startswith("tables/runs.csv: line") for problem in problems)


@pytest.mark.parametrize("name", [RAW, "Hopper-v5/td3/relu/seed-4/run.json", "study.json"])
def test_any_byte_of_any_raw_file_counts(study: Path, name: str) -> None:
    content = bytearray((study / name).read_bytes())
    place = len(content) // 2
    # A digit for a digit, a letter for a letter: the file stays readable.
    content[place] ^= 1
    (study / name).write_bytes(content)
    line = bytes(content[:place]).count(b"\n") + 1
    assert verify(study).problems[0].startswith(f"{name}: {'row' if name == RAW else 'line'} {line} is not")


def test_a_lost_raw_file_is_named(study: Path) -> None:
    (study / RAW).unlink()
    assert verify(study).problems[0] == (
        f"{RAW}: cannot be read (No such file or directory), but the report was made from it"
    )


def test_an_altered_row_is_named_even_with_its_digest_made_again(study: Path) -> None:
    old, new = alter_return(study, 2)
    record = json.loads((study / RECORD).read_text())
    content = (study / RAW).read_bytes()
    digest = Digest.of(content)
    record["raw"][RAW]["sha256"] = digest.sha256
    lines = np.array([zlib.crc32(line) for line in content.split(b"\n")], dtype="<u4")
    record["raw"][RAW]["lines"] = base64.b85encode(lines.tobytes()).decode()
    (study / RECORD).write_text(json.dumps(record))
    assert read_record(study).raw[RAW] == digest
    assert verify(study).problems[0] == (f"{RAW}: row 3 has return_undiscounted {new}, published was {old}")


def test_an_altered_row_is_told_by_the_numbers_where_the_table_was_altered_too(study: Path) -> None:
    old, new = alter_return(study, 4)
    table = pq.read_table(study / "collected.parquet")
    values = [new if value == old else value for value in table["return_undiscounted"].to_pylist()]
    index = table.column_names.index("return_undiscounted")
    pq.write_table(table.set_column(index, table.field(index), pa.array(values)), study / "collected.parquet")
    record = json.loads((study / RECORD).read_text())
    record["raw"] = {}
    (study / RECORD).write_text(json.dumps(record))
    assert any(problem.startswith("tables/runs.csv: line") for problem in verify(study).problems)


@pytest.mark.parametrize("digest_too", [False, True])
@pytest.mark.parametrize("ending", ["csv", "md", "tex"])
def test_an_altered_published_number_is_named(study: Path, ending: str, digest_too: bool) -> None:
    name = next(path.relative_to(study).as_posix() for path in sorted(study.glob(f"tables/scores*.{ending}")))
    text = (study / name).read_text(encoding="utf-8")
    # A digit of the table's first number with a point.
    place = next(found.end() - 1 for found in re.finditer(r"\d+\.\d", text))
    line = text.count("\n", 0, place) + 1
    altered = text[:place] + ("9" if text[place] != "9" else "8") + text[place + 1 :]
    (study / name).write_text(altered, encoding="utf-8")
    if digest_too:
        record = json.loads((study / RECORD).read_text())
        record["published"][name] = hashlib.sha256(altered.encode()).hexdigest()
        (study / RECORD).write_text(json.dumps(record))
    (problem,) = verify(study).problems
    assert problem.startswith(f"{name}: line {line}: published ")
    assert ", recomputed " in problem


def test_an_altered_sentence_of_the_page_is_named(study: Path) -> None:
    alter(study / "report.html", "established", "proven")
    (problem,) = verify(study).problems
    assert problem.startswith("report.html: line ")
    assert "proven" in problem


def test_a_change_of_a_last_digit_counts_in_a_file_that_was_touched(study: Path) -> None:
    path = study / "tables" / "runs.csv"
    lines = path.read_text().splitlines(keepends=True)
    digits = [place for place, letter in enumerate(lines[1]) if letter.isdigit()]
    full = next(word for word in lines[1].strip().split(",") if len(word) > 15)
    end = lines[1].index(full) + len(full) - 1
    assert end in digits
    lines[1] = lines[1][:end] + ("1" if full[-1] != "1" else "2") + lines[1][end + 1 :]
    path.write_text("".join(lines))
    (problem,) = verify(study).problems
    assert problem.startswith("tables/runs.csv: line 2: ")


def test_other_versions_of_the_drawing_library_are_noted(study: Path) -> None:
    record = json.loads((study / RECORD).read_text())
    record["versions"]["matplotlib"] = "0.1"
    (study / RECORD).write_text(json.dumps(record))
    found = verify(study)
    assert found.problems == ()
    assert found.notes[0].startswith("figures are not compared: they were drawn with matplotlib 0.1, here is ")


def test_a_page_elsewhere_is_verified_by_its_own_folder(study: Path, tmp_path: Path) -> None:
    write_report(study, tmp_path / "pages" / "one.html", formats=[])
    folder = tmp_path / "pages" / "one_files"
    assert verify(folder).problems == ()
    alter(tmp_path / "pages" / "one.html", "established", "proven")
    assert verify(folder).problems[0].startswith("../one.html: line ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ('{"format": 7}', "has format 7; this version reads 1"),
        ('{"format": 1, "command": 7}', "is damaged (command: Input should be a valid string)"),
        ('{"format": 1, "raw": {}}', "is damaged (command: Field required)"),
    ],
)
def test_a_damaged_record_is_one_error(study: Path, content: str, said: str) -> None:
    (study / RECORD).write_text(content)
    with pytest.raises(ReportError, match=re.escape(said)):
        verify(study)


def test_the_command_says_it_and_exits_by_it(study: Path, tmp_path: Path) -> None:
    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "experiments", "verify", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    well = run(study)
    assert (well.returncode, well.stderr) == (0, "")
    assert f"verified  {study}: 21 raw files, 50 evaluations, " in well.stdout
    alter_return(study, 3)
    badly = run(study)
    assert badly.returncode == 1
    assert f"differs   {RAW}: row 4 is not what it was" in badly.stdout
    nothing = run(tmp_path)
    assert nothing.returncode == 2
    assert "provenance.json" in nothing.stderr


def test_measurements_beside_the_curves_are_raw_files_too(tmp_path: Path) -> None:
    study = SyntheticStudy(tmp_path / "study", arms=("relu",), seeds=1)
    study.fill({"relu": [1.0]})
    measured = study.run_folder("relu", 0) / "diagnostics.csv"
    measured.write_text("step,network,layer,name,value\n1000,actor,layer1,dead_share,0.5\n")
    bench = study.folder / "bench_arms.json"
    bench.write_text('{"groups": []}\n')
    write_report(study.folder, formats=[])
    assert verify(study.folder).problems == ()
    alter(measured, "0.5", "0.6")
    alter(bench, "[]", "[ ]")
    problems = verify(study.folder).problems
    assert "Hopper-v5/td3/relu/seed-0/diagnostics.csv: row 2 is not what it was when the report was made" in problems
    assert any(problem.startswith("bench_arms.json: ") for problem in problems)
    assert any(problem.startswith("tables/diagnostics.csv") for problem in problems)


def change_record(folder: Path, **changes: object) -> None:
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, **changes}))


def test_a_raw_file_without_a_digest_is_named(study: Path) -> None:
    raw = json.loads((study / RECORD).read_text())["raw"]
    change_record(study, raw={name: entry for name, entry in raw.items() if name != RAW})
    assert verify(study).problems == (f"{RAW}: was read, and provenance.json has no digest of it",)


def test_the_record_cannot_deny_the_study_beside_it(study: Path) -> None:
    change_record(study, study=None)
    (problem,) = verify(study).problems
    assert problem.endswith("provenance.json says that the runs came from elsewhere, but study.json lies beside it")


def test_the_record_cannot_name_another_study(study: Path, published: Path) -> None:
    change_record(study, study=str(published))
    assert any("has no digest of it" in problem for problem in verify(study).problems)


def test_an_altered_episode_contradicts_its_mean(study: Path) -> None:
    lines = (study / RAW).read_text().splitlines(keepends=True)
    fields = lines[2].split(",")
    fields[lines[0].split(",").index("episode_return_1")] = "123.0"
    lines[2] = ",".join(fields)
    (study / RAW).write_text("".join(lines))
    content = (study / RAW).read_bytes()
    raw = json.loads((study / RECORD).read_text())["raw"]
    packed = np.array([zlib.crc32(line) for line in content.split(b"\n")], dtype="<u4").tobytes()
    raw[RAW] = {"sha256": hashlib.sha256(content).hexdigest(), "lines": base64.b85encode(packed).decode()}
    change_record(study, raw=raw)
    (problem,) = verify(study).problems
    assert problem.startswith(f"{RAW}: row 3 has return_mean ")


def test_figures_of_another_library_are_still_those_that_were_published(study: Path) -> None:
    write_report(study, formats=["svg"])
    record = json.loads((study / RECORD).read_text())
    change_record(study, versions={**record["versions"], "matplotlib": "0.1"})
    assert verify(study).problems == ()
    one, other, *_ = sorted(study.glob("figures/*.svg"))
    one.write_text("nothing")
    other.unlink()
    problems = verify(study).problems
    assert problems[0] == f"figures/{one.name}: is not the file that was published"
    assert problems[1].startswith(f"figures/{other.name}: cannot be read")


def test_the_table_itself_must_be_the_one_that_was_published(study: Path) -> None:
    table = pq.read_table(study / "collected.parquet")
    pq.write_table(table.replace_schema_metadata({b"rl_acts.notes": b"[]"}), study / "collected.parquet")
    assert verify(study).problems == ("collected.parquet: is not the file that was published",)
    index = table.column_names.index("workers")
    other = table.set_column(index, "workers", table["workers"].cast(pa.int32()))
    pq.write_table(other, study / "collected.parquet")
    assert verify(study).problems[0] == "the published table has workers as int32, the raw files give int64"


def test_a_run_that_nobody_planned_is_mentioned(study: Path) -> None:
    shutil.copytree(study / "Hopper-v5/td3/swim/seed-1", study / "Hopper-v5/td3/swim/seed-9")
    found = verify(study)
    assert found.problems
    assert any("seed-9" in note for note in found.notes)
