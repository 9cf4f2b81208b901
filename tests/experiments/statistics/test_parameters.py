"""No parameter of the statistics is ignored: for each there is another value that changes what comes out."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import experiments.statistics as package
from experiments.statistics import (
    arrays,
    bootstrap,
    distributions,
    halves,
    intervals,
    multiplicity,
    planning,
    point_estimates,
    rates,
    scores,
    significance,
    survival,
)
from experiments.statistics.arrays import FloatArray, generator

SCORES = np.array([1.0, 3.0, 2.0, 5.0, 8.0])
OTHERS = np.array([2.0, 2.5, 4.0, 6.0, 9.0, 7.0])
CURVES = np.array([[0.0, 1.0, 5.0, 4.0], [1.0, 2.0, 3.0, 9.0], [0.0, 4.0, 6.0, 7.0]])
TORN = np.array([0.0, 1.0, np.nan, np.nan])
STEPS = np.array([0.0, 10.0, 20.0, 40.0])


def resamples(runs: int = 5, seed: str = "one") -> bootstrap.Resamples:
    return bootstrap.draw(runs, generator(seed), 50)


def twelve(seed: str) -> bootstrap.Resamples:
    return resamples(12, seed)


def times(threshold: float = 4.0, curves: FloatArray = CURVES) -> survival.Times:
    return survival.times_to_threshold(STEPS, curves, threshold, 1)


TWO, SIX = resamples(5, "two"), resamples(6)
# So many that splits are drawn at random.
MANY = np.random.default_rng(0).normal(size=400)
TWELVE = np.array([1.0, 9.0, 4.0, 2.0, 7.0, 3.0, 8.0, 5.0, 6.0, 0.0, 12.0, 5.5])
# A function, its arguments, and for each of its parameters another value. Generators are made anew for each call.
Row = tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]
ROWS: list[Row] = [
    (arrays.level, {"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 2.0}),
    (bootstrap.draw, {"runs": 5, "rng": ["x"], "replicates": 9}, {"runs": 6, "rng": ["y"], "replicates": 8}),
    (bootstrap.stack, {"parts": [resamples()]}, {"parts": [SIX]}),
    (
        bootstrap.iqm_replicates,
        {"scores": SCORES, "resamples": resamples()},
        {"scores": SCORES + 1, "resamples": TWO},
    ),
    *(
        (
            function,
            {"strata": [SCORES], "resamples": resamples()},
            {"strata": [-SCORES], "resamples": resamples(5, "t")},
        )
        for function in (bootstrap.stratum_means, bootstrap.mean_replicates, bootstrap.median_replicates)
    ),
    (
        bootstrap.optimality_gap_replicates,
        {"strata": [SCORES], "resamples": resamples(), "target": 4.0},
        {"strata": [-SCORES], "resamples": TWO, "target": 5.0},
    ),
    (
        bootstrap.profile_replicates,
        {"strata": [SCORES], "levels": np.array([2.5, 4.0]), "resamples": resamples()},
        {"strata": [-SCORES], "levels": np.array([0.0, 6.0]), "resamples": TWO},
    ),
    (
        bootstrap.improvement_replicates,
        {"a": [SCORES], "b": [OTHERS], "resamples_a": resamples(), "resamples_b": SIX},
        {"a": [-SCORES], "b": [-OTHERS], "resamples_a": TWO, "resamples_b": resamples(6, "two")},
    ),
    (distributions.student_t_two_sided, {"t": 2.0, "freedom": 4.0}, {"t": 3.0, "freedom": 5.0}),
    (distributions.student_t_quantile, {"share": 0.95, "freedom": 4.0}, {"share": 0.9, "freedom": 5.0}),
    (distributions.normal_two_sided, {"z": 1.0}, {"z": 2.0}),
    (halves.in_turn, {"runs": 6}, {"runs": 8}),
    (
        halves.random_halves,
        {"strata": [TWELVE], "rng": ["x"], "count": 40, "replicates": 50},
        {"strata": [TWELVE**2], "rng": ["y"], "count": 41, "replicates": 20},
    ),
    (
        intervals.coverage,
        {"seeds": 5, "strata": 1, "statistic": "iqm"},
        {"seeds": 10, "strata": 5, "statistic": "mean"},
    ),
    (
        intervals.percentile_interval,
        {"replicates": np.arange(100.0), "level": 0.95},
        {"replicates": np.arange(50.0), "level": 0.8},
    ),
    *(
        (function, {"scores": SCORES, "resamples": resamples()}, {"scores": -SCORES, "resamples": TWO})
        for function in (intervals.band, intervals.estimate)
    ),
    (
        intervals.labelled,
        {"value": 1.0, "ends": (0.0, 2.0), "sizes": (5,), "statistic": "iqm"},
        {"value": 1.5, "ends": (0.0, 3.0), "sizes": (10,), "statistic": "mean"},
    ),
    (
        intervals.single_seeds,
        {"scores": SCORES, "sizes": (2, 3), "statistic": point_estimates.mean},
        {"scores": SCORES + 1, "sizes": (1, 4), "statistic": point_estimates.optimality_gap},
    ),
    (
        intervals.estimate_of,
        {
            "strata": [SCORES],
            "resamples": resamples(),
            "statistic": point_estimates.mean,
            "replicates": bootstrap.mean_replicates,
        },
        {
            "strata": [-SCORES],
            "resamples": TWO,
            "statistic": point_estimates.optimality_gap,
            "replicates": bootstrap.optimality_gap_replicates,
        },
    ),
    (
        intervals.difference_interval,
        {"a": SCORES, "b": OTHERS, "resamples_a": resamples(), "resamples_b": SIX},
        {"a": -SCORES, "b": -OTHERS, "resamples_a": TWO, "resamples_b": resamples(6, "two")},
    ),
    (
        intervals.improvement_interval,
        {"a": [TWELVE], "b": [TWELVE + 1], "resamples_a": twelve("one"), "resamples_b": twelve("two")},
        {"a": [TWELVE - 2], "b": [TWELVE * 2], "resamples_a": twelve("three"), "resamples_b": twelve("four")},
    ),
    (intervals.within_margin, {"interval": (-0.01, 0.02), "margin": 0.05}, {"interval": (-0.1, 0.02), "margin": 0.01}),
    *(
        (function, {"p_values": np.array([0.01, 0.03])}, {"p_values": np.array([0.02, 0.03])})
        for function in (multiplicity.holm, multiplicity.benjamini_hochberg)
    ),
    (planning.shifted_improvement, {"strata": [SCORES], "effect": 0.1}, {"strata": [-SCORES + 50], "effect": 2.0}),
    (
        planning.power,
        {"improvement": 0.7, "seeds": 10, "strata": 1, "alpha": 0.05},
        {"improvement": 0.8, "seeds": 20, "strata": 3, "alpha": 0.01},
    ),
    (
        planning.seeds_needed,
        {"improvement": 0.7, "strata": 1, "target": 0.8, "alpha": 0.05, "most": 1000},
        {"improvement": 0.8, "strata": 3, "target": 0.9, "alpha": 0.01, "most": 10},
    ),
    (planning.spread, {"strata": [SCORES]}, {"strata": [OTHERS]}),
    (point_estimates.trimmed, {"count": 10}, {"count": 20}),
    (point_estimates.iqm, {"scores": CURVES, "axis": 0}, {"scores": CURVES + 1, "axis": 1}),
    *(
        (function, {"strata": [SCORES]}, {"strata": [OTHERS]})
        for function in (point_estimates.pooled, point_estimates.mean, point_estimates.median)
    ),
    (point_estimates.optimality_gap, {"strata": [SCORES], "target": 4.0}, {"strata": [OTHERS], "target": 5.0}),
    (point_estimates.wins, {"a": SCORES, "b": OTHERS}, {"a": -SCORES, "b": -OTHERS}),
    (point_estimates.probability_of_improvement, {"a": [SCORES], "b": [OTHERS]}, {"a": [-SCORES], "b": [-OTHERS]}),
    (
        point_estimates.performance_profile,
        {"strata": [SCORES], "levels": np.array([2.5, 4.0])},
        {"strata": [-SCORES], "levels": np.array([0.0, 6.0])},
    ),
    (rates.wilson_interval, {"count": 3, "of": 10}, {"count": 4, "of": 11}),
    (scores.carry_forward, {"returns": TORN}, {"returns": TORN + 1}),
    (scores.final_window, {"points": 200, "given": None}, {"points": 50, "given": 7}),
    (scores.final_scores, {"curves": CURVES, "window": 1}, {"curves": CURVES + 1, "window": 2}),
    (scores.area_under_curve, {"steps": STEPS, "curves": CURVES}, {"steps": STEPS**2, "curves": CURVES + 1}),
    (scores.moving_mean, {"curves": CURVES, "window": 1}, {"curves": CURVES + 1, "window": 2}),
    (scores.peak_of_mean, {"steps": STEPS, "curves": CURVES}, {"steps": STEPS + 1, "curves": CURVES[:, ::-1]}),
    (significance.welch, {"a": SCORES, "b": OTHERS, "level": 0.95}, {"a": -SCORES, "b": -OTHERS, "level": 0.9}),
    (
        significance.splits,
        {"runs_a": 6, "runs_b": 5, "rng": ["x"], "most": 400},
        {"runs_a": 7, "runs_b": 6, "rng": ["y"], "most": 500},
    ),
    (
        significance.permutation_test,
        {"a": SCORES, "b": OTHERS, "ways": significance.splits(5, 6, generator("x"))},
        {"a": -SCORES, "b": -OTHERS, "ways": significance.splits(5, 6, generator("x"), 50)},
    ),
    (
        significance.rank_test,
        {"a": [MANY], "b": [MANY + 0.05], "rng": ["x"]},
        {"a": [MANY + 0.01], "b": [MANY + 0.1], "rng": ["y"]},
    ),
    (significance.smallest_p_value, {"runs": [(5, 5)]}, {"runs": [(4, 5)]}),
    (
        survival.times_to_threshold,
        {"axis": STEPS, "curves": CURVES, "threshold": 4.0, "window": 1},
        {"axis": STEPS * 2, "curves": CURVES * 0.5, "threshold": 6.5, "window": 3},
    ),
    (survival.kaplan_meier, {"times": times()}, {"times": times(6.5)}),
    (survival.logrank, {"a": times(3.0), "b": times(6.5)}, {"a": times(5.0), "b": times(4.0)}),
]


def called(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    ready = {name: generator(*value) if name == "rng" else value for name, value in arguments.items()}
    with np.printoptions(threshold=100_000, precision=17):
        return repr(function(**ready))


def each_parameter() -> Iterator[Any]:
    for function, arguments, others in ROWS:
        for name in others:
            yield pytest.param(function, arguments, {name: others[name]}, id=f"{function.__name__}-{name}")


@pytest.mark.parametrize(("function", "arguments", "other"), list(each_parameter()))
def test_a_parameter_changes_what_comes_out(
    function: Callable[..., Any], arguments: dict[str, Any], other: dict[str, Any]
) -> None:
    assert called(function, arguments) == called(function, arguments)
    assert called(function, arguments) != called(function, {**arguments, **other})


def test_every_parameter_of_every_function_has_its_row() -> None:
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    ]
    functions = [
        function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    ]
    # What a generator is made from is varied wherever one is an argument.
    wanted = {function: set(inspect.signature(function).parameters) for function in functions if function != generator}
    rows = {function: (set(arguments), set(others)) for function, arguments, others in ROWS}
    assert rows == {function: (given, given) for function, given in wanted.items()}
