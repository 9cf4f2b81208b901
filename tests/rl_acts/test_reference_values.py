"""The library against every number of the published reference tables, to the digits printed there."""

import math

import pytest
import torch

import rl_acts
from tests.rl_acts.contract import applied, build, derivative
from tests.rl_acts.values import published
from tests.rl_acts.values.published import POINTS, SPECS, Bound, Printed

VALUES, SLOPES = published.rows(published.VALUES), published.rows(published.SLOPES)
EXTREMES, MOMENTS = published.rows(published.EXTREMES), published.rows(published.MOMENTS)
# The extremes print ten digits, their places nine.
_DIGITS, _DIGITS_OF_PLACES = 10, 9


def _specs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(row, spec) for row in table for spec in SPECS[row]]


def _significant(table: dict[str, list[str]]) -> int:
    return published.digits("|".join(cell for cells in table.values() for cell in cells))


def _at_points(spec: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f and f' at the points, in float64."""
    parsed = rl_acts.parse(spec)
    entry = rl_acts.info(parsed.name)
    function = applied(entry, build(entry, dtype, **parsed.arguments).eval())
    x = torch.tensor(POINTS, dtype=dtype)
    return function(x).detach().double(), derivative(function, x).double()


def _off(actual: torch.Tensor, expected: list[Printed]) -> list[tuple[float, float, float]]:
    pairs = zip(POINTS, actual.tolist(), expected, strict=True)
    return [(x, value, number.value) for x, value, number in pairs if not number.admits(value)]


def _far_off(actual: torch.Tensor, expected: list[Printed]) -> list[tuple[float, float, float]]:
    pairs = zip(POINTS, actual.tolist(), expected, strict=True)
    return [(x, v, n.value) for x, v, n in pairs if not abs(v - n.value) <= 1e-6 * max(1.0, abs(n.value))]


@pytest.mark.parametrize(("row", "spec"), _specs(VALUES))
def test_values(row: str, spec: str) -> None:
    expected = [published.printed(cell, _significant(VALUES)) for cell in VALUES[row]]
    assert _off(_at_points(spec, torch.float64)[0], expected) == []
    assert _far_off(_at_points(spec, torch.float32)[0], expected) == []


@pytest.mark.parametrize(("row", "spec"), _specs(SLOPES))
def test_slopes(row: str, spec: str) -> None:
    expected = [published.slope(cell, _DIGITS_OF_PLACES) for cell in SLOPES[row]]
    assert _off(_at_points(spec, torch.float64)[1], [slope.at for slope in expected]) == []
    assert _far_off(_at_points(spec, torch.float32)[1], [slope.at for slope in expected]) == []
    parsed = rl_acts.parse(spec)
    entry = rl_acts.info(parsed.name)
    module = build(entry, torch.float64, **parsed.arguments)
    for x, slope in zip(POINTS, expected, strict=True):
        if slope.limit is not None:
            beside = derivative(module, torch.tensor(x + slope.side * 1e-12, dtype=torch.float64))
            assert slope.limit.admits(float(beside), slack=1e-11)


@pytest.mark.parametrize(("row", "spec"), _specs(EXTREMES))
def test_minima_and_bounds_of_slopes(row: str, spec: str) -> None:
    found = rl_acts.character(spec)
    for cell, extreme, sign in zip(
        EXTREMES[row], (found.lowest, found.slope_lowest, found.slope_highest), (-1, -1, 1), strict=True
    ):
        assert extreme is not None
        expected = published.bound(cell, _DIGITS, _DIGITS_OF_PLACES)
        if expected.printed is None:
            assert extreme.value == sign * math.inf, cell
            continue
        assert expected.printed.admits(extreme.value), f"{cell}: {extreme}"
        assert _is_one_of(extreme.at, expected), f"{cell}: {extreme}"


def _is_one_of(place: float, bound: Bound) -> bool:
    if bound.places is None:
        return True
    # A flat extreme fixes its place to the root of the precision only.
    return any(place == at.value or at.admits(place, slack=1e-7) for at in bound.places)


@pytest.mark.parametrize(("row", "spec"), _specs(MOMENTS))
def test_moments_and_gain(row: str, spec: str) -> None:
    found = rl_acts.character(spec)
    expected = [published.printed(cell, _significant(MOMENTS)) for cell in MOMENTS[row]]
    for number, actual in zip(expected, (found.mean, found.second_moment, found.gain), strict=True):
        assert number.admits(actual, slack=1e-11), f"printed {number.value}, computed {actual}"
    assert rl_acts.init_gain(spec) == pytest.approx(found.gain, rel=1e-12)


def test_the_tables_are_whole() -> None:
    assert [len(table) for table in (VALUES, SLOPES, EXTREMES, MOMENTS)] == [38, 11, 16, 38]
    assert {len(cells) for cells in VALUES.values()} | {len(cells) for cells in SLOPES.values()} == {7}
    assert {len(cells) for cells in EXTREMES.values()} | {len(cells) for cells in MOMENTS.values()} == {3}
    assert (_significant(VALUES), _significant(MOMENTS)) == (10, 7)
    assert set(SPECS) == {*VALUES, *SLOPES, *EXTREMES, *MOMENTS}


def test_the_reading_of_printed_numbers() -> None:
    assert published.printed("-0.2763932023", 10) == Printed(-0.2763932023, 0.5e-10)
    assert published.printed("2.632772484e-10", 10).half_unit == pytest.approx(0.5e-19)
    assert published.printed("0.5", 10).admits(0.5 + 4.9e-11)
    assert not published.printed("0.5", 10).admits(0.5 + 5.1e-11)
    assert not published.printed("0", 10).admits(1e-14)
    assert published.printed("-0.0443310540", 10, 10).half_unit == pytest.approx(0.5e-10)
    assert published.digits("|0.0625|-1.25e-11|3|") == 3
    assert published.slope("1 (left: 1.5)", 9) == published.Slope(Printed(1.0, 0.5e-8), -1, Printed(1.5, 0.5e-8))
    assert published.bound("-0.3 (x -> -inf)", 10, 9).places == (Printed(-math.inf, 0.0),)
    assert [at.value for at in published.bound("-0.036 (+/-3.4)", 10, 9).places or ()] == [3.4, -3.4]
    assert published.bound("unbounded below, monotone", 10, 9) == Bound(None)
    assert published.bound("0", 10, 9) == Bound(Printed(0.0, 0.0))
    (place,) = published.bound("0.8 (2.5, left limit); 0.7 beyond", 10, 9).places or ()
    assert place.value == 2.5
