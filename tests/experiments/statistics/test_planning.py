"""The seed planner, by its formula, by its inputs, and (slowly) by simulation; the A/A control's halves."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics import planning as pl
from experiments.statistics.arrays import FloatArray
from experiments.statistics.halves import in_turn, random_halves


def td3() -> FloatArray:
    """Final scores (mean of the last ten evaluations up to 1M steps) of 193 TD3 runs on HalfCheetah-v2.

    From the data of "A Hitchhiker's Guide to Statistical Comparisons of RL Algorithms" (arXiv 1904.06979).
    """
    with (Path(__file__).parent / "td3_final_scores.csv").open(newline="") as file:
        return np.array([float(row["final_score"]) for row in csv.DictReader(file)])


def test_power_by_hand() -> None:
    # se = sqrt(21 / 1200) = 0.13229; (0.1 / se) - 1.95996 = -1.20405, and the other side below -2.7
    assert pl.power(0.6, 10, 1) == pytest.approx(stats.norm.cdf(-1.20405) + stats.norm.cdf(-2.71587), abs=1e-5)
    assert pl.power(0.5, 10, 1) == pytest.approx(0.05)
    assert pl.power(0.5, 10, 1, alpha=0.1) == pytest.approx(0.1)
    assert pl.power(0.4, 10, 1) == pl.power(0.6, 10, 1)
    assert pl.power(0.6, 10, 4) > pl.power(0.6, 10, 1)


def test_seeds_needed_are_the_fewest_with_the_power() -> None:
    seeds = pl.seeds_needed(0.7, strata=2)
    assert seeds is not None
    assert pl.power(0.7, seeds, 2) >= 0.8 > pl.power(0.7, seeds - 1, 2)
    assert pl.seeds_needed(0.7, strata=2, target=0.9) == pytest.approx(seeds * 1.34, abs=2)
    assert (pl.seeds_needed(0.7, strata=2, alpha=0.01) or 0) > seeds
    assert pl.seeds_needed(0.7, strata=2, most=seeds - 1) is None
    assert pl.seeds_needed(0.5, strata=2) is None


def test_an_effect_is_a_share_of_normalised_score() -> None:
    scores = [np.array([0.9, 1.0, 1.1, 1.0, 0.95, 1.05])]
    assert pl.shifted_improvement(scores, 0.0) == pytest.approx(0.5)
    assert 0.5 < pl.shifted_improvement(scores, 0.05) < pl.shifted_improvement(scores, 0.2) < 1
    # normal scores: Phi(effect / (sd sqrt(1 + 1.1 ** 2)))
    wide = np.random.default_rng(0).normal(1.0, 0.15, 400)
    expected = stats.norm.cdf(0.1 * wide.mean() / (wide.std(ddof=1) * np.sqrt(1 + 1.1**2)))
    assert pl.shifted_improvement([wide], 0.1) == pytest.approx(expected, abs=0.01)
    assert pl.shifted_improvement([np.ones(3)], 0.1) == 1.0
    with pytest.raises(ValueError, match="one run is not known"):
        pl.shifted_improvement([np.ones(1)], 0.1)


def test_the_spread_is_that_of_scores_over_their_mean() -> None:
    assert pl.spread([np.array([9.0, 11.0])]) == pytest.approx(np.sqrt(2) / 10)
    assert pl.spread([np.array([9.0, 11.0]), np.array([10.0, 10.0])]) == pytest.approx(0.1)


def test_planned_power_on_real_runs_is_that_of_the_reference() -> None:
    """evaluation_protocol 2.1: Mann-Whitney finds a gain of 10 % in .27, .54, .72 of studies at 10, 20, 30 seeds."""
    improvement = pl.shifted_improvement([td3() / td3().mean()], 0.1)
    assert [pl.power(improvement, seeds, 1) for seeds in (10, 20, 30)] == pytest.approx([0.27, 0.54, 0.72], abs=0.06)


@pytest.mark.exhaustive
def test_planned_power_on_real_runs_is_that_of_simulated_studies() -> None:
    rng, scores, studies = np.random.default_rng(5), td3(), 2000
    for effect, seeds in ((0.1, 10), (0.1, 30), (0.2, 10)):
        a = rng.choice(scores, (studies, seeds)) * (1 + effect)
        b = rng.choice(scores, (studies, seeds))
        found = (stats.mannwhitneyu(a, b, axis=1, method="asymptotic").pvalue <= 0.05).mean()
        planned = pl.power(pl.shifted_improvement([scores], effect), seeds, 1)
        assert planned == pytest.approx(found, abs=0.06), (effect, seeds)


def test_halves_are_disjoint_and_differ_by_luck_only() -> None:
    scores = [np.random.default_rng(0).normal(100, 10, 20), np.random.default_rng(1).normal(50, 5, 21)]
    one, other = in_turn(21)
    assert not set(one) & set(other)
    assert (one.size, other.size) == (10, 10)
    found = random_halves(scores, np.random.default_rng(2))
    assert found.low < 0 < found.high
    assert 0 <= found.excluding_zero <= 0.2
    assert random_halves(scores, np.random.default_rng(2)) == found
    assert random_halves(scores, np.random.default_rng(3)) != found
    assert random_halves(scores, np.random.default_rng(2), count=50) != found
    assert random_halves(scores, np.random.default_rng(2), replicates=20) != found


def test_halves_below_five_seeds_have_no_interval() -> None:
    assert np.isnan(random_halves([np.arange(9.0)], np.random.default_rng(0)).excluding_zero)
