"""The library's fused forms, those that gain by it. See `rl_acts._fused.Form`."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from rl_acts._fused import Form, Number, constant

_LOG2_E = 1.0 / math.log(2.0)
_HALVES = (torch.float16, torch.bfloat16)

# PyTorch's kernels for a b (1 - b), and for a where b is above a threshold and 0 elsewhere, each in one pass.
_times_logistic_slope = torch.ops.aten.sigmoid_backward
_where_above = torch.ops.aten.threshold_backward


# Swim: f = x G with the gate G = 1 / (1 + w^2), w = sqrt(1 + t^2) - t = exp(-asinh t), t = k x. Nothing cancels on the
# left. On the right w does, and from some t on it is rounding error alone; there it counts as 0, since 1 + w^2 is 1 to
# rounding. f' = G (6 G - 4 G^2 - 1) = G (5/4 - 4 (G - 3/4)^2), which keeps its digits in the tail, where G is small,
# and is exactly 1 for G = 1.
#
# The expression is for compilers, for which passes do not count and a mask costs more: relu(x) - |x| G(-|t|). By the
# chain rule its slopes are NaN where t^2 overflows, from |t| = 1e19 on in float32.
def _swim_expression(x: Tensor, k: Number) -> Tensor:
    a = x.abs()
    t = k * a
    d = 1.0 + t * t
    # (x + a) / 2 is relu(x), but with the slope 1/2 at 0 that Swim has there.
    return 0.5 * ((x + a) - a * (d + t * d.sqrt()).reciprocal())


def _swim_slopes(x: Tensor, k: Number) -> list[Tensor]:
    t = k * x.abs()
    d = 1.0 + t * t
    root = d.sqrt()
    small = 0.5 / (d + t * root)
    gate = torch.where(x > 0.0, 1.0 - small, small)
    # df/dk = x^2 / (2 r^3) with r = sqrt(1 + t^2); in this order nothing overflows.
    inverse = 1.0 / root
    return [gate * (6.0 * gate - 4.0 * gate * gate - 1.0), 0.5 * inverse * (x * inverse).square()]


def _far(dtype: torch.dtype) -> float:
    """Return the t from which on 1 + w^2 is 1 to rounding: 2^12 in float32, 2^26 in float64."""
    return 2.0 ** math.ceil(-0.5 * math.log2(torch.finfo(dtype).eps))


@lru_cache(maxsize=256)
def _swim_scales(k: float, dtype: torch.dtype) -> tuple[float, float, float]:
    """Return the largest x that counts, a power of two c near k, and c / k: c w / k = sqrt((c/k)^2 + (c x)^2) - c x.

    So k x is not rounded before it cancels.
    """
    # Sharper ones equal ReLU to 1e-19, and their squares overflow.
    k = min(k, 1e18)
    c = math.ldexp(1.0, math.frexp(k)[1])
    return min(_far(dtype) / k, torch.finfo(dtype).max), c, c / k


def _swim_value(record: bool, x: Tensor, k: Number) -> tuple[Tensor, tuple[Tensor, ...]]:
    if isinstance(k, Tensor):
        return _swim_learnt_value(record, x, k)
    largest, c, one = _swim_scales(k, x.dtype)
    near = x.clamp_max(largest)
    w = torch.addcmul(constant(one * one, x), near, near, value=c * c).sqrt_().sub_(near, alpha=c)
    denominator = torch.addcmul(constant(1.0, w), w, w, value=1.0 / (one * one), out=w)
    value = torch.div(x, denominator, out=near)
    return value, (denominator.reciprocal_(),) if record else ()


def _swim_learnt_value(record: bool, x: Tensor, k: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    minus_t = x * -k
    one = constant(1.0, minus_t)
    root = torch.addcmul(one, minus_t, minus_t).sqrt_()
    w = _where_above.grad_input(root + minus_t, minus_t, -_far(minus_t.dtype), grad_input=minus_t)
    denominator = torch.addcmul(one, w, w, out=w)
    value = x / denominator
    return value, (denominator.reciprocal_(), root) if record else ()


def _swim_pull(
    gradient: Tensor, wanted: Sequence[bool], x: Tensor, kept: Sequence[Tensor], _: Number
) -> list[Tensor | None]:
    gate = kept[0]
    away = gate - constant(0.75, gate)
    slope = torch.addcmul(constant(1.25, gate), away, away, value=-4.0, out=away).mul_(gate)
    by_x = slope.mul_(gradient)
    if not wanted[0]:
        return [by_x, None]
    # df/dk = x^2 / (2 r^3) with r = sqrt(1 + t^2)
    root = kept[1]
    by_k = (x / root).square_().div_(root)
    return [by_x, torch.addcmul(constant(0.0, by_k), by_k, gradient, value=0.5, out=by_k)]


SWIM = Form(_swim_expression, _swim_value, _swim_pull, _swim_slopes, kernel="swim")


# Swish: f = x s with s = sigmoid(beta x), f' = s + beta x s (1 - s). The slope is worked out at once, in the memory of
# what is at hand, and leaves the backward pass one product. Compilers get powers of 2, which take a third less time
# than those of e; the chain rule would make NaN of the infinite ones.
def _swish_expression(x: Tensor, beta: Number) -> Tensor:
    return x * (beta * x).sigmoid()


def _swish_compiled(x: Tensor, beta: Number) -> Tensor:
    if x.dtype in _HALVES:
        # Their powers overflow where the function has digits.
        return _swish_expression(x, beta)
    return x / (1.0 + (x * (-_LOG2_E * beta)).exp2())


def _swish_slopes(x: Tensor, beta: Number) -> list[Tensor]:
    s = (beta * x).sigmoid() if x.dtype in _HALVES else (1.0 + (x * (-_LOG2_E * beta)).exp2()).reciprocal()
    # In this order nothing overflows.
    by_beta_over_x = x * (s * (1.0 - s))
    return [s + beta * by_beta_over_x, x * by_beta_over_x]


def _swish_value(record: bool, x: Tensor, beta: float) -> tuple[Tensor, tuple[Tensor, ...]]:
    t = x * constant(beta, x)
    if not record:
        return t.sigmoid_().mul_(x), ()
    s = t.sigmoid()
    slope = torch.add(s, _times_logistic_slope.grad_input(x, s, grad_input=t), alpha=beta, out=t)
    return s.mul_(x), (slope,)


def _swish_pull(
    gradient: Tensor,
    wanted: Sequence[bool],  # noqa: ARG001
    x: Tensor,  # noqa: ARG001
    kept: Sequence[Tensor],
    beta: float,  # noqa: ARG001
) -> list[Tensor | None]:
    return [kept[0].mul_(gradient), None]


SWISH = Form(_swish_expression, _swish_value, _swish_pull, _swish_slopes, _swish_compiled, kernel="swish")

# With beta = 1 PyTorch has a kernel of its own, which compilers know; ours computes one exponential where that has two.
SILU = Form(lambda x, beta: F.silu(x), kernel="swish")  # noqa: ARG005 - as the kernel takes it

# The same with a learnt beta, for which a few passes of PyTorch's are the plain expression.
SWISH_LEARNT = Form(_swish_expression, None, None, _swish_slopes, _swish_compiled, kernel="swish")


# ULU: f = x s with s = sigmoid(t), t = 2 a x with a = a1 on the left and a2 on the right, f' = s + t s (1 - s).
def _ulu_expression(x: Tensor, a1: Number, a2: Number) -> Tensor:
    positive = x.relu()
    # One of the two products is exactly 0, so each side has its own a to the last bit.
    return x * ((2.0 * a1) * (x - positive) + (2.0 * a2) * positive).sigmoid()


def _ulu_value(record: bool, x: Tensor, a1: Number, a2: Number) -> tuple[Tensor, tuple[Tensor, ...]]:
    positive = x.clamp_min(0.0)
    t = (x - positive).mul_(constant(2.0 * a1, x)).add_(positive.mul_(constant(2.0 * a2, x)))
    s = t.sigmoid() if record else t.sigmoid_()
    return x * s, (s, t)


def _ulu_pull(
    gradient: Tensor, wanted: Sequence[bool], x: Tensor, kept: Sequence[Tensor], _: Number, __: Number
) -> list[Tensor | None]:
    s, t = kept
    by_x = _times_logistic_slope.default(t, s).add_(s).mul_(gradient)
    if not any(wanted):
        return [by_x, None, None]
    # df/da = 2 x^2 s (1 - s) on a's own side
    part = _times_logistic_slope.default(x, s).mul_(gradient)
    by_a2 = torch.addcmul(constant(0.0, part), part, x.clamp_min(0.0), value=2.0)
    by_both = torch.addcmul(constant(0.0, part), part, x, value=2.0, out=part)
    return [by_x, by_both.sub_(by_a2), by_a2]


ULU = Form(_ulu_expression, _ulu_value, _ulu_pull, kernel="ulu")


# CRReLU: f = max(x, 0) + eps x e with e = exp(-x^2 / 2), f' = 1{x > 0} + eps (1 - x^2) e.
def _crrelu_expression(x: Tensor, eps: Number) -> Tensor:
    return x.relu() + eps * (x * (-0.5 * x * x).exp())


def _crrelu_value(record: bool, x: Tensor, eps: Number) -> tuple[Tensor, tuple[Tensor, ...]]:  # noqa: ARG001
    bump = torch.addcmul(constant(0.0, x), x, x, value=-0.5).exp_()
    return (x * bump).mul_(constant(eps, x)).add_(x.clamp_min(0.0)), (bump,)


def _crrelu_pull(
    gradient: Tensor, wanted: Sequence[bool], x: Tensor, kept: Sequence[Tensor], eps: Number
) -> list[Tensor | None]:
    (bump,) = kept
    by_eps = x * bump
    # In this order a bump of 0 stays 0 where x^2 overflows.
    slope = torch.addcmul(bump, x, by_eps, value=-1.0).mul_(constant(eps, x))
    by_x = slope.mul_(gradient).add_(_where_above.default(gradient, x, 0.0))
    return [by_x, by_eps.mul_(gradient) if wanted[0] else None]


CRRELU = Form(_crrelu_expression, _crrelu_value, _crrelu_pull, kernel="crrelu")


# xIELU: f = ap p^2 + an (expm1(m) - m) + beta x with p = max(x, 0), m = min(x, 0); f' = 2 ap p + an expm1(m) + beta.
def _xielu_expression(x: Tensor, ap: Number, an: Number, beta: Number) -> Tensor:
    positive = x.relu()
    # Exactly min(x, 0), with the derivative 1 at 0: the exponential never overflows.
    negative = x - positive
    return ap * (positive * positive) + an * (negative.expm1() - negative) + beta * x


def _xielu_value(record: bool, x: Tensor, ap: Number, an: Number, beta: Number) -> tuple[Tensor, tuple[Tensor, ...]]:
    positive = x.clamp_min(0.0)
    negative = x - positive
    exponential = negative.expm1()
    value = torch.sub(exponential, negative, out=negative).mul_(constant(an, x))
    value.add_(positive.square_().mul_(constant(ap, x)))
    value.add_(torch.mul(x, constant(beta, x), out=positive))
    return value, (exponential,) if record else ()


def _xielu_pull(
    gradient: Tensor,
    wanted: Sequence[bool],
    x: Tensor,
    kept: Sequence[Tensor],
    ap: Number,
    an: Number,
    beta: Number,
) -> list[Tensor | None]:
    (exponential,) = kept
    positive = x.clamp_min(0.0)
    by_x = (exponential * constant(an, x)).add_(positive * constant(2.0 * ap, x)).add_(constant(beta, x)).mul_(gradient)
    by_an = None
    if wanted[1]:
        by_an = (exponential - x).add_(positive).mul_(gradient)
    return [
        by_x,
        positive.square_().mul_(gradient) if wanted[0] else None,
        by_an,
        x * gradient if wanted[2] else None,
    ]


XIELU = Form(_xielu_expression, _xielu_value, _xielu_pull, kernel="xielu")
