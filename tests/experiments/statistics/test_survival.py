"""Times that are censored, by hand and against SciPy."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics.survival import KaplanMeier, Times, kaplan_meier, logrank, times_to_threshold


def times(time: list[float], reached: list[bool]) -> Times:
    return Times(np.array(time), np.array(reached))


def test_the_moving_mean_must_reach_the_threshold_not_one_lucky_evaluation() -> None:
    steps = np.linspace(0.0, 70.0, 8)
    curves = np.array(
        [[0, 0, 0, 0, 0, 90, 0, 0], [0, 0, 10, 10, 10, 10, 10, 10], [0, 0, 0, 0, 0, 0, 0, 50]], dtype=float
    )
    found = times_to_threshold(steps, curves, 10.0)
    assert found.time.tolist() == [50.0, 60.0, 70.0]
    assert found.reached.tolist() == [True, True, True]
    stricter = times_to_threshold(steps, curves, 18.1)
    assert (stricter.time.tolist(), stricter.reached.tolist()) == ([70.0] * 3, [False] * 3)
    plain = times_to_threshold(steps, curves, 10.0, window=1)
    assert plain.time.tolist() == [50.0, 20.0, 70.0]


def test_each_run_may_have_its_own_clock() -> None:
    seconds = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 6.0]])
    found = times_to_threshold(seconds, np.array([[0.0, 5.0, 5.0], [0.0, 0.0, 0.0]]), 5.0, window=1)
    assert (found.time.tolist(), found.reached.tolist()) == ([1.0, 6.0], [True, False])


def test_a_curve_shorter_than_the_window_reaches_nothing() -> None:
    found = times_to_threshold(np.array([0.0, 1.0]), np.full((1, 2), 9.0), 1.0)
    assert (found.time.tolist(), found.reached.tolist()) == ([1.0], [False])


def test_kaplan_meier_by_hand() -> None:
    found = kaplan_meier(times([1.0, 2.0, 2.0, 3.0, 4.0], [True, True, False, True, False]))
    assert found.time.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(found.waiting, [0.8, 0.6, 0.3])
    assert found.median == 3.0
    # 1 for the first unit of time, then 0.8, 0.6 and, up to the horizon, 0.3
    assert found.restricted_mean(3.5) == pytest.approx(1 + 0.8 + 0.6 + 0.15)
    assert found.restricted_mean(2.0) == pytest.approx(1.8)


def test_the_median_is_unknown_where_fewer_than_half_reach_it() -> None:
    assert kaplan_meier(times([1.0, 9.0, 9.0], [True, False, False])).median is None
    assert kaplan_meier(times([9.0], [False])).restricted_mean(9.0) == 9.0
    # 0.8 * 0.75 * 2 / 3 * 0.5 ... rounds just above a half without a tolerance
    assert KaplanMeier(np.array([1.0]), np.array([0.5 + 1e-16])).median == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_kaplan_meier_and_the_log_rank_test_equal_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (Times(rng.exponential(scale, n).round(1), rng.random(n) < 0.7) for scale, n in ((5, 12), (8, 9)))
    censored = [stats.CensoredData(t.time[t.reached], right=t.time[~t.reached]) for t in (a, b)]
    assert logrank(a, b) == pytest.approx(stats.logrank(*censored).pvalue, rel=1e-12, abs=1e-12)
    curve = kaplan_meier(a)
    np.testing.assert_allclose(curve.waiting, stats.ecdf(censored[0]).sf.evaluate(curve.time), rtol=1e-12, atol=1e-15)


def test_the_log_rank_test_needs_somebody_to_reach_it() -> None:
    assert np.isnan(logrank(times([5.0, 5.0], [False, False]), times([5.0], [False])))
