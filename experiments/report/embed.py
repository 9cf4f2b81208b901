"""Charts as JSON inside the page, thinned so that a large study still fits into a mail."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.report.chart import Axis, Chart, Line, Lines, Matrix, Panel, Points, Rows, Shares
from experiments.report.style import PART_COLOURS, Looks
from experiments.statistics.arrays import FloatArray

# Numbers of all lines of a page, and of all single runs: about six bytes each.
_LINE_NUMBERS = 300_000
_RUN_NUMBERS = 120_000
# Finer than a screen shows.
_MOST_POINTS = 240
_FEWEST_POINTS = 8
_DIGITS = 5


@dataclass(frozen=True)
class Budget:
    """Most points that a line, a single run's line and a row's dots may have on the page."""

    line: int
    run: int


def page_data(charts: Sequence[Chart], looks: Looks, order: Sequence[str]) -> str:
    """Everything that page.js draws, as JSON that is safe within a script element.

    Args:
        charts: all charts of the page.
        looks: how the arms look.
        order: all arms, best first.

    Returns:
        `{"arms": [...], "charts": {stem: {...}}}`; an arm is called by its place in `arms` everywhere else.
    """
    index = {arm: place for place, arm in enumerate(order)}
    budget = _budget(charts, looks)
    content = {
        "arms": [{"name": arm, "colour": looks[arm].colour_index, "dashes": looks[arm].dashes,
                  "marker": looks[arm].marker_index, "featured": looks.featured(arm)} for arm in order],
        "parts": len(PART_COLOURS),
        "charts": {chart.stem: [_panel(panel, index, looks, budget) for panel in chart.panels] for chart in charts},
    }  # fmt: skip
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # "</script>" within a name would end the element, "<!--" would change how the rest is read.
    return text.replace("<", "\\u003c")


def _budget(charts: Sequence[Chart], looks: Looks) -> Budget:
    lines = [line for chart in charts for panel in chart.panels if isinstance(panel, Lines) for line in panel.lines]
    curves = sum(2 if line.low is None else 4 for line in lines)
    runs = sum(2 * len(line.runs) for line in lines if looks.featured(line.arm))
    return Budget(
        line=int(np.clip(_LINE_NUMBERS // max(1, curves), _FEWEST_POINTS, _MOST_POINTS)),
        run=int(np.clip(_RUN_NUMBERS // max(1, runs), 0, _MOST_POINTS)),
    )


def _panel(panel: Panel, index: Mapping[str, int], looks: Looks, budget: Budget) -> dict[str, object]:
    if isinstance(panel, Lines):
        return {
            "kind": "lines", "title": panel.title, "x": _axis(panel.x), "y": _axis(panel.y), "marks": panel.marks,
            "lines": [_line(line, index, budget, featured=looks.featured(line.arm)) for line in panel.lines],
        }  # fmt: skip
    if isinstance(panel, Rows):
        rows = [
            {"arm": index[row.arm], "value": _numbers([row.value, row.low, row.high]), "dots": _numbers(row.dots),
             "crosses": _numbers(row.crosses)}
            for row in panel.rows
        ]  # fmt: skip
        return {"kind": "rows", "title": panel.title, "x": _axis(panel.x), "marks": panel.marks, "rows": rows}
    if isinstance(panel, Points):
        points = [{"arm": index[point.arm], "x": _numbers(point.x), "y": _numbers(point.y)} for point in panel.points]
        return {"kind": "points", "title": panel.title, "x": _axis(panel.x), "y": _axis(panel.y), "points": points}
    arms = [index[arm] for arm in panel.arms]
    if isinstance(panel, Shares):
        values = [_numbers(row) for row in panel.shares]
        return {"kind": "shares", "title": panel.title, "x": _axis(panel.x), "arms": arms, "parts": panel.parts,
                "values": values}  # fmt: skip
    return {"kind": "matrix", "title": panel.title, "arms": arms, **_cells(panel)}


def _cells(panel: Matrix) -> dict[str, object]:
    return {
        name: [_numbers(row) for row in values]
        for name, values in (("value", panel.value), ("low", panel.low), ("high", panel.high))
    }


def _line(line: Line, index: Mapping[str, int], budget: Budget, *, featured: bool) -> dict[str, object]:
    kept = _thinned(line.x.size, budget.line)
    content: dict[str, object] = {"arm": index[line.arm], "x": _numbers(line.x[kept]), "y": _numbers(line.y[kept])}
    if line.low is not None and line.high is not None:
        content |= {"low": _numbers(line.low[kept]), "high": _numbers(line.high[kept])}
    if line.runs and featured and budget.run >= _FEWEST_POINTS:
        content["runs"] = [_run(x, y, budget.run) for x, y in line.runs]
    if line.ends.size:
        content["ends"] = [_numbers(end) for end in line.ends]
    content |= {name: True for name in ("stepped", "second") if getattr(line, name)}
    return content | ({"name": line.name} if line.name else {})


def _run(x: FloatArray, y: FloatArray, most: int) -> list[list[float | None]]:
    kept = _thinned(x.size, most)
    return [_numbers(x[kept]), _numbers(y[kept])]


def _thinned(size: int, most: int) -> slice | FloatArray:
    """Which of `size` points to keep: first, last and evenly between, at most `most`."""
    return slice(None) if size <= most else np.unique(np.linspace(0, size - 1, most).round().astype(int))


def _axis(axis: Axis) -> dict[str, object]:
    return {"label": axis.label.replace("\n", " "), "show": axis.show, "low": axis.low, "high": axis.high}


def _numbers(values: Sequence[float] | FloatArray) -> list[float | None]:
    """Values to five digits, whole ones without a point; what is not finite becomes null."""
    return [_rounded(value) if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64).tolist()]


def _rounded(value: float) -> float:
    short = float(f"{value:.{_DIGITS}g}")
    # Steps are whole and shown in full.
    exact = value if value.is_integer() and abs(value) < 1e12 else short
    return int(exact) if exact.is_integer() else exact
