"""Ratios of polynomials P(x) / Q(x) with learnt coefficients: no inf/inf, and a hand-written derivative.

Two things keep every intermediate result in range. All coefficients are multiplied by a tiny power of two, which the
ratio does not feel, so that powers of x have twice the room. And powers are taken of x clamped to +-L, far out:
L = 4e9 in float32 for degree 5, 65536 for degree 10. Beyond L the last multiplication of Horner's scheme for P takes x
itself if P has the higher degree, so the ratio goes on along its asymptote, in float32 up to |x| = 1e17.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rl_acts._base import widened


@dataclass(frozen=True)
class RatioForm:
    """What Q is, and what keeps powers in range.

    Attributes:
        floor: Q = floor + |sum_k q_k x^k|; None for no absolute value.
        even: Q = sum_k q_k |x|^k, which wants q >= 0. Not together with a floor.
        further: Whether P has the higher degree.
        scale: Factor of all coefficients and of the floor.
        limit: Powers are taken of x clamped to +- this.
    """

    floor: float | None
    even: bool
    further: bool
    scale: float
    limit: float


def ratio(x: Tensor, numerator: Tensor, denominator: Tensor, floor: float | None, even: bool) -> Tensor:
    """Return P(x) / Q(x) with P(x) = sum_j a_j x^j, and Q by its form.

    Q(x) = sum_k q_k |x|^k if `even`, which wants q >= 0; floor + |sum_k q_k x^k| if there is a floor; sum_k q_k x^k
    otherwise. The derivative of the absolute value of the sum is taken as +1 where the sum is 0.

    Eager calls go through a hand-written derivative, at a half to a third of the cost of differentiating the plain
    expression automatically. Compiled code gets the plain expression, which the compiler fuses.

    Args:
        x: Pre-activations. Half-precision ones are computed in float32.
        numerator: a_0 ... a_m on the last axis, m >= 1; the axes before it broadcast against `x`.
        denominator: q_0 ... q_n likewise, n >= 1.
        floor: Above 0, or None.
        even: Whether Q takes the powers of |x|.

    Returns:
        Activations of the shape and dtype of `x`.
    """
    wide = widened(x)
    degree_p, degree_q = numerator.shape[-1] - 1, denominator.shape[-1] - 1
    bits = math.frexp(torch.finfo(wide.dtype).max)[1]
    # limit^degree * scale is 2^88 in float32: room for coefficients. Degree 1 would have a limit beyond the range.
    limit = 2.0 ** min(20 * bits / 16 / max(degree_p, degree_q), bits - 2)
    form = RatioForm(floor, even, degree_p > degree_q, scale=2.0 ** (-9 * bits // 16), limit=limit)
    inputs = wide, numerator.to(wide.dtype), denominator.to(wide.dtype)
    if torch.compiler.is_compiling():
        return _expression(*inputs, form).to(x.dtype)
    if not torch.is_grad_enabled():
        return _value(*inputs, form).to(x.dtype)
    value, *_ = _Ratio.apply(*inputs, form)  # type: ignore[no-untyped-call]
    return torch.as_tensor(value).to(x.dtype)


def magnitude(x: Tensor) -> Tensor:
    """Return |x| with the derivative +1 at 0: `torch.abs` has 0 there, and a coefficient that starts at 0 never moves.

    The authors' own GPU kernels take the sign by its bit, which does the same.
    """
    return x * torch.copysign(torch.ones_like(x), x.detach())


def _polynomial(z: Tensor, coefficients: Sequence[Tensor]) -> Tensor:
    """Return sum_j c_j z^j by Horner's scheme, in place but for the first product."""
    if len(coefficients) == 1:
        return torch.zeros_like(z) + coefficients[0]
    value = z * coefficients[-1]
    for coefficient in reversed(coefficients[1:-1]):
        value.add_(coefficient).mul_(z)
    return value.add_(coefficients[0])


def _with_slope(z: Tensor, coefficients: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return sum_j c_j z^j and its derivative by Horner's scheme for both."""
    if len(coefficients) <= 2:
        value = _polynomial(z, coefficients)
        slope = torch.zeros_like(value)
        return value, slope if len(coefficients) == 1 else slope.add_(coefficients[1])
    value = z * coefficients[-1]
    slope = (2.0 * value).add_(coefficients[-2])
    value.add_(coefficients[-2]).mul_(z).add_(coefficients[-3])
    for coefficient in reversed(coefficients[:-3]):
        slope.mul_(z).add_(value)
        value.mul_(z).add_(coefficient)
    return value, slope


def _expression(x: Tensor, a: Tensor, q: Tensor, form: RatioForm) -> Tensor:
    """Return P / Q by operations that can be compiled and differentiated."""
    clamped = x.clamp(-form.limit, form.limit)
    a, q = a * form.scale, q * form.scale
    above, below = a[..., -1], q[..., -1]
    for power in reversed(range(a.shape[-1] - 1)):
        above = a[..., power] + above * (x if power == 0 and form.further else clamped)
    z = clamped.abs() if form.even else clamped
    for power in reversed(range(q.shape[-1] - 1)):
        below = q[..., power] + below * z
    return above / (below if form.floor is None else magnitude(below) + form.floor * form.scale)


def _unscaled(form: RatioForm, degree: int, dtype: torch.dtype) -> RatioForm:
    """Return the form for derivatives of higher order, in which the scale's inverse would appear squared."""
    bits = math.frexp(torch.finfo(dtype).max)[1]
    return replace(form, scale=1.0, limit=2.0 ** (bits / 2 / degree))


def _value(x: Tensor, a: Tensor, q: Tensor, form: RatioForm) -> Tensor:
    """Return P / Q by few passes and few new tensors."""
    clamped = x.clamp(-form.limit, form.limit)
    first, *others = (a * form.scale).unbind(-1)
    above = _polynomial(clamped, others).mul_(x if form.further else clamped).add_(first)
    below = _polynomial(clamped.abs() if form.even else clamped, (q * form.scale).unbind(-1))
    return above.div_(below if form.floor is None else below.abs_().add_(form.floor * form.scale))


class _Ratio(torch.autograd.Function):
    """Value, slope df/dx and 1/Q (also with the sign of the sum in Q) in one sweep, kept for the backward pass.

    In place are only operations on tensors that depend on x and on the coefficients, because under `vmap` either can
    be the batched one.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, a: Tensor, q: Tensor, form: RatioForm) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        clamped = x.clamp(-form.limit, form.limit)
        first, *others = (a * form.scale).unbind(-1)
        rest, rest_slope = _with_slope(clamped, others)
        # P = a_0 + x rest(x), P' = rest + x rest'
        above_slope = rest_slope.mul_(clamped).add_(rest)
        at_clamped = (rest * clamped).add_(first)
        value = rest.mul_(x if form.further else clamped).add_(first)
        below, below_slope = _with_slope(clamped.abs() if form.even else clamped, (q * form.scale).unbind(-1))
        signed = None
        if form.even:
            below_slope.mul_(clamped.sign())
        if form.floor is None:
            inverse = below.reciprocal_()
        else:
            inverse = below.abs().add_(form.floor * form.scale).reciprocal_()
            signed = torch.copysign(inverse, below)
        value.mul_(inverse)
        # P'/Q - P Q'/Q^2
        quotient = at_clamped.mul_(inverse if signed is None else signed)
        slope = above_slope.sub_(quotient.mul_(below_slope)).mul_(inverse)
        return value, slope, inverse, signed

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor | None, ...]) -> None:
        x, a, q, ctx.form = inputs
        ctx.mark_non_differentiable(*(extra for extra in output[1:] if extra is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, a, q, *output)
        ctx.save_for_forward(x, a, q, *output)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        x, _, _, value, slope, inverse, signed = ctx.saved_tensors
        form = ctx.form
        along_x, along_a, along_q = tangents[:3]
        clamped = x.clamp(-form.limit, form.limit)
        parts = [] if along_x is None else [slope * along_x]
        if along_a is not None:
            first, *others = (along_a * form.scale).unbind(-1)
            rest = _polynomial(clamped, others) * (x if form.further else clamped)
            parts.append((rest + first) * inverse)
        if along_q is not None:
            below = _polynomial(clamped.abs() if form.even else clamped, (along_q * form.scale).unbind(-1))
            parts.append(-value * (inverse if signed is None else signed) * below)
        return sum(parts[1:], parts[0]), None, None, None

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        gradient: Tensor | None = gradients[0]
        if gradient is None:
            return None, None, None, None
        x, a, q, value, slope, inverse, signed = ctx.saved_tensors
        form = ctx.form
        if torch.is_grad_enabled():
            # Somebody differentiates twice: then the gradients must be functions of x and the coefficients themselves.
            unscaled = _unscaled(form, max(a.shape[-1], q.shape[-1]) - 1, x.dtype)
            pull = torch.func.vjp(partial(_expression, form=unscaled), x, a, q)[1]
            return (*pull(gradient), None)
        clamped = x.clamp(-form.limit, form.limit)
        # Half of the scale now, half at the end: the moments of low powers are too small or those of high ones too
        # large for the whole of it.
        half = math.sqrt(form.scale)
        by_a = (gradient * inverse).mul_(half)
        by_q = (by_a if signed is None else (gradient * signed).mul_(half)) * value
        along_a = _moments(by_a, x if form.further else clamped, clamped, a).mul_(half)
        if form.even:
            clamped = clamped.abs()
        return gradient * slope, along_a, _moments(by_q, clamped, clamped, q).mul_(-half), None


def _moments(weights: Tensor, first: Tensor, then: Tensor, like: Tensor) -> Tensor:
    """Return the sums of w, w z_1, w z_1 z_2, w z_1 z_2^2, ... over all that shares one of the coefficients `like`.

    Overwrites w, which depends on everything.
    """
    shape = like.shape[:-1]
    factors = [first] + [then] * (like.shape[-1] - 2)
    return torch.stack(
        [weights.sum_to_size(shape), *(weights.mul_(factor).sum_to_size(shape) for factor in factors)], dim=-1
    )
