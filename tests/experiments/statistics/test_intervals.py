"""What ends are called, and when none are given."""

import numpy as np
import pytest

from experiments.statistics import intervals as iv
from experiments.statistics import point_estimates as pe
from experiments.statistics.bootstrap import Resamples, draw, mean_replicates, stack


def drawn(*sizes: int, replicates: int = 2000) -> Resamples:
    rng = np.random.default_rng(7)
    return stack([draw(size, rng, replicates) for size in sizes])


@pytest.mark.parametrize(
    ("seeds", "share"),
    [(1, None), (3, None), (4, None), (5, 0.90), (9, 0.90), (10, 0.93), (19, 0.93), (20, 0.94), (99, 0.94)],
)
def test_coverage_is_that_of_the_next_lower_simulated_number_of_seeds(seeds: int, share: float | None) -> None:
    assert iv.coverage(seeds) == share


def test_coverage_depends_on_strata_and_statistic() -> None:
    assert (iv.coverage(5, 4), iv.coverage(5, 5)) == (0.90, 0.91)
    assert (iv.coverage(5, 1, "mean"), iv.coverage(5, 5, "mean")) == (0.83, 0.90)


def test_fewer_than_five_seeds_give_the_range_and_say_so() -> None:
    found = iv.estimate(np.array([3.0, 1.0, 4.0, 2.0]), drawn(4))
    assert (found.value, found.low, found.high, found.kind, found.seeds) == (2.5, 1.0, 4.0, "range", 4)
    assert (found.coverage, found.label) == (None, "range of the seeds")


def test_five_seeds_give_an_interval_inside_the_range_with_its_coverage() -> None:
    found = iv.estimate(np.array([1.0, 2.0, 3.0, 4.0, 50.0]), drawn(5))
    assert found.kind == "interval"
    assert 1.0 <= found.low < 3.0 < found.high < 50.0
    assert found.label == "nominal 95 % interval, covers 90 %"


def test_the_stratum_with_fewest_seeds_decides() -> None:
    scores = np.array([0.0, 1.0, 2.0, *np.linspace(10, 20, 9)])
    found = iv.estimate(scores, drawn(3, 9))
    # one seed of each task at a time: (0, 10), (1, 11.25), (2, 12.5)
    assert (found.kind, found.seeds, found.strata) == ("range", 3, 2)
    assert (found.low, found.high) == (5.0, 7.25)


def test_any_statistic_with_its_interval_or_range() -> None:
    few = iv.estimate_of([np.array([1.0, 3.0]), np.array([5.0, 9.0])], drawn(2, 2), pe.mean, mean_replicates)
    assert (few.value, few.low, few.high, few.kind) == (4.5, 3.0, 6.0, "range")
    many = iv.estimate_of([np.arange(5.0)], drawn(5), pe.mean, mean_replicates)
    assert (many.value, many.kind, many.coverage) == (2.0, "interval", 0.83)
    assert 0 < many.low < 2 < many.high < 4


def test_bands_of_curves_use_fewer_replicates_than_numbers() -> None:
    curve = np.random.default_rng(1).normal(size=(9, 3))
    resamples = drawn(9)
    low, high = iv.band(curve, resamples)
    first = iv.band(curve, resamples.first(1000))
    np.testing.assert_array_equal([low, high], first)
    assert iv.band(curve[:, 0], resamples)[0] != low[0]


def test_percentile_interval_by_hand() -> None:
    low, high = iv.percentile_interval(np.arange(101.0), level=0.9)
    assert [float(low), float(high)] == pytest.approx([5.0, 95.0])
    low, high = iv.percentile_interval(np.arange(1001.0))
    assert [float(low), float(high)] == pytest.approx([25.0, 975.0])


def test_differences_need_five_seeds_in_every_stratum_of_both() -> None:
    five, four = np.arange(5.0), np.arange(4.0)
    assert iv.difference_interval(five, four, drawn(5), drawn(4)) is None
    assert iv.difference_interval(four, five, drawn(4), drawn(5)) is None
    assert iv.improvement_interval([five], [four], drawn(5), drawn(4)) is None
    other = Resamples(drawn(5).counts[:, ::-1], (5,))
    found = iv.difference_interval(five + 100.0, five, drawn(5), other)
    assert found is not None
    assert 95.0 < found[0] < 100.0 < found[1] < 105.0
    better = iv.improvement_interval([five + 1.0], [five], drawn(5), other)
    assert better is not None
    assert 0.0 < better[0] < 17 / 25 < better[1] < 1.0


@pytest.mark.parametrize(
    ("interval", "margin", "within"),
    [
        ((-0.4, 0.4), 0.5, True),
        ((-0.4, 0.6), 0.5, False),
        ((-0.6, 0.4), 0.5, False),
        (None, 0.5, False),
        ((-0.4, 0.4), None, False),
    ],
)
def test_equivalence_is_an_interval_within_the_margin(
    interval: tuple[float, float] | None, margin: float | None, within: bool
) -> None:
    assert iv.within_margin(interval, margin) is within
