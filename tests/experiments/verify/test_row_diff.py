"""A changed, lost or added row is named by file and row."""

import math

import pyarrow as pa
import pytest

from experiments.verify.row_diff import first_row_difference


def table(*rows: tuple[str, int, float | None]) -> pa.Table:
    files, numbers, returns = zip(*rows, strict=True)
    return pa.table(
        {"return_mean": pa.array(returns, pa.float64()), "source": list(files), "source_row": pa.array(numbers)}
    )


PUBLISHED = table(("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, None), ("b.csv", 2, 0.5))


def test_equal_tables_have_no_difference() -> None:
    again = table(("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, None), ("b.csv", 2, 0.5))
    assert first_row_difference(PUBLISHED, again) is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, None), ("b.csv", 2, 0.25)],
            "b.csv: row 2 has return_mean 0.25, published was 0.5",
        ),
        (
            [("a.csv", 1, 10.0), ("a.csv", 2, 3.0), ("b.csv", 1, None), ("b.csv", 2, 0.25)],
            "a.csv: row 2 has return_mean 3.0, published was nan",
        ),
        (
            [("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, 1.0), ("b.csv", 2, 0.5)],
            "b.csv: row 1 has return_mean 1.0, published was None",
        ),
        (
            [("a.csv", 1, 10.0), ("b.csv", 1, None), ("b.csv", 2, 0.5)],
            "a.csv: row 2 was published and is not there any more",
        ),
        (
            [("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, None)],
            "b.csv: row 2 was published and is not there any more",
        ),
        (
            [("a.csv", 1, 10.0), ("a.csv", 2, math.nan), ("b.csv", 1, None), ("b.csv", 2, 0.5), ("b.csv", 3, 1.0)],
            "b.csv: row 3 is there and was not published",
        ),
    ],
)
def test_the_first_difference_is_named(rows: list[tuple[str, int, float | None]], said: str) -> None:
    assert first_row_difference(PUBLISHED, table(*rows)) == said


def test_other_columns_are_named() -> None:
    said = first_row_difference(PUBLISHED, PUBLISHED.drop_columns(["return_mean"]))
    assert said is not None
    assert "return_mean" in said
