"""Tables of many runs: columns guessed or given, rows counted, oddities named."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.collect.table_columns import columns_of, read_map, read_where
from experiments.collect.table_file import TableChoice, TableRun, read_table_runs
from experiments.problems import InputError

TEXT = "env,agent,act,run,Steps,Score\nHopper-v4,TD3,swim,0,0,1\nHopper-v4,TD3,swim,0,100,2\nHopper-v4,TD3,relu,1,0,5\n"


def read(path: Path, *entries: str, where: tuple[str, ...] = ()) -> tuple[list[TableRun], list[str]]:
    notes: list[str] = []
    return read_table_runs(path, path.name, TableChoice(read_map(entries), read_where(where)), notes), notes


def table(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_runs_are_rows_of_one_key_with_their_lines(tmp_path: Path) -> None:
    runs, notes = read(table(tmp_path, TEXT), "arm=act,return=Score", "step=Steps")
    assert [dict(run.key) for run in runs] == [
        {"task": "Hopper-v4", "algorithm": "TD3", "arm": "swim", "seed": "0"},
        {"task": "Hopper-v4", "algorithm": "TD3", "arm": "relu", "seed": "1"},
    ]
    assert [run.series.steps.tolist() for run in runs] == [[0, 100], [0]]
    assert [run.series.returns.tolist() for run in runs] == [[1, 2], [5]]
    assert [run.series.rows.tolist() for run in runs] == [[2, 3], [4]]
    assert notes == []


def test_what_a_column_is_taken_for_is_what_the_map_says(tmp_path: Path) -> None:
    path = table(tmp_path, "step,return,other,elapsed_s\n0,1,7,3\n")
    assert [run.series.returns.tolist() for run in read(path)[0]] == [[1]]
    runs, _ = read(path, "return=other")
    assert [run.series.returns.tolist() for run in runs] == [[7]]
    assert runs[0].series.seconds.tolist() == [3]


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv", "t.parquet", "semicolons.csv"])
def test_other_forms_of_the_same_table_give_the_same_runs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(TEXT.encode()))
    elif name.endswith(".parquet"):
        rows = [line.split(",") for line in TEXT.splitlines()]
        columns = {head: pa.array([row[i] for row in rows[1:]]).dictionary_encode() for i, head in enumerate(rows[0])}
        pq.write_table(pa.table(columns), path)
    else:
        path.write_text(TEXT.replace(",", "\t" if name.endswith(".tsv") else ";"))
    runs, notes = read(path, "arm=act,return=Score,step=Steps")
    assert [run.key["arm"] for run in runs] == ["swim", "relu"]
    assert [run.series.returns.tolist() for run in runs] == [[1, 2], [5]]
    first = 1 if name.endswith(".parquet") else 2
    assert [run.series.rows.tolist() for run in runs] == [[first, first + 1], [first + 2]]
    assert notes == []


def test_wanted_rows_keep_their_lines(tmp_path: Path) -> None:
    runs, _ = read(table(tmp_path, TEXT), "arm=act,return=Score,step=Steps", where=("act=relu",))
    assert [run.series.rows.tolist() for run in runs] == [[4]]
    both, _ = read(table(tmp_path, TEXT), "arm=act,return=Score,step=Steps", where=("act=relu", "act=swim"))
    assert len(both) == 2
    with pytest.raises(InputError, match=r"t\.csv has no row with act=elu; it has relu, swim\."):
        read(table(tmp_path, TEXT), "return=Score,step=Steps", where=("act=elu",))
    with pytest.raises(InputError, match=r"no row that fits all of --where"):
        read(table(tmp_path, TEXT), "return=Score,step=Steps", where=("act=relu", "run=0"))
    with pytest.raises(InputError, match=r"has no column 'x', which --where names; its columns: env, agent"):
        read(table(tmp_path, TEXT), "return=Score,step=Steps", where=("x=1",))


def test_odd_lines_are_named_by_their_number_and_the_others_keep_theirs(tmp_path: Path) -> None:
    runs, notes = read(table(tmp_path, "step,return\n0,1\n100\n200,x\n300,nan\n400,\n500,6\n600,7"))
    found = runs[0].series
    assert found.steps.tolist() == [0, 200, 300, 400, 500]
    assert found.rows.tolist() == [2, 4, 5, 6, 7]
    np.testing.assert_array_equal(found.returns, [1, np.nan, np.nan, np.nan, 6])
    assert notes == [
        "t.csv: the last line is torn (no line end); it is left out",
        "t.csv: line 3 left out: not as many cells as columns",
        "t.csv: column return: line 4: no number; taken as missing",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", r"t\.csv cannot be read as a table \(empty\)"),
        ("t.csv", b"\x00\x01\n", r"\(not a text file\)"),
        ("t.csv", b"step,return", r"\(no complete line\)|cannot be read as a table"),
        (
            "t.csv",
            b"a,b\n1,2\n",
            r"no column that is known to be the step: say which it is with --map step=COLUMN; .* a, b",
        ),
        ("t.csv", b"step,b\n1,2\n", r"known to be the return"),
        ("t.parquet", b"", r"t\.parquet cannot be read as a table \(empty\)"),
        ("t.parquet", b"PAR1rubbish", r"t\.parquet cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_one_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(table(tmp_path, content, name))
    assert "\n" not in str(caught.value)


def test_a_column_that_is_not_there_is_one_error() -> None:
    with pytest.raises(
        InputError, match=r"t has no column 'x', which --map names for the seed; its columns: step, return"
    ):
        columns_of(["step", "return"], {"seed": "x"}, "t")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["step"], r"--map 'step' is not MEANING=COLUMN"),
        (["steps=a"], r"--map 'steps=a' is not MEANING=COLUMN, .*; meanings: step, return, task"),
        (["step=a", "step=b"], r"--map says twice what step is: a and b"),
    ],
)
def test_a_wrong_map_is_one_error(entries: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_map(entries)


def test_a_wrong_condition_is_one_error() -> None:
    with pytest.raises(InputError, match=r"--where 'source' is not COLUMN=VALUE"):
        read_where(["source"])
