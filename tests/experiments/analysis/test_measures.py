"""Fates, thresholds, budgets, throughput and machines, on runs small enough to check by hand."""

from typing import Any

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.analysis.results import Analysis, ArmResult, Threshold
from experiments.collect.collection import Collection, Run
from tests.experiments.analysis.simulated import EVERY, POINTS, learning_curve, plan, run

PLACE = ("Hopper-v5", "td3")


def found(runs: list[Run], **changes: Any) -> Analysis:
    seeds = {arm: max(1, sum(run.arm == arm for run in runs)) for arm in ("relu", "swim")}
    return analyse(Collection(plan(seeds, **changes), tuple(runs), ()))


def arm(analysis: Analysis, name: str) -> ArmResult:
    return next(arm for arm in analysis.groups[0].arms if arm.arm == name)


def relu(seeds: int = 5, end: float = 1000.0) -> list[Run]:
    return [run((*PLACE, "relu", seed), learning_curve(end)) for seed in range(seeds)]


def threshold(analysis: Analysis, origin: str, axis: str) -> Threshold:
    return next(t for t in analysis.groups[0].thresholds if (t.origin, t.axis) == (origin, axis))


def test_collapsed_and_stuck_are_told_apart_by_a_tenth_of_the_controls_way() -> None:
    up, flat = learning_curve(1000), np.zeros(POINTS)
    down = np.where(np.arange(POINTS) < 30, up, 50.0)
    # one lucky evaluation is no learning, and standing still when untrained is none either
    lucky = np.where(np.arange(POINTS) == 20, 200.0, np.where(np.arange(POINTS) == 0, 900.0, 50.0))
    curves = [up, down, flat, lucky]
    swim = arm(found(relu() + [run((*PLACE, "swim", seed), curve) for seed, curve in enumerate(curves)]), "swim")
    assert {fate: [r.seed for r in runs] for fate, runs in swim.fated.items()} == {
        "diverged": [],
        "failed": [],
        "collapsed": [1],
        "stuck": [2, 3],
    }
    rate = swim.fates["stuck"]
    assert (rate.count, rate.of, rate.share) == (2, 4, 0.5)
    assert (rate.low, rate.high) == pytest.approx((0.15, 0.85), abs=0.005)


def test_a_diverged_run_is_carried_forward_into_every_number() -> None:
    short = learning_curve(1000)[:6]
    runs = [*relu(4), run((*PLACE, "relu", 4), np.append(short, np.nan), "diverged")]
    analysis = found(runs)
    mine = arm(analysis, "relu")
    assert mine.finals[4] == pytest.approx(short[-1])
    assert mine.fates["diverged"].count == 1
    assert [r.seed for r in mine.fated["diverged"]] == [4]
    # it never reaches the level: at the end of the others, by steps and by seconds, not where it broke off
    for axis, end in (("steps", EVERY * (POINTS - 1.0)), ("seconds", EVERY * (POINTS - 1) / 100)):
        reach = threshold(analysis, "90 %", axis).arms[0]
        assert (bool(reach.reached[4]), reach.times[4]) == (False, end)
        assert reach.share.count == 4


def test_thresholds_are_the_studys_and_shares_of_the_controls_way() -> None:
    analysis = found([*relu(), run((*PLACE, "swim", 0), learning_curve(1000))], thresholds={"Hopper-v5": [300]})
    final = float(arm(analysis, "relu").finals.mean())
    of = analysis.groups[0].thresholds
    assert [t.level for t in of[::2]] == pytest.approx([300, 0.5 * final, 0.75 * final, 0.9 * final])
    assert [(t.origin, t.axis) for t in of] == [
        (origin, axis) for origin in ("study", "50 %", "75 %", "90 %") for axis in ("steps", "seconds")
    ]
    steps, seconds = threshold(analysis, "study", "steps"), threshold(analysis, "study", "seconds")
    # 1000 (1 - exp(-x / 10)) averages 300 over x - 4 ... x first at x = 6
    assert [reach.median for reach in steps.arms] == [60_000.0, 60_000.0]
    assert [reach.median for reach in seconds.arms] == [600.0, 600.0]
    assert (steps.horizon, seconds.horizon) == (500_000.0, 5000.0)
    assert np.isclose(steps.arms[0].restricted_mean, 60_000.0)
    assert (steps.arms[0].x.tolist(), steps.arms[0].y.tolist()) == ([0.0, 60_000.0], [0.0, 1.0])
    assert [(test.a, test.b) for test in steps.tests] == [("swim", "relu")]


def test_budgets_are_the_studys_or_customary() -> None:
    runs = relu() + [run((*PLACE, "swim", seed), learning_curve(2000)[:21]) for seed in range(5)]
    assert [budget.seconds for budget in found(runs).groups[0].budgets] == [300.0, 600.0, 1200.0, 2400.0]
    (first, second) = found(runs, budgets=[1000, 4000]).groups[0].budgets
    values = {name: estimate.value for name, estimate in first.arms}
    # 1000 s are 100,000 steps: ten evaluations after the first
    assert values == {"relu": pytest.approx(learning_curve(1000)[10]), "swim": pytest.approx(learning_curve(2000)[10])}
    # swim had stopped by then
    assert [name for name, _ in second.arms] == ["relu"]
    short = [run((*PLACE, "relu", seed), learning_curve(9)[:3]) for seed in range(2)]
    assert [budget.seconds for budget in found(short).groups[0].budgets] == [200.0]


def test_throughput_is_over_intervals_without_evaluation() -> None:
    runs = relu(2)
    runs[0] = run((*PLACE, "relu", 0), learning_curve(1000), company=3, workers=2)
    speed = arm(found(runs), "relu").throughput
    assert speed is not None
    assert (speed.steps_per_s, speed.low, speed.high) == pytest.approx((100.0, 100.0, 100.0))
    assert speed.updates_per_s == pytest.approx(100.0)
    assert speed.intervals == 2 * (POINTS - 1)
    np.testing.assert_allclose(speed.shares, [0.08, 0.24, 0.48, 0.2, 0.0], atol=1e-12)
    assert (speed.training_s, speed.wall_s) == (5000.0, 6250.0)
    assert (speed.company, speed.workers) == (3, 2)
    fewer = found(runs, hyperparameters={"td3": {"learning_starts": 0, "train_freq": 2, "gradient_steps": 1}})
    half = arm(fewer, "relu").throughput
    assert half is not None
    assert half.updates_per_s == pytest.approx(50.0)
    unknown = arm(found(runs, hyperparameters={}), "relu").throughput
    assert unknown is not None
    assert np.isnan(unknown.updates_per_s)


def test_the_spread_of_throughput_is_that_of_intervals() -> None:
    quick = run((*PLACE, "relu", 0), learning_curve(1000))
    clock = quick.evaluations.clock.copy()
    clock[26:] += np.arange(1, POINTS - 25)[:, None] * np.array([100.0, 0, 0, 0, 0])
    runs = [
        Run(
            *PLACE,
            "relu",
            0,
            "done",
            type(quick.evaluations)(quick.evaluations.steps, quick.evaluations.returns, clock),
        )
    ]
    speed = arm(found(runs), "relu").throughput
    assert speed is not None
    # half of the intervals take 200 s for 10,000 steps
    assert (speed.low, speed.high) == pytest.approx((50.0, 100.0))


def test_machines_are_counted() -> None:
    runs = relu(3)
    runs[0] = run((*PLACE, "relu", 0), learning_curve(9), hardware={"cpu": "old"}, versions={"torch": "2"})
    runs[1] = run((*PLACE, "relu", 1), learning_curve(9), hardware={"cpu": "new"}, versions={"torch": "2"})
    runs.append(run((*PLACE, "relu", 3), learning_curve(9), hardware={"cpu": "new"}, versions={"torch": "2"}))
    assert [(m.hardware["cpu"], m.versions["torch"], m.runs) for m in found(runs).machines] == [
        ("new", "2", 2),
        ("old", "2", 1),
    ]


def test_the_final_window_is_the_studys() -> None:
    runs = [run((*PLACE, "relu", 0), np.arange(float(POINTS)))]
    assert arm(found(runs), "relu").finals.tolist() == [48.0]
    assert found(runs).groups[0].window == 5
    assert arm(found(runs, final_evaluations=1), "relu").finals.tolist() == [50.0]
    assert found(runs, final_evaluations=3).groups[0].window == 3
