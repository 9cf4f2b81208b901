"""Runs from one table of many: CSV, plain or gzip, or Parquet, one row per evaluation."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from experiments.collect.evaluations import IntArray
from experiments.collect.series import Series, rows_text
from experiments.collect.table_columns import columns_of
from experiments.collect.text_file import TextFileError, read_text
from experiments.problems import InputError
from experiments.statistics.arrays import FloatArray

_KEYS = ("kind", "task", "algorithm", "arm", "seed")
_NO_NUMBER = ("", "nan", "na", "n/a", "null", "none")


@dataclass(frozen=True)
class TableRun:
    """One run of a table: the texts that tell it from the others by meaning, and its returns."""

    key: Mapping[str, str]
    series: Series


@dataclass(frozen=True)
class TableChoice:
    """What a person said about tables: columns by meaning, and wanted values by column."""

    columns: Mapping[str, str]
    where: Mapping[str, frozenset[str]]


def read_table_runs(path: Path, source: str, choice: TableChoice, notes: list[str]) -> list[TableRun]:
    """Read a table with a header; rows of equal kind, task, algorithm, arm and seed are one run.

    Rows are lines of a CSV counted from 1, of which the header is the first, or rows of a Parquet table counted from 1.
    Runs come in the order in which they first appear.

    Raises:
        InputError: the file is empty, torn before its first row or no table; a column is missing; or `choice.where`
            leaves no row.
    """
    table, lines = _read(path, source, notes)
    names = table.column_names
    columns = columns_of(names, choice.columns, source)
    word = "row" if path.name.endswith(".parquet") else "line"
    wanted = _wanted(table, choice.where, source)
    if wanted is not None:
        table, lines = table.filter(pa.array(wanted)), lines[wanted]
    numbers = {
        meaning: _floats(table.column(columns[meaning]), lines, f"{source}: column {columns[meaning]}", word, notes)
        for meaning in ("step", "return", "elapsed")
        if meaning in columns
    }
    seconds = numbers.get("elapsed", np.full(lines.size, np.nan))
    runs = []
    for key, index in _groups(table, {meaning: columns[meaning] for meaning in _KEYS if meaning in columns}):
        rows = lines[index]
        series = Series(
            numbers["step"][index], numbers["return"][index], seconds[index], rows, np.zeros(rows.size, np.int64),
            (source,), row_word=word,
        )  # fmt: skip
        runs.append(TableRun(key, series))
    return runs


def _read(path: Path, source: str, notes: list[str]) -> tuple[pa.Table, IntArray]:
    """The table and the row number of each of its rows."""
    try:
        if path.name.endswith(".parquet"):
            table = pq.read_table(path)
            return table, np.arange(1, table.num_rows + 1)
        text = read_text(path, source, notes)
    except (TextFileError, OSError, pa.ArrowException) as error:
        reason = "empty" if path.is_file() and not path.stat().st_size else " ".join(str(error).split())
        raise InputError(f"{source} cannot be read as a table ({reason}).") from error
    complete, _, torn = text.rpartition("\n")
    if torn:
        notes.append(f"{source}: the last line is torn (no line end); it is left out")
    return _parsed(complete, source, notes)


def _parsed(text: str, source: str, notes: list[str]) -> tuple[pa.Table, IntArray]:
    bad: list[int] = []
    header = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=header.count)

    def skip(row: Any) -> str:
        bad.append(row.number)
        return "skip"

    try:
        table = pacsv.read_csv(
            io.BytesIO(text.encode()),
            # Threads would not count the rows.
            read_options=pacsv.ReadOptions(use_threads=False),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(strings_can_be_null=False),
        )
    except pa.ArrowException as error:
        raise InputError(f"{source} cannot be read as a table ({' '.join(str(error).split())}).") from error
    if bad:
        notes.append(f"{source}: {rows_text(bad)} left out: not as many cells as columns")
    lines = np.setdiff1d(np.arange(2, table.num_rows + len(bad) + 2), np.array(bad, dtype=np.int64), assume_unique=True)
    return table, lines


def _wanted(table: pa.Table, where: Mapping[str, frozenset[str]], source: str) -> npt.NDArray[np.bool_] | None:
    if not where:
        return None
    wanted = np.ones(table.num_rows, dtype=bool)
    for column, values in where.items():
        if column not in table.column_names:
            names = ", ".join(table.column_names)
            raise InputError(f"{source} has no column {column!r}, which --where names; its columns: {names}.")
        texts = _texts(table.column(column))
        here = np.asarray(pc.is_in(texts, value_set=pa.array(sorted(values), pa.string())))
        if not here.any():
            found = ", ".join(sorted(str(value) for value in pc.unique(texts).to_pylist())[:8])
            raise InputError(f"{source} has no row with {column}={' or '.join(sorted(values))}; it has {found}.")
        wanted &= here
    if not wanted.any():
        raise InputError(f"{source} has no row that fits all of --where.")
    return wanted


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.fill_null(column.cast(pa.string()), "")


def _floats(column: pa.ChunkedArray, rows: IntArray, source: str, word: str, notes: list[str]) -> FloatArray:
    """Numbers of a column, NaN for a cell that holds none; one that is neither empty nor a word for that is noted."""
    if not (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
        try:
            return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except pa.ArrowException as error:
            raise InputError(f"{source} holds no numbers but {column.type}.") from error
    bad: list[int] = []
    found = np.full(rows.size, np.nan)
    for index, text in enumerate(_texts(column).to_pylist()):
        try:
            found[index] = float(text)
        except ValueError:
            if text.strip().lower() not in _NO_NUMBER:
                bad.append(int(rows[index]))
    if bad:
        notes.append(f"{source}: {rows_text(bad, word)}: no number; taken as missing")
    return found


def _groups(table: pa.Table, columns: Mapping[str, str]) -> Iterator[tuple[dict[str, str], IntArray]]:
    """Rows of each run, in the order of the table."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    texts = {}
    for meaning, name in columns.items():
        encoded = _texts(table.column(name)).combine_chunks().dictionary_encode()
        texts[meaning] = (encoded.dictionary.to_pylist(), np.asarray(encoded.indices))
        # Renumbered after each column, or many columns of many values would overflow.
        mixed = codes * max(len(encoded.dictionary), 1) + texts[meaning][1]
        codes = np.unique(mixed, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order])) + 1
    groups = cast("list[IntArray]", np.split(order, edges)) if order.size else []
    for index in sorted(groups, key=lambda group: int(group[0])):
        yield {meaning: values[indices[index[0]]] for meaning, (values, indices) in texts.items()}, index
