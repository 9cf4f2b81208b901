"""Every figure of a report, with file name and words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.analysis.results import ArmResult, Group
from experiments.analysis.versions import versions_text
from experiments.report import figures
from experiments.report.figures import Panel
from experiments.report.files import file_stem
from experiments.report.render import inline, png, svg
from experiments.report.style import ArmStyle
from experiments.text import count, joined, number

KINDS = ("learning_curve", "wall_clock", "final_scores", "throughput", "time_shares")


def draw(groups: Sequence[Group], styles: Mapping[str, ArmStyle], returns_text: str) -> list[Panel]:
    """All figures as panels, in the order of KINDS, groups within."""
    found: list[Panel] = []
    rc: dict[Any, Any] = dict(figures.RC)
    # The user's own matplotlibrc must not change a page that is to be the same everywhere.
    with mpl.rc_context():
        mpl.rcParams.update(mpl.rcParamsDefault)
        mpl.rcParams.update(rc)
        for kind in KINDS:
            for group in groups:
                found.extend(_panel(kind, group, styles, returns_text))
    return found


def _panel(kind: str, group: Group, styles: Mapping[str, ArmStyle], returns_text: str) -> list[Panel]:
    drawers: dict[str, Callable[[], Figure | None]] = {
        "learning_curve": lambda: figures.learning_curve(group, styles, returns_text),
        "wall_clock": lambda: figures.wall_clock(group, styles, returns_text),
        "final_scores": lambda: figures.final_scores(group, styles),
        "throughput": lambda: figures.throughput(group, styles),
        "time_shares": lambda: figures.time_shares(group),
    }
    figure = drawers[kind]()
    if figure is None:
        return []
    stem = file_stem(kind, group.task, group.algorithm)
    drawing = svg(figure)
    text = f"{group.name}: {_words(kind, group)}"
    if group.versions:
        text += f" Not comparable: the runs used {versions_text(group.versions)}."
    return [Panel(kind, stem, group.name, text, drawing, inline(drawing, stem, text), png(figure))]


def _words(kind: str, group: Group) -> str:
    if kind in ("learning_curve", "wall_clock"):
        axis = "environment steps" if kind == "learning_curve" else "training time"
        ends = [f"{arm.arm} {number(arm.curve.centre[-1])}" for arm in group.arms if arm.curve]
        return f"return over {axis}. " + (f"Last points: {joined(ends)}." if ends else "No run can be scored yet.")
    return f"{_WORDS[kind]} {joined([_value(kind, arm) for arm in group.arms if arm.final or arm.timed])}."


_WORDS = {
    "final_scores": "final score of every seed with the interquartile mean.",
    "throughput": "environment steps per second, median of the seeds.",
    "time_shares": "share of the time, parts from left to right: act, simulate, learn, evaluate, other.",
}


def _value(kind: str, arm: ArmResult) -> str:
    if kind == "final_scores":
        return f"{arm.arm} {number(arm.final.value)} over {count(arm.final.seeds, 'seed')}" if arm.final else arm.arm
    if not arm.timed:
        return f"{arm.arm} without usable times"
    if kind == "throughput":
        rates = [run.evaluations.steps_per_second for run in arm.timed]
        return f"{arm.arm} {number(float(np.median(rates)))}"
    shares = np.mean([run.evaluations.shares for run in arm.timed], axis=0)
    return f"{arm.arm} " + " / ".join(f"{100 * share:.0f} %" for share in shares)
