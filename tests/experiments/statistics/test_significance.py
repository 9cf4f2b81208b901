"""Tests of two arms by hand, and against SciPy."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics import significance as sg
from experiments.statistics.multiplicity import benjamini_hochberg, holm
from experiments.statistics.rates import wilson_interval


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 7), (10, 10), (40, 25)])
def test_welch_equals_scipys(n: int, m: int) -> None:
    a, b = rng().normal(0.4, 3.0, n), rng(8).normal(size=m)
    expected = stats.ttest_ind(a, b, equal_var=False)
    p_value, interval = sg.welch(a, b)
    assert p_value == pytest.approx(expected.pvalue, rel=1e-12, abs=1e-12)
    assert interval == pytest.approx(tuple(expected.confidence_interval()), rel=1e-12, abs=1e-12)
    narrower = sg.welch(a, b, level=0.9)[1]
    assert narrower == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0, 3.0]), ([1.0, 1.0], [2.0, 2.0]), ([1e307, 3e307], [2e307, 9e307])])
def test_welch_is_not_defined_without_spread_or_where_it_overflows(a: list[float], b: list[float]) -> None:
    p_value, interval = sg.welch(np.array(a), np.array(b))
    assert np.isnan([p_value, *interval]).all()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], 0.1),  # 2 of 20 splits
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0.1),
        ([1.0], [2.0], 1.0),
        ([7.0, 7.0], [7.0, 7.0], 1.0),
        ([2.0, 4.0], [1.0, 3.0], 2 / 3),  # U = 3; P(U >= 3) = 2 of 6 splits
    ],
)
def test_the_rank_test_by_hand(a: list[float], b: list[float], expected: float) -> None:
    assert sg.rank_test([np.array(a)], [np.array(b)], rng()).value == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 4), (4, 9), (10, 10), (30, 30)])
def test_the_rank_test_of_one_stratum_is_scipys_exact_mann_whitney_test(n: int, m: int) -> None:
    a, b = rng().normal(0.4, size=n), rng(8).normal(size=m)
    found = sg.rank_test([a], [b], rng())
    assert found.exact
    assert found.value == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue, rel=1e-12, abs=1e-12)


def test_ties_are_allowed_for() -> None:
    a, b = np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.0, 2.0, 3.0, 1.0, 1.0])

    def rank_sum(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        ranks = stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)
        return np.asarray(ranks[..., : x.shape[axis]].sum(axis=axis))

    expected = stats.permutation_test((a, b), rank_sum, n_resamples=np.inf, vectorized=True).pvalue
    assert sg.rank_test([a], [b], rng()).value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_strata_are_never_mixed() -> None:
    # In each stratum a wins 3 of 4 pairs; of 6 x 6 splits 1 + 2 + 2 win at least 6 of 8 pairs: (4,4), (4,3), (3,4) and
    # (3,3), (4,2), (2,4); of the six splits of one stratum 4 pairs are won by 1, 3 by 1, 2 by 2.
    a = [np.array([2.0, 4.0]), np.array([200.0, 400.0])]
    b = [np.array([1.0, 3.0]), np.array([100.0, 300.0])]
    ways = {4: 1, 3: 1, 2: 2, 1: 1, 0: 1}
    at_least = sum(x * y for i, x in ways.items() for j, y in ways.items() if i + j >= 6)
    assert sg.rank_test(a, b, rng()).value == pytest.approx(2 * at_least / 36, rel=1e-12, abs=1e-12)


def test_many_runs_are_split_at_random_and_agree_with_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = [rng().normal(0.4, size=12)], [rng(8).normal(size=12)]
    exact = sg.rank_test(a, b, rng())
    monkeypatch.setattr(sg, "_MOST_WORK", 0)
    drawn = sg.rank_test(a, b, rng())
    assert (exact.exact, drawn.exact) == (True, False)
    assert drawn.value == pytest.approx(exact.value, abs=4 * np.sqrt(exact.value / sg.RANDOM_SPLITS))
    assert sg.rank_test(a, b, rng()) == drawn
    assert sg.rank_test(a, b, rng(9)) != drawn


def test_the_permutation_test_of_means_equals_scipys() -> None:
    a, b = rng().normal(0.8, size=6) + 5000, rng(8).normal(size=5) + 5000
    found = sg.permutation_test(a, b, sg.splits(6, 5, rng()))
    expected = stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), n_resamples=np.inf, vectorized=True
    ).pvalue
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_permutation_test_draws_splits_where_there_are_too_many() -> None:
    a, b = rng().normal(0.8, size=6), rng(8).normal(size=6)
    exact = sg.permutation_test(a, b, sg.splits(6, 6, rng()))
    drawn = sg.permutation_test(a, b, sg.splits(6, 6, rng(), most=100))
    assert (drawn.exact, drawn.value != exact.value) == (False, True)
    assert drawn.value == pytest.approx(exact.value, abs=4 * np.sqrt(exact.value / sg.RANDOM_SPLITS))
    apart = sg.permutation_test(a, b + 100, sg.splits(6, 6, rng(), most=100))
    assert apart.value >= 2 / (sg.RANDOM_SPLITS + 1)


@pytest.mark.parametrize(
    ("n", "m", "expected"), [(1, 1, 1.0), (2, 2, 1 / 3), (3, 3, 0.1), (4, 4, 1 / 35), (5, 5, 1 / 126)]
)
def test_smallest_p_value_is_what_complete_separation_reaches(n: int, m: int, expected: float) -> None:
    assert sg.smallest_p_value([(n, m)]) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    low, high = [np.linspace(0.0, 1.0, m)], [np.linspace(100.0, 101.0, n)]
    assert sg.rank_test(high, low, rng()).value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    twice = sg.rank_test(high * 2, low * 2, rng()).value
    assert twice == pytest.approx(sg.smallest_p_value([(n, m)] * 2), rel=1e-12, abs=1e-12)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06], rtol=1e-15)
    np.testing.assert_allclose(holm(np.array([0.6, 0.9])), [1.0, 1.0], rtol=1e-15)
    assert holm(np.array([])).size == 0


def test_benjamini_hochberg_equals_scipys() -> None:
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.04, 0.01, 0.03])), [0.04, 0.03, 0.04], rtol=1e-15)
    p_values = rng().random(40)
    np.testing.assert_allclose(benjamini_hochberg(p_values), stats.false_discovery_control(p_values), rtol=1e-12)
    assert benjamini_hochberg(np.array([])).size == 0


def test_wilson_interval_equals_scipys() -> None:
    for count, of in ((0, 10), (1, 10), (7, 9), (9, 9)):
        expected = stats.binomtest(count, of).proportion_ci(method="wilson")
        assert wilson_interval(count, of) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-12)
    with pytest.raises(ValueError, match="3 of 2 is no share of runs"):
        wilson_interval(3, 2)
