"""Several tasks together, the control against itself, and seed plans."""

from typing import Any

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.analysis.results import Aggregate, Analysis
from experiments.collect.collection import Collection, Run
from experiments.statistics import point_estimates as pe
from tests.experiments.analysis.simulated import learning_curve, plan, run, simulate

TASKS = ("Hopper-v5", "Ant-v5")
SCALE = {"Hopper-v5": 1000.0, "Ant-v5": 5000.0}


def runs_of(ends: dict[str, list[float]], tasks: tuple[str, ...] = TASKS) -> list[Run]:
    """Each arm's ends, as a share of the control's on each task."""
    return [
        run((task, "td3", arm, seed), learning_curve(end * SCALE[task]))
        for task in tasks
        for arm, values in ends.items()
        for seed, end in enumerate(values)
    ]


def analysed(ends: dict[str, list[float]], **changes: Any) -> Analysis:
    study = plan({arm: len(values) for arm, values in ends.items()}, TASKS, **changes)
    return analyse(Collection(study, tuple(runs_of(ends)), ()))


def aggregate(ends: dict[str, list[float]], **changes: Any) -> Aggregate:
    (found,) = analysed(ends, **changes).aggregates
    return found


ENDS = {"relu": [0.8, 0.9, 1.0, 1.1, 1.2], "swim": [0.7, 1.0, 1.2, 1.4, 1.5]}


def test_aggregates_are_of_normalised_scores() -> None:
    found = aggregate(ENDS)
    relu, swim = found.arms
    assert (found.reference, found.scope.name, found.absent) == ("relu", "2 tasks (TD3)", ())
    assert (relu.runs, relu.seeds) == (10, 5)
    scores = [np.array(ENDS["swim"])] * 2
    # The control's IQM is its middle seed's score, so normalised scores are the shares.
    assert relu.iqm.value == pytest.approx(1.0)
    assert swim.iqm.value == pytest.approx(float(pe.iqm(pe.pooled(scores))))
    assert swim.mean.value == pytest.approx(1.16)
    assert swim.median.value == pytest.approx(1.16)
    assert swim.optimality_gap.value == pytest.approx(0.06)
    assert swim.iqm.low < swim.iqm.value < swim.iqm.high
    assert swim.area is not None
    one = learning_curve(1.0)
    assert swim.area.value == pytest.approx(swim.iqm.value * np.trapezoid(one) / 50 / relu_end(), rel=1e-6)
    assert swim.curve.centre[-1] == pytest.approx(swim.iqm.value * one[-1] / relu_end(), rel=1e-6)
    assert swim.clock_curve is not None
    assert swim.clock_curve.x[-1] == 5000.0
    assert swim.clock_curve.centre[-1] == pytest.approx(swim.curve.centre[-1])
    np.testing.assert_array_equal(swim.profile.tau, relu.profile.tau)
    above = np.searchsorted(-swim.profile.share, -0.5, side="right")
    assert 1.2 <= swim.profile.tau[above] <= 1.25


def relu_end() -> float:
    """Mean of the last five points of the curve that ends near 1: the study's final window is a tenth of 51."""
    return float(learning_curve(1.0)[-5:].mean())


def test_the_matrix_of_improvement_holds_every_pair_both_ways() -> None:
    matrix = aggregate(ENDS).improvement
    expected = pe.probability_of_improvement([np.array(ENDS["swim"])], [np.array(ENDS["relu"])])
    np.testing.assert_allclose(matrix.value, [[0.5, 1 - expected], [expected, 0.5]])
    assert matrix.low[1, 0] < expected < matrix.high[1, 0]
    assert matrix.low[0, 1] == pytest.approx(1 - matrix.high[1, 0])
    assert np.isnan(matrix.low[0, 0])


def test_without_a_control_the_first_arm_is_the_unit() -> None:
    found = aggregate({"swim": ENDS["swim"], "relu": ENDS["relu"]}, control=None)
    assert found.reference == "swim"
    assert found.arms[0].iqm.value == pytest.approx(1.0, abs=0.05)


def test_arms_and_tasks_that_lack_runs_are_named() -> None:
    study = plan({"relu": 5, "swim": 5}, (*TASKS, "Swimmer-v5"))
    runs = [run for run in runs_of(ENDS) if (run.task, run.arm) != ("Ant-v5", "swim")]
    (found,) = analyse(Collection(study, tuple(runs), ())).aggregates
    assert [arm.arm for arm in found.arms] == ["relu"]
    assert found.absent == ("swim",)
    assert found.left_out == (("Swimmer-v5", "td3", "it has no evaluation yet"),)
    assert found.scope.tasks == TASKS


def test_a_task_without_a_unit_leaves_the_values_open_and_the_ranks_stand() -> None:
    runs = runs_of(ENDS)
    runs += [run(("X-v0", "td3", arm, seed), np.full(51, -10.0 - seed)) for arm in ENDS for seed in range(5)]
    study = plan({"relu": 5, "swim": 5}, (*TASKS, "X-v0"))
    found = analyse(Collection(study, tuple(runs), ())).aggregates[0]
    assert found.left_out[0][:2] == ("X-v0", "td3")
    final = found.comparisons[0]
    assert np.isnan(final.value_a)
    assert (final.interval, len(final.scope.strata)) == (None, 3)
    assert final.improvement == pytest.approx((0.5 + 2 * found.improvement.value[1, 0]) / 3)


def test_one_interval_does_not_depend_on_other_arms_or_tasks() -> None:
    alone = analyse(Collection(plan({"relu": 5, "swim": 5}), tuple(runs_of(ENDS, TASKS[:1])), ()))
    both = analysed({**ENDS, "tanh": [0.1, 0.2, 0.3, 0.4, 0.5]})
    assert [arm.final for arm in alone.groups[0].arms] == [arm.final for arm in both.groups[0].arms][:2]
    again = analysed({**ENDS, "tanh": [0.1, 0.2, 0.3, 0.4, 0.5]})
    assert [arm.iqm for arm in again.aggregates[0].arms] == [arm.iqm for arm in both.aggregates[0].arms]


def test_the_control_meets_itself_on_each_task_and_over_all() -> None:
    study = plan({"relu": 12, "swim": 2}, TASKS)

    def draw(rng: np.random.Generator, seeds: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return rng.normal(1000, 100, seeds)

    found = analyse(simulate(study, {"relu": draw, "swim": draw}, seed=4))
    assert [(c.arm, c.scope.name, c.seeds) for c in found.controls] == [
        ("relu", "Hopper-v5 (TD3)", 6),
        ("relu", "Ant-v5 (TD3)", 6),
        ("relu", "2 tasks (TD3)", 6),
    ]
    over_all = found.controls[2]
    finals = [arm.finals for group in found.groups for arm in group.arms if arm.arm == "relu"]
    units = [group.unit for group in found.groups]
    halves = [
        float(pe.iqm(np.concatenate([u.normalised(s)[side::2] for u, s in zip(units, finals, strict=True) if u])))
        for side in (0, 1)
    ]
    assert over_all.difference == pytest.approx(halves[0] - halves[1])
    assert over_all.interval is not None
    assert over_all.interval[0] < over_all.difference < over_all.interval[1]
    assert over_all.luck[0] < 0 < over_all.luck[1]
    assert over_all.p_value > 0.05
    assert 0 <= over_all.false_positives <= 0.2


def test_three_seeds_have_no_halves() -> None:
    assert analysed({"relu": [0.9, 1.0, 1.1], "swim": [1.0, 1.1, 1.2]}).controls == ()


def test_the_plan_says_how_many_seeds_an_effect_needs() -> None:
    (plan_of,) = analysed(ENDS).plans
    assert (plan_of.arm, plan_of.seeds, plan_of.power, plan_of.alpha) == ("relu", 5, 0.8, 0.05)
    assert "Noether" in plan_of.method
    assert plan_of.spread == pytest.approx(np.std(ENDS["relu"], ddof=1), rel=1e-6)
    assert [row.effect for row in plan_of.rows] == [0.05, 0.1, 0.2]
    seeds = [row.seeds or 0 for row in plan_of.rows]
    assert seeds[0] > seeds[1] > seeds[2] > 1
    assert plan_of.rows[0].power_now < plan_of.rows[1].power_now < plan_of.rows[2].power_now


def test_one_seed_makes_no_plan() -> None:
    assert analysed({"relu": [1.0], "swim": [1.1]}).plans == ()
