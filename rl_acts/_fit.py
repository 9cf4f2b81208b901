"""Fits of rational functions to activations: deterministic, in float64, with torch alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from rl_acts._info import Whole
from rl_acts._registry import info, make, parse
from rl_acts._spec import ActivationSpec
from rl_acts.errors import ActivationError

Target: TypeAlias = Callable[[Tensor], Tensor] | str | ActivationSpec
# Denominators by version; see `rl_acts.Rational`. D is B with noise on the coefficients, so its fits are B's.
VERSIONS = ("A", "B", "C", "D", "N")
DEGREE = Whole(other=3, minimum=1, maximum=10)
# Q of version C stays above this.
FLOOR_OF_C = 0.1

# Fits are made here, whatever the default device is where a module is built.
CPU = torch.device("cpu")
_POINTS = 4001
_STEPS = 400
_REWEIGHTINGS = 30
# A relative improvement of the squared error below this, three times in a row, ends a fit.
_CONVERGED = 1e-13
_SMALLEST_DAMPING, _LARGEST_DAMPING = 1e-14, 1e12
# In the scaled variable, coefficients this small relative to the largest one are rounding noise.
_NOISE = 1e-13


@dataclass(frozen=True)
class RationalFit:
    """A rational function fitted to another function.

    Attributes:
        numerator: a_0 ... a_m.
        denominator: b_1 ... b_n; for version C b_0 ... b_n.
        version: Form of the denominator that they were fitted for; in another one they are another function.
        interval: Where they were fitted.
        max_error: Largest difference at the points of the fit.
    """

    numerator: tuple[float, ...]
    denominator: tuple[float, ...]
    version: str
    interval: tuple[float, float]
    max_error: float


def fit_rational(
    target: Target,
    degrees: tuple[int, int] = (5, 4),
    version: str = "A",
    interval: tuple[float, float] = (-10.0, 10.0),
    points: int = _POINTS,
) -> RationalFit:
    """Fit a rational function to a given one: least squares over equally spaced points.

    Levenberg and Marquardt's method from several starts, all of them deterministic: all coefficients one, as the
    authors of arXiv 1907.06732 start, and the iteratively reweighted linear fits of P - f Q, which find most optima at
    once. The best end wins. Float64 on the CPU throughout.

    Args:
        target: The spec of an activation (elementwise, no noise, no buffers; learnt ones count with their initial
            values), or a callable that maps a float64 tensor to one of the same shape.
        degrees: Of numerator and denominator, each 1 to 10.
        version: ``"A"``, ``"B"``, ``"C"``, ``"D"`` (fitted as B) or ``"N"``; see `rl_acts.Rational`.
        interval: (low, high), finite.
        points: How many points, at least one for each coefficient.

    Returns:
        The coefficients and the largest error at the points.

    Raises:
        ActivationError: A bad argument, a target that is not finite on the interval, or for version N a denominator
            with a zero in the interval.

    Example:
        >>> fit_rational("swish", interval=(-3, 3)).max_error < 1.3e-6
        True
    """
    owner = "fit_rational"
    numerator, denominator = checked_degrees(owner, degrees)
    low, high = checked_interval(owner, interval)
    if version not in VERSIONS:
        raise ActivationError(
            f"{owner}: version={version!r} is not allowed; version must be one of {', '.join(map(repr, VERSIONS))}."
        )
    count = checked_whole(owner, "points", points, Whole(other=_POINTS, minimum=numerator + denominator + 2))
    with CPU:
        x = torch.linspace(low, high, count, dtype=torch.float64)
        scale = max(abs(low), abs(high))
        values = sampled(owner, target, x)
        problem = _Problem(x / scale, values, numerator, denominator, "B" if version == "D" else version)
        coefficients = min(map(problem.solve, problem.starts()), key=problem.squared_error)
        coefficients = problem.tidy(coefficients)
        if version == "N" and not bool((problem.parts(coefficients).below > 0).all()):
            raise ActivationError(
                f"{owner}: version='N' has a zero of its denominator in {interval!r} for this target and degrees; "
                "versions A, B and C cannot have one."
            )
        a, b = problem.split(coefficients)
        return RationalFit(
            numerator=tuple((a / scale ** torch.arange(len(a), dtype=torch.float64)).tolist()),
            denominator=tuple((b / scale ** (problem.first + torch.arange(len(b), dtype=torch.float64))).tolist()),
            version=version,
            interval=(low, high),
            max_error=float(problem.residuals(coefficients).abs().max()),
        )


def target_function(owner: str, name: str, target: Target) -> Callable[[Tensor], Tensor]:
    """Return an activation given by its spec as a function on float64 numbers, or a callable as it is.

    Raises:
        ActivationError: The activation is not a function of each number alone, so it has no curve to fit.
    """
    if not isinstance(target, str | ActivationSpec):
        if not callable(target):
            raise ActivationError(
                f"{owner}: {name}={target!r} is not allowed; give the spec of an activation or a callable on tensors."
            )
        return target
    spec = parse(target)
    entry = info(spec.name)
    if not entry.elementwise or entry.stochastic or entry.stateful or entry.changes_width:
        raise ActivationError(
            f"{owner}: {name}={str(target)!r} is not allowed; {name} must be an activation that maps each number "
            "alone, without noise or buffers."
        )
    with CPU:
        return make(spec, dtype=torch.float64)


def sampled(owner: str, target: Target, x: Tensor) -> Tensor:
    """Return the values of a function to fit, checked.

    Raises:
        ActivationError: A value is not finite, or the function returned another shape.
    """
    with torch.no_grad():
        values = torch.as_tensor(target_function(owner, "target", target)(x))
    if values.shape != x.shape:
        raise ActivationError(
            f"{owner}: the target maps shape {tuple(x.shape)} to {tuple(values.shape)}; it must keep the shape."
        )
    finite = values.isfinite()
    if not finite.all():
        bad = float(x[~finite][0])
        raise ActivationError(f"{owner}: the target is {float(values[~finite][0])} at {bad:g}; it must be finite.")
    return values.detach().to(torch.float64)


def checked_interval(owner: str, interval: Sequence[float]) -> tuple[float, float]:
    """Return (low, high) as floats if they are finite and low < high, or raise `ActivationError`."""
    if len(interval) == 2 and all(math.isfinite(end) for end in interval) and interval[0] < interval[1]:
        return float(interval[0]), float(interval[1])
    raise ActivationError(f"{owner}: interval={interval!r} is not allowed; give (low, high), finite, with low < high.")


def checked_degrees(owner: str, degrees: Sequence[int]) -> tuple[int, int]:
    """Return the degrees of numerator and denominator if they are allowed, or raise `ActivationError`."""
    if len(degrees) != 2:
        raise ActivationError(f"{owner}: degrees={degrees!r} is not allowed; give (numerator, denominator).")
    return checked_whole(owner, "degrees", degrees[0], DEGREE), checked_whole(owner, "degrees", degrees[1], DEGREE)


def checked_whole(owner: str, name: str, value: object, allowed: Whole) -> int:
    """Return a whole number that is allowed, or raise `ActivationError`."""
    try:
        return allowed.check(value)
    except (TypeError, ValueError):
        raise ActivationError(f"{owner}: {name}={value!r} is not allowed; {name} must be {allowed}.") from None


class _Parts(NamedTuple):
    """P, Q, the powers that P and Q are made of, and the sign of each b's effect on Q."""

    above: Tensor
    below: Tensor
    powers: Tensor
    inner: Tensor
    sign: Tensor


class _Problem:
    """Least squares for one version, in the variable t = x / max |x|, which keeps the powers within [-1, 1]."""

    def __init__(self, t: Tensor, target: Tensor, numerator: int, denominator: int, version: str) -> None:
        self.target = target
        self.version = version
        self.split_at = numerator + 1
        self.first = 0 if version == "C" else 1
        self.powers = t[:, None] ** torch.arange(numerator + 1, dtype=torch.float64)
        z = t.abs() if version == "A" else t
        self.inner = z[:, None] ** torch.arange(self.first, denominator + 1, dtype=torch.float64)

    def split(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        return coefficients[: self.split_at], coefficients[self.split_at :]

    def parts(self, coefficients: Tensor) -> _Parts:
        a, b = self.split(coefficients)
        above = self.powers @ a
        if self.version == "A":
            return _Parts(above, 1.0 + self.inner @ b.abs(), self.powers, self.inner, _sign(b))
        inner_sum = self.inner @ b
        if self.version == "N":
            return _Parts(above, 1.0 + inner_sum, self.powers, self.inner, torch.ones_like(b))
        below = inner_sum.abs() + (FLOOR_OF_C if self.version == "C" else 1.0)
        return _Parts(above, below, self.powers, self.inner, _sign(inner_sum)[:, None])

    def residuals(self, coefficients: Tensor) -> Tensor:
        parts = self.parts(coefficients)
        return parts.above / parts.below - self.target

    def tidy(self, coefficients: Tensor) -> Tensor:
        """Return the same function with rounding noise set to 0, and b positive where Q leaves a choice."""
        noise = coefficients.abs() < _NOISE * coefficients.abs().max()
        a, b = self.split(torch.where(noise, 0.0, coefficients))
        if self.version == "A":
            b = b.abs()
        elif self.version != "N" and float((self.inner @ b).sum()) < 0:
            b = -b
        return torch.cat((a, b))

    def squared_error(self, coefficients: Tensor) -> float:
        error = float(self.residuals(coefficients).square().sum())
        return error if math.isfinite(error) else math.inf

    def jacobian(self, coefficients: Tensor) -> Tensor:
        above, below, powers, inner, sign = self.parts(coefficients)
        return torch.cat((powers / below[:, None], -(above / below.square())[:, None] * sign * inner), dim=1)

    def starts(self) -> list[Tensor]:
        """Return all ones, and reweighted linear fits with all powers in Q and with the even ones alone."""
        count = self.powers.shape[1] + self.inner.shape[1]
        every, even = self._linear(step=1), self._linear(step=2)
        # Away from b = 0, where the even fit has half of its coefficients.
        off_corner = torch.cat((even[: self.split_at], even[self.split_at :] + 0.1))
        return [torch.ones(count, dtype=torch.float64), every, even, off_corner]

    def _linear(self, step: int) -> Tensor:
        """Minimise |P - f Q| / Q_before a few times over Q = 1 + sum_k b_k z^k, k a multiple of `step`, b >= 0."""
        inner = self.inner[:, 1 - self.first :]
        used = torch.arange(step - 1, inner.shape[1], step)
        columns = torch.cat((self.powers, -self.target[:, None] * inner[:, used]), dim=1)
        b = torch.zeros(inner.shape[1], dtype=torch.float64)
        for _ in range(_REWEIGHTINGS):
            weight = 1.0 / (1.0 + inner @ b)
            solution = _least_squares(columns * weight[:, None], self.target * weight)
            b[used] = solution[self.split_at :].clamp(min=0.0)
        constant = [b.new_tensor([1.0 - FLOOR_OF_C])] if self.version == "C" else []
        return torch.cat((solution[: self.split_at], *constant, b))

    def solve(self, coefficients: Tensor) -> Tensor:
        """Return where Levenberg and Marquardt's method ends from a start."""
        error, damping, stalled = self.squared_error(coefficients), 1e-3, 0
        for _ in range(_STEPS):
            jacobian = self.jacobian(coefficients)
            if not jacobian.isfinite().all():
                break
            size = jacobian.norm(dim=0).clamp(min=1e-30)
            q, r = torch.linalg.qr(jacobian / size)
            right = torch.cat((-(q.T @ self.residuals(coefficients)), torch.zeros_like(coefficients)))
            found = False
            while not found and damping < _LARGEST_DAMPING:
                damped = torch.cat((r, math.sqrt(damping) * torch.eye(len(coefficients), dtype=torch.float64)))
                candidate = coefficients + _least_squares(damped, right) / size
                candidate_error = self.squared_error(candidate)
                found = candidate_error < error
                damping *= 0.1 if found else 8.0
            if not found:
                break
            stalled = stalled + 1 if error - candidate_error < _CONVERGED * error else 0
            coefficients, error, damping = candidate, candidate_error, max(damping, _SMALLEST_DAMPING)
            if stalled == 3:
                break
        return coefficients


def _least_squares(matrix: Tensor, right: Tensor) -> Tensor:
    # The default driver, gelsy, starts from uninitialised pivots: its last digits differ from call to call.
    return torch.as_tensor(torch.linalg.lstsq(matrix, right[:, None], driver="gelsd").solution[:, 0])


def _sign(values: Tensor) -> Tensor:
    return torch.where(values >= 0, 1.0, -1.0).to(torch.float64)
