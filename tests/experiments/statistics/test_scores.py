"""Every statistic against numbers worked out by hand, and against SciPy."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics import scores as st


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([5.0], 5.0),
        ([1.0, 2.0, 9.0], 4.0),  # three seeds: nothing is dropped
        ([1.0, 2.0, 4.0, 100.0], 3.0),  # one at each end
        ([0.0, 10.0, 20.0, 30.0, 1000.0], 20.0),
        ([8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0, -1000.0], 4.5),  # two at each end of ten
    ],
)
def test_iqm_by_hand(scores: list[float], expected: float) -> None:
    assert float(st.iqm(np.array(scores))) == expected


def test_iqm_of_curves_is_the_iqm_of_every_point() -> None:
    curves = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [9.0, -9.0]])
    np.testing.assert_array_equal(st.iqm(curves), [1.5, 2.5])
    np.testing.assert_array_equal(st.iqm(curves.T, axis=1), [1.5, 2.5])


@pytest.mark.parametrize("runs", [3, 5, 10, 17])
def test_iqm_equals_scipys_trimmed_mean(runs: int) -> None:
    scores = rng().normal(size=runs)
    assert float(st.iqm(scores)) == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-12)


def test_area_under_the_curve_is_the_mean_height() -> None:
    steps = np.array([0.0, 100.0, 400.0])
    curves = np.array([[0.0, 10.0, 10.0], [6.0, 6.0, 6.0]])
    # the first 100 steps at 5 on average, the other 300 at 10
    np.testing.assert_allclose(st.area_under_curve(steps, curves), [8.75, 6.0], rtol=1e-15)


def test_area_of_a_single_evaluation_is_not_a_number() -> None:
    assert np.isnan(st.area_under_curve(np.array([0.0]), np.array([[3.0], [4.0]]))).all()


@pytest.mark.parametrize(("points", "window"), [(1, 1), (9, 1), (19, 1), (20, 2), (201, 20)])
def test_final_window_is_the_last_tenth_and_at_least_one(points: int, window: int) -> None:
    assert st.final_window(points) == window


def test_final_score_is_the_mean_of_the_window_not_the_maximum() -> None:
    curve = np.zeros((1, 20))
    curve[0, :18] = 1000.0
    curve[0, 18:] = [3.0, 5.0]
    np.testing.assert_array_equal(st.final_scores(curve), [4.0])


def test_carry_forward_keeps_the_last_finite_value() -> None:
    returns = np.array([np.nan, 1.0, np.inf, 3.0, np.nan, np.nan])
    np.testing.assert_array_equal(st.carry_forward(returns), [1.0, 1.0, 1.0, 3.0, 3.0, 3.0])
    with pytest.raises(ValueError, match="no finite evaluation"):
        st.carry_forward(np.array([np.nan, np.nan]))


def test_probability_of_improvement_counts_ties_half() -> None:
    assert st.probability_of_improvement(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0])) == pytest.approx(4.5 / 6)
    assert st.probability_of_improvement(np.array([5.0]), np.array([5.0])) == 0.5


@pytest.mark.parametrize("ties", [False, True])
def test_probability_of_improvement_equals_scipys_u(ties: bool) -> None:
    a, b = rng().normal(size=8), rng().normal(1.0, size=6)
    if ties:
        a, b = a.round(), b.round()
    expected = stats.mannwhitneyu(a, b).statistic / 48
    assert st.probability_of_improvement(a, b) == pytest.approx(expected, rel=1e-12)


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
def test_permutation_p_value_by_hand(a: list[float], b: list[float], expected: float) -> None:
    assert st.permutation_p_value(np.array(a), np.array(b)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 4), (10, 10), (30, 30)])
def test_permutation_p_value_equals_scipys_exact_test(n: int, m: int) -> None:
    a, b = rng().normal(0.4, size=n), np.random.default_rng(8).normal(size=m)
    expected = stats.mannwhitneyu(a, b, method="exact").pvalue
    assert st.permutation_p_value(a, b) == pytest.approx(expected, rel=1e-12)


def test_permutation_p_value_with_ties_equals_scipys_enumeration() -> None:
    a, b = np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.0, 2.0, 3.0, 1.0, 1.0])

    def rank_sum(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        ranks = stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)
        return np.asarray(ranks[..., : x.shape[axis]].sum(axis=axis))

    expected = stats.permutation_test((a, b), rank_sum, n_resamples=np.inf, vectorized=True).pvalue
    assert st.permutation_p_value(a, b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "m", "expected"), [(1, 1, 1.0), (2, 2, 1 / 3), (3, 3, 0.1), (4, 4, 1 / 35), (5, 5, 1 / 126)]
)
def test_smallest_p_value_is_what_complete_separation_reaches(n: int, m: int, expected: float) -> None:
    assert st.smallest_p_value(n, m) == pytest.approx(expected, rel=1e-12)
    reached = st.permutation_p_value(np.linspace(100.0, 101.0, n), np.linspace(0.0, 1.0, m))
    assert reached == pytest.approx(expected, rel=1e-12)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(st.holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06], rtol=1e-15)
    np.testing.assert_allclose(st.holm(np.array([0.6, 0.9])), [1.0, 1.0], rtol=1e-15)
    assert st.holm(np.array([])).size == 0


def test_wilson_interval_by_hand() -> None:
    # 95 % for 1 of 10, as printed in textbooks: 0.0179 to 0.4042
    assert st.wilson_interval(1, 10) == pytest.approx((0.017876, 0.404150), abs=1e-6)
    low, high = st.wilson_interval(0, 10)
    assert (low, high) == pytest.approx((0.0, 0.277533), abs=1e-6)
    expected = stats.binomtest(7, 9).proportion_ci(method="wilson")
    assert st.wilson_interval(7, 9) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize(
    ("seeds", "share"),
    [(1, None), (3, None), (4, None), (5, 0.90), (9, 0.90), (10, 0.93), (19, 0.93), (20, 0.94), (99, 0.94)],
)
def test_coverage_is_that_of_the_next_lower_measured_number_of_seeds(seeds: int, share: float | None) -> None:
    assert st.coverage(seeds) == share


def test_fewer_than_five_seeds_give_the_range_and_say_so() -> None:
    found = st.estimate(np.array([3.0, 1.0, 4.0, 2.0]), rng())
    assert (found.value, found.low, found.high, found.kind, found.seeds) == (2.5, 1.0, 4.0, "range", 4)


def test_five_seeds_give_an_interval_inside_the_range() -> None:
    found = st.estimate(np.array([1.0, 2.0, 3.0, 4.0, 50.0]), rng())
    assert found.kind == "interval"
    assert 1.0 <= found.low < 3.0 < found.high < 50.0


def test_bootstrap_resamples_whole_runs() -> None:
    # The second point is the first plus ten in every run: so it must be in every replicate.
    first = np.array([1.0, 5.0, 2.0, 8.0, 3.0, 9.0])
    replicates = st.bootstrap_iqm(np.stack([first, first + 10.0], axis=1), rng(), replicates=50)
    assert replicates.shape == (50, 2)
    np.testing.assert_allclose(replicates[:, 1] - replicates[:, 0], 10.0, rtol=1e-12)
    assert np.unique(replicates[:, 0]).size > 10


def test_bootstrap_does_not_depend_on_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = rng().normal(size=(6, 4))
    whole = st.bootstrap_iqm(scores, rng(), replicates=101)
    monkeypatch.setattr(st, "_CHUNK_ELEMENTS", 100)
    np.testing.assert_array_equal(st.bootstrap_iqm(scores, rng(), replicates=101), whole)


def test_bootstrap_interval_agrees_with_scipy() -> None:
    scores = rng().normal(size=10)
    low, high = st.percentile_interval(st.bootstrap_iqm(scores, rng(), replicates=20_000))
    expected = stats.bootstrap(
        (scores,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=rng(),
    ).confidence_interval
    # Two independent sets of 20 000 draws: the ends differ by their own sampling error only.
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=0.03)


def test_percentile_interval_by_hand() -> None:
    low, high = st.percentile_interval(np.arange(101.0), level=0.9)
    assert [float(low), float(high)] == pytest.approx([5.0, 95.0])


def test_difference_interval_needs_five_seeds_in_both() -> None:
    five, four = np.arange(5.0), np.arange(4.0)
    assert st.difference_interval(five, four, rng()) is None
    assert st.difference_interval(four, five, rng()) is None
    found = st.difference_interval(five + 100.0, five, rng())
    assert found is not None
    assert 95.0 < found[0] < 100.0 < found[1] < 105.0
