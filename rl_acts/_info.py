"""What the library knows of an activation: its parameters, their constraints, its character and source."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from rl_acts._spec import ActivationSpec
from rl_acts.errors import ActivationError, did_you_mean

# Classes of Hammad's survey (arXiv 2407.11090); which member belongs where is this library's reading of them.
Family: TypeAlias = Literal[
    "sigmoid-based",
    "ReLU-based",
    "ELU-based",
    "miscellaneous",
    "parametric",
    "adaptive",
    "context-dependent",
    "stochastic",
    "non-standard",
    "ensemble",
]
FAMILIES: tuple[Family, ...] = get_args(Family)
Smoothness: TypeAlias = Literal["discontinuous", "C0", "C1", "Cinf"]
Interval: TypeAlias = tuple[float, float]
UNBOUNDED: Interval = (-math.inf, math.inf)


@dataclass(frozen=True)
class Real:
    """Constraint: a finite real number, above or from `minimum` on, below or up to `maximum`.

    Attributes:
        minimum: Lower end, or None.
        maximum: Upper end, or None.
        open: Whether the ends themselves are excluded.
        other: A valid value that differs from the parameter's default, so that a test can show its effect.
    """

    other: float
    minimum: float | None = None
    maximum: float | None = None
    open: bool = True

    def __str__(self) -> str:
        parts = []
        if self.minimum is not None:
            parts.append(f"{'above' if self.open else 'at least'} {self.minimum:g}")
        if self.maximum is not None:
            parts.append(f"{'below' if self.open else 'at most'} {self.maximum:g}")
        return " ".join(["a finite number", " and ".join(parts)]).strip()

    def check(self, value: object) -> float:
        """Return the value as a float, or raise `TypeError` or `ValueError` without a message."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        below = self.minimum is not None and (number <= self.minimum if self.open else number < self.minimum)
        above = self.maximum is not None and (number >= self.maximum if self.open else number > self.maximum)
        if below or above:
            raise ValueError
        return number


@dataclass(frozen=True)
class Flag:
    """Constraint: true or false."""

    other: bool

    def __str__(self) -> str:
        return "true or false"

    def check(self, value: object) -> bool:
        """Return the value if it is a bool, or raise `TypeError` without a message."""
        if not isinstance(value, bool):
            raise TypeError
        return value


@dataclass(frozen=True)
class Choice:
    """Constraint: one of a few words."""

    options: tuple[str, ...]
    other: str

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(option) for option in self.options)

    def check(self, value: object) -> str:
        """Return the value if it is one of the options, or raise `ValueError` without a message."""
        if not isinstance(value, str) or value not in self.options:
            raise ValueError
        return value


@dataclass(frozen=True)
class Whole:
    """Constraint: a whole number from `minimum` up to `maximum`, both allowed.

    Attributes:
        other: A valid value that differs from the parameter's default, so that a test can show its effect.
        minimum: Lower end.
        maximum: Upper end, or None.
    """

    other: int
    minimum: int
    maximum: int | None = None

    def __str__(self) -> str:
        upper = "" if self.maximum is None else f" up to {self.maximum}"
        return f"a whole number from {self.minimum}{upper}"

    def check(self, value: object) -> int:
        """Return the value if it is such a number, or raise `TypeError` or `ValueError` without a message."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError
        if value < self.minimum or (self.maximum is not None and value > self.maximum):
            raise ValueError
        return value


@dataclass(frozen=True)
class Function:
    """Constraint: the spec of an activation, as text or parsed.

    That the name is known, and whatever else the owner asks of it, is checked where the activation is built.

    Attributes:
        other: A valid spec that differs from the parameter's default, so that a test can show its effect.
    """

    other: str

    def __str__(self) -> str:
        return "the spec of an activation, such as 'swim' or 'swim(k=0.7)'"

    def check(self, value: object) -> str:
        """Return the spec as text, or raise `TypeError` without a message."""
        if isinstance(value, ActivationSpec):
            return str(value)
        if not isinstance(value, str):
            raise TypeError
        return value


@dataclass(frozen=True)
class Several:
    """Constraint: a list of at least one item, each of which one constraint allows.

    Attributes:
        item: What each item must be.
        other: A valid list that differs from the parameter's default, so that a test can show its effect.
    """

    item: Whole | Function
    other: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"a list of at least one item, each {self.item}"

    def check(self, value: object) -> tuple[int | str, ...]:
        """Return the items as a tuple, or raise `TypeError` or `ValueError` without a message."""
        if not isinstance(value, list | tuple):
            raise TypeError
        if not value:
            raise ValueError
        return tuple(self.item.check(item) for item in value)


Constraint: TypeAlias = Real | Whole | Flag | Choice | Function | Several


@dataclass(frozen=True)
class Parameter:
    """A constructor parameter of an activation.

    Attributes:
        name: Its name in the constructor and in specs.
        default: Its default; for a learnable parameter the initial value.
        constraint: What is allowed.
        meaning: One phrase on what it does.
        shape: For a learnt parameter the shape of one set, ``()`` for a scalar; ``per="unit"`` puts an axis of length
            `features` before it. None for a constant of the constructor.
    """

    name: str
    default: float | int | bool | str | tuple[int | str, ...]
    constraint: Constraint
    meaning: str
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ActivationInfo:
    """Everything declared about a registered activation.

    Attributes:
        name: Canonical name, lower snake case.
        cls: The `nn.Module` class.
        aliases: Other names of the same entry.
        formula: f(x) as text.
        family: Class in the survey's taxonomy (arXiv 2407.11090; the assignment is ours).
        parameters: Constructor parameters with default or initial value and constraint.
        range: Lower and upper end of f at the defaults; None if not declared.
        derivative_range: Lower and upper end of f' at the defaults, one-sided limits at kinks included; None if not
            declared.
        smoothness: ``"Cinf"``, ``"C1"``, ``"C0"`` or ``"discontinuous"``.
        source: Where it is from.
        unverified: What could not be checked against the source, or None.
        elementwise: Whether f acts on each number alone.
        stochastic: Whether training draws noise. The module then has `draw(x, generator)`, and `forward(x, noise)`
            takes the noise as a tensor (None: it draws its own). With `noise_shape` and `from_uniform` too, as `Noisy`
            describes them, it can be trained in a population of runs.
        surrogate: Whether the gradient is a surrogate, not the derivative.
        stateful: Whether buffers change in training. An entry that rewrites its own parameters in training says so by
            an integer buffer `phase` that changes with each rewrite; `rl_acts.sb3` then copies them to the target.
        width_factor: Width of the output in widths of the input: 0.5 for gated layers, 2 for doubling ones.
        learnt_numbers: How many numbers a module learns, as a function of its arguments and `features` by keyword;
            None if that is one set of the declared parameters' shapes for each of what `per` names.
    """

    name: str
    cls: type[nn.Module] = field(repr=False)
    aliases: tuple[str, ...] = ()
    formula: str = ""
    family: Family = "non-standard"
    parameters: tuple[Parameter, ...] = ()
    range: Interval | None = None
    derivative_range: Interval | None = None
    smoothness: Smoothness = "C0"
    source: str = ""
    unverified: str | None = None
    elementwise: bool = True
    stochastic: bool = False
    surrogate: bool = False
    stateful: bool = False
    width_factor: float = 1.0
    learnt_numbers: Callable[..., int] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.smoothness not in get_args(Smoothness):
            raise ActivationError(
                f"{self.name}: smoothness={self.smoothness!r} is not allowed; "
                f"allowed are {', '.join(map(repr, get_args(Smoothness)))}."
            )
        for field_name in ("range", "derivative_range"):
            interval = getattr(self, field_name)
            if interval is not None and not interval[0] <= interval[1]:
                raise ActivationError(f"{self.name}: {field_name}={interval} is not allowed; give (lower, upper).")
        if not (math.isfinite(self.width_factor) and self.width_factor > 0):
            raise ActivationError(
                f"{self.name}: width_factor={self.width_factor!r} is not allowed; it must be above 0."
            )
        if self.family not in FAMILIES:
            raise ActivationError(
                f"{self.name}: family={self.family!r} is not a class of the taxonomy; "
                f"allowed are {', '.join(map(repr, FAMILIES))}.{did_you_mean(str(self.family), FAMILIES)}"
            )

    @property
    def changes_width(self) -> bool:
        """Whether the output has another width than the input."""
        return self.width_factor != 1.0

    @property
    def learnable(self) -> bool:
        """Whether the activation has parameters that training changes.

        Without declared parameters, as third-party classes may come, an instance tells.
        """
        if self.learnt_numbers is not None:
            return True
        if self.parameters:
            return any(parameter.shape is not None for parameter in self.parameters)
        takes_width = "features" in inspect.signature(self.cls).parameters
        module = self.cls(features=2) if takes_width else self.cls()
        return any(True for _ in module.parameters())

    @property
    def defaults(self) -> Mapping[str, float | int | bool | str | tuple[int | str, ...]]:
        """Default of each parameter by its name."""
        return MappingProxyType({parameter.name: parameter.default for parameter in self.parameters})


def checked(owner: str, parameters: tuple[Parameter, ...], name: str, value: object) -> Any:
    """Return a constructor argument after its declared constraint has passed it.

    Raises:
        ActivationError: The value is not allowed; the message names owner, parameter, value and what is allowed.
    """
    constraint = {parameter.name: parameter.constraint for parameter in parameters}[name]
    try:
        return constraint.check(value)
    except (TypeError, ValueError):
        raise ActivationError(f"{owner}: {name}={value!r} is not allowed; {name} must be {constraint}.") from None
