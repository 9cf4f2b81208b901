"""Results of different versions are shown and marked, never compared."""

import csv
from collections.abc import Callable, Mapping

import pytest

from experiments.analysis import analyse
from experiments.analysis.comparison import Comparison
from experiments.analysis.results import Group, Verdict
from experiments.collect.collection import collect
from experiments.report import write_report
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
OLD: Mapping[str, str] = {
    "mujoco": "3.17.0",
    "gymnasium": "1.4.0",
    "torch": "2.13.0",
    "stable-baselines3": "2.9.2",
    "rl_acts": "0.1.0",
    "numpy": "2.3.0",
    "python": "3.11.9",
}
NAME = "Hopper-v5 (TD3)"
ENDS = {"relu": 100.0, "swish": 150.0, "swim": 200.0}


def fill(study: SyntheticStudy, changed: Mapping[str, str], arm: str = "swim", task: str | None = None) -> None:
    """Ten seeds of each arm with the versions of OLD; one arm's with some of them changed."""
    for name in study.arms:
        versions = {**OLD, **changed} if name == arm else dict(OLD)
        for seed in range(study.seeds):
            study.write_run(name, seed, [0, 1, 2, 3, ENDS[name] + seed], task=task, versions=versions)


def judged(study: SyntheticStudy) -> tuple[tuple[Group, ...], Verdict]:
    found = analyse(collect(study.folder))
    return found.groups, found.verdict


def finals(group: Group) -> list[Comparison]:
    return [comparison for comparison in group.comparisons if comparison.score == "final"]


def test_an_arm_with_another_mujoco_is_not_compared(make_study: Make) -> None:
    study = make_study(seeds=10)
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"})
    (group,), verdict = judged(study)
    assert group.versions == {"mujoco": ("3.17.0", "4.0.0")}
    assert group.comparisons == ()
    assert group.withheld == (("swim", "relu"),)
    assert verdict.headline == (
        "On Hopper-v5 (TD3), no arm is called ahead: the runs used different versions (mujoco 3.17.0 and 4.0.0)."
    )
    assert verdict.limits[0] == (
        "Results of different versions are never pooled: on Hopper-v5 (TD3) the runs used mujoco 3.17.0 and 4.0.0, so "
        "the arms are not ranked there and 1 comparison is not made (swim against relu)."
    )
    assert not any("cannot be made yet" in limit for limit in verdict.limits)


@pytest.mark.parametrize("library", ["mujoco", "gymnasium", "torch", "stable-baselines3", "rl_acts"])
def test_each_library_that_changes_scores_keeps_arms_apart(make_study: Make, library: str) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    fill(study, {library: "9.9"})
    (group,), verdict = judged(study)
    assert group.withheld == (("swim", "relu"),)
    assert f"the runs used {library} {OLD[library]} and 9.9, so" in verdict.limits[0]


@pytest.mark.parametrize("library", ["numpy", "python"])
def test_other_libraries_do_not(make_study: Make, library: str) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    fill(study, {library: "9.9"})
    (group,), verdict = judged(study)
    assert group.versions == {}
    assert len(finals(group)) == 1
    assert not any("versions" in limit for limit in verdict.limits)


def test_arms_that_agree_are_compared_beside_one_that_differs(make_study: Make) -> None:
    study = make_study(arms=tuple(ENDS), seeds=10, changes={"primary": [["swish", "relu"], ["swim", "relu"]]})
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"})
    (group,), verdict = judged(study)
    (comparison,) = finals(group)
    assert (comparison.a, comparison.b, comparison.outcome, comparison.family) == ("swish", "relu", "better", 4)
    # the comparison that is not made counts in the correction
    assert comparison.corrected == pytest.approx(4 * comparison.p_value)
    assert verdict.headline.startswith("swish is better than relu on Hopper-v5 (TD3)")
    assert verdict.findings[-1].startswith("On Hopper-v5 (TD3), no arm is called ahead")


def test_seeds_of_one_arm_with_different_versions_are_not_pooled(make_study: Make) -> None:
    study = make_study(seeds=5)
    study.write_plan()
    fill(study, {})
    for arm in study.arms:
        study.write_run(arm, 4, [0, 1, 2, 3, 500], versions={**OLD, "torch": "2.14.0"})
    (group,), verdict = judged(study)
    assert group.comparisons == ()
    assert "the runs used torch 2.13.0 and 2.14.0" in verdict.limits[0]


def test_only_the_task_where_versions_differ_is_left_out(make_study: Make) -> None:
    study = make_study(seeds=10, tasks=("Hopper-v5", "Ant-v5"))
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"}, task="Hopper-v5")
    fill(study, {}, task="Ant-v5")
    (hopper, ant), verdict = judged(study)
    assert (len(finals(hopper)), len(finals(ant))) == (0, 1)
    assert ant.versions == {}
    assert "on Hopper-v5 (TD3) the runs used" in verdict.limits[0]
    assert verdict.findings[1:] == (
        "swim is ahead at the end of training on 1 of 1 combinations of task and algorithm; "
        "swim is ahead on area under the curve on 1 of 1.",
    )


def test_whole_tasks_of_different_versions_do_not_meet(make_study: Make) -> None:
    study = make_study(seeds=10, tasks=("Hopper-v5", "Ant-v5"))
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"}, arm="relu", task="Hopper-v5")
    fill(study, {}, task="Ant-v5")
    for seed in range(10):
        study.write_run("swim", seed, [0, 1, 2, 3, 200 + seed], task="Hopper-v5", versions={**OLD, "mujoco": "4.0.0"})
    groups, verdict = judged(study)
    assert [group.versions for group in groups] == [{}, {}]
    assert not any("versions" in limit for limit in verdict.limits)


def test_a_control_with_other_versions_gives_no_margin(make_study: Make) -> None:
    study = make_study(arms=tuple(ENDS), seeds=10, changes={"primary": [["swim", "swish"]], "margin": 10.0})
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"}, arm="relu")
    (comparison,) = finals(judged(study)[0][0])
    assert comparison.margin is None
    assert (
        "Hopper-v5 (TD3): no equivalence of swim and swish is stated, because their runs and those of the control relu "
        "used different versions."
    ) in write_report(study.folder).read_text()


def test_a_run_that_records_no_versions_is_not_held_against_the_others(make_study: Make) -> None:
    study = make_study(seeds=1)
    study.write_plan()
    fill(study, {})
    study.write_run("swim", 0, [0, 1, 2, 3, 4], versions={})
    (group,), _ = judged(study)
    assert group.versions == {}
    assert len(finals(group)) == 1


def test_page_figures_and_tables_are_marked(make_study: Make) -> None:
    study = make_study(seeds=2)
    study.write_plan()
    fill(study, {"mujoco": "4.0.0"})
    page = write_report(study.folder).read_text()
    assert page.count(f"<figcaption>{NAME}\ndifferent versions, not comparable</figcaption>") == 6
    assert "The runs used mujoco 3.17.0 and 4.0.0: arms are not compared where their runs differ in these." in page
    assert "Scores of runs with different versions are not comparable, not even within one arm." in page
    with (study.folder / "tables" / "scores.csv").open(newline="") as file:
        assert [(row["arm"], row["versions"]) for row in csv.DictReader(file)] == [
            ("relu", "mujoco 3.17.0"),
            ("swim", "mujoco 4.0.0"),
        ]
