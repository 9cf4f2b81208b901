"""Diagnostics and learnt shapes of a run's folder, whole, odd and damaged."""

from pathlib import Path

import numpy as np
import pytest

from experiments.collect.diagnostics import read_diagnostics

HEADER = "step,network,layer,name,value\n"


def shapes(folder: Path, **changed: object) -> None:
    arrays = {
        "step": np.array([200, 100, 100]),
        "network": np.array(["actor", "actor", "q1"]),
        "layer": np.array(["layer1", "layer1", "layer1"]),
        **{name: np.arange(6.0).reshape(3, 2) + shift for shift, name in enumerate(("x", "y", "low", "high"))},
        **changed,
    }
    np.savez(folder / "shapes.npz", allow_pickle=False, **arrays)  # type: ignore[arg-type]


def test_values_come_by_network_layer_and_name_in_order_of_steps(tmp_path: Path) -> None:
    rows = "200,actor,layer1,dead_share,0.5\n100,actor,layer1,dead_share,0.25\n100,q1,all,weight_norm,3\n"
    # After a restart a step can be there twice: the later row counts. The last line was torn by a kill.
    (tmp_path / "diagnostics.csv").write_text(HEADER + rows + "200,actor,layer1,dead_share,0.75\n300,actor,layer1,dea")
    notes: list[str] = []
    found = read_diagnostics(tmp_path, "run", notes)
    assert found
    assert set(found.values) == {("actor", "layer1", "dead_share"), ("q1", "all", "weight_norm")}
    steps, values = found.values["actor", "layer1", "dead_share"]
    assert (steps.tolist(), values.tolist()) == ([100.0, 200.0], [0.25, 0.75])
    assert (dict(found.shapes), notes) == ({}, [])


def test_shapes_come_by_network_and_layer_in_order_of_steps(tmp_path: Path) -> None:
    shapes(tmp_path)
    found = read_diagnostics(tmp_path, "run", [])
    assert found
    assert set(found.shapes) == {("actor", "layer1"), ("q1", "layer1")}
    actor = found.shapes["actor", "layer1"]
    assert actor.steps.tolist() == [100, 200]
    assert (actor.x.tolist(), actor.y.tolist()) == ([[2, 3], [0, 1]], [[3, 4], [1, 2]])
    assert (actor.low.tolist(), actor.high.tolist()) == ([[4, 5], [2, 3]], [[5, 6], [3, 4]])


def test_a_run_without_either_file_has_none(tmp_path: Path) -> None:
    notes: list[str] = []
    assert read_diagnostics(tmp_path, "run", notes) is None
    assert notes == []


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("step,network,layer,name,value\nx,actor,layer1,a,1\n5,actor\n", "2 rows cannot be read; not used"),
        ("something,else\n1,2\n", "1 rows cannot be read; not used"),
    ],
)
def test_rows_that_cannot_be_read_are_counted_in_a_note(tmp_path: Path, text: str, note: str) -> None:
    (tmp_path / "diagnostics.csv").write_text(text)
    notes: list[str] = []
    assert read_diagnostics(tmp_path, "run", notes) is None
    assert notes == [f"run/diagnostics.csv: {note}"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"\x00\xff" * 40])
def test_damaged_shapes_are_left_out_with_a_note(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shapes.npz").write_bytes(content)
    notes: list[str] = []
    assert read_diagnostics(tmp_path, "run", notes) is None
    (note,) = notes
    assert note.startswith("run/shapes.npz: damaged (")


@pytest.mark.parametrize("changed", [{"y": np.zeros((2, 2))}, {"low": np.zeros(3)}, {"x": "objects"}])
def test_shapes_that_do_not_fit_together_are_left_out_with_a_note(tmp_path: Path, changed: dict[str, object]) -> None:
    if "x" in changed:
        # Arrays of objects are pickles: they are never read.
        objects = np.array([{}, {}, {}])
        np.savez(tmp_path / "shapes.npz", step=np.arange(3), network=objects, layer=objects)
    else:
        shapes(tmp_path, **changed)
    notes: list[str] = []
    assert read_diagnostics(tmp_path, "run", notes) is None
    assert len(notes) == 1
    assert "damaged" in notes[0]
