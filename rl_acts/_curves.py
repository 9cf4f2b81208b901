"""The curves of an activation, f and f' over an interval, and the fan that its learnt values open."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rl_acts._character import Subject, undisturbed
from rl_acts._info import ActivationInfo, Parameter, Real
from rl_acts._registry import info
from rl_acts._spec import ActivationSpec
from rl_acts.errors import ActivationError

# An even number: no point at 0, where many have their kink.
_POINTS = 1600
_SEED = 1
_MOST_OUTPUTS = 3
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_SHARES = (0.5, 0.75, 1.0, 1.25, 1.5)
_STEPS = (-2, -1, 0, 1, 2)

ALONE = "x"
ONE_UNIT = "x of one unit, others at fixed normal numbers"
ALL_ALIKE = "x, the same in all units"


@dataclass(frozen=True)
class Curve:
    """One line of a picture.

    Attributes:
        label: What the legend calls it.
        x: Points ``(n,)``.
        value: f there; NaN where f jumps, so that no line is drawn across.
        slope: f' likewise.
        axis: What x is: `ALONE`, `ONE_UNIT` or `ALL_ALIKE`.
        surrogate: Whether the slope is that of a surrogate gradient.
        initial: Whether it is the form that training starts from.
    """

    label: str
    x: Tensor
    value: Tensor
    slope: Tensor
    axis: str = ALONE
    surrogate: bool = False
    initial: bool = True


@dataclass(frozen=True)
class Fan:
    """The curves of several values of what is learnt, from low to high; one of them is the initial form."""

    title: str
    curves: tuple[Curve, ...]


def curves(spec: ActivationSpec, interval: tuple[float, float]) -> list[Curve]:
    """Return the curves of an activation at its initial values: one, or one for each different output.

    An activation that acts on each number alone is drawn as it is. One whose units see one another is drawn along a
    line: one unit runs through the interval while the others stay at fixed normal numbers; if it changes the width, all
    units run together.

    Raises:
        ActivationError: It cannot be drawn; the message says why.
    """
    with undisturbed():
        return _along(Subject(spec, None), str(spec), interval)


def fans(spec: ActivationSpec, interval: tuple[float, float]) -> list[Fan]:
    """Return the fans of a learnable activation, none if nothing is learnt.

    Each learnt parameter that the constructor takes as a number opens one: values around the given or default one. If
    there is none, all learnt numbers are scaled together.
    """
    entry = info(spec.name)
    if not entry.learnable:
        return []
    numbers = [parameter for parameter in entry.parameters if _is_number(parameter)]
    found = [_fan_of(entry, spec, parameter, interval) for parameter in numbers] or [_scaled(spec, interval)]
    return [fan for fan in found if _opens(fan)]


def _is_number(parameter: Parameter) -> bool:
    return parameter.shape is not None and isinstance(parameter.constraint, Real)


def _fan_of(entry: ActivationInfo, spec: ActivationSpec, parameter: Parameter, interval: tuple[float, float]) -> Fan:
    start = float(spec.arguments.get(parameter.name, parameter.default))  # type: ignore[arg-type]  # a Real's value
    found = []
    for value in _around(start, parameter.constraint):
        changed = ActivationSpec(spec.name, {**spec.arguments, parameter.name: value})
        try:
            found += [
                replace(curve, label=_number(value), initial=value == start) for curve in curves(changed, interval)[:1]
            ]
        except ActivationError:
            # Some values are refused in combination with others, as a negative one where it is kept positive.
            continue
    return Fan(f"{entry.name}: {parameter.name}", tuple(found))


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _around(start: float, constraint: object) -> Iterator[float]:
    """Yield values around the initial one that the constraint allows: multiples if it must be positive, else steps."""
    if not isinstance(constraint, Real):
        return
    positive = constraint.minimum is not None and constraint.minimum >= 0 and start > 0
    step = max(abs(start) / 2, 0.25)
    for value in [start * factor for factor in _FACTORS] if positive else [start + count * step for count in _STEPS]:
        try:
            yield constraint.check(value)
        except ValueError:
            continue


@torch.no_grad()
def _scale(subject: Subject, share: float) -> None:
    for parameter in subject.module.parameters():
        parameter.mul_(share)


def _scaled(spec: ActivationSpec, interval: tuple[float, float]) -> Fan:
    found = []
    for share in _SHARES:
        with undisturbed():
            subject = Subject(spec, None)
            _scale(subject, share)
            drawn = _along(subject, f"× {share:g}", interval)[:1]
            found += [replace(curve, label=f"× {share:g}", initial=share == 1.0) for curve in drawn]
    return Fan(f"{spec.name}: all learnt values", tuple(found))


def _opens(fan: Fan) -> bool:
    """Return whether the curves differ: zero hyper-networks, scaled, stay zero."""
    values = [torch.nan_to_num(curve.value) for curve in fan.curves]
    return any(not torch.allclose(value, values[0], rtol=1e-6, atol=1e-6) for value in values[1:])


def _along(subject: Subject, label: str, interval: tuple[float, float]) -> list[Curve]:
    x = torch.linspace(*interval, _POINTS, dtype=torch.float64)
    surrogate = subject.entry is not None and subject.entry.surrogate
    if subject.elementwise:
        pairs, axis = [(subject.value(x), subject.slope(x))], ALONE
    else:
        pairs, axis = _on_a_line(subject, x)
    labels = [label] if len(pairs) == 1 else [f"{label}, output {place}" for place in range(1, len(pairs) + 1)]
    return [
        Curve(text, x, _with_gaps(value), _with_gaps(slope), axis, surrogate)
        for text, (value, slope) in zip(labels, pairs, strict=True)
    ]


def _on_a_line(subject: Subject, x: Tensor) -> tuple[list[tuple[Tensor, Tensor]], str]:
    """Return values and slopes of the outputs that differ, along the line that suits the activation, and its name."""
    points = x.clone().requires_grad_()
    output = _output(subject, points[:, None].expand(-1, subject.width))
    columns, axis = _different(output), ALL_ALIKE
    if output.shape[-1] == subject.width:
        others = torch.randn(subject.width - 1, generator=torch.Generator().manual_seed(_SEED), dtype=torch.float64)
        output = _output(subject, torch.cat((points[:, None], others.expand(len(x), -1)), dim=1))
        columns, axis = [output[:, 0]], ONE_UNIT
    # The zero makes a slope even of an output that depends on nothing.
    slopes = [torch.autograd.grad((column + 0 * points).sum(), points, retain_graph=True)[0] for column in columns]
    return [(column.detach(), slope) for column, slope in zip(columns, slopes, strict=True)], axis


def _output(subject: Subject, line: Tensor) -> Tensor:
    try:
        output = subject.module(line)
    # An activation can need more than vectors, and anybody can have written it.
    except Exception as error:
        raise ActivationError(f"it does not take vectors of {subject.width} numbers: {error}") from error
    if output.shape[:-1] != line.shape[:-1]:
        raise ActivationError(f"it maps {tuple(line.shape)} to {tuple(output.shape)}")
    return torch.as_tensor(output)


def _different(output: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    for column in output.unbind(-1):
        if not any(torch.allclose(column, other, rtol=1e-9, atol=1e-12) for other in found):
            found.append(column)
    return found[:_MOST_OUTPUTS]


def _with_gaps(values: Tensor) -> Tensor:
    """Return values with NaN behind each jump: a step that dwarfs its neighbours."""
    steps = torch.cat((torch.zeros(1, dtype=values.dtype), values.diff()))
    before, after = steps.roll(1).abs(), steps.roll(-1).abs()
    jump = (steps.abs() > 0.02) & (steps.abs() > 8 * torch.maximum(before, after))
    return torch.where(jump, math.nan, values)


def checked_interval(text: str) -> tuple[float, float]:
    """Read an interval as in ``-4,4``.

    Raises:
        ActivationError: Not two finite numbers with the smaller first.
    """
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ActivationError(f"--range={text!r} is not allowed; give two numbers, the smaller first, as in -4,4.")
    return low, high
