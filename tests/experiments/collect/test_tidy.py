"""The tidy table gives back what was put in, run by run and row by row."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.collect.collection import Collection, Run, collect
from experiments.collect.errors import ReportError
from experiments.collect.evaluations import Evaluations
from experiments.collect.tidy import is_collected, read_table, table_bytes, write_table
from tests.experiments.synthetic import SyntheticStudy


def same(a: object, b: object) -> bool:
    if isinstance(a, Evaluations):
        return all(
            np.array_equal(getattr(a, one.name), getattr(b, one.name), equal_nan=True) for one in fields(Evaluations)
        )
    return a == b


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    study = SyntheticStudy(tmp_path / "study", seeds=2, steps=200, every=100)
    study.write_plan()
    study.write_run("relu", 0, [1, 2, 3])
    study.write_run("relu", 1, [float("nan")], state="diverged", cause="NaN in the critic")
    study.write_run("swim", 0, [], state="failed", cause="disk")
    found = collect(study.folder)
    pieces = Evaluations(
        np.array([100.0, 200.0, 300.0]), np.array([1.0, np.nan, 3.0]), np.full((3, 5), np.nan),
        np.array([7, 2, 9]), np.array([1, 0, 1]),
    )  # fmt: skip
    foreign = Run(
        "Hopper-v4", "sac", "swim", 3, "done", pieces, returns_kind="training", source="a/x.csv",
        more_sources=("b/y.csv",), format="sb3",
    )  # fmt: skip
    return replace(found, runs=(*found.runs, foreign))


def test_a_collection_comes_back_as_it_was(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "collected.parquet"
    write_table(collection, path)
    back = read_table(path)
    assert (back.study, back.notes) == (collection.study, collection.notes)
    assert len(back.runs) == 5
    for mine, theirs in zip(collection.runs, back.runs, strict=True):
        for one in fields(Run):
            assert same(getattr(mine, one.name), getattr(theirs, one.name)), one.name
    assert table_bytes(back) == path.read_bytes()


def test_every_row_names_its_file_and_place(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "collected.parquet"
    write_table(collection, path)
    rows = pq.read_table(path).to_pylist()
    first = {key: rows[1][key] for key in ("arm", "seed", "source", "source_row", "step_env", "return_undiscounted")}
    assert first == {
        "arm": "relu", "seed": 0, "source": "Hopper-v5/td3/relu/seed-0/evaluations.csv", "source_row": 3,
        "step_env": 100.0, "return_undiscounted": 2.0,
    }  # fmt: skip
    assert rows[1]["elapsed_s"] == pytest.approx(0.2)
    assert [(row["source"], row["source_row"]) for row in rows[-3:]] == [("b/y.csv", 7), ("a/x.csv", 2), ("b/y.csv", 9)]
    lost = [row for row in rows if row["state"] == "failed"]
    assert [(row["step_env"], row["cause"]) for row in lost] == [(None, "disk")]


def test_what_is_no_such_table_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "collected.parquet"
    for content in (b"", b"PAR1 rubbish"):
        path.write_bytes(content)
        assert not is_collected(path)
        with pytest.raises(ReportError, match="is no table of collected runs that can be read") as caught:
            read_table(path)
        assert "\n" not in str(caught.value)
    assert not is_collected(tmp_path / "missing.parquet")
    assert not is_collected(tmp_path / "table.csv")
