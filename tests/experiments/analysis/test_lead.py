"""Who is ahead: the order of the arms in the study decides nothing."""

from collections.abc import Callable, Mapping
from itertools import permutations

import pytest

from experiments.analysis import analyse
from experiments.analysis.lead import lead
from experiments.collect.collection import collect
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
ARMS = ("relu", "swish", "swim")


def lead_of(study: SyntheticStudy) -> str:
    return lead(analyse(collect(study.folder)).groups)


def over_tasks(study: SyntheticStudy, ends: Mapping[str, Mapping[str, float]]) -> str:
    """One seed per arm and task, rising in a straight line to its end."""
    study.tasks = tuple(ends)
    study.arms = ARMS
    study.seeds = 1
    study.write_plan()
    for task, arms in ends.items():
        for arm, end in arms.items():
            study.write_run(arm, 0, [end * index / 4 for index in range(5)], task=task)
    return lead_of(study)


def test_all_arms_with_one_score_are_level(make_study: Make) -> None:
    study = make_study(arms=ARMS, seeds=2)
    study.fill({arm: [1000, 1000] for arm in ARMS})
    assert lead_of(study) == (
        "On Hopper-v5 (TD3), relu, swish and swim are level at the end of training (1\u202f000 each) and on area under "
        "the curve (500.0 each)."
    )


@pytest.mark.parametrize("order", list(permutations(ARMS)))
def test_the_order_of_the_arms_names_no_leader(make_study: Make, order: tuple[str, ...]) -> None:
    study = make_study(arms=order, seeds=2)
    study.fill({"relu": [900, 900], "swish": [1000, 1000], "swim": [1000, 1000]})
    pair = " and ".join(name for name in order if name != "relu")
    assert lead_of(study) == (
        f"On Hopper-v5 (TD3), {pair} are level at the end of training (1\u202f000 each; next is relu with 900.0) and "
        "on area under the curve (500.0 each; next is relu with 450.0)."
    )


def test_level_seconds_are_all_named(make_study: Make) -> None:
    study = make_study(arms=ARMS, seeds=1)
    study.fill({"relu": [900], "swish": [900], "swim": [1000]})
    assert lead_of(study).startswith(
        "On Hopper-v5 (TD3), swim is ahead at the end of training (1\u202f000; next are relu and swish with 900.0 each"
    )


def test_a_tie_at_the_end_and_a_leader_in_area_are_told_apart(make_study: Make) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    study.write_run("relu", 0, [0, 0, 0, 0, 100])
    study.write_run("swim", 0, [0, 100, 100, 100, 100])
    assert lead_of(study) == (
        "On Hopper-v5 (TD3), relu and swim are level at the end of training (100.0 each), swim is ahead on area under "
        "the curve (87.5; next is relu with 12.5)."
    )


def test_scores_that_differ_by_rounding_alone_are_level(make_study: Make) -> None:
    study = make_study(seeds=3)
    study.write_plan()
    for seed, (relu, swim) in enumerate([(0.1, 0.3), (0.2, 0.2), (0.3, 0.1)]):
        study.write_run("relu", seed, [0, 0, 0, 0, 10 + relu])
        study.write_run("swim", seed, [0, 0, 0, 0, 10 + swim])
    assert "relu and swim are level at the end of training" in lead_of(study)


def test_of_two_arms_that_lead_equally_often_none_is_picked(make_study: Make) -> None:
    assert over_tasks(make_study(), {"A": {"relu": 1, "swim": 2}, "B": {"relu": 2, "swim": 1}}) == (
        "No arm is ahead at the end of training on more combinations of task and algorithm than every other: "
        "swim on 1 and relu on 1 of 2; no arm is ahead on area under the curve on more than every other: "
        "swim on 1 and relu on 1 of 2."
    )


def test_a_tie_counts_for_nobody(make_study: Make) -> None:
    level = {"relu": 1.0, "swish": 1.0, "swim": 1.0}
    swim, relu = {**level, "swim": 2.0}, {**level, "relu": 2.0}
    assert over_tasks(make_study(), {"A": level, "B": level}).startswith(
        "No arm is ahead at the end of training on more combinations of task and algorithm than every other: "
        "several level on 2 of 2; no arm"
    )
    assert over_tasks(make_study(), {"A": level, "B": level, "C": swim}) == (
        "swim is ahead at the end of training on 1 of 3 combinations of task and algorithm (several arms are level on "
        "2); swim is ahead on area under the curve on 1 of 3 (several arms are level on 2)."
    )
    assert over_tasks(make_study(), {"A": level, "B": relu, "C": swim}).startswith(
        "No arm is ahead at the end of training on more combinations of task and algorithm than every other: "
        "relu on 1, swim on 1 and several level on 1 of 3; "
    )


def test_an_arm_without_a_rival_is_ahead_of_nobody(make_study: Make) -> None:
    assert over_tasks(make_study(), {"A": {"swim": 1}, "B": {"swim": 2}}) == (
        "No arm is called ahead: on no combination of task and algorithm do two arms have comparable scores."
    )
    assert over_tasks(make_study(), {"C": {"swim": 1}, "D": {"relu": 2, "swim": 3}}).startswith(
        "swim is ahead at the end of training on 1 of 1 combinations"
    )
