"""The first row in which two tables of evaluations differ."""

import pyarrow as pa
import pyarrow.compute as pc

FILE, ROW = "source", "source_row"


def first_row_difference(published: pa.Table, read: pa.Table) -> str | None:
    """Compare the published table of all rows with the one that the raw files give today.

    Args:
        published: One row for each evaluation, with the raw file and the row that it stands in.
        read: The same, as read today.

    Returns:
        One line that names the file, the row, the column and both values; None if the tables are equal.
    """
    if published.column_names != read.column_names:
        return f"the published table has the columns {published.column_names}, the raw files give {read.column_names}"
    for field in published.schema:
        if field.type != read.schema.field(field.name).type:
            kind = read.schema.field(field.name).type
            return f"the published table has {field.name} as {field.type}, the raw files give {kind}"
    shared = min(published.num_rows, read.num_rows)
    old, new = published.slice(0, shared), read.slice(0, shared)
    # A missing row shifts all that follow, so the earliest difference of any column is the one to name.
    places = [(place, name) for name in old.column_names if (place := _first(old[name], new[name])) is not None]
    if places:
        place, name = min(places, key=lambda found: found[0])
        file, row = old[FILE][place].as_py(), old[ROW][place].as_py()
        if (file, row) != (new[FILE][place].as_py(), new[ROW][place].as_py()):
            return f"{file}: row {row} was published and is not there any more"
        return f"{file}: row {row} has {name} {new[name][place].as_py()}, published was {old[name][place].as_py()}"
    if published.num_rows == read.num_rows:
        return None
    longer, what = (published, "was published and is not there any more") if published.num_rows > shared else (
        read,
        "is there and was not published",
    )  # fmt: skip
    return f"{longer[FILE][shared].as_py()}: row {longer[ROW][shared].as_py()} {what}"


def _first(old: pa.ChunkedArray, new: pa.ChunkedArray) -> int | None:
    """Return the first place at which two columns differ; NaN equals NaN, and nothing equals nothing."""
    if pa.types.is_floating(old.type):
        # NaN and -0.0 compare by their bits: no number that was read may change unseen.
        old, new = _bits(old), _bits(new)
    if old.equals(new):
        return None
    one_is_null = pc.xor(pc.is_null(old), pc.is_null(new))
    return int(pc.index(pc.coalesce(pc.not_equal(old, new), one_is_null), True).as_py())


def _bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    width = pa.int64() if column.type == pa.float64() else pa.int32()
    return pa.chunked_array([chunk.view(width) for chunk in column.chunks], type=width)
