"""The analytic character of an activation: moments, gain, slopes, computed from the module itself in float64."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rl_acts._base import is_width
from rl_acts._extremes import Extreme, grid, highest, jumps, lowest, share_below
from rl_acts._info import ActivationInfo
from rl_acts._quadrature import expectations
from rl_acts._registry import info, make, names, parse
from rl_acts._sampling import sampled_moments, sampled_slopes
from rl_acts._spec import ActivationSpec, Spec
from rl_acts.errors import ActivationError

DEFAULT_WIDTH = 64
DEAD_BAND_END = 10.0
DEAD_SLOPE = 1e-3


@dataclass(frozen=True)
class Character:
    """What an activation does to a standard normal pre-activation z ~ N(0, 1), and how its slope behaves.

    Everything is of the initial values of learnt parameters and of the form that acts in evaluation (without noise).
    The slope f' is what automatic differentiation gives: where `surrogate` is true, the surrogate, not the derivative.

    Elementwise activations are integrated by quadrature, exact to about 11 digits, and their suprema are searched on a
    refined grid out to |x| = 1e6. The others (`sampled`) are averaged over normal vectors of `features` numbers with a
    fixed seed; the ``*_error`` fields are then standard errors, and fields that need a function of one number are None.

    Attributes:
        spec: The activation, as text.
        features: Width of the layer.
        elementwise: Whether f acts on each number alone, and alike in every unit.
        surrogate: Whether the slope figures are those of a surrogate gradient.
        mean: E[f(z)].
        second_moment: E[f(z)^2].
        gain: 1 / sqrt(E[f(z)^2]): weights N(0, gain^2 / fan_in) behind the activation keep the variance. Infinite if f
            is 0.
        negative_slope: Effective negative slope E[f'(z) | z < 0] (arXiv 2509.22562), each unit's own slope. None if the
            width changes.
        dead_band: Share of the inputs -10 <= x <= 10 with |f'(x)| < 1e-3 (arXiv 2509.22562, which does not fix the
            interval; this one is ours). None if sampled.
        lipschitz: sup |f'|; infinite if f jumps (unless `surrogate`) or the slope still grows at |x| = 1e6. If sampled:
            the largest spectral norm of the Jacobian among the vectors, a lower bound.
        monotone: Whether f nowhere falls or nowhere rises. None if sampled.
        lowest: Infimum of f. None if sampled.
        highest: Supremum of f. None if sampled.
        slope_lowest: Infimum of f'. None if sampled.
        slope_highest: Supremum of f'. None if sampled.
        parameters: Learnt numbers that the activation adds to one layer of `features` units.
        mean_error: Standard error of `mean`, None if not sampled; likewise the following.
        second_moment_error: Of `second_moment`.
        gain_error: Of `gain`.
        negative_slope_error: Of `negative_slope`.
    """

    spec: str
    features: int
    elementwise: bool
    surrogate: bool
    mean: float
    second_moment: float
    gain: float
    negative_slope: float | None
    dead_band: float | None
    lipschitz: float
    monotone: bool | None
    lowest: Extreme | None
    highest: Extreme | None
    slope_lowest: Extreme | None
    slope_highest: Extreme | None
    parameters: int
    mean_error: float | None = None
    second_moment_error: float | None = None
    gain_error: float | None = None
    negative_slope_error: float | None = None

    @property
    def sampled(self) -> bool:
        """Whether the figures are averages over random vectors, with standard errors."""
        return self.mean_error is not None


class Subject:
    """A module in float64 and evaluation form, at the values that it starts from.

    Attributes:
        module: The module.
        width: Numbers that it takes.
        entry: What is declared of it; None for a class or callable that is not registered.
        elementwise: Whether f acts on each number alone, and alike in every unit.
    """

    def __init__(self, spec: Spec, features: int | None) -> None:
        self.entry = _entry(spec)
        self.width = DEFAULT_WIDTH if features is None else features
        if not is_width(self.width):
            raise ActivationError(f"features={features!r} is not allowed; it must be a whole number from 1 on.")
        default = torch.get_default_dtype()
        # So that the initial values of learnt parameters are exact to float64, not float32 numbers made longer.
        torch.set_default_dtype(torch.float64)
        try:
            self.module: nn.Module = make(spec, self.width, dtype=torch.float64).eval()
        finally:
            torch.set_default_dtype(default)
        self.elementwise = (self.entry is None or self.entry.elementwise) and self._acts_alone()

    @torch.no_grad()
    def _acts_alone(self) -> bool:
        """Return whether each number of a vector gets the value that a vector of its copies gets in every unit."""
        x = torch.randn(2, self.width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        together = self.module(x)
        if together.shape != x.shape:
            return False
        some = slice(0, 2 * DEFAULT_WIDTH)
        alone = self.module(x.flatten()[some, None].expand(-1, self.width))
        return bool(torch.isclose(alone, together.flatten()[some, None], rtol=1e-12, atol=1e-12).all())

    @torch.no_grad()
    def value(self, x: Tensor) -> Tensor:
        """Return f at points ``(n,)``, for an elementwise subject."""
        return torch.as_tensor(self.module(self._rows(x))).flatten()[: len(x)]

    def slope(self, x: Tensor) -> Tensor:
        """Return f' at points ``(n,)``, for an elementwise subject."""
        rows = self._rows(x).detach().requires_grad_()
        output = self.module(rows)
        if not output.requires_grad:
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(output.sum(), rows, allow_unused=True, materialize_grads=True)
        return torch.as_tensor(gradient).flatten()[: len(x)]

    def _rows(self, x: Tensor) -> Tensor:
        """Return the points as rows of the module's width, the last one filled up with zeros."""
        return nn.functional.pad(x, (0, -len(x) % self.width)).view(-1, self.width)


def character(spec: Spec, features: int | None = None) -> Character:
    """Compute what an activation does to a standard normal input, and how its slope behaves.

    The same spec always gives the same figures; PyTorch's global generator is left as it was. While the module is
    built, PyTorch's default dtype is float64: call this from one thread.

    Args:
        spec: What `rl_acts.make` takes.
        features: Width of the layer; None for 64. It matters to activations that mix units and to those with a set of
            parameters for each.

    Raises:
        ActivationError: As `rl_acts.make`.

    Example:
        >>> swim = character("swim")
        >>> round(swim.gain, 6), round(swim.negative_slope, 4), swim.monotone
        (1.708121, 0.2064, False)
        >>> character("swim_learnable(per=unit)", 256).parameters
        256
    """
    with undisturbed():
        subject = Subject(spec, features)
        return _integrated(spec, subject) if subject.elementwise else _sampled(spec, subject)


def init_gain(spec: Spec, features: int | None = None) -> float:
    """Return the variance-preserving gain 1 / sqrt(E[f(z)^2]), z ~ N(0, 1), of an activation at its initial values.

    Args:
        spec: What `rl_acts.make` takes.
        features: Width of the layer; None for 64.

    Raises:
        ActivationError: As `rl_acts.make`; or E[f(z)^2] is 0 or not finite, so there is no gain.

    Example:
        >>> round(init_gain("relu") ** 2, 12)
        2.0
    """
    with undisturbed():
        subject = Subject(spec, features)
        moment = float(
            expectations(lambda x: subject.value(x).square()[None])[0]
            if subject.elementwise
            else sampled_moments(subject.module, subject.width)["second_moment"][0]
        )
    if not 0 < moment < math.inf:
        raise ActivationError(f"{spec_text(spec)}: E[f(z)^2] = {moment:g} under N(0, 1), so it has no gain.")
    return 1.0 / math.sqrt(moment)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute on the CPU with gradients, from generator seed 0; the caller's generator stays as it was."""
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        torch.device("cpu"),
        torch.random.fork_rng(devices=[]),
    ):
        # Not torch.manual_seed, which would seed the GPUs' generators too.
        torch.default_generator.manual_seed(0)
        yield


def spec_text(spec: Spec) -> str:
    """Return a spec as text: canonical for names, calls and mappings, the name for classes and callables."""
    if isinstance(spec, type) or callable(spec):
        return str(getattr(spec, "__qualname__", spec))
    return str(parse(spec))


def _entry(spec: Spec) -> ActivationInfo | None:
    if isinstance(spec, type):
        return next((entry for entry in map(info, names()) if entry.cls is spec), None)
    if callable(spec) and not isinstance(spec, ActivationSpec):
        return None
    return info(parse(spec).name)


def _integrated(spec: Spec, subject: Subject) -> Character:
    def integrands(x: Tensor) -> Tensor:
        value = subject.value(x)
        # The factor makes the mean over x < 0, half of the probability, out of the expectation.
        return torch.stack((value, value.square(), 2.0 * torch.where(x < 0, subject.slope(x), 0.0)))

    mean, second_moment, negative_slope = expectations(integrands).tolist()
    points = grid()
    values, slopes = subject.value(points), subject.slope(points)
    slope_lowest = lowest(subject.slope, points, slopes)
    slope_highest = highest(subject.slope, points, slopes)
    lipschitz = max(abs(slope_lowest.value), abs(slope_highest.value))
    surrogate = _surrogate(subject)
    if not surrogate and jumps(subject.value, points, values, lipschitz):
        lipschitz = math.inf
    return Character(
        spec=spec_text(spec),
        features=subject.width,
        elementwise=True,
        surrogate=surrogate,
        mean=mean,
        second_moment=second_moment,
        gain=_gain(second_moment),
        negative_slope=negative_slope,
        dead_band=share_below(lambda x: subject.slope(x).abs(), DEAD_SLOPE, DEAD_BAND_END),
        lipschitz=lipschitz,
        monotone=_monotone(values),
        lowest=lowest(subject.value, points, values),
        highest=highest(subject.value, points, values),
        slope_lowest=slope_lowest,
        slope_highest=slope_highest,
        parameters=_count(subject.module),
    )


def _sampled(spec: Spec, subject: Subject) -> Character:
    moments = sampled_moments(subject.module, subject.width)
    negative_slope, lipschitz = sampled_slopes(subject.module, subject.width)
    mean, second_moment = moments["mean"], moments["second_moment"]
    gain = _gain(second_moment[0])
    return Character(
        spec=spec_text(spec),
        features=subject.width,
        elementwise=False,
        surrogate=_surrogate(subject),
        mean=mean[0],
        second_moment=second_moment[0],
        gain=gain,
        negative_slope=None if negative_slope is None else negative_slope[0],
        dead_band=None,
        lipschitz=lipschitz,
        monotone=None,
        lowest=None,
        highest=None,
        slope_lowest=None,
        slope_highest=None,
        parameters=_count(subject.module),
        mean_error=mean[1],
        second_moment_error=second_moment[1],
        # d m^(-1/2) = -1/2 m^(-3/2) dm
        gain_error=gain**3 / 2 * second_moment[1],
        negative_slope_error=None if negative_slope is None else negative_slope[1],
    )


def _surrogate(subject: Subject) -> bool:
    return subject.entry is not None and subject.entry.surrogate


def _gain(second_moment: float) -> float:
    return 1.0 / math.sqrt(second_moment) if second_moment else math.inf


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _monotone(values: Tensor) -> bool:
    """Return whether values at rising points never fall or never rise, but for rounding."""
    steps = values.diff()
    rounding = 1e-14 * torch.maximum(values[:-1].abs(), values[1:].abs()).clamp(min=1e-3)
    return bool((steps >= -rounding).all() or (steps <= rounding).all())
