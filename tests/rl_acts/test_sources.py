"""`rl_acts/SOURCES.md`: its table and the registry name the same activations."""

import re
from pathlib import Path

import pytest

import rl_acts
from tests.rl_acts.contract import is_ours

TEXT = (Path(rl_acts.__file__).parent / "SOURCES.md").read_text(encoding="utf-8")


def named() -> list[str]:
    """Return the names in the second column of the tables."""
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith("|")]
    return [name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row[2])]


@pytest.mark.parametrize("name", named())
def test_each_name_in_the_table_is_registered(name: str) -> None:
    assert rl_acts.info(name).name == name


def test_each_activation_of_the_library_has_one_source() -> None:
    ours = [name for name in rl_acts.names() if is_ours(rl_acts.info(name))]
    assert [name for name in ours if named().count(name) != 1] == []


def test_rows_have_three_cells_and_say_what_is_open() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert len(rows) > 30
    assert all(row.count("|") == 4 and row.split("|")[3].strip() for row in rows)
