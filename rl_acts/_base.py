"""Base classes of the library's own activations. A user's activation is any `nn.Module`, derived from them or not."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rl_acts._fused import Form
from rl_acts._info import Choice, Parameter, checked
from rl_acts.errors import ActivationError

PER = Parameter(
    "per",
    "layer",
    Choice(("net", "layer", "unit"), other="unit"),
    "what shares one set of learnt values: the whole network, the layer, or nothing (a set for each unit)",
)


class Activation(nn.Module):
    """An activation whose constructor arguments are declared, checked and shown in its repr.

    Class attributes:
        declared: The constructor's parameters, in its order.
    """

    declared: ClassVar[tuple[Parameter, ...]] = ()

    def constant_form(self) -> tuple[Form, tuple[float, ...]] | None:
        """Return the fused form that this activation is, with its constants; None if it is none."""
        return None

    def real(self, name: str, value: object) -> float:
        """Return a constructor argument that its declaration allows, as a float, or raise `ActivationError`."""
        return float(checked(type(self).__name__, self.declared, name, value))

    def whole(self, name: str, value: object) -> int:
        """Return a constructor argument that its declaration allows, as a whole number, or raise `ActivationError`."""
        return int(checked(type(self).__name__, self.declared, name, value))

    def word(self, name: str, value: object) -> str:
        """Return a constructor argument that its declaration allows, as text, or raise `ActivationError`."""
        return str(checked(type(self).__name__, self.declared, name, value))

    def flag(self, name: str, value: object) -> bool:
        """Return a constructor argument that its declaration allows, as a bool, or raise `ActivationError`."""
        return bool(checked(type(self).__name__, self.declared, name, value))

    def several(self, name: str, value: object) -> tuple[Any, ...]:
        """Return a constructor argument that its declaration allows, as a tuple, or raise `ActivationError`."""
        return tuple(checked(type(self).__name__, self.declared, name, value))

    def extra_repr(self) -> str:
        """Show the declared arguments, as `nn.Module.__repr__` wants them."""
        constants = [parameter.name for parameter in self.declared if parameter.shape is None]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in constants)


class WidthChanging(Activation):
    """An activation whose output has another width than its input; it is told the width that it gets.

    Class attributes:
        width_factor: Width of the output in widths of the input; `rl_acts.mlp` and the policies go by it.

    Attributes:
        features: Width of the input.
    """

    width_factor: ClassVar[float]

    def __init__(self, features: int | None) -> None:
        super().__init__()
        self.features = needed_width(type(self).__name__, "an activation that changes the width", features)

    def check_width(self, x: Tensor) -> None:
        """Raise `ActivationError` for pre-activations of another width than announced."""
        if x.shape[-1:] != (self.features,):
            raise ActivationError(
                f"{type(self).__name__}: it was made for features={self.features}, and got pre-activations of shape "
                f"{tuple(x.shape)}."
            )

    def extra_repr(self) -> str:
        """Show the width."""
        return f"features={self.features}"


class LearnableActivation(Activation):
    """An activation with learnt values: one set for the network, for the layer, or for each unit.

    Attributes:
        per: ``"net"``, ``"layer"`` or ``"unit"``. ``"net"`` makes the same scalars as ``"layer"``; `rl_acts.mlp` then
            puts the one object behind every hidden layer.
        features: Width of the layer; None unless ``per="unit"``.
    """

    def __init__(self, per: str, features: int | None) -> None:
        super().__init__()
        self.per = str(checked(type(self).__name__, (PER,), "per", per))
        self.features: int | None = None
        if self.per == "unit":
            self.features = needed_width(type(self).__name__, "per='unit'", features)
        elif features is not None:
            needed_width(type(self).__name__, "", features)

    def stacked_form(self) -> Form | None:
        """Return the fused form whose parameters the learnt values are, each mapped by itself; None if it is none."""
        return None

    def new_parameter(self, value: float) -> nn.Parameter:
        """Return a parameter filled with `value`: shape ``()``, or ``(features,)`` if ``per="unit"``."""
        return nn.Parameter(torch.full(() if self.features is None else (self.features,), value))

    def extra_repr(self) -> str:
        """Show the declared constants, and the width if there is a set for each unit."""
        shown = super().extra_repr()
        return shown if self.features is None else f"{shown}, features={self.features}"


class Noisy(nn.Module):
    """Mixin of activations that draw noise while their own network learns, and have a fixed form everywhere else.

    Noise is drawn only in training mode while gradients are recorded: target networks, acting and evaluation, and the
    next actions of a temporal-difference target see the evaluation form, so targets carry no extra noise.

    A class says by `noise_shape` how many numbers a call needs and by `from_uniform` what becomes of them, and its
    ``forward(x, noise=None)`` takes the noise. So whoever has random numbers of their own, as a population of runs
    with counter-based ones, calls ``forward(x, from_uniform(numbers))``.

    Attributes:
        generator: Source of the noise; None for PyTorch's global one. Set it to make noise reproducible. It belongs to
            the process, not to the module: copies and files do not carry it.
    """

    generator: torch.Generator | None = None

    def noise_shape(self, x_shape: torch.Size) -> torch.Size:
        """Return the shape of the noise of one call for pre-activations of a shape."""
        raise NotImplementedError

    def from_uniform(self, u: Tensor) -> Tensor:
        """Return the noise that numbers drawn uniformly from (0, 1), shaped as `noise_shape` says, stand for."""
        raise NotImplementedError

    def draw(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the noise of one call for pre-activations like `x`."""
        shape = self.noise_shape(x.shape)
        return self.from_uniform(torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device))

    def noise_for(self, x: Tensor, noise: Tensor | None) -> Tensor | None:
        """Return the noise that a call has to use: what it was given, or a draw, or None for the evaluation form."""
        if noise is not None or not (self.training and torch.is_grad_enabled()):
            return noise
        return self.draw(x, self.generator)

    def __getstate__(self) -> dict[str, object]:
        """Return what copies and pickles carry: everything but the generator."""
        return {name: value for name, value in self.__dict__.items() if name != "generator"}


def needed_width(owner: str, reason: str, features: int | None) -> int:
    """Return the width of a layer, or raise `ActivationError` that says who needs it for what."""
    if features is None:
        raise ActivationError(
            f"{owner}: {reason} needs the layer's width, as in rl_acts.make(spec, features=64). "
            "rl_acts.mlp passes it. Stable-Baselines3's activation_fn does not: use rl_acts.sb3.TD3Policy or "
            "rl_acts.sb3.SACPolicy with policy_kwargs=dict(actor_activation=..., critic_activation=...)."
        )
    if not is_width(features):
        raise ActivationError(f"{owner}: features={features!r} is not allowed; it must be a whole number from 1 on.")
    return features


def is_width(value: object) -> bool:
    """Return whether a value is a width of a layer: a whole number from 1 on, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def inverse_softplus(value: float) -> float:
    """Return r with ln(1 + e^r) = value, for value > 0: where a parameter kept positive by softplus starts."""
    # For large values expm1 overflows, and r equals the value to the last bit long before.
    return value if value > 30 else math.log(math.expm1(value))


def widened(x: Tensor) -> Tensor:
    """Return half-precision pre-activations in float32, others as they are.

    For formulas whose intermediate results (squares, small differences) leave the range or the precision of float16
    and bfloat16 although their value does not; the caller casts the result back.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
