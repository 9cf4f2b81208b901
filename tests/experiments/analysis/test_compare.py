"""Families of comparisons: what was named in advance is corrected together by Holm, the rest by Benjamini-Hochberg."""

from collections.abc import Callable

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.analysis import compare as compared
from experiments.analysis.compare import compare, family_size
from experiments.analysis.comparison import Comparison
from experiments.analysis.pairs import pairs, scopes, single_tasks
from experiments.analysis.results import Analysis, ArmResult, Group
from experiments.collect.collection import collect
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray
from experiments.statistics.bootstrap import draw
from experiments.statistics.intervals import estimate
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
TASKS = ("Hopper-v5", "Ant-v5")


def analysis_of(study: SyntheticStudy) -> Analysis:
    return analyse(collect(study.folder))


def fill(study: SyntheticStudy, task: str, relu: float, swim: float, seeds: int, algorithm: str = "td3") -> None:
    for seed in range(seeds):
        study.write_run("relu", seed, [0, 0, 0, 0, relu + seed], task=task, algorithm=algorithm)
        study.write_run("swim", seed, [0, 0, 0, 0, swim + seed], task=task, algorithm=algorithm)


def only(comparisons: tuple[Comparison, ...], score: str = "final") -> Comparison:
    (found,) = [comparison for comparison in comparisons if comparison.score == score]
    return found


def test_with_one_task_its_comparisons_are_the_primary_ones(make_study: Make) -> None:
    study = make_study(seeds=5)
    study.fill({"relu": [1, 2, 3, 4, 5], "swim": [2.5, 13, 14, 15, 16]})
    found = analysis_of(study)
    final, area = found.groups[0].comparisons
    assert (final.score, area.score) == ("final", "area")
    assert (final.primary, final.family, final.correction) == (True, 2, "Holm")
    # U = 22 of 25: p = 14 / 252, the same for the area: Holm doubles both
    assert final.p_value == pytest.approx(14 / 252)
    assert [final.corrected, area.corrected] == pytest.approx([28 / 252, 28 / 252])
    assert found.aggregates[0].comparisons == ()


def test_several_tasks_answer_together_and_each_is_exploratory(make_study: Make) -> None:
    study = make_study(seeds=5, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 5)
    fill(study, "Ant-v5", 100, 102.5, 5)
    found = analysis_of(study)
    final = only(found.aggregates[0].comparisons)
    assert (final.scope.name, final.primary, final.family) == ("2 tasks (TD3)", True, 2)
    # 25 + 22 of 50 pairs are won; at least as many by 1 + 2 + 4 + 7 (both orders counted) of 252 ** 2 splits
    assert final.improvement == pytest.approx((1 + 22 / 25) / 2)
    ways = {25: 1, 24: 1, 23: 2, 22: 3}
    at_least = sum(x * y for i, x in ways.items() for j, y in ways.items() if i + j >= 47)
    assert final.p_value == pytest.approx(2 * at_least / 252**2)
    hopper, ant = (only(group.comparisons) for group in found.groups)
    assert (hopper.primary, hopper.family, hopper.correction) == (False, 4, "Benjamini-Hochberg")
    assert [hopper.p_value, ant.p_value] == pytest.approx([2 / 252, 14 / 252])
    # four exploratory p values: 2, 2 (Hopper's area), 14, 14 of 252
    assert hopper.corrected == pytest.approx(4 / 252)
    assert ant.corrected == pytest.approx(14 / 252)


def test_values_over_several_tasks_are_normalised_scores(make_study: Make) -> None:
    study = make_study(seeds=5, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 98, 198, 5)
    fill(study, "Ant-v5", 998, 1098, 5)
    final = only(analysis_of(study).aggregates[0].comparisons)
    # the control's IQM is 100 and 1000, untrained 0: swim has 1.98 to 2.02 and 1.098 to 1.102
    assert final.value_b == pytest.approx(1.0, abs=0.001)
    assert final.value_a == pytest.approx((1.98 + 1.99 + 1.101 + 1.102 + 2.0 + 1.1) / 6, abs=0.005)
    assert final.interval is not None
    assert final.interval[0] < final.difference < final.interval[1]


@pytest.mark.parametrize(("ant", "margin", "outcome"), [(0, 0.05, "equal within the margin"), (-100, None, "worse")])
def test_gains_and_losses_that_cancel_out_are_no_equality(
    make_study: Make, ant: float, margin: float | None, outcome: str
) -> None:
    study = make_study(seeds=5, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 200, 200 - ant, 5)
    fill(study, "Ant-v5", 200, 200 + ant, 5)
    found = analysis_of(study)
    final = only(found.aggregates[0].comparisons)
    assert final.difference == pytest.approx(0.0, abs=0.01)
    assert final.margin == margin
    assert final.equivalent is (ant == 0)
    assert only(found.groups[1].comparisons).outcome == outcome


def test_algorithms_are_answered_for_apart_and_together(make_study: Make) -> None:
    study = make_study(seeds=5, changes={"algorithms": ["td3", "sac"]})
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 5)
    fill(study, "Hopper-v5", 100, 200, 5, "sac")
    found = analysis_of(study)
    assert [aggregate.scope.name for aggregate in found.aggregates] == [
        "Hopper-v5 (TD3)",
        "Hopper-v5 (SAC)",
        "Hopper-v5 (TD3 and SAC)",
    ]
    assert [only(group.comparisons).family for group in found.groups] == [6, 6]
    joint = only(found.aggregates[2].comparisons)
    assert (joint.primary, joint.family) == (True, 6)
    assert joint.p_value == pytest.approx(2 / 252**2)
    assert joint.corrected == pytest.approx(6 * 2 / 252**2)
    # after the two joint ones (final and area) four are left
    assert only(found.groups[0].comparisons).corrected == pytest.approx(4 * 2 / 252)


def test_what_has_no_runs_yet_counts_in_the_correction(make_study: Make) -> None:
    study = make_study(arms=("relu", "swim", "tanh"), seeds=5)
    study.changes["primary"] = [["swim", "relu"], ["tanh", "relu"]]
    study.fill({"relu": [1, 2, 3, 4, 5], "swim": [14, 15, 16, 17, 18]})
    final = only(analysis_of(study).groups[0].comparisons)
    assert final.family == 4
    assert [final.p_value, final.corrected, final.reachable] == pytest.approx([2 / 252, 8 / 252, 8 / 252])


def test_without_primary_pairs_each_arm_meets_the_control_and_all_is_exploratory(make_study: Make) -> None:
    study = make_study(arms=("relu", "swim", "tanh"), changes={"primary": []})
    study.fill({"relu": [1, 2, 3], "swim": [4, 5, 6], "tanh": [7, 8, 9]})
    collection = collect(study.folder)
    assert pairs(collection.study) == (("swim", "relu"), ("tanh", "relu"))
    assert [c.correction for c in analyse(collection).groups[0].comparisons] == ["Benjamini-Hochberg"] * 4


def test_without_a_control_every_pair_is_compared(make_study: Make) -> None:
    study = make_study(arms=("relu", "swim", "tanh"), changes={"primary": [], "control": None})
    study.fill({"relu": [1, 2, 3], "swim": [4, 5, 6], "tanh": [7, 8, 9]})
    found = collect(study.folder).study
    assert pairs(found) == (("swim", "relu"), ("tanh", "relu"), ("tanh", "swim"))
    assert family_size(found, scopes(found)) == 6
    assert single_tasks(found) == ()


def test_classical_tests_stand_beside_on_a_single_task(make_study: Make) -> None:
    study = make_study(seeds=5)
    study.fill({"relu": [1, 2, 3, 4, 5], "swim": [3, 4, 5, 6, 7]})
    means = only(analysis_of(study).groups[0].comparisons).means
    assert means is not None
    assert means.difference == 2.0
    # t = 2 with 8 degrees of freedom
    assert means.welch_p == pytest.approx(0.080516, abs=1e-6)
    assert means.interval == pytest.approx((2 - 2.306004, 2 + 2.306004), abs=1e-6)
    # five of 1..5, 3..7 with a sum of at most 15: two with 13, four with 14, ten with 15, of 252
    assert means.permutation_p == pytest.approx(2 * 16 / 252)
    assert means.exact


def test_fewer_than_five_seeds_have_no_interval_anywhere(make_study: Make) -> None:
    study = make_study(seeds=4, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 4)
    fill(study, "Ant-v5", 100, 200, 4)
    found = analysis_of(study)
    for c in (only(found.groups[0].comparisons), only(found.aggregates[0].comparisons)):
        assert (c.interval, c.improvement_interval) == (None, None)
        assert c.means is None or c.means.interval is None
    arm = found.aggregates[0].arms[1]
    assert {e.kind for e in (arm.iqm, arm.mean, arm.median, arm.optimality_gap)} == {"range"}
    assert np.isnan(found.aggregates[0].improvement.low).all()


def _null_groups(study: Study, rng: np.random.Generator) -> list[Group]:
    def arm(name: str) -> ArmResult:
        finals: FloatArray = rng.normal(size=10)
        areas: FloatArray = rng.normal(size=10)
        drawn = draw(10, rng, 20)
        final, area = estimate(finals, drawn), estimate(areas, drawn)
        return ArmResult(name, 10, (), (), (), finals[:, None], None, None, finals, areas, final, area, resamples=drawn)

    return [
        Group(task, algorithm, np.zeros(1), 1, tuple(arm(a.name) for a in study.arms), None, {}, (), (), ())
        for task in study.tasks
        for algorithm in study.algorithms
    ]


def test_where_no_arm_differs_at_most_a_twentieth_of_studies_finds_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4 tasks x 2 algorithms, 2 pairs that share an arm, 2 scores, 10 seeds; without Holm about 0.3."""
    # The tests of means play no part in a corrected p value and would take most of the time.
    monkeypatch.setattr(compared, "_mean_tests", lambda _a, _b: None)
    names = ("relu", "swish", "swim")
    study = Study.model_validate(
        {
            "format": 1,
            "name": "null",
            "algorithms": ["td3", "sac"],
            "tasks": ["A", "B", "C", "D"],
            "arms": [{"name": name, "actor": "relu", "critic": "relu", "seeds": list(range(10))} for name in names],
            "steps": 1,
            "evaluation": {"every": 1, "episodes": 1},
            "primary": [["swim", "relu"], ["swim", "swish"]],
        }
    )
    assert family_size(study, scopes(study)) == 12
    rng = np.random.default_rng(20)
    studies = 80
    found = [compare(study, _null_groups(study, rng), {}) for _ in range(studies)]
    wrong = sum(any(c.established for scope in scopes(study) for c in each[scope]) for each in found)
    # three standard errors of a share of 0.05
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
    # and not because nothing can ever be found
    assert wrong > 0
