"""The words: planted truths must be found, and nothing beyond the evidence may be said."""

from collections.abc import Callable

import numpy as np

from experiments.analysis import analyse
from experiments.analysis.results import Verdict
from experiments.collect.collection import collect
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]


def verdict(study: SyntheticStudy) -> Verdict:
    return analyse(collect(study.folder)).verdict


def test_a_clear_winner_with_ten_seeds_is_named(make_study: Make) -> None:
    study = make_study(seeds=10)
    study.fill({"relu": [100 + i for i in range(10)], "swim": [200 + i for i in range(10)]})
    found = verdict(study)
    assert found.headline == (
        "swim is better than relu on Hopper-v5 (TD3): final score 204.5 against 104.5, "
        "probability of improvement 1.00 (1.00 to 1.00), p below 0.0001 after correction for 2 comparisons; and swim "
        "is better on area under the curve (probability of improvement 1.00, p below 0.0001)."
    )
    assert found.limits == (
        "With 10 seeds per arm, bands and bars are nominal 95 % bootstrap intervals of the interquartile mean; "
        "at 10 seeds such an interval really covers in about 93 % of studies.",
    )


def test_a_clear_loser_with_ten_seeds_is_named(make_study: Make) -> None:
    study = make_study(seeds=10)
    study.fill({"relu": [200 + i for i in range(10)], "swim": [100 + i for i in range(10)]})
    assert verdict(study).headline.startswith(
        "swim is worse than relu on Hopper-v5 (TD3): final score 104.5 against 204.5"
    )


def test_no_difference_with_ten_seeds_is_not_called_equality(make_study: Make) -> None:
    study = make_study(seeds=10, changes={"margin": None})
    rng = np.random.default_rng(3)
    study.fill({"relu": rng.normal(100, 20, 10).tolist(), "swim": rng.normal(100, 20, 10).tolist()})
    found = verdict(study)
    assert found.headline.startswith(
        "A difference between swim and relu is not established on Hopper-v5 (TD3): final score 95.9 against 93.6, "
        "probability of improvement 0.55 (0.28 to 0.80), p = 1.0 after correction for 2 comparisons; nor is it on area "
    )
    assert found.limits[0] == "A difference that is not established is no proof that two arms are equal."


def test_equality_within_the_margin_is_said(make_study: Make) -> None:
    study = make_study(seeds=10, changes={"margin": 0.2})
    study.fill({"relu": [100 + i for i in range(10)], "swim": [100.5 + i for i in range(10)]})
    found = verdict(study)
    assert found.headline.startswith("swim and relu differ by less than the margin of 20.9 on Hopper-v5 (TD3): ")
    assert not any("no proof" in limit for limit in found.limits)


def test_three_seeds_name_the_leader_and_claim_nothing(make_study: Make) -> None:
    study = make_study()
    study.fill({"relu": [100, 110, 120], "swim": [200, 210, 220]})
    found = verdict(study)
    assert found.headline == (
        "3 seeds per arm cannot establish a difference: the smallest p value they can reach is 0.10 "
        "(0.20 after correction for 2 comparisons)."
    )
    assert found.findings[0] == (
        "On Hopper-v5 (TD3), swim is ahead at the end of training (210.0; next is relu with 110.0) and on area under "
        "the curve (105.0; next is relu with 55.0)."
    )
    assert found.limits == (
        "With 3 seeds per arm, bands and bars are the range of the seeds (smallest to largest), "
        "not confidence intervals.",
    )


def test_different_leaders_at_the_end_and_in_area_are_both_named(make_study: Make) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    study.write_run("relu", 0, [0, 90, 90, 90, 90])
    study.write_run("swim", 0, [0, 0, 0, 0, 100])
    found = verdict(study)
    assert found.headline == (
        "1 seed per arm cannot establish a difference: the smallest p value they can reach is 1.0 "
        "(1.0 after correction for 2 comparisons)."
    )
    assert found.findings[0] == (
        "On Hopper-v5 (TD3), swim is ahead at the end of training (100.0; next is relu with 90.0), relu is ahead on "
        "area under the curve (78.8; next is swim with 12.5)."
    )


def test_four_seeds_cannot_carry_two_comparisons(make_study: Make) -> None:
    study = make_study(
        arms=("relu", "swim", "tanh"), seeds=4, changes={"primary": [["swim", "relu"], ["swim", "tanh"]]}
    )
    study.fill({"relu": [1, 2, 3, 4], "swim": [50, 60, 70, 80], "tanh": [5, 6, 7, 8]})
    assert verdict(study).headline == (
        "4 seeds per arm cannot establish a difference: the smallest p value they can reach is 0.029 "
        "(0.11 after correction for 4 comparisons)."
    )


def test_one_arm_is_reported_without_a_comparison(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=1)
    study.fill({"relu": [100]})
    found = verdict(study)
    assert found.headline == "On Hopper-v5 (TD3), relu has a final score of 100.0 and an area under the curve of 50.0."
    assert found.limits == ("With 1 seed per arm there is no spread to show, and another seed could say the opposite.",)


def test_without_pairs_and_control_all_pairs_are_compared_and_called_exploratory(make_study: Make) -> None:
    study = make_study(seeds=10, changes={"primary": [], "control": None})
    study.fill({"relu": list(range(10)), "swim": list(range(100, 110))})
    found = verdict(study)
    assert found.headline.startswith("Exploratory: swim is better than relu on Hopper-v5 (TD3): final score 104.5 ")
    assert "one to test on fresh seeds" in found.limits[0]


def test_comparisons_without_scores_are_counted(make_study: Make) -> None:
    study = make_study(arms=("relu", "swim", "tanh"), changes={"primary": [["swim", "relu"], ["swim", "tanh"]]})
    study.fill({"relu": [1, 2, 3], "tanh": [4, 5, 6]})
    found = verdict(study)
    assert found.headline.startswith("On Hopper-v5 (TD3), tanh is ahead at the end of training")
    assert (
        "2 pairs of arms cannot be compared yet: an arm has no run with a score. The correction counts all 4 "
        "comparisons all the same."
    ) in found.limits


def test_comparisons_with_the_control_are_called_exploratory(make_study: Make) -> None:
    study = make_study(arms=("relu", "tanh", "swim"), seeds=6, changes={"primary": []})
    study.fill({"relu": list(range(6)), "tanh": [0.5 + i for i in range(6)], "swim": [100 + i for i in range(6)]})
    found = verdict(study)
    assert found.headline.startswith("Exploratory: swim is better than relu on Hopper-v5 (TD3)")
    assert found.findings[0].startswith("A difference between tanh and relu is not established on Hopper-v5 (TD3)")


def test_many_pairs_of_which_none_differs_are_one_sentence(make_study: Make) -> None:
    study = make_study(arms=("relu", "tanh", "swim"), seeds=6, changes={"primary": []})
    ends = [1.0, 5.0, 3.0, 2.0, 6.0, 4.0]
    study.fill({"relu": ends, "tanh": ends[::-1], "swim": [end + 0.5 for end in ends]})
    assert verdict(study).headline == (
        "Exploratory: a difference is not established for any of 2 pairs of arms on Hopper-v5 (TD3), neither at the "
        "end of training nor on area under the curve; closest is swim against relu: final score 4.00 against 3.50, "
        "probability of improvement 0.58 (0.22 to 0.89), p = 1.0 after correction for 4 comparisons."
    )


def test_several_tasks_are_counted(make_study: Make) -> None:
    study = make_study(seeds=5, tasks=("Hopper-v5", "Ant-v5"), algorithms=("td3", "sac"))
    study.write_plan()
    shift = {
        ("Hopper-v5", "td3"): 100.0,
        ("Hopper-v5", "sac"): 100.0,
        ("Ant-v5", "td3"): -100.0,
        ("Ant-v5", "sac"): 0.1,
    }
    for (task, algorithm), by in shift.items():
        for seed in range(5):
            study.write_run("relu", seed, [0, 0, 0, 0, 200.0 + seed], task=task, algorithm=algorithm)
            study.write_run("swim", seed, [0, 0, 0, 0, 200.0 + seed + by], task=task, algorithm=algorithm)
    found = verdict(study)
    assert found.headline == (
        "A difference between swim and relu is not established on 2 tasks (TD3 and SAC): normalised final score 1.24 "
        "against 1, probability of improvement 0.65 (0.55 to 0.74), p = 0.52 after correction for 6 comparisons; nor "
        "is it on area under the curve (probability of improvement 0.65, p = 0.52)."
    )
    assert found.findings[0].startswith("A difference between swim and relu is not established on 2 tasks (TD3): ")
    assert found.findings[1].startswith("A difference between swim and relu is not established on 2 tasks (SAC): ")
    assert found.findings[2:] == (
        "Exploratory, one by one, swim against relu: better on 2, worse on 1 and equal within the margin on 1 of 4 "
        "combinations of task and algorithm (ahead at the end of training on 3; corrected for 8 comparisons).",
        "swim is ahead at the end of training on 3 of 4 combinations of task and algorithm; "
        "swim is ahead on area under the curve on 3 of 4.",
    )


def test_without_a_margin_what_is_not_established_is_not_equal(make_study: Make) -> None:
    study = make_study(seeds=5, tasks=("Hopper-v5", "Ant-v5"), changes={"margin": None})
    study.write_plan()
    for seed in range(5):
        for arm, task, end in (
            ("relu", "Hopper-v5", 200.0),
            ("swim", "Hopper-v5", 300.0),
            ("relu", "Ant-v5", 200.0),
            ("swim", "Ant-v5", 200.0),
        ):
            study.write_run(arm, seed, [0, 0, 0, 0, end + seed], task=task)
    found = verdict(study)
    assert found.headline.startswith("A difference between swim and relu is not established on 2 tasks (TD3): ")
    assert found.findings[0] == (
        "Exploratory, one by one, swim against relu: better on 1 and not established on 1 of 2 combinations of task "
        "and algorithm (ahead at the end of training on 1, level on 1; corrected for 4 comparisons)."
    )


def test_two_seeds_on_two_tasks_are_too_few(make_study: Make) -> None:
    study = make_study(seeds=2, tasks=("Hopper-v5", "Ant-v5"))
    study.write_plan()
    for seed in range(2):
        for task in study.tasks:
            study.write_run("relu", seed, [0, 0, 0, 0, 100.0 + seed], task=task)
            study.write_run("swim", seed, [0, 0, 0, 0, 200.0 + seed], task=task)
    found = verdict(study)
    # 2 of 6 x 6 splits
    assert found.headline == (
        "2 seeds per arm cannot establish a difference: the smallest p value they can reach is 0.056 "
        "(0.11 after correction for 2 comparisons)."
    )
    assert found.findings[0] == (
        "swim is ahead at the end of training on 2 of 2 combinations of task and algorithm; swim is ahead on area "
        "under the curve on 2 of 2."
    )


def test_halves_of_the_control_that_differ_are_a_limit(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=10)
    study.fill({"relu": [100.0 + seed + 50 * (seed % 2) for seed in range(10)]})
    assert (
        verdict(study)
        .limits[0]
        .startswith(
            "Two halves of the control relu differ on Hopper-v5 (TD3) (p = 0.0079), where there is nothing to find"
        )
    )


def test_unfinished_failed_and_shared_runs_are_limits(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=4)
    study.write_plan()
    study.write_run("relu", 0, [0, 1, 2, 3, 4], workers=2, cohort={"id": "1", "size": 3, "members": []})
    study.write_run("relu", 1, [0, 1], state="diverged", cause="NaN")
    study.write_run("relu", 2, [], state="failed", cause="disk full")
    study.write_run("relu", 3, [0], state="running")
    assert verdict(study).limits == (
        "The study is unfinished: 1 of 4 runs are still to end. Everything here is provisional.",
        "2 of 4 runs failed or diverged (2 of relu). Each stays in the numbers with its last finite evaluation carried "
        "forward. 1 of them had no evaluation at all and has no score, which flatters the arms they belong to.",
        "With 2 seeds per arm, bands and bars are the range of the seeds (smallest to largest), "
        "not confidence intervals.",
        "Up to 2 processes shared the machine, so every time and rate here is only indicative.",
        "Up to 3 runs trained in one process and have one clock, whose times say nothing about a single arm.",
    )


def test_only_unfinished_runs_are_described_as_far_as_they_came(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=1)
    study.write_plan()
    study.write_run("relu", 0, [7.0], state="running")
    found = verdict(study)
    assert found.headline == "On Hopper-v5 (TD3), relu has a final score of 7.00."
    assert found.limits[0].startswith("The study is unfinished: 1 of 1 run")
