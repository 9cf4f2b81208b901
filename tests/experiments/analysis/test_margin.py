"""The margin of equivalence: normalised score by the control's untrained and final score, in literal numbers."""

from collections.abc import Callable, Sequence

import pytest

from experiments.analysis import analyse
from experiments.analysis.comparison import Comparison
from experiments.analysis.results import Group
from experiments.collect.collection import collect
from experiments.report import page
from experiments.text import number
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]


def group_of(study: SyntheticStudy) -> Group:
    (group,) = analyse(collect(study.folder)).groups
    return group


def fill(study: SyntheticStudy, relu: Sequence[float], swim: Sequence[float], seeds: int = 10) -> Comparison:
    """The same curve for each seed, a tenth of the seed's number added at the end."""
    study.seeds = seeds
    study.write_plan()
    for seed in range(seeds):
        study.write_run("relu", seed, [*relu[:-1], relu[-1] + seed / 10])
        study.write_run("swim", seed, [*swim[:-1], swim[-1] + seed / 10])
    return group_of(study).comparisons[0]


def page_of(study: SyntheticStudy) -> str:
    collection = collect(study.folder)
    found = analyse(collection)
    return " ".join(page._margin(collection.study, found.groups))


@pytest.mark.parametrize(("margin", "equivalent"), [(0.5, True), (0.001, False), (None, False)])
def test_the_margin_is_a_share_of_the_controls_way(make_study: Make, margin: float | None, equivalent: bool) -> None:
    comparison = fill(make_study(changes={"margin": margin}), [50, 90, 150], [50, 90, 150])
    # IQM over ten seeds of 150, 150.1 ... 150.9 is 150.45; untrained it is 50
    assert comparison.margin == (None if margin is None else pytest.approx(100.45 * margin))
    assert comparison.equivalent is equivalent


def test_a_control_that_ends_at_zero_still_gives_a_margin(make_study: Make) -> None:
    study = make_study(changes={"margin": 0.05})
    comparison = fill(study, [-1000, -500, -0.45], [-1000, -500, -0.45])
    assert comparison.value_b == pytest.approx(0, abs=1e-12)
    assert comparison.margin == pytest.approx(50)
    assert comparison.outcome == "equal within the margin"
    unit = group_of(study).unit
    assert unit is not None
    assert unit.sentence("Hopper-v5 (TD3)", 0.05).startswith("Hopper-v5 (TD3): 50.0 in return, 0.05 of the way ")


def test_a_control_with_a_negative_end_gives_a_margin_of_its_way(make_study: Make) -> None:
    study = make_study(changes={"margin": 0.1})
    comparison = fill(study, [-1500, -500, -200.45], [-1500, -500, -190.45])
    assert comparison.margin == pytest.approx(130)
    assert (
        "Hopper-v5 (TD3): 130.0 in return, 0.1 of the way of the control relu from −1\u202f500 untrained to −200.0."
        in (page_of(study))
    )


def test_the_untrained_score_is_the_mean_over_the_controls_runs_at_step_0(make_study: Make) -> None:
    study = make_study(seeds=2, changes={"margin": 0.5})
    study.write_plan()
    study.write_run("relu", 0, [10, 0, 100])
    study.write_run("relu", 1, [30, 0, 100])
    study.write_run("swim", 0, [-500, 0, 100])
    unit = group_of(study).unit
    assert unit is not None
    assert (unit.untrained, unit.final, unit.size) == (20, 100, 80)


@pytest.mark.parametrize("end", [39.55, 49.55])
def test_without_progress_of_the_control_no_equivalence_is_stated_and_the_page_says_why(
    make_study: Make, end: float
) -> None:
    study = make_study(changes={"margin": 0.05})
    comparison = fill(study, [50, 45, end], [50, 45, end])
    assert comparison.margin is None
    assert comparison.outcome == "not established"
    shown = {39.55: "40.0", 49.55: "50.0"}[end]
    page = page_of(study)
    assert (
        "Hopper-v5 (TD3): no equivalence is stated, because the control relu does not improve on its untrained score "
        f"(50.0 untrained, {shown} at the end)."
    ) in page


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("Hopper-v5", f"from {number(15.35)} with random actions to "),
        (
            "Hopper-v2",
            "because no run of the control relu was evaluated untrained, at step 0, and nobody measured random actions "
            "on Hopper-v2.",
        ),
    ],
)
def test_without_an_evaluation_at_step_0_random_actions_are_the_start(make_study: Make, task: str, said: str) -> None:
    study = make_study(tasks=(task,))
    fill(study, [50, 45, 100], [50, 45, 100])
    for path in study.folder.rglob("relu/*/evaluations.csv"):
        header, _, *rest = path.read_text().splitlines()
        path.write_text("\n".join([header, *rest]) + "\n")
    # the IQM of 100, 100.1 ... 100.9 is 100.45
    margin = group_of(study).comparisons[0].margin
    assert margin == (pytest.approx(0.05 * (100.45 - 15.35)) if task == "Hopper-v5" else None)
    assert said in page_of(study)


def test_without_a_score_of_the_control_no_equivalence_is_stated(make_study: Make) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    study.write_run("swim", 0, [0, 1, 2, 3, 4])
    assert "because the control relu has no score yet." in page_of(study)


def test_a_margin_without_a_control_is_no_margin(make_study: Make) -> None:
    study = make_study(changes={"control": None})
    assert fill(study, [0, 50, 100], [0, 50, 100]).margin is None
    assert "No equivalence is stated, because the study names a margin and no control to measure it by." in page_of(
        study
    )


def test_without_a_margin_the_page_does_not_speak_of_one(make_study: Make) -> None:
    study = make_study(changes={"margin": None})
    fill(study, [0, 50, 100], [0, 50, 100])
    assert 'id="margin"' not in page_of(study)


def test_several_tasks_count_what_is_equal(make_study: Make) -> None:
    study = make_study(seeds=10, tasks=("Hopper-v5", "Ant-v5", "Swimmer-v5"), changes={"margin": 0.05})
    study.write_plan()
    for task, gain in (("Hopper-v5", 0.0), ("Ant-v5", 0.0), ("Swimmer-v5", 500.0)):
        for seed in range(10):
            study.write_run("relu", seed, [0, 100, 1000.0 + seed], task=task)
            study.write_run("swim", seed, [0, 100, 1000.0 + seed + gain], task=task)
    collection = collect(study.folder)
    assert (
        "Exploratory, one by one, swim against relu: better on 1 and equal within the margin on 2 of 3 combinations of "
        "task and algorithm (ahead at the end of training on 1, level on 2; corrected for 6 comparisons)."
    ) in analyse(collection).verdict.findings
