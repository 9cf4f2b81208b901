"""Fits: as good as the published ones, optimal by an independent solver, repeatable, and loud about bad input."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize  # type: ignore[import-untyped]
import torch
from torch import Tensor

import rl_acts
from rl_acts import fit_polynomial, fit_rational
from rl_acts.families.rational_tables import WIDE

# Largest errors on [-3, 3] of the published coefficients.
PUBLISHED_ERRORS = {
    ("A", "leaky_relu"): 2.98e-2,
    ("A", "relu"): 3.00e-2,
    ("A", "gelu"): 4.14e-3,
    ("A", "swish"): 1.20e-6,
    ("A", "tanh"): 4.06e-5,
    ("A", "sigmoid"): 1.86e-5,
    ("B", "leaky_relu"): 3.36e-2,
    ("B", "swish"): 1.21e-6,
    ("B", "tanh"): 3.54e-6,
    ("C", "leaky_relu"): 3.36e-2,
}


def curve(x: np.ndarray[Any, Any], coefficients: np.ndarray[Any, Any], version: str) -> np.ndarray[Any, Any]:
    """A rational function of degrees (5, 4), written without the library."""
    a, b = coefficients[:6], coefficients[6:]
    above = sum(c * x**j for j, c in enumerate(a))
    if version == "A":
        return np.asarray(above / (1 + sum(abs(c) * abs(x) ** k for k, c in enumerate(b, start=1))))
    inner = sum(c * x**k for k, c in enumerate(b, start=0 if version == "C" else 1))
    return np.asarray(above / ((0.1 if version == "C" else 1.0) + abs(inner)))


def truth(name: str, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(rl_acts.make(name, dtype=torch.float64)(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize(("version", "name"), PUBLISHED_ERRORS)
def test_fits_are_not_worse_than_the_published_ones(version: str, name: str) -> None:
    fit = fit_rational(name, version=version, interval=(-3.0, 3.0), points=1001)
    x = np.linspace(-3, 3, 50_001)
    error = np.abs(curve(x, np.array([*fit.numerator, *fit.denominator]), version) - truth(name, x)).max()
    assert error <= PUBLISHED_ERRORS[version, name] + 5e-3 * 10.0 ** math.floor(math.log10(error))
    assert fit.max_error == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize(("version", "name"), WIDE)
def test_no_other_solver_improves_the_wide_fits(version: str, name: str) -> None:
    x = np.linspace(-10, 10, 4001)
    target = truth(name, x)
    start = np.array([*WIDE[version, name][0], *WIDE[version, name][1]])
    solved = scipy.optimize.least_squares(
        lambda c: curve(x, c, version) - target, start, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=60
    )
    ours = float(((curve(x, start, version) - target) ** 2).sum())
    assert 2 * solved.cost >= ours * (1 - 1e-4)


@pytest.mark.parametrize("version", ["A", "B", "C"])
def test_the_wide_tables_are_what_the_fit_returns(version: str) -> None:
    fit = fit_rational("swim", version=version)
    x = np.linspace(-10, 10, 101)
    rows = [np.array([*a, *b]) for a, b in (WIDE[version, "swim"], (fit.numerator, fit.denominator))]
    np.testing.assert_allclose(curve(x, rows[0], version), curve(x, rows[1], version), rtol=0, atol=1e-8)


def test_fits_repeat_to_the_last_bit() -> None:
    fits = [fit_rational("swim", (3, 2), points=201) for _ in range(3)]
    assert fits[0] == fits[1] == fits[2]
    polynomials = [fit_polynomial("swim", 6) for _ in range(3)]
    assert polynomials[0] == polynomials[1] == polynomials[2]


def test_other_degrees_and_callables() -> None:
    exact = fit_rational(lambda x: (1 + x) / (1 + 2 * x**2), (1, 2), interval=(-2.0, 5.0), version="B", points=101)
    assert exact.max_error < 1e-12
    assert exact.numerator == pytest.approx((1.0, 1.0), abs=1e-9)
    assert exact.denominator == pytest.approx((0.0, 2.0), abs=1e-9)
    assert fit_rational("swim", (7, 6)).max_error < 0.1 * fit_rational("swim").max_error
    assert fit_rational("tanh", version="D").numerator == fit_rational("tanh", version="B").numerator


def test_fits_do_not_depend_on_the_surroundings() -> None:
    reference = fit_rational("prelu", (3, 2), points=201), fit_polynomial("prelu", 5)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.device("meta"):
            assert (fit_rational("prelu", (3, 2), points=201), fit_polynomial("prelu", 5)) == reference
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize(
    "spec",
    [
        "rational(init=prelu, numerator=3, denominator=2)",
        "poly_relu(degree=12)",
        "poly_composite(degrees=[3, 5])",
        "fourier(base=swim, order=2)",
    ],
)
def test_modules_can_be_built_for_another_device(spec: str) -> None:
    with torch.device("meta"):
        module = rl_acts.make(spec)
        assert module(torch.zeros(3)).shape == (3,)
    assert all(parameter.is_meta for parameter in module.parameters())


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"interval": (3.0, 3.0)}, r"interval=\(3.0, 3.0\) is not allowed"),
        ({"interval": (3.0, -3.0)}, "low < high"),
        ({"interval": (-math.inf, 3.0)}, "finite"),
        ({"interval": (math.nan, 3.0)}, "finite"),
        ({"version": "E"}, "version='E' is not allowed; version must be one of 'A', 'B', 'C', 'D', 'N'"),
        ({"degrees": (0, 4)}, "degrees=0 is not allowed"),
        ({"degrees": (5, 0)}, "degrees=0 is not allowed"),
        ({"degrees": (5,)}, "give .numerator, denominator."),
        ({"degrees": (5, 2.5)}, "degrees=2.5 is not allowed"),
        ({"points": 5}, "points=5 is not allowed"),
        ({"target": torch.log, "interval": (-1.0, 1.0)}, "the target is nan at -1"),
        ({"target": lambda x: x.sum()}, "must keep the shape"),
        ({"target": 3.0}, "target=3.0 is not allowed"),
        ({"target": "rational_noisy"}, "maps each number alone"),
        ({"target": "no_such"}, "Unknown activation"),
    ],
)
def test_rational_fit_errors(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=message):
        fit_rational(**{"target": "swish", **keywords})


def test_a_pole_within_the_interval_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # In t = x / 10: Q = 1 - 2 t has its zero at x = 5.
    found = torch.tensor([1.0, 0.0, -2.0], dtype=torch.float64)
    monkeypatch.setattr("rl_acts._fit._Problem.solve", lambda _problem, _start: found)
    with pytest.raises(rl_acts.ActivationError, match=r"version='N' has a zero of its denominator in \(-10.0, 10.0\)"):
        fit_rational("swish", (1, 1), version="N")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"degree": 0}, "degree=0 is not allowed"),
        ({"degree": True}, "degree=True is not allowed"),
        ({"interval": (1.0, 1.0)}, "low < high"),
        ({"interval": (0.0, math.inf)}, "finite"),
        ({"target": torch.log}, "the target is -inf at 0"),
    ],
)
def test_polynomial_fit_errors(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(rl_acts.ActivationError, match=message):
        fit_polynomial(**{"target": "swish", "degree": 4, "interval": (0.0, 1.0), **keywords})


@pytest.mark.parametrize(
    ("name", "degree", "interval"), [("swim", 5, (-5.0, 7.0)), ("tanh", 4, (-3.0, 3.0)), ("relu", 6, (-1.0, 2.0))]
)
def test_minimax_errors_alternate(name: str, degree: int, interval: tuple[float, float]) -> None:
    fit = fit_polynomial(name, degree, interval)
    x = np.linspace(*interval, 100_001)
    u = (2 * x - sum(interval)) / (interval[1] - interval[0])
    error = np.polynomial.chebyshev.chebval(u, fit.chebyshev) - truth(name, x)
    high = np.sign(error[np.abs(error) > fit.max_error * (1 - 1e-3)])
    # Chebyshev's theorem: degree + 2 alternating extrema prove that no polynomial is better.
    assert 1 + int((np.diff(high) != 0).sum()) >= degree + 2
    assert np.abs(error).max() == pytest.approx(fit.max_error, rel=1e-8)
    powers = np.polynomial.polynomial.polyval(x, fit.coefficients)
    np.testing.assert_allclose(powers, error + truth(name, x), rtol=0, atol=1e-10)


def test_a_polynomial_is_its_own_fit() -> None:
    def cubic(x: Tensor) -> Tensor:
        return 1 - 2 * x + 0.5 * x**3

    fit = fit_polynomial(cubic, 5, (-2.0, 3.0))
    assert fit.coefficients == pytest.approx((1.0, -2.0, 0.0, 0.5, 0.0, 0.0), abs=1e-12)
