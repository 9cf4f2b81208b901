"""From runs to numbers, on tables small enough to check by hand."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.analysis.results import ArmResult, Group
from experiments.collect.collection import collect
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]


def groups_of(study: SyntheticStudy) -> tuple[Group, ...]:
    return analyse(collect(study.folder)).groups


def arm(group: Group, name: str) -> ArmResult:
    return next(arm for arm in group.arms if arm.arm == name)


def test_curves_scores_and_areas_by_hand(make_study: Make) -> None:
    study = make_study()
    study.fill({"relu": [100, 200, 600], "swim": [400, 500, 600]})
    (group,) = groups_of(study)
    relu = arm(group, "relu")
    assert group.steps.tolist() == [0, 1000, 2000, 3000, 4000]
    assert relu.curve is not None
    assert relu.final is not None
    assert relu.area is not None
    assert relu.curve.centre.tolist() == [0, 75, 150, 225, 300]
    assert relu.curve.low.tolist() == [0, 25, 50, 75, 100]
    assert relu.curve.high.tolist() == [0, 150, 300, 450, 600]
    assert relu.finals.tolist() == [100, 200, 600]
    assert relu.areas.tolist() == [50, 100, 300]
    assert (relu.final.value, relu.final.low, relu.final.high, relu.final.kind) == (300, 100, 600, "range")
    assert relu.area.value == 150


def test_the_comparison_by_hand(make_study: Make) -> None:
    study = make_study()
    study.fill({"relu": [100, 200, 600], "swim": [400, 500, 700]})
    comparison, _ = groups_of(study)[0].comparisons
    assert (comparison.a, comparison.b, comparison.primary) == ("swim", "relu", True)
    assert comparison.difference == pytest.approx(700 / 3)
    assert comparison.improvement == pytest.approx(7 / 9)
    # U = 7: splits of 3 and 3 with U >= 7 are 4 of 20
    assert comparison.p_value == pytest.approx(0.4)
    assert comparison.smallest == pytest.approx(0.1)
    assert comparison.interval is None
    assert not comparison.decidable


def test_a_diverged_run_is_carried_forward_and_stays_in_the_numbers(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=3)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20, 30, 40])
    study.write_run("relu", 1, [0, 10, 20, 30, 40])
    study.write_run("relu", 2, [0, 7, float("nan")], state="diverged", cause="NaN")
    (group,) = groups_of(study)
    relu = arm(group, "relu")
    assert relu.curves[2].tolist() == [0, 7, 7, 7, 7]
    assert relu.finals.tolist() == [40, 40, 7]
    assert [run.seed for run in relu.ended_badly] == [2]
    assert group.notes == (
        "Hopper-v5, td3, relu, seed 2: diverged; its last finite evaluation is carried forward to step 4\u202f000",
    )


def test_a_failed_run_without_an_evaluation_is_counted_but_has_no_score(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20, 30, 40])
    study.write_run("relu", 1, [], state="failed", cause="disk full")
    relu = arm(groups_of(study)[0], "relu")
    assert relu.finals.tolist() == [40]
    assert [run.seed for run in relu.lost] == [1]
    assert [run.seed for run in relu.ended_badly] == [1]
    assert relu.planned == 2


def test_runs_still_training_are_not_scored_once_others_are_done(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20, 30, 40])
    study.write_run("relu", 1, [0, 100], state="running")
    (group,) = groups_of(study)
    relu = arm(group, "relu")
    assert relu.finals.tolist() == [40]
    assert [run.seed for run in relu.unfinished] == [1]
    assert group.notes == (
        "Hopper-v5, td3, relu, seed 1: running at step 1\u202f000 of 4\u202f000; "
        "drawn as a faint line, not in the numbers",
    )


def test_while_none_is_done_runs_are_compared_as_far_as_all_have_come(make_study: Make) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20], state="running")
    study.write_run("swim", 0, [0, 30, 60, 90], state="running")
    (group,) = groups_of(study)
    assert group.steps.tolist() == [0, 1000, 2000]
    assert arm(group, "swim").finals.tolist() == [60]
    assert group.notes[0] == "Hopper-v5, td3: compared at step 2\u202f000, the study plans 4\u202f000"


def test_a_done_run_that_lost_its_last_line_is_carried_on_and_noted(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20, 30, 40])
    path = study.write_run("relu", 1, [0, 1, 2, 3, 4]) / "evaluations.csv"
    path.write_text(path.read_text()[:-4])
    (group,) = groups_of(study)
    assert arm(group, "relu").finals.tolist() == [40, 3]
    assert group.notes == (
        "Hopper-v5, td3, relu, seed 1: done, but its evaluations end at step 3\u202f000; the last one is carried on",
    )


def test_return_over_time_leaves_evaluation_out_and_ends_with_the_first_run(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [0, 10, 20, 30, 40], seconds_per_step=0.002)
    study.write_run("relu", 1, [0, 10, 20, 30, 40], seconds_per_step=0.004)
    curve = arm(groups_of(study)[0], "relu").clock_curve
    assert curve is not None
    # 4000 steps at 0.002 s, of which 0.3 / 2 is evaluation
    assert curve.x[-1] == pytest.approx(6.8)
    assert curve.centre[-1] == pytest.approx((40 + 20) / 2)


def test_groups_are_separate_and_in_the_order_of_the_study(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=1, tasks=("Hopper-v5", "Ant-v5"), algorithms=("td3", "sac"))
    study.write_plan()
    for value, (task, algorithm) in enumerate(
        [("Hopper-v5", "td3"), ("Hopper-v5", "sac"), ("Ant-v5", "td3"), ("Ant-v5", "sac")]
    ):
        study.write_run("relu", 0, [0, 0, 0, 0, value], task=task, algorithm=algorithm)
    assert [(group.name, group.arms[0].finals.tolist()) for group in groups_of(study)] == [
        ("Hopper-v5 (TD3)", [0]),
        ("Hopper-v5 (SAC)", [1]),
        ("Ant-v5 (TD3)", [2]),
        ("Ant-v5 (SAC)", [3]),
    ]
    shutil.rmtree(study.folder / "Ant-v5")
    assert len(groups_of(study)) == 2


def test_adding_an_arm_changes_no_other_interval(make_study: Make) -> None:
    values = {"relu": [1.0, 5, 2, 8, 3], "swim": [4.0, 6, 9, 7, 5]}
    study = make_study(seeds=5)
    study.fill(values)
    before = arm(groups_of(study)[0], "swim")
    study.arms = ("tanh", "relu", "swim")
    study.fill({"tanh": [0.0, 1, 2, 3, 4], **values})
    after = arm(groups_of(study)[0], "swim")
    assert before.final == after.final
    assert before.curve is not None
    assert after.curve is not None
    np.testing.assert_array_equal(before.curve.low, after.curve.low)
