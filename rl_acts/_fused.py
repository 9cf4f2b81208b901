"""Elementwise functions with hand-written derivatives: what makes a composed activation cheap without a compiler.

At the usual sizes an activation costs what its passes over memory and its calls cost. A plain expression that PyTorch
differentiates makes a new tensor for each operation, forward and backward. A `Form` has up to two better ways for eager
calls: a kernel of our own, one pass each way (`rl_acts._kernels`: float32 on a CPU, where it could be built), and the
same arithmetic in a few passes of PyTorch's, in place and with PyTorch's kernels that do several steps at once.

The plain expression remains the definition: compiled code gets it (the compiler fuses better), or an equal one that
compiles better, with its slopes where the chain rule would make more of them than there is to do; the transforms of
`torch.func` (`vmap`, `grad`, `jvp`, ...) get it, since in-place arithmetic cannot be batched, and so do second
derivatives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad

from rl_acts._kernels import can_be_read, constant_on_cpu, kernels

# A constant of the constructor, or a learnt value that broadcasts against the pre-activations.
Number: TypeAlias = float | Tensor


@dataclass(frozen=True)
class Form:
    """An elementwise function f(x, *parameters), written plainly, and cheaply for eager calls.

    Neither `value` nor `pull` is ever recorded, traced or batched, so both may write into tensors of their own, and
    `pull` into what `value` kept for it; never into what they were given.

    Attributes:
        expression: ``(x, *parameters)`` to f(x), as a plain expression that is right and differentiates stably.
        value: ``(record, x, *parameters)`` to f(x) and, if `record`, the tensors that `pull` needs besides x: its own,
            not f(x) itself. None: nothing in PyTorch is cheaper than the expression.
        pull: ``(gradient, wanted, x, kept, *parameters)`` to the list ``gradient * df/dx, gradient * df/dp, ...`` of
            tensors shaped like x. `wanted` tells for each parameter whether its product is needed; for the others the
            list may hold anything. None where `value` is.
        slopes: ``(x, *parameters)`` to the list ``df/dx, df/dp, ...``, plain expressions for compilers, where they take
            fewer operations than what the chain rule makes of `expression`. None leaves it to the chain rule.
        compiled: ``(x, *parameters)`` to f(x) for compilers, if they make faster code of it than of `expression`. It
            need not differentiate stably, so it comes with `slopes`.
        kernel: Name of the native kernel that takes the same parameters, if there is one.
    """

    expression: Callable[..., Tensor]
    value: Callable[..., tuple[Tensor, tuple[Tensor, ...]]] | None = None
    pull: Callable[..., Sequence[Tensor | None]] | None = None
    slopes: Callable[..., Sequence[Tensor]] | None = None
    compiled: Callable[..., Tensor] | None = None
    kernel: str | None = None


class Plainly:
    """Context in which `fused` returns plain expressions, to compare with.

    Attributes:
        active: Whether it is on.
        calls: How often it made a difference since it was entered.
    """

    def __init__(self) -> None:
        self.active = False
        self.calls = 0

    def __enter__(self) -> "Plainly":
        self.active, self.calls = True, 0
        return self

    def __exit__(self, *_: object) -> None:
        self.active = False


plainly = Plainly()


def fused(form: Form, x: Tensor, *parameters: Number) -> Tensor:
    """Return f(x, *parameters) by the cheapest way that there is for this call.

    Args:
        form: The function.
        x: Pre-activations of any shape.
        *parameters: Numbers, or tensors that broadcast to the shape of `x`. Their gradients are one reduction each.
    """
    if torch.compiler.is_compiling():
        return _for_compilers(form, x, parameters)
    if _only_expression_will_do():
        return form.expression(x, *parameters)
    if plainly.active:
        plainly.calls += form.value is not None or (
            form.kernel is not None and kernels.take(form.kernel, x, parameters)
        )
        return form.expression(x, *parameters)
    if form.kernel is not None and kernels.take(form.kernel, x, parameters):
        return _by_kernel(form, form.kernel, x, parameters)
    return _by_passes(form, x, parameters)


# Nothing public tells whether a transform of torch.func or forward differentiation is at work; autograd.Function and
# torch.autograd.forward_ad ask these ways too.
_transforms_are_active = torch._C._are_functorch_transforms_active  # noqa: SLF001
_tracing_state = torch._C._get_tracing_state  # noqa: SLF001
_is_batched = torch._C._functorch.is_legacy_batchedtensor  # noqa: SLF001


def _one_for_good(gradient: Tensor) -> bool:
    """Tell whether a gradient is a single one, which nobody differentiates further."""
    return not (torch.is_grad_enabled() or _is_batched(gradient) or _transforms_are_active())


def _only_expression_will_do() -> bool:
    # TorchScript's trace cannot save a Python function, and would take a kernel's result for a constant.
    return _transforms_are_active() or forward_ad._current_level >= 0 or _tracing_state() is not None  # noqa: SLF001


def _for_compilers(form: Form, x: Tensor, parameters: tuple[Number, ...]) -> Tensor:
    if form.slopes is None:
        return form.expression(x, *parameters)
    value: Tensor = _Compiled.apply(form, x, *parameters)  # type: ignore[no-untyped-call]
    return value


def _by_kernel(form: Form, kernel: str, x: Tensor, parameters: tuple[Number, ...]) -> Tensor:
    numbers = [parameter for parameter in parameters if not isinstance(parameter, Tensor)]
    learnt = len(numbers) < len(parameters)
    if not torch.is_grad_enabled() or not (learnt or x.requires_grad):
        return kernels.value(kernel, x, parameters) if learnt else kernels.fixed(kernel, x, numbers)
    return (_apply_learnt if learnt else _apply_fixed)(form, x, *parameters)


def _by_passes(form: Form, x: Tensor, parameters: tuple[Number, ...]) -> Tensor:
    if form.value is None:
        return form.expression(x, *parameters)
    if torch.is_grad_enabled():
        value: Tensor = _Fused.apply(form, x, *parameters)  # type: ignore[no-untyped-call]
        return value
    return form.value(False, x, *parameters)[0]


class _Fused(torch.autograd.Function):
    """The function as a node of the graph.

    `forward` takes the context: the separate `setup_context`, which `torch.func` asks for, costs more time per call
    than all of SiLU at 256 x 256. What the form keeps is nobody else's, so it needs no `save_for_backward`, which
    costs as much as a pass over the tensor.
    """

    @staticmethod
    def forward(ctx: Any, form: Form, x: Tensor, *parameters: Number) -> Tensor:
        _remember(ctx, form, x, parameters)
        value: Tensor
        value, ctx.kept = ctx.form.value(True, x, *parameters)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, parameters = _recalled(ctx)
        _, *needed = ctx.needs_input_grad
        if not _one_for_good(gradient):
            return None, *_differentiable(ctx.form, gradient, needed, x, parameters)
        kept, ctx.kept = ctx.kept, None
        if kept is None:
            # Used up by an earlier pass through a graph that was retained.
            _, kept = ctx.form.value(True, x, *parameters)
        products = ctx.form.pull(gradient, needed[1:], x, kept, *parameters)
        if not any(needed[1:]):
            return None, products[0], *(None for _ in parameters)
        reduced = [
            _reduced(product, parameter) if need and isinstance(parameter, Tensor) else None
            for product, parameter, need in zip(products[1:], parameters, needed[1:], strict=True)
        ]
        return None, products[0], *reduced


class _FixedByKernel(torch.autograd.Function):
    """The function with constants by its kernel, which works out the slope at once: one exponential serves both."""

    @staticmethod
    def forward(ctx: Any, form: Form, x: Tensor, *numbers: float) -> Tensor:
        ctx.call = form, numbers
        ctx.save_for_backward(x)
        value, ctx.slope = kernels.fixed_with_slope(str(form.kernel), x, numbers)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        slope, (form, numbers) = ctx.slope, ctx.call
        single = _one_for_good(gradient)
        if slope is None or not single:
            (x,) = ctx.saved_tensors
            # What was saved can come back with another layout: hooks on saved tensors.
            if not single or not kernels.take(form.kernel, x, numbers):
                return None, *_differentiable(form, gradient, ctx.needs_input_grad[1:], x, numbers)
            # The slope was used up by an earlier pass through a graph that was retained.
            _, slope = kernels.fixed_with_slope(form.kernel, x, numbers)
        ctx.slope = None
        return None, slope.mul_(gradient), *[None] * len(numbers)


class _LearntByKernel(torch.autograd.Function):
    """The function with learnt parameters by its kernels, which need nothing but what it was called with."""

    @staticmethod
    def forward(ctx: Any, form: Form, x: Tensor, *parameters: Number) -> Tensor:
        _remember(ctx, form, x, parameters)
        return kernels.value(str(form.kernel), x, parameters)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, parameters = _recalled(ctx)
        _, *needed = ctx.needs_input_grad
        # What was saved can come back with another layout: hooks on saved tensors.
        if not (_one_for_good(gradient) and can_be_read(gradient) and kernels.take(ctx.form.kernel, x, parameters)):
            return None, *_differentiable(ctx.form, gradient, needed, x, parameters)
        by_x, *others = kernels.pull(ctx.form.kernel, gradient, x, parameters, needed[1:])
        reduced = [
            None if by_parameter is None or not isinstance(parameter, Tensor) else _reduced_to(by_parameter, parameter)
            for by_parameter, parameter in zip(others, parameters, strict=True)
        ]
        return None, by_x, *reduced


# What `Function.apply` does besides is for transforms, which are not active here.
_apply_fixed: Callable[..., Tensor] = super(torch.autograd.Function, _FixedByKernel).apply
_apply_learnt: Callable[..., Tensor] = super(torch.autograd.Function, _LearntByKernel).apply


class _Compiled(torch.autograd.Function):
    """The function as compilers see it: the expression, and its slopes as they are told, with `vmap` over both."""

    generate_vmap_rule = True

    @staticmethod
    def forward(form: Form, x: Tensor, *parameters: Number) -> Tensor:
        return (form.compiled or form.expression)(x, *parameters)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        form, x, *parameters = inputs
        _remember(ctx, form, x, parameters)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, parameters = _recalled(ctx)
        by_x, *others = ctx.form.slopes(x, *parameters)
        # Before the sums: in this order the compiler does both in one loop.
        product = gradient * by_x
        reduced = [
            _reduced(gradient * slope, parameter) if isinstance(parameter, Tensor) else None
            for slope, parameter in zip(others, parameters, strict=True)
        ]
        return None, product, *reduced


def _remember(ctx: Any, form: Form, x: Tensor, parameters: Sequence[Number]) -> None:
    """Keep for the backward pass what the function was called with.

    Tensors of others go to `save_for_backward`, which notices when somebody overwrites them.
    """
    ctx.form = form
    ctx.numbers = [None if isinstance(parameter, Tensor) else parameter for parameter in parameters]
    ctx.save_for_backward(x, *[parameter for parameter in parameters if isinstance(parameter, Tensor)])


def _recalled(ctx: Any) -> tuple[Tensor, list[Number]]:
    x, *learnt = ctx.saved_tensors
    given = iter(learnt)
    return x, [next(given) if number is None else number for number in ctx.numbers]


def _reduced(product: Tensor, parameter: Tensor) -> Tensor:
    return product.sum() if parameter.dim() == 0 else product.sum_to_size(parameter.shape)


def _reduced_to(total: Tensor, parameter: Tensor) -> Tensor:
    """Return the gradient of a parameter that has fewer numbers than another of the same call."""
    return total if total.shape == parameter.shape else _reduced(total, parameter)


def _differentiable(
    form: Form, gradient: Tensor, needed: Sequence[bool], x: Tensor, parameters: Sequence[Number]
) -> list[Tensor | None]:
    """Return the products, reduced, by the expression: somebody differentiates twice, or several gradients at once.

    While gradients are recorded they are functions of x and the parameters.
    """
    twice = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views, because a parameter may itself be a function of x: what comes through it is not this function's part.
        inputs = [given.view_as(given) if isinstance(given, Tensor) else given for given in (x, *parameters)]
        leaves = [given for given, need in zip(inputs, needed, strict=True) if need and isinstance(given, Tensor)]
        found = iter(torch.autograd.grad(form.expression(*inputs), leaves, gradient, create_graph=twice))
    return [next(found) if need else None for need in needed]


def constant(number: Number, like: Tensor) -> Tensor:
    """Return a number as a tensor without axes, of the dtype and device of `like`; a tensor as it is.

    PyTorch's calls take such a tensor faster than a Python number, of which they make one each time. Not to be written
    into: there is one for all.
    """
    if isinstance(number, Tensor):
        return number
    if type(like) is Tensor and like.is_cpu:
        return constant_on_cpu(number, like.dtype)
    return torch.full((), number, dtype=like.dtype, device=like.device)
