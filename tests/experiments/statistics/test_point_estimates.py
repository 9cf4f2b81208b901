"""Point estimates against rliable 1.2.0, SciPy, and numbers worked out by hand.

rliable cannot be installed beside this project's pandas and arch, so its answers are literals. They were printed by

    import numpy as np
    from rliable import library, metrics
    for scores in (X, Y):  # as below
        for name in ("iqm", "mean", "median", "optimality_gap"):
            print(name, repr(float(getattr(metrics, f"aggregate_{name}")(scores))))
    print(repr(float(metrics.aggregate_optimality_gap(X, gamma=0.9))))
    print(repr(float(metrics.probability_of_improvement(X, Y))))
    print(library.create_performance_profile({"x": X}, np.array([0.4, 0.7, 0.9, 1.0, 1.2]), reps=10)[0])

with rliable 1.2.0, arch 7.2.0, pandas 2, NumPy 2.4, SciPy 1.17.
"""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics import point_estimates as pe
from experiments.statistics.arrays import FloatArray

# Runs x tasks; the first run is the same in both, so there are ties.
X = np.array(
    [
        [0.979, 0.794, 0.763, 1.323],
        [0.997, 0.863, 0.988, 0.214],
        [0.753, 0.537, 1.136, 0.882],
        [1.287, 1.114, 0.633, 1.049],
        [0.787, 0.957, 1.061, 0.793],
    ]
)
Y = np.array(
    [
        [0.979, 0.794, 0.763, 1.323],
        [0.761, 0.682, 1.182, 1.6],
        [0.92, 0.247, 0.533, 1.171],
        [0.612, 1.715, 0.435, 1.153],
        [0.906, 0.748, 0.764, 0.721],
        [1.121, 0.671, 0.919, 0.671],
        [1.446, 1.219, 0.99, 0.764],
    ]
)


def strata(scores: FloatArray) -> list[FloatArray]:
    return list(scores.T)


@pytest.mark.parametrize(
    ("scores", "iqm", "mean", "median", "gap"),
    [
        (X, 0.9089, 0.8955, 0.8845999999999999, 0.1529999999999999),
        (Y, 0.8787857142857144, 0.9217857142857142, 0.9157857142857142, 0.18285714285714294),
    ],
    ids=["x", "y"],
)
def test_aggregates_equal_rliables(scores: FloatArray, iqm: float, mean: float, median: float, gap: float) -> None:
    assert float(pe.iqm(pe.pooled(strata(scores)))) == pytest.approx(iqm, rel=1e-12, abs=1e-12)
    assert pe.mean(strata(scores)) == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert pe.median(strata(scores)) == pytest.approx(median, rel=1e-12, abs=1e-12)
    assert pe.optimality_gap(strata(scores)) == pytest.approx(gap, rel=1e-12, abs=1e-12)


def test_the_target_of_the_optimality_gap_counts_as_in_rliable() -> None:
    assert pe.optimality_gap(strata(X), target=0.9) == pytest.approx(0.09904999999999997, rel=1e-12, abs=1e-12)


def test_probability_of_improvement_equals_rliables() -> None:
    assert pe.probability_of_improvement(strata(X), strata(Y)) == pytest.approx(
        0.5357142857142857, rel=1e-12, abs=1e-12
    )
    assert pe.probability_of_improvement(strata(Y), strata(X)) == pytest.approx(
        0.4642857142857143, rel=1e-12, abs=1e-12
    )


def test_the_performance_profile_equals_rliables() -> None:
    profile = pe.performance_profile(strata(X), np.array([0.4, 0.7, 0.9, 1.0, 1.2]))
    np.testing.assert_allclose(profile, [0.95, 0.85, 0.5, 0.3, 0.1], rtol=1e-12)
    assert pe.performance_profile([np.array([1.0, 2.0])], np.array([1.0])).tolist() == [0.5]


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
    assert float(pe.iqm(np.array(scores))) == expected


def test_iqm_of_curves_is_the_iqm_of_every_point() -> None:
    curves = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [9.0, -9.0]])
    np.testing.assert_array_equal(pe.iqm(curves), [1.5, 2.5])
    np.testing.assert_array_equal(pe.iqm(curves.T, axis=1), [1.5, 2.5])


def test_iqm_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one score"):
        pe.iqm(np.empty(0))


@pytest.mark.parametrize("runs", [3, 5, 10, 17, 193])
def test_iqm_equals_scipys_trimmed_mean(runs: int) -> None:
    scores = np.random.default_rng(7).normal(size=runs)
    assert float(pe.iqm(scores)) == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-12, abs=1e-12)


def test_strata_of_different_sizes_count_the_same_in_the_mean_and_by_run_in_the_gap() -> None:
    uneven = [np.array([0.0]), np.array([1.0, 0.6, 0.8])]
    assert pe.mean(uneven) == pytest.approx(0.4)
    assert pe.median(uneven) == pytest.approx(0.4)
    assert pe.optimality_gap(uneven) == pytest.approx(0.4)
    assert pe.probability_of_improvement(uneven, [np.array([-1.0, 1.0]), np.array([0.7])]) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )


@pytest.mark.parametrize("ties", [False, True])
def test_probability_of_improvement_equals_scipys_u(ties: bool) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=8), rng.normal(1.0, size=6)
    if ties:
        a, b = a.round(), b.round()
    expected = stats.mannwhitneyu(a, b).statistic / 48
    assert pe.probability_of_improvement([a], [b]) == pytest.approx(expected, rel=1e-12, abs=1e-12)
