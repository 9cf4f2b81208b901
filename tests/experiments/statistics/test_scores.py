"""From curves to scores, by hand."""

import numpy as np
import pytest

from experiments.statistics import scores as st


def test_area_under_the_curve_is_the_mean_height() -> None:
    steps = np.array([0.0, 100.0, 400.0])
    curves = np.array([[0.0, 10.0, 10.0], [6.0, 6.0, 6.0]])
    # the first 100 steps at 5 on average, the other 300 at 10
    np.testing.assert_allclose(st.area_under_curve(steps, curves), [8.75, 6.0], rtol=1e-15)


def test_area_of_a_single_evaluation_is_not_a_number() -> None:
    assert np.isnan(st.area_under_curve(np.array([0.0]), np.array([[3.0], [4.0]]))).all()


@pytest.mark.parametrize(("points", "window"), [(1, 1), (9, 1), (19, 1), (20, 2), (100, 10), (201, 10)])
def test_final_window_is_the_last_ten_but_no_more_than_a_tenth(points: int, window: int) -> None:
    assert st.final_window(points) == window


@pytest.mark.parametrize(("points", "given", "window"), [(201, 5, 5), (201, 30, 30), (3, 5, 3)])
def test_the_study_fixes_the_final_window(points: int, given: int, window: int) -> None:
    assert st.final_window(points, given) == window


def test_final_score_is_the_mean_of_the_window_not_the_maximum() -> None:
    curve = np.array([[1000.0, 1000.0, 3.0, 5.0]])
    np.testing.assert_array_equal(st.final_scores(curve, 2), [4.0])
    np.testing.assert_array_equal(st.final_scores(curve, 1), [5.0])


def test_carry_forward_keeps_the_last_finite_value() -> None:
    returns = np.array([np.nan, 1.0, np.inf, 3.0, np.nan, np.nan])
    np.testing.assert_array_equal(st.carry_forward(returns), [1.0, 1.0, 1.0, 3.0, 3.0, 3.0])
    with pytest.raises(ValueError, match="no finite evaluation"):
        st.carry_forward(np.array([np.nan, np.nan]))


def test_moving_mean_needs_a_full_window() -> None:
    means = st.moving_mean(np.array([[1.0, 2.0, 6.0, 10.0]]), 3)
    np.testing.assert_array_equal(means, [[np.nan, np.nan, 3.0, 6.0]])
    assert np.isnan(st.moving_mean(np.ones((1, 2)), 3)).all()


def test_the_peak_is_that_of_the_mean_curve() -> None:
    curves = np.array([[0.0, 10.0, 4.0], [0.0, 0.0, 8.0]])
    assert st.peak_of_mean(np.array([0.0, 5.0, 10.0]), curves) == (10.0, 6.0, 2.0)
