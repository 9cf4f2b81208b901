"""How hidden layers are made wide: which linear layer stands before an activation that changes the width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from rl_acts._info import Choice, Parameter, checked
from rl_acts._registry import info, make, parse, registered
from rl_acts._spec import ActivationSpec, Spec
from rl_acts.errors import ActivationError

# One network's activation: one spec for all hidden layers, or one for each.
NetworkActivation: TypeAlias = Spec | list[Spec] | tuple[Spec, ...]

KEEP = Parameter(
    "keep",
    "width",
    Choice(("width", "parameters"), other="parameters"),
    "what a network keeps where an activation changes the width: the width behind it, or the number of parameters",
)


@dataclass(frozen=True)
class HiddenWidths:
    """Widths of the hidden layers.

    Attributes:
        before: Of what the linear layers put out, which the activations take.
        behind: Of what the activations put out.
    """

    before: tuple[int, ...]
    behind: tuple[int, ...]


def layer_specs(activation: NetworkActivation, widths: Sequence[int]) -> list[Spec]:
    """Return one spec for each hidden layer.

    Raises:
        ActivationError: A list of another length than `widths`.
    """
    if not isinstance(activation, list | tuple):
        return [activation] * len(widths)
    if len(activation) != len(widths):
        raise ActivationError(
            f"Got {len(activation)} activations for {len(widths)} hidden layers of widths {list(widths)}; "
            "give one spec for all or one for each."
        )
    return list(activation)


def hidden_widths(
    activation: NetworkActivation, sizes: Sequence[int], keep: str = "width", *, bias: bool = True
) -> HiddenWidths:
    """Return how wide the hidden layers become.

    Args:
        activation: As for `rl_acts.mlp`.
        sizes: Widths asked for, ``[in, hidden..., out]``.
        keep: As for `rl_acts.mlp`, which gives the rule.
        bias: Whether the linear layers have a bias.

    Raises:
        ActivationError: A bad spec or `keep`, or widths that the activations cannot have.
    """
    checked("mlp", (KEEP,), "keep", keep)
    asked = list(sizes[1:-1])
    specs = layer_specs(activation, asked)
    factors = [width_factor(spec, width) for spec, width in zip(specs, asked, strict=True)]
    if keep == "width":
        for spec, factor, width in zip(specs, factors, asked, strict=True):
            if width % factor.numerator:
                raise ActivationError(
                    f"{_label(spec)} multiplies the width by {float(factor):g}, so a hidden layer of width {width} "
                    f"cannot be made; its width must be a multiple of {factor.numerator}. keep='parameters' chooses "
                    "widths by itself."
                )
        behind = asked
    else:
        behind = _of_equal_count(factors, sizes, bias=bias)
    return HiddenWidths(_before(behind, factors), tuple(behind))


def width_factor(spec: Spec, width: int) -> Fraction:
    """Return the width behind one layer's activation in widths before it, as declared.

    Args:
        spec: Of the activation.
        width: With which a callable is tried, for its module's class to tell.
    """
    if isinstance(spec, str | Mapping | ActivationSpec):
        declared = info(parse(spec).name).width_factor
    else:
        cls = spec if isinstance(spec, type) else type(make(spec, width))
        entry = registered(cls)
        declared = getattr(cls, "width_factor", 1.0) if entry is None else entry.width_factor
    return Fraction(declared).limit_denominator(64)


def _label(spec: Spec) -> str:
    return parse(spec).name if isinstance(spec, str | Mapping | ActivationSpec) else repr(spec)


def _before(behind: Sequence[int], factors: Sequence[Fraction]) -> tuple[int, ...]:
    return tuple(int(width / factor) for width, factor in zip(behind, factors, strict=True))


def _count(before: Sequence[int], behind: Sequence[int], sizes: Sequence[int], *, bias: bool) -> int:
    inputs, outputs = [sizes[0], *behind], [*before, sizes[-1]]
    return sum((i + bias) * o for i, o in zip(inputs, outputs, strict=True))


def _of_equal_count(factors: Sequence[Fraction], sizes: Sequence[int], *, bias: bool) -> list[int]:
    """Return widths behind the activations for which the linear layers' parameters come near the plain network's."""
    asked = sizes[1:-1]
    most = _count(asked, asked, sizes, bias=bias)
    growing = [layer for layer, factor in enumerate(factors) if factor != 1]
    behind = [factor.numerator if factor != 1 else width for factor, width in zip(factors, asked, strict=True)]
    if _count(_before(behind, factors), behind, sizes, bias=bias) > most:
        raise ActivationError(
            f"keep='parameters' cannot fit widths {list(asked)}: even the smallest hidden layers have more than the "
            f"{most} parameters of the plain network."
        )
    while growing:
        # The layer that is narrowest in proportion to the width asked for grows; the first of equals.
        layer = min(growing, key=lambda index: Fraction(behind[index] + factors[index].numerator, asked[index]))
        behind[layer] += factors[layer].numerator
        if _count(_before(behind, factors), behind, sizes, bias=bias) > most:
            behind[layer] -= factors[layer].numerator
            growing.remove(layer)
    return behind
