"""An analysis from made-up numbers: what the page draws, without training, reading or resampling anything."""

from dataclasses import dataclass

import numpy as np

from experiments.analysis.comparison import AAControl, Comparison, Curve, ImprovementMatrix, PlanRow, Scope, SeedPlan
from experiments.analysis.margin import Unit
from experiments.analysis.results import (
    Aggregate,
    AggregateArm,
    Analysis,
    ArmResult,
    Budget,
    Group,
    Profile,
    Rate,
    Reach,
    Threshold,
    Throughput,
    Verdict,
)
from experiments.collect.collection import Collection, Run
from experiments.collect.diagnostics import Diagnostics, Shapes
from experiments.collect.evaluations import Evaluations
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray
from experiments.statistics.intervals import Estimate

Arms = tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """How large a made-up study is."""

    arms: int = 3
    tasks: int = 2
    algorithms: tuple[str, ...] = ("td3",)
    seeds: int = 5
    points: int = 21
    measured: bool = False

    @property
    def names(self) -> Arms:
        """Names of the arms: the control is the first."""
        return ("relu", "swim", "swish", *(f"arm-{index}" for index in range(3, self.arms)))[: self.arms]

    @property
    def strata(self) -> tuple[tuple[str, str], ...]:
        """All tasks with all algorithms."""
        return tuple((f"Task{task}-v5", algorithm) for task in range(self.tasks) for algorithm in self.algorithms)


def analysis(shape: Shape, *, company: int = 1) -> Analysis:
    """All that an analysis can hold; one run of the last arm on the first task has diverged."""
    rng = np.random.default_rng(0)
    study = _study(shape)
    groups = tuple(_group(shape, place, rng, company) for place in shape.strata)
    runs = tuple(run for group in groups for arm in group.arms for run in arm.runs)
    scope = Scope(shape.strata)
    verdict = Verdict("swim is better than relu on everything.", ("A finding.",), ("A limit.",))
    plan = SeedPlan(scope, "relu", shape.seeds, 0.2, 0.05, 0.8, 100, "By a formula.", (PlanRow(0.1, 0.3, 40),))
    halves = (_curve(groups[0].steps, rng, 100.0), _curve(groups[0].steps, rng, 100.0))
    pair = AAControl("relu", scope, shape.seeds // 2, halves, 1.0, None, 0.4, (-5.0, 6.0), 100, float("nan"))
    return Analysis(
        Collection(study, runs, ("a note",)), groups, (_aggregate(shape, scope, groups[0].steps, rng),), (pair,),
        (plan,), (), 2000, verdict,
    )  # fmt: skip


def _study(shape: Shape) -> Study:
    arms = [{"name": arm, "actor": "relu", "critic": "relu", "seeds": list(range(shape.seeds))} for arm in shape.names]
    content = {
        "format": 1, "name": "made up", "description": "Does the activation matter?", "arms": arms,
        "algorithms": shape.algorithms, "tasks": [f"Task{task}-v5" for task in range(shape.tasks)],
        "steps": 1_000_000, "evaluation": {"every": 1_000_000 // (shape.points - 1), "episodes": 10},
        "primary": [("swim", "relu")] if shape.arms > 1 else [], "margin": 0.05, "control": "relu",
        "command": "command",
    }  # fmt: skip
    return Study.model_validate(content)


def _group(shape: Shape, place: tuple[str, str], rng: np.random.Generator, company: int) -> Group:
    steps = np.linspace(0, 1_000_000, shape.points)
    arms = tuple(_arm(shape, place, arm, index, steps, rng, company) for index, arm in enumerate(shape.names))
    scope = Scope((place,))
    comparisons = (_comparison(scope),) if shape.arms > 1 else ()
    return Group(
        *place, steps, 2, arms, Unit("relu", 0.0, 100.0), {}, comparisons, (), (),
        thresholds=tuple(_threshold(shape, axis, rng) for axis in ("steps", "seconds")),
        budgets=(Budget(300.0, tuple((arm.arm, arm.final) for arm in arms if arm.final)),),
    )  # fmt: skip


def _arm(
    shape: Shape,
    place: tuple[str, str],
    name: str,
    index: int,
    steps: FloatArray,
    rng: np.random.Generator,
    company: int,
) -> ArmResult:
    top = 1000.0 * (1 + 0.1 * ((index * 7) % shape.arms))
    rise = 1 - np.exp(-4 * steps / steps[-1])
    seeds = top * rise * rng.normal(1, 0.1, (shape.seeds, 1)) + rng.normal(0, 20, (shape.seeds, steps.size))
    diverged = (name, place) == (shape.names[-1], shape.strata[0])
    runs = tuple(
        Run(*place, name, seed, "diverged" if diverged and seed == 0 else "done", _evaluations(steps, row, seed),
            cause="NaN in the critic" if diverged and seed == 0 else None, company=company, workers=1,
            diagnostics=_diagnostics(rng, learnt=name == "swim") if shape.measured else None)
        for seed, row in enumerate(seeds)
    )  # fmt: skip
    finals = seeds[:, -2:].mean(axis=1)
    final = _estimate(float(finals.mean()), 60.0, shape.seeds)
    rate = 2000.0 - 30 * index
    speed = Throughput(rate, rate - 90, rate + 60, rate, 20, runs[0].evaluations.shares, 500.0, 560.0, company, 1)
    curve = _curve(steps, rng, top)
    return ArmResult(
        name, shape.seeds, runs, (), (), seeds, curve, Curve(steps / rate, curve.centre, curve.low, curve.high), finals,
        seeds.mean(axis=1), final, _estimate(top * 0.7, 40.0, shape.seeds), throughput=speed,
    )  # fmt: skip


def _evaluations(steps: FloatArray, returns: FloatArray, seed: int) -> Evaluations:
    wall = steps / (1900 + 20 * seed)
    return Evaluations(steps, returns, np.outer(wall, (1.0, 0.1, 0.25, 0.45, 0.15)))


def _diagnostics(rng: np.random.Generator, *, learnt: bool) -> Diagnostics:
    steps = np.linspace(0, 1_000_000, 5)
    values = {
        (network, layer, name): (steps, top * rng.uniform(0.5, 1, 5))
        for network in ("actor", "q1")
        for name, top in (("dormant_share", 0.4), ("dead_share", 0.2), ("effective_rank", 120.0), ("weight_norm", 30.0))
        for layer in (("all",) if name == "weight_norm" else ("layer1", "layer2"))
    }
    x = np.tile(np.linspace(-6, 6, 41), (3, 1))
    y = x / 2 * (1 + np.array([[0.5], [0.8], [1.2]]) * x / np.sqrt(1 + x**2))
    curves = Shapes(np.array([0, 500_000, 1_000_000]), x, y, y - 0.2, y + 0.2)
    return Diagnostics(values, {("actor", layer): curves for layer in ("layer1", "layer2")} if learnt else {})


def _estimate(value: float, half: float, seeds: int) -> Estimate:
    return Estimate(value, value - half, value + half, "interval" if seeds >= 5 else "range", seeds)


def _curve(x: FloatArray, rng: np.random.Generator, top: float) -> Curve:
    centre = top * (1 - np.exp(-4 * x / x[-1])) + rng.normal(0, top / 100, x.size)
    return Curve(x, centre, centre - top / 15, centre + top / 15)


def _threshold(shape: Shape, axis: str, rng: np.random.Generator) -> Threshold:
    scale = 50_000.0 if axis == "steps" else 30.0
    reaches = []
    for arm in shape.names:
        times = np.sort(rng.integers(2, 18, shape.seeds) * scale)
        share = np.arange(shape.seeds + 1) / (shape.seeds + 1)
        reaches.append(
            Reach(arm, times, np.ones(shape.seeds, dtype=bool), Rate(shape.seeds, shape.seeds, 1.0, 0.6, 1.0),
                  float(np.median(times)), float(times.mean()), np.concatenate([[0.0], times]), share)
        )  # fmt: skip
    return Threshold(750.0, "75 %", "steps" if axis == "steps" else "seconds", 20 * scale, tuple(reaches), ())


def _comparison(scope: Scope) -> Comparison:
    return Comparison(
        scope, "final", "swim", "relu", True, 1100.0, 1000.0, (40.0, 160.0), 0.9, (0.8, 1.0), 0.01, True, 0.008, 2,
        0.02, 0.016, 50.0, None,
    )  # fmt: skip


def _aggregate(shape: Shape, scope: Scope, steps: FloatArray, rng: np.random.Generator) -> Aggregate:
    arms = []
    tau = np.linspace(0, 2, 41)
    for index, arm in enumerate(shape.names):
        score = 1 + 0.1 * ((index * 7) % shape.arms)
        share = 1 / (1 + np.exp((tau - score) * 8))
        curve = _curve(steps, rng, score)
        iqm, mean, median = (_estimate(score + shift, 0.08, shape.seeds) for shift in (0.0, -0.02, 0.01))
        gap = _estimate(max(0.02, 1.1 - score), 0.02, shape.seeds)
        clock = Curve(steps / (2000.0 - 30 * index), curve.centre, curve.low, curve.high)
        arms.append(
            AggregateArm(arm, shape.seeds, shape.seeds * len(shape.strata), iqm, mean, median, gap, iqm, curve, clock,
                         Profile(tau, share, np.clip(share - 0.06, 0, 1), np.clip(share + 0.06, 0, 1)))
        )  # fmt: skip
    scores = np.array([arm.iqm.value for arm in arms])
    value = 1 / (1 + np.exp(-5 * (scores[:, None] - scores[None, :])))
    matrix = ImprovementMatrix(shape.names, value, np.clip(value - 0.1, 0, 1), np.clip(value + 0.1, 0, 1))
    return Aggregate("relu", scope, (), tuple(arms), (), matrix, ())
