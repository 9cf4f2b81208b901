"""The bootstrap by counts against resampling done literally, and against SciPy and rliable."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from experiments.statistics import bootstrap as bs
from experiments.statistics import intervals as iv
from experiments.statistics import point_estimates as pe
from experiments.statistics.arrays import FloatArray
from tests.experiments.statistics.test_point_estimates import X, Y, strata


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(*sizes: int, replicates: int = 40, seed: int = 7) -> bs.Resamples:
    source = rng(seed)
    return bs.stack([bs.draw(size, source, replicates) for size in sizes])


def literal(scores: FloatArray, resamples: bs.Resamples, replicate: int) -> FloatArray:
    """The runs of one replicate, each as often as it was drawn."""
    return np.repeat(scores, resamples.counts[:, replicate], axis=0)


@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (5,), (10, 10, 10), (4, 9), (300,)])
@pytest.mark.parametrize("points", [1, 70])
def test_iqm_of_replicates_is_that_of_the_drawn_runs(sizes: tuple[int, ...], points: int) -> None:
    resamples = drawn(*sizes)
    curves = rng(1).normal(size=(sum(sizes), points)).round(1)
    found = bs.iqm_replicates(curves, resamples)
    expected = [pe.iqm(literal(curves, resamples, replicate)) for replicate in range(40)]
    assert found.shape == (points, 40)
    np.testing.assert_allclose(found.T, expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(bs.iqm_replicates(curves[:, 0], resamples), found[0])


def test_every_stratum_is_resampled_on_its_own() -> None:
    resamples = drawn(3, 7)
    assert resamples.sizes == (3, 7)
    assert (resamples.counts[:3].sum(axis=0) == 3).all()
    assert (resamples.counts[3:].sum(axis=0) == 7).all()
    # not the same draw again: strata of the same size differ
    same = drawn(5, 5)
    assert (same.counts[:5] != same.counts[5:]).any()


@pytest.mark.parametrize(
    ("statistic", "replicates"),
    [
        (pe.mean, bs.mean_replicates),
        (pe.median, bs.median_replicates),
        (pe.optimality_gap, bs.optimality_gap_replicates),
        (lambda s: pe.optimality_gap(s, 0.8), lambda s, r: bs.optimality_gap_replicates(s, r, 0.8)),
        (
            lambda s: float(pe.performance_profile(s, np.array([0.9]))[0]),
            lambda s, r: bs.profile_replicates(s, np.array([0.9]), r)[0],
        ),
    ],
)
def test_other_statistics_of_replicates(
    statistic: Callable[[pe.Strata], float], replicates: Callable[[pe.Strata, bs.Resamples], FloatArray]
) -> None:
    resamples, scores = drawn(5, 5, 5, 5), strata(X)
    found = replicates(scores, resamples)
    parts = bs.Resamples.split(resamples)
    for replicate in range(40):
        runs = [np.repeat(s, c[:, replicate].astype(int)) for s, c in zip(scores, parts, strict=True)]
        assert found[replicate] == pytest.approx(statistic(runs), abs=1e-12)


def test_probability_of_improvement_of_replicates() -> None:
    first, second = drawn(5, 5, 5, 5), drawn(7, 7, 7, 7, seed=8)
    found = bs.improvement_replicates(strata(X), strata(Y), first, second)
    for replicate in range(40):
        a = [np.repeat(s, c[:, replicate].astype(int)) for s, c in zip(strata(X), first.split(), strict=True)]
        b = [np.repeat(s, c[:, replicate].astype(int)) for s, c in zip(strata(Y), second.split(), strict=True)]
        assert found[replicate] == pytest.approx(pe.probability_of_improvement(a, b), abs=1e-12)


def test_whole_runs_are_resampled_so_curve_area_and_end_agree() -> None:
    # The second point is the first plus ten in every run: so it must be in every replicate.
    first = np.array([1.0, 5.0, 2.0, 8.0, 3.0, 9.0])
    found = bs.iqm_replicates(np.stack([first, first + 10.0], axis=1), drawn(6))
    np.testing.assert_allclose(found[1] - found[0], 10.0, rtol=1e-12)
    assert np.unique(found[0]).size > 10


def test_the_same_generator_gives_the_same_draws_and_another_others() -> None:
    np.testing.assert_array_equal(drawn(10).counts, drawn(10).counts)
    assert (drawn(10).counts != drawn(10, seed=8).counts).any()
    assert drawn(10, replicates=77).counts.shape == (10, 77)


def test_the_chunk_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    curves, resamples = rng().normal(size=(6, 40)), drawn(6)
    whole = bs.iqm_replicates(curves, resamples)
    monkeypatch.setattr(bs, "_CHUNK_BYTES", 1000)
    np.testing.assert_array_equal(bs.iqm_replicates(curves, resamples), whole)


def test_bad_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one run and one replicate, not 0 and 5"):
        bs.draw(0, rng(), 5)
    with pytest.raises(ValueError, match=r"\[5, 6\] replicates cannot be stacked"):
        bs.stack([bs.draw(2, rng(), 5), bs.draw(2, rng(), 6)])


def test_the_interval_of_one_stratum_agrees_with_scipys() -> None:
    scores = rng().normal(size=10)
    low, high = iv.percentile_interval(bs.iqm_replicates(scores, drawn(10, replicates=20_000)))
    expected = stats.bootstrap(
        (scores,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=rng(),
    ).confidence_interval
    # Two independent sets of 20 000 draws: the ends differ by their own sampling error only.
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=0.03)


@pytest.mark.parametrize(
    ("scores", "iqm", "mean"),
    [
        (X, (0.806, 1.0147), (0.78495, 1.00080125)),
        (Y, (0.7655696428571429, 1.0187857142857142), (0.80660625, 1.0449285714285714)),
    ],
    ids=["x", "y"],
)
def test_stratified_intervals_agree_with_rliables(
    scores: FloatArray, iqm: tuple[float, float], mean: tuple[float, float]
) -> None:
    """Literals: get_interval_estimates(..., reps=50_000) after np.random.seed(0), see test_point_estimates."""
    resamples = drawn(*[scores.shape[0]] * 4, replicates=50_000)
    found = iv.percentile_interval(bs.iqm_replicates(pe.pooled(strata(scores)), resamples))
    assert tuple(map(float, found)) == pytest.approx(iqm, abs=0.004)
    found = iv.percentile_interval(bs.mean_replicates(strata(scores), resamples))
    assert tuple(map(float, found)) == pytest.approx(mean, abs=0.004)
