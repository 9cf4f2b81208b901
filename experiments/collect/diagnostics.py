"""What was measured in the networks of one run while it learnt: `diagnostics.csv` and `shapes.npz` of its folder."""

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents.run_folder import DIAGNOSTICS_FILE, SHAPES_FILE
from experiments.statistics.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Shapes:
    """A layer's learnt activation as curves: at S steps the mean over its units, with the lowest and the highest.

    Attributes:
        steps: environment steps, [S], rising.
        x: pre-activations, [S, X].
        y: mean over the units, [S, X].
        low: smallest unit, [S, X].
        high: largest unit, [S, X].
    """

    steps: IntArray
    x: FloatArray
    y: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """All of one run.

    Attributes:
        values: by (network, layer, name) the steps [E] and what was measured at them [E].
        shapes: by (network, layer).
    """

    values: Mapping[tuple[str, str, str], tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    shapes: Mapping[tuple[str, str], Shapes] = field(default_factory=dict)


def read_diagnostics(folder: Path, place: str, notes: list[str]) -> Diagnostics | None:
    """Read a run's folder; None where nothing was measured. What cannot be read is left out and becomes a note.

    Args:
        folder: the run's.
        place: what notes call it.
        notes: gets a line for each file with something odd.
    """
    values = _read_values(folder / DIAGNOSTICS_FILE, f"{place}/{DIAGNOSTICS_FILE}", notes)
    shapes = _read_shapes(folder / SHAPES_FILE, f"{place}/{SHAPES_FILE}", notes)
    return Diagnostics(values, shapes) if values or shapes else None


def _read_values(path: Path, place: str, notes: list[str]) -> dict[tuple[str, str, str], tuple[FloatArray, FloatArray]]:
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        notes.append(f"{place}: cannot be read ({error.strerror}); not used")
        return {}
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    odd = 0
    # A kill can leave half a line at the end.
    whole = text[: text.rfind("\n") + 1]
    for row in csv.DictReader(whole.splitlines()):
        try:
            point = (float(row["step"]), float(row["value"]))
            found[row["network"], row["layer"], row["name"]].append(point)
        except (KeyError, TypeError, ValueError):
            odd += 1
    if odd:
        notes.append(f"{place}: {odd} rows cannot be read; not used")
    return {key: _columns(points) for key, points in found.items()}


def _columns(points: list[tuple[float, float]]) -> tuple[FloatArray, FloatArray]:
    """Steps and values in order of steps; of two at one step the later row counts, as after a restart."""
    steps, values = np.array(sorted(dict(points).items())).T
    return steps, values


def _read_shapes(path: Path, place: str, notes: list[str]) -> dict[tuple[str, str], Shapes]:
    try:
        # From memory: of a damaged file NumPy would leave the handle open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            step, network, layer = (stored[name] for name in ("step", "network", "layer"))
            curves = [np.asarray(stored[name], dtype=np.float64) for name in ("x", "y", "low", "high")]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        notes.append(f"{place}: damaged ({error}); not used")
        return {}
    if any(curve.ndim != 2 or len(curve) != len(step) for curve in curves):
        notes.append(f"{place}: damaged (its arrays differ in length); not used")
        return {}
    found = {}
    for key in dict.fromkeys(zip(network.tolist(), layer.tolist(), strict=True)):
        mine = np.flatnonzero((network == key[0]) & (layer == key[1]))
        mine = mine[np.argsort(step[mine], kind="stable")]
        found[key] = Shapes(step[mine].astype(np.int64), *(curve[mine] for curve in curves))
    return found
