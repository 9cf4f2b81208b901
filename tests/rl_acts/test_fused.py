"""Fused forms equal their plain expressions: values, all derivatives, under vmap; what is given stays as it is."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import vmap

import rl_acts
from rl_acts._fused import Form, _Compiled, constant, fused, plainly
from rl_acts._fused_forms import CRRELU, SWIM, SWISH, ULU, XIELU

FEATURES = 5
FORMS: dict[str, tuple[Form, tuple[float, ...]]] = {
    "swim": (SWIM, (0.7,)),
    "swish": (SWISH, (1.5,)),
    "swish mirrored": (SWISH, (-0.5,)),
    "ulu": (ULU, (0.5, 1.25)),
    "crrelu": (CRRELU, (-0.3,)),
    "xielu": (XIELU, (0.8, 0.9, 0.5)),
}
GRANULARITIES = ("constant", "layer", "unit")
# Swish's form takes a number alone; its learnable kin is as cheap in plain operations.
LEARNABLE = [name for name in FORMS if not name.startswith("swish")]
CASES = [
    pytest.param(name, granularity, id=f"{name} {granularity}")
    for name in FORMS
    for granularity in (GRANULARITIES if name in LEARNABLE else GRANULARITIES[:1])
]


def points(rows: int = 9, dtype: torch.dtype = torch.float64) -> Tensor:
    """Numbers of spread 2, none of them at a kink."""
    # Drawn in float64, because a generator gives other numbers for other dtypes.
    x = 2.0 * torch.randn(rows, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x.to(dtype)


def parameters(name: str, granularity: str, dtype: torch.dtype = torch.float64) -> list[float | Tensor]:
    """Return the form's parameters; those of units differ from unit to unit."""
    values = FORMS[name][1]
    if granularity == "constant":
        return list(values)
    spread = torch.linspace(0.9, 1.1, FEATURES, dtype=dtype) if granularity == "unit" else torch.ones((), dtype=dtype)
    return [(value * spread).requires_grad_() for value in values]


def tensors(given: list[float | Tensor]) -> list[Tensor]:
    return [parameter for parameter in given if isinstance(parameter, Tensor)]


def close(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "granularity"), CASES)
def test_values_and_first_derivatives_are_those_of_the_expression(name: str, granularity: str) -> None:
    form, given = FORMS[name][0], parameters(name, granularity)
    x = points().requires_grad_()
    gradient = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    leaves = [x, *tensors(given)]
    value, expected = fused(form, x, *given), form.expression(x, *given)
    close(value, expected)
    before = [leaf.detach().clone() for leaf in (*leaves, gradient)]
    first = torch.autograd.grad(value, leaves, gradient, retain_graph=True)
    close(first, torch.autograd.grad(expected, leaves, gradient))
    # Nothing that was given is overwritten, and a second backward pass finds the same though the first used up memory.
    assert all(map(torch.equal, before, (*leaves, gradient)))
    assert all(map(torch.equal, first, torch.autograd.grad(value, leaves, gradient)))


SLOPED = [case for case in CASES if FORMS[str(case.values[0])][0].slopes is not None]


def compiled(form: Form, x: Tensor, *given: float | Tensor) -> Tensor:
    """What a compiler traces, here executed as it is."""
    value: Tensor = _Compiled.apply(form, x, *given)  # type: ignore[no-untyped-call]
    return value


@pytest.mark.parametrize(("name", "granularity"), SLOPED)
def test_slopes_for_compilers_are_those_of_the_expression(name: str, granularity: str) -> None:
    form, given = FORMS[name][0], parameters(name, granularity)
    x = points().requires_grad_()
    gradient = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    leaves = [x, *tensors(given)]
    value, expected = compiled(form, x, *given), form.expression(x, *given)
    if form.compiled is None:
        assert torch.equal(value, expected)
    close(value, expected)
    close(torch.autograd.grad(value, leaves, gradient), torch.autograd.grad(expected, leaves, gradient))


def test_slopes_for_compilers_are_finite_where_squares_overflow() -> None:
    x = torch.tensor([-3e38, -1e30, 1e30, 3e38], requires_grad=True)
    k = torch.tensor(1.5, requires_grad=True)
    by_x, by_k = torch.autograd.grad(compiled(SWIM, x, k).sum(), (x, k))
    assert by_x.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert by_k.item() == 0.0
    # The chain rule's own slopes suffice for Swish.
    (by_x,) = torch.autograd.grad(SWISH.expression(x, 1.5).sum(), x)
    assert by_x.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("granularity", GRANULARITIES[1:])
def test_slopes_for_compilers_under_vmap(granularity: str) -> None:
    k = torch.stack([tensors(parameters("swim", granularity))[0] + 0.1 * member for member in range(3)]).detach()
    x = torch.stack([points() + member for member in range(3)]).requires_grad_()
    k.requires_grad_()
    stacked = vmap(lambda x, k: compiled(SWIM, x, k))(x, k)
    plain = vmap(SWIM.expression)(x, k)
    close(torch.autograd.grad(stacked.sin().sum(), (x, k)), torch.autograd.grad(plain.sin().sum(), (x, k)))


@pytest.mark.parametrize(("name", "granularity"), CASES)
def test_the_expression_is_right_in_float32_too(name: str, granularity: str) -> None:
    form = FORMS[name][0]

    def derivatives(dtype: torch.dtype) -> list[Tensor]:
        given = parameters(name, granularity, dtype)
        x = torch.cat([points(9, dtype), torch.linspace(-1e4, 1e4, FEATURES, dtype=dtype)[None]]).requires_grad_()
        value = form.expression(x, *given)
        leaves = [x, *tensors(given)]
        first = torch.autograd.grad(value.sum(), leaves, create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), leaves)
        return [part.detach().double() for part in (value, *first, *second)]

    for single, double in zip(derivatives(torch.float32), derivatives(torch.float64), strict=True):
        torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "granularity"), CASES)
def test_recorded_and_unrecorded_values_are_equal_to_the_bit(name: str, granularity: str) -> None:
    form, given = FORMS[name][0], parameters(name, granularity, torch.float32)
    x = points(99, torch.float32).requires_grad_()
    with torch.no_grad():
        unrecorded = fused(form, x, *given)
    assert torch.equal(fused(form, x, *given).detach(), unrecorded)


@pytest.mark.parametrize(("name", "granularity"), CASES)
def test_second_derivatives_are_those_of_the_expression(name: str, granularity: str) -> None:
    form, given = FORMS[name][0], parameters(name, granularity)
    x = points().requires_grad_()
    leaves = [x, *tensors(given)]

    def second(function: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        # Through a square, so that the incoming gradient depends on the leaves too.
        first = torch.autograd.grad(function(x, *given).square().sum(), leaves, create_graph=True)
        total = sum((part.cos().sum() for part in first), start=x.new_zeros(()))
        return torch.autograd.grad(total, leaves)

    close(second(lambda *arguments: fused(form, *arguments)), second(form.expression))


def _dual(part: Tensor) -> Tensor:
    made: Tensor = forward_ad.make_dual(part.detach(), torch.ones_like(part))  # type: ignore[no-untyped-call]
    return made


@pytest.mark.parametrize(("name", "granularity"), CASES)
def test_forward_mode_is_that_of_the_expression(name: str, granularity: str) -> None:
    form, given = FORMS[name][0], parameters(name, granularity)
    x = points()

    def along(function: Callable[..., Tensor], moves: list[bool]) -> Tensor:
        with forward_ad.dual_level():
            duals = [
                _dual(part) if isinstance(part, Tensor) and moved else part
                for part, moved in zip([x, *given], moves, strict=True)
            ]
            tangent: Tensor = forward_ad.unpack_dual(function(*duals)).tangent.detach()  # type: ignore[no-untyped-call]
            return tangent

    learnt = [isinstance(parameter, Tensor) for parameter in given]
    for moves in ([True, *(False for _ in given)], [False, *learnt], [True, *learnt]):
        if any(moves):
            close(along(lambda *arguments: fused(form, *arguments), moves), along(form.expression, moves))


@pytest.mark.parametrize("name", LEARNABLE)
def test_vmap_over_stacked_parameters_equals_a_loop(name: str) -> None:
    form = FORMS[name][0]
    stacks = [
        torch.stack([value + 0.125 * member for member in range(3)]).detach().requires_grad_()
        for value in tensors(parameters(name, "unit"))
    ]
    x = torch.stack([points(), points() - 1.0, points() + 1.0])
    together = vmap(lambda x, *given: fused(form, x, *given))(x, *stacks)
    apart = torch.stack([fused(form, x[member], *(stack[member] for stack in stacks)) for member in range(3)])
    close(together, apart)
    close(torch.autograd.grad(together.sum(), stacks), torch.autograd.grad(apart.sum(), stacks))


def test_expanded_gradients_strided_inputs_and_numbers_alone() -> None:
    for name, (form, _) in FORMS.items():
        given = parameters(name, "layer" if name in LEARNABLE else "constant")
        x = points(FEATURES).T.requires_grad_()
        close(
            torch.autograd.grad(fused(form, x, *given).sum(), x),
            torch.autograd.grad(form.expression(x, *given).sum(), x),
        )
        close(fused(form, x[0, 0], *given), fused(form, x, *given)[0, 0])


def test_only_what_is_wanted_has_a_gradient() -> None:
    k = torch.tensor(0.7)
    x = torch.ones(3, requires_grad=True)
    assert torch.autograd.grad(fused(SWIM, x, k).sum(), x)[0].shape == (3,)
    learnt = torch.tensor(0.7, requires_grad=True)
    (gradient,) = torch.autograd.grad(fused(SWIM, torch.ones(3), learnt).sum(), learnt)
    assert gradient.item() == pytest.approx(3 * 0.5 * (1 + 0.49) ** -1.5, rel=1e-6)


def test_a_parameter_that_depends_on_the_input_counts_once() -> None:
    x = points().requires_grad_()

    def slopes(function: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        value = function(x, x.mean(0).square() + 0.5)
        return torch.autograd.grad(value.sum(), x, create_graph=True)

    close(slopes(lambda *given: fused(SWIM, *given)), slopes(SWIM.expression))


def test_an_overwritten_input_is_noticed() -> None:
    x = points().requires_grad_()
    inner = x * 1.0
    value = fused(SWIM, inner, 0.5)
    with torch.no_grad():
        inner.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value.sum(), x)


def test_plainly_replaces_the_form_by_its_expression() -> None:

    def refuse(*_: object) -> tuple[Tensor, tuple[Tensor, ...]]:
        raise ZeroDivisionError

    refusing = Form(lambda x: x + 1.0, value=refuse, pull=lambda *_: [])
    x = torch.zeros(2)
    with plainly:
        assert fused(refusing, x).tolist() == [1.0, 1.0]
        assert plainly.calls == 1
    with pytest.raises(ZeroDivisionError):
        fused(refusing, x)


def test_constants_have_the_dtype_of_the_other_side() -> None:
    for dtype in (torch.float32, torch.float64):
        made = constant(0.1, torch.ones(2, dtype=dtype))
        assert made.dtype is dtype
        assert made.item() == torch.tensor(0.1, dtype=dtype).item()
    given = torch.ones(3)
    assert constant(given, torch.ones(2)) is given


@pytest.mark.parametrize("k", [1e-30, 1e-3, 0.3, 7.0, 1e4, 1e30])
def test_swim_is_right_for_any_sharpness(k: float) -> None:
    # Above k = 1e18 it is ReLU but for 1e-19.
    smallest = 1e-37 if k < 1e18 else 1e-19
    x = torch.tensor([-1e6, -300.0, -3.0, -0.01, 0.0, 0.01, 3.0, 300.0, 1e6], requires_grad=True)
    exact = x.detach().double()
    t = k * exact
    r = t.square().add(1.0).sqrt()
    right = exact / 2 * (1 + t / r)
    true = torch.where(exact < 0, exact / 2 / (r * (r - t)), right)
    module = rl_acts.make({"name": "swim", "k": k})
    torch.testing.assert_close(module(x).double(), true, rtol=1e-6, atol=smallest)
    (slopes,) = torch.autograd.grad(module(x).sum(), x)
    assert ((slopes >= -0.0443311) & (slopes <= 1.0443311)).all()


@pytest.mark.parametrize("k", [0.5, 0.7, 3.0])
def test_swim_of_large_numbers_stays_at_the_line(k: float) -> None:
    # Where sqrt(1 + t^2) - t is lost in rounding a careless form is off by far more than a rounding error.
    x = torch.cat([torch.logspace(0, 18, 50_001), torch.linspace(500.0, 20_000.0, 50_001)])
    exact = x.double()
    true = exact / 2 * (1 + k * exact / (1 + (k * exact).square()).sqrt())
    for values in (rl_acts.make({"name": "swim", "k": k})(x), fused(SWIM, x, torch.tensor(k))):
        torch.testing.assert_close(values.double(), true, rtol=5e-7, atol=0.0)
