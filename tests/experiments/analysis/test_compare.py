"""The family of comparisons is the whole study: all that the headline counts over is corrected together."""

from collections.abc import Callable

import numpy as np
import pytest

from experiments.analysis.aggregate import aggregate
from experiments.analysis.compare import compare, family_size
from experiments.analysis.comparison import Comparison
from experiments.analysis.results import ArmResult, Group
from experiments.collect.collection import collect
from experiments.collect.plan import Study
from experiments.statistics import scores as st
from experiments.statistics.scores import Estimate, FloatArray
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
TASKS = ("Hopper-v5", "Ant-v5")


def comparisons_of(study: SyntheticStudy) -> list[Comparison]:
    return [comparison for group in aggregate(collect(study.folder)) for comparison in group.comparisons]


def fill(study: SyntheticStudy, task: str, relu: float, swim: float, seeds: int) -> None:
    for seed in range(seeds):
        study.write_run("relu", seed, [0, 0, 0, 0, relu + seed], task=task)
        study.write_run("swim", seed, [0, 0, 0, 0, swim + seed], task=task)


def test_holm_goes_over_tasks_and_algorithms(make_study: Make) -> None:
    study = make_study(seeds=5, tasks=TASKS, changes={"algorithms": ["td3", "sac"]})
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 5)
    fill(study, "Ant-v5", 100, 102.5, 5)
    hopper, ant = comparisons_of(study)
    assert (hopper.family, ant.family) == (4, 4)
    assert hopper.p_value == pytest.approx(2 / 252)
    # U = 22 of 25 has p = 14 / 252; SAC has no runs: its two comparisons count with p = 1
    assert ant.p_value == pytest.approx(14 / 252)
    assert hopper.corrected == pytest.approx(4 * 2 / 252)
    assert ant.corrected == pytest.approx(3 * 14 / 252)
    assert hopper.established
    assert not ant.established


def test_a_missing_task_counts_as_much_as_one_that_has_runs(make_study: Make) -> None:
    study = make_study(seeds=4, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 4)
    (comparison,) = comparisons_of(study)
    assert comparison.corrected == pytest.approx(2 * 2 / 70)
    assert comparison.reachable == pytest.approx(2 * 2 / 70)
    assert comparison.outcome == "too few seeds"


def test_few_seeds_can_be_enough_behind_a_comparison_with_many(make_study: Make) -> None:
    study = make_study(seeds=4, tasks=TASKS)
    study.write_plan()
    fill(study, "Hopper-v5", 100, 200, 4)
    study.write_plan()
    study.seeds = 10
    study.write_plan()
    fill(study, "Ant-v5", 100, 200, 10)
    hopper, ant = comparisons_of(study)
    # Ant is first with twice 2 / C(20, 10); Hopper is second, so its 2 / C(8, 4) is counted once
    assert ant.reachable == pytest.approx(4 / 184756)
    assert hopper.reachable == pytest.approx(2 / 70)
    assert (hopper.outcome, ant.outcome) == ("better", "better")


def test_no_pairs_make_no_comparisons(make_study: Make) -> None:
    study = make_study(changes={"primary": [], "control": None})
    study.fill({"relu": [1, 2, 3], "swim": [4, 5, 6]})
    assert comparisons_of(study) == []
    assert family_size(collect(study.folder).study) == 0


def _null_groups(study: Study, rng: np.random.Generator) -> list[Group]:
    def arm(name: str) -> ArmResult:
        finals: FloatArray = rng.normal(size=10)
        final = Estimate(float(st.iqm(finals)), 0.0, 0.0, "interval", 10)
        curves = finals[:, None]
        return ArmResult(name, 10, (), (), (), curves, None, None, finals, finals, final, None)

    return [
        Group(task, algorithm, np.zeros(1), 1, tuple(arm(a.name) for a in study.arms), None, {}, (), (), ())
        for task in study.tasks
        for algorithm in study.algorithms
    ]


def test_where_no_arm_differs_at_most_a_twentieth_of_studies_finds_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4 tasks x 2 algorithms, 2 pairs that share an arm, 10 seeds; Holm within each task alone gives about 0.25."""
    # The bootstrap interval plays no part in a p value and would take most of the time.
    monkeypatch.setattr(st, "difference_interval", lambda _a, _b, _rng: None)
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
    assert family_size(study) == 16
    rng = np.random.default_rng(20)
    studies = 400
    wrong = sum(
        any(c.established for group in compare(study, _null_groups(study, rng)) for c in group.comparisons)
        for _ in range(studies)
    )
    # three standard errors of a share of 0.05
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
    # and not because nothing can ever be found
    assert wrong > 0
