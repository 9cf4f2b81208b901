"""The first sentence of simulated studies whose truth is known, and of real runs whose answer is."""

import csv
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.analysis.results import Analysis
from experiments.collect.collection import Collection
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray
from experiments.statistics.significance import welch
from tests.experiments.analysis.simulated import Draw, learning_curve, plan, run, simulate

TASKS = ("Hopper-v5", "Walker2d-v5", "Ant-v5", "HalfCheetah-v5")


def normal(mean: float, sd: float) -> Draw:
    def draw(rng: np.random.Generator, seeds: int) -> FloatArray:
        return rng.normal(mean, sd, seeds)

    return draw


def collapsing(mean: float, sd: float, collapsed: int) -> Draw:
    """So many of the seeds end near nothing."""

    def draw(rng: np.random.Generator, seeds: int) -> FloatArray:
        return np.concatenate([rng.normal(20, 5, collapsed), rng.normal(mean, sd, seeds - collapsed)])

    return draw


def headline(collection: Collection) -> str:
    return analyse(collection).verdict.headline


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_gain_of_ten_per_cent_is_found(seed: int) -> None:
    """Ten seeds on four tasks with a spread of 8 % find 10 % almost always (evaluation_protocol 2.1)."""
    study = plan({"relu": 10, "swim": 10}, TASKS)
    found = headline(simulate(study, {"relu": normal(3000, 240), "swim": normal(3300, 264)}, seed))
    assert found.startswith("swim is better than relu on 4 tasks (TD3): normalised final score 1.")
    assert "; and swim is better on area under the curve (" in found


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_loss_of_ten_per_cent_is_found(seed: int) -> None:
    study = plan({"relu": 10, "swim": 10}, TASKS)
    found = headline(simulate(study, {"relu": normal(3000, 240), "swim": normal(2700, 216)}, seed))
    assert found.startswith("swim is worse than relu on 4 tasks (TD3): normalised final score 0.")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tasks", [TASKS[:1], TASKS])
def test_where_there_is_nothing_nothing_is_established(seed: int, tasks: tuple[str, ...]) -> None:
    study = plan({"relu": 10, "swim": 10}, tasks, margin=None)
    found = headline(simulate(study, {"relu": normal(3000, 450), "swim": normal(3000, 450)}, seed))
    assert found.startswith("A difference between swim and relu is not established on ")
    assert "; nor is it on area under the curve (" in found


def test_where_there_is_nothing_a_twentieth_of_headlines_is_wrong_at_most() -> None:
    study = plan({"relu": 6, "swim": 6}, margin=None)
    ends = {"relu": normal(3000, 450), "swim": normal(3000, 450)}
    studies = 60
    wrong = sum("not established" not in headline(simulate(study, ends, seed)) for seed in range(studies))
    assert wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_small_differences_within_the_margin_are_called_that() -> None:
    study = plan({"relu": 20, "swim": 20}, TASKS, margin=0.1)
    found = headline(simulate(study, {"relu": normal(3000, 100), "swim": normal(3000, 100)}, 2))
    assert found.startswith("swim and relu differ by less than the margin of 0.1 on 4 tasks (TD3): ")


def test_a_fifth_of_collapsed_seeds_does_not_hide_in_the_interquartile_mean() -> None:
    study = plan({"relu": 10, "swim": 10}, margin=None)
    found = headline(simulate(study, {"relu": normal(3000, 200), "swim": collapsing(3000, 200, 2)}, 1))
    assert found.startswith("A difference between swim and relu is not established on Hopper-v5 (TD3): ")
    assert found.endswith("; 2 of 10 runs of swim and 0 of 10 runs of relu got stuck.")


def test_a_gain_beside_collapsed_seeds_is_found_and_the_collapse_said() -> None:
    study = plan({"relu": 10, "swim": 10}, TASKS, margin=None)
    found = headline(simulate(study, {"relu": normal(3000, 150), "swim": collapsing(4500, 150, 2)}, 1))
    assert found.startswith("swim is better than relu on 4 tasks (TD3): ")
    assert found.endswith("; 8 of 40 runs of swim and 0 of 40 runs of relu got stuck.")


def test_censored_thresholds_count_runs_that_never_arrive() -> None:
    """The few runs of swim that arrive are fast; averaged alone they would make it look faster than relu."""
    study = plan({"relu": 10, "swim": 10}, thresholds={"Hopper-v5": [2500, 2600]})
    runs = [run(("Hopper-v5", "td3", "relu", seed), learning_curve(3000 + seed, 1.0)) for seed in range(10)]
    runs += [run(("Hopper-v5", "td3", "swim", seed), learning_curve(3000 + seed, 3.0)) for seed in range(3)]
    runs += [run(("Hopper-v5", "td3", "swim", seed), learning_curve(2000 + seed, 1.0)) for seed in range(3, 10)]
    found = analyse(Collection(study, tuple(runs), ()))
    assert "3 of 10 runs of swim and 10 of 10 runs of relu reach 2\u202f500 (log-rank p = 0.0" in found.verdict.headline
    # said once: what follows speaks of the other threshold
    said = [text for text in found.verdict.findings if " reach " in text]
    assert len(said) == 1
    assert said[0].startswith(
        "On Hopper-v5 (TD3), 3 of 10 runs of swim and 10 of 10 runs of relu reach 2\u202f600 (log-rank p = 0.0"
    )
    # at the end three runs of swim are ahead of all of relu, and seven behind all
    assert found.verdict.headline.startswith("A difference between swim and relu is not established on Hopper-v5 (TD3)")
    threshold = found.groups[0].thresholds[0]
    relu, swim = threshold.arms
    assert (relu.median is not None, swim.median) == (True, None)
    assert swim.restricted_mean > relu.restricted_mean
    assert swim.times[swim.reached].mean() < relu.times.mean()


def swim_authors() -> Collection:
    """The five Swish and five Swim runs (TD3, Walker2d-v2) in the public repository of the authors of Swim.

    arXiv 2303.02640; returns of the deterministic policy, mean over ten episodes, every 5,000 steps.
    """
    with (Path(__file__).parent / "swim_authors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    steps = np.array([float(row["step"]) for row in rows])
    study = Study.model_validate(
        {
            "format": 1,
            "name": "swim authors",
            "algorithms": ["td3"],
            "tasks": ["Walker2d-v2"],
            "arms": [
                {"name": name, "actor": name, "critic": name, "seeds": [1, 2, 3, 4, 5]} for name in ("swish", "swim")
            ],
            "steps": 1_000_000,
            "evaluation": {"every": 5000, "episodes": 10},
        }
    )
    runs = []
    for arm in study.arms:
        for seed in arm.seeds:
            place = ("Walker2d-v2", "td3", arm.name, seed)
            found = run(place, np.array([float(row[f"{arm.name}-{seed}"]) for row in rows]))
            np.testing.assert_array_equal(found.evaluations.steps, steps * 2)
            evaluations = type(found.evaluations)(steps, found.evaluations.returns, found.evaluations.clock * np.nan)
            runs.append(type(found)(*place, "done", evaluations))
    return Collection(study, tuple(runs), ())


@pytest.fixture(scope="module")
def authors() -> Analysis:
    return analyse(swim_authors())


def test_the_swim_authors_numbers_are_reproduced(authors: Analysis) -> None:
    """swim_paper.md section 4: their metric, the last-10 means, and what tests say of them."""
    swish, swim = authors.groups[0].arms
    assert swim.peak is not None
    assert swish.peak is not None
    assert (round(swim.peak.mean, 1), round(swim.peak.sd, 1), swim.peak.step) == (4387.4, 453.5, 955_000)
    assert (round(swish.peak.mean, 1), round(swish.peak.sd, 1), swish.peak.step) == (3774.7, 149.8, 940_000)
    assert [round(float(arm.finals.mean()), 1) for arm in (swim, swish)] == [4217.7, 3671.7]
    final, area = authors.groups[0].comparisons
    assert (final.a, final.b) == ("swim", "swish")
    assert final.means is not None
    assert area.means is not None
    assert (round(final.means.welch_p, 3), round(final.means.permutation_p, 3)) == (0.075, 0.056)
    assert round(final.p_value, 2) == 0.15
    assert final.improvement == pytest.approx(0.80)
    assert round(area.means.welch_p, 2) == 0.92
    # their area is the mean of all points
    points = welch(swim.curves.mean(axis=1), swish.curves.mean(axis=1))[0]
    assert round(points, 2) == 0.92


def test_the_swim_authors_headline_says_not_established(authors: Analysis) -> None:
    assert authors.verdict.headline.startswith(
        "Exploratory: a difference between swim and swish is not established on Walker2d-v2 (TD3): final score "
        "4\u202f261 against 3\u202f671, probability of improvement 0.80 (0.40 to 1.00), p = 0.30 after correction for "
        "2 comparisons; nor is it on area under the curve ("
    )
    thresholds = {reach.arm: reach for found in authors.groups[0].thresholds for reach in found.arms}
    assert thresholds == {}


def test_the_swim_authors_times_to_fixed_thresholds() -> None:
    collection = swim_authors()
    study = collection.study.model_copy(update={"thresholds": {"Walker2d-v2": (3000.0, 4000.0)}})
    first, second = analyse(Collection(study, collection.runs, ())).groups[0].thresholds
    assert [reach.times.tolist() for reach in first.arms] == [
        [405_000, 555_000, 490_000, 370_000, 620_000],
        [380_000, 480_000, 305_000, 565_000, 775_000],
    ]
    assert [(reach.share.count, reach.median) for reach in second.arms] == [(0, None), (4, 745_000)]
