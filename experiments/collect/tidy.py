"""One tidy table of everything that was collected: one row per evaluation, in Parquet.

=======================  =============================================================================================
``task`` ... ``seed``    which run
``returns_kind``         evaluation or training
``format``               who wrote the log
``source``               raw file, relative to what was read; ``source_row`` is the place in it, counted from 1
``step_env``             environment steps
``return_undiscounted``  mean return of the evaluation
``elapsed_s`` ...        seconds since the start of training: all, and those spent on each part
``state`` ...            how the run went, the same in each of its rows
=======================  =============================================================================================

A run without an evaluation has one row, without a step. The plan and the notes are in the schema's metadata.
"""

import io
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from agents.files import write_bytes_atomically
from experiments.collect.collection import Collection, Run
from experiments.collect.errors import ReportError
from experiments.collect.evaluations import Evaluations
from experiments.collect.plan import Study

_PLAN, _NOTES = b"rl_acts.study", b"rl_acts.notes"
_CLOCK = ("elapsed_s", "act_s", "simulate_s", "learn_s", "evaluate_s")
_RUN_TEXTS = ("task", "algorithm", "arm", "returns_kind", "format", "state", "cause", "started", "finished", "command")
_RUN_NUMBERS = ("seed", "attempt", "workers", "company")
_RUN_MAPPINGS = ("versions", "hardware")
_TEXT = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        *((name, _TEXT) for name in ("task", "algorithm", "arm")),
        ("seed", pa.int64()),
        *((name, _TEXT) for name in ("returns_kind", "format", "source")),
        ("source_row", pa.int64()),
        ("step_env", pa.float64()),
        ("return_undiscounted", pa.float64()),
        *((name, pa.float64()) for name in _CLOCK),
        *((name, _TEXT) for name in ("state", "cause", "started", "finished", "command")),
        *((name, pa.int64()) for name in ("attempt", "workers", "company")),
        *((f"{name}_json", _TEXT) for name in _RUN_MAPPINGS),
        # Which run of the collection, from 0: names may be alike, and a run without evaluations keeps its place.
        ("run", pa.int64()),
        ("sources_json", _TEXT),
    ]
)


def write_table(collection: Collection, path: Path) -> None:
    """Write a collection, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_bytes_atomically(path, table_bytes(collection))


def table_bytes(collection: Collection) -> bytes:
    """The file of a collection; the same collection gives the same bytes."""
    stream = io.BytesIO()
    pq.write_table(to_table(collection), stream, compression="zstd")
    return stream.getvalue()


def to_table(collection: Collection) -> pa.Table:
    """The collection as a table with the columns that this module describes."""
    runs = collection.runs
    lengths = np.array([max(run.evaluations.steps.size, 1) for run in runs], dtype=np.int64)
    index = np.repeat(np.arange(len(runs)), lengths)
    columns: dict[str, pa.Array] = {"run": pa.array(index)}
    for name in _RUN_TEXTS:
        columns[name] = _repeated([getattr(run, name) for run in runs], index)
    for name in _RUN_MAPPINGS:
        columns[f"{name}_json"] = _repeated([_json(getattr(run, name)) for run in runs], index)
    columns["sources_json"] = _repeated([_json([run.source, *run.more_sources]) for run in runs], index)
    for name in _RUN_NUMBERS:
        columns[name] = pa.array([getattr(run, name) for run in runs], pa.int64()).take(pa.array(index))
    filled = [run.evaluations if run.evaluations.steps.size else _NO_STEP for run in runs]
    columns["step_env"] = _numbers([one.steps for one in filled], nan_is_null=True)
    columns["return_undiscounted"] = _numbers([one.returns for one in filled])
    for position, name in enumerate(_CLOCK):
        columns[name] = _numbers([one.clock[:, position] for one in filled], nan_is_null=True)
    rows = np.concatenate([one.rows if one.rows.size else np.zeros(one.steps.size, np.int64) for one in filled])
    columns["source_row"] = pa.array(rows.astype(np.int64), mask=rows == 0)
    columns["source"] = _sources(runs, filled)
    metadata = {
        _PLAN: collection.study.model_dump_json().encode(),
        _NOTES: json.dumps(collection.notes, ensure_ascii=False).encode(),
    }
    return pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA).replace_schema_metadata(metadata)


_NO_STEP = Evaluations(np.array([np.nan]), np.array([np.nan]), np.full((1, len(_CLOCK)), np.nan))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _repeated(values: Sequence[str | None], index: Any) -> pa.Array:
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(index)), encoded.dictionary)


def _numbers(parts: Sequence[Any], *, nan_is_null: bool = False) -> pa.Array:
    return pa.array(np.concatenate(parts), pa.float64(), from_pandas=nan_is_null)


def _sources(runs: Sequence[Run], filled: Sequence[Evaluations]) -> pa.Array:
    names: dict[str, int] = {}
    codes = []
    for run, one in zip(runs, filled, strict=True):
        own = np.array([names.setdefault(name, len(names)) for name in (run.source, *run.more_sources)])
        codes.append(own[one.files] if one.files.size else np.full(one.steps.size, own[0]))
    indices = pa.array(np.concatenate(codes), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names), pa.string()))


def is_collected(path: Path) -> bool:
    """Whether a Parquet file is a table that `write_table` wrote."""
    if path.suffix != ".parquet":
        return False
    try:
        return _PLAN in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def read_table(path: Path) -> Collection:
    """Read what `write_table` wrote.

    Raises:
        ReportError: the file is missing, damaged or another table.
    """
    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        study = Study.model_validate_json(metadata[_PLAN])
        notes = tuple(str(note) for note in json.loads(metadata[_NOTES]))
        columns = {name: table.column(name) for name in _SCHEMA.names}
    except (OSError, pa.ArrowException, KeyError, ValueError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReportError(f"{path} is no table of collected runs that can be read ({reason})") from error
    return Collection(study, _runs(columns), notes)


def _runs(columns: Mapping[str, pa.ChunkedArray]) -> tuple[Run, ...]:
    edges = np.flatnonzero(np.diff(columns["run"].to_numpy(), prepend=-1, append=-1))
    first = pa.array(edges[:-1])
    fields: dict[str, list[Any]] = {name: _texts(columns[name].take(first)) for name in _RUN_TEXTS}
    fields |= {name: columns[name].take(first).to_pylist() for name in _RUN_NUMBERS}
    for name in _RUN_MAPPINGS:
        fields[name] = [json.loads(text) for text in _texts(columns[f"{name}_json"].take(first))]
    sources = [json.loads(text) for text in _texts(columns["sources_json"].take(first))]
    steps, returns, *clock = (columns[name].to_numpy() for name in ("step_env", "return_undiscounted", *_CLOCK))
    rows = columns["source_row"].fill_null(0).to_numpy()
    named = columns["source"].combine_chunks()
    runs = []
    for run, (start, stop) in enumerate(pairwise(edges)):
        part = slice(start, stop)
        evaluations = Evaluations.empty()
        if not np.isnan(steps[start]):
            files = np.empty(0, np.int64)
            if len(sources[run]) > 1:
                files = np.array([sources[run].index(name) for name in named[part].to_pylist()], dtype=np.int64)
            seconds = np.column_stack([column[part] for column in clock])
            places = rows[part] if rows[part].all() else np.empty(0, np.int64)
            evaluations = Evaluations(steps[part], returns[part], seconds, places, files)
        source, *more = sources[run]
        values = {name: column[run] for name, column in fields.items()}
        runs.append(Run(**values, evaluations=evaluations, source=source, more_sources=tuple(more)))
    return tuple(runs)


def _texts(column: pa.ChunkedArray) -> list[Any]:
    texts: list[Any] = column.cast(pa.string()).to_pylist()
    return texts
