"""Native kernels: right against the plain expression in float64, and the same bits everywhere."""

import hashlib
import math

import pytest
import torch
from torch import Tensor

import rl_acts
from rl_acts._fused import Form, fused
from rl_acts._fused_forms import CRRELU, SWIM, SWISH, SWISH_LEARNT, ULU, XIELU
from rl_acts._kernels import Kernels, kernels
from tests.rl_acts.kernel_cases import batch, learnt, needs_kernels, taken

FORMS: dict[str, tuple[Form, tuple[tuple[float, ...], ...]]] = {
    "swim": (SWIM, ((0.5,), (0.01,), (7.0,))),
    "swish": (SWISH_LEARNT, ((1.5,), (-0.7,), (30.0,), (0.0,))),
    "ulu": (ULU, ((0.5, 1.25), (3.0, 0.1))),
    "crrelu": (CRRELU, ((0.01,), (-0.3,), (2.0,))),
    "xielu": (XIELU, ((0.8, 0.9, 0.5), (2.0, 0.1, 0.3))),
}
CASES = [pytest.param(name, given, id=f"{name} {given}") for name, (_, lists) in FORMS.items() for given in lists]
# Nothing there is subnormal, and no product overflows that the function itself has.
MAGNITUDES = torch.cat([torch.logspace(-30, 0, 200), torch.linspace(0.01, 20.0, 3001), torch.logspace(1, 15, 200)])


def points() -> Tensor:
    return torch.cat([-MAGNITUDES.flip(0), torch.zeros(1), MAGNITUDES])


@needs_kernels
@pytest.mark.parametrize(("name", "given"), CASES)
def test_values_and_slopes_are_right(name: str, given: tuple[float, ...]) -> None:
    form = FORMS[name][0]
    exact_x = points().double().requires_grad_()
    exact = form.expression(exact_x, *given)
    (exact_slope,) = torch.autograd.grad(exact.sum(), exact_x)
    x = points().requires_grad_()
    for numbers in (given, learnt(given)):
        value = fused(form, x, *numbers)
        assert taken(value)
        (slope,) = torch.autograd.grad(value.sum(), x)
        # A product such as beta x is rounded before its exponential is taken, so the error grows along the tail, to
        # 2^-23 of the exponent. Below 1e-35 what is lost is lost below the smallest normal number. xIELU crosses 0.
        torch.testing.assert_close(value.double(), exact.detach(), rtol=3e-5, atol=1e-7 if name == "xielu" else 1e-35)
        torch.testing.assert_close(slope.double(), exact_slope, rtol=3e-5, atol=2e-7 * (1.0 + max(map(abs, given))))
    near = x.detach().abs() < 3.0
    torch.testing.assert_close(value.detach().double()[near], exact.detach()[near], rtol=2e-6, atol=1e-7)


@needs_kernels
@pytest.mark.parametrize(("name", "given"), CASES)
def test_gradients_of_learnt_parameters_are_right(name: str, given: tuple[float, ...]) -> None:
    form = FORMS[name][0]
    x, gradient = batch(700, 3), batch(700, 3, seed=1)
    parameters = learnt(given)
    value = fused(form, x, *parameters)
    assert taken(value)
    found = torch.autograd.grad(value, parameters, gradient)
    exact = learnt(given, torch.float64)
    expected = torch.autograd.grad(form.expression(x.double(), *exact), exact, gradient.double())
    for actual, right in zip(found, expected, strict=True):
        assert actual.shape == ()
        torch.testing.assert_close(actual.double(), right, rtol=2e-6, atol=1e-4)


@needs_kernels
@pytest.mark.parametrize(("name", "given"), CASES)
@pytest.mark.parametrize("columns", [3, 515])
def test_parameters_by_unit(name: str, given: tuple[float, ...], columns: int) -> None:
    form = FORMS[name][0]
    x, gradient = batch(8, columns), batch(8, columns, seed=1)
    spread = torch.linspace(0.9, 1.1, columns)
    units = [(number * spread).requires_grad_() for number in given]
    value = fused(form, x, *units)
    assert taken(value)
    exact = [unit.detach().double().requires_grad_() for unit in units]
    expected = form.expression(x.double(), *exact)
    torch.testing.assert_close(value.double(), expected, rtol=5e-6, atol=2e-6)
    with torch.no_grad():
        assert torch.equal(fused(form, x, *units), value)
    found = torch.autograd.grad(value, units, gradient)
    for actual, right in zip(found, torch.autograd.grad(expected, exact, gradient.double()), strict=True):
        torch.testing.assert_close(actual.double(), right, rtol=5e-6, atol=5e-5)


@needs_kernels
def test_one_number_beside_arrays_and_a_constant() -> None:
    x, gradient = batch(), batch(seed=1)
    ap, an = torch.linspace(0.5, 1.0, 5).requires_grad_(), torch.tensor(0.9, requires_grad=True)
    value = fused(XIELU, x, ap, an, 0.5)
    assert taken(value)
    (only,) = torch.autograd.grad(value, an, gradient, retain_graph=True)
    found = torch.autograd.grad(value, (ap, an), gradient)
    expected = torch.autograd.grad(XIELU.expression(x, ap, an, 0.5), (ap, an), gradient)
    torch.testing.assert_close(found, expected)
    assert found[1].shape == ()
    assert torch.equal(only, found[1])


@needs_kernels
@pytest.mark.parametrize(("name", "given"), CASES)
def test_the_function_has_the_same_bits_whatever_stands_beside_a_number(name: str, given: tuple[float, ...]) -> None:
    form = FORMS[name][0]
    x = batch(1, 97)[0]
    with torch.no_grad():
        whole = fused(form, x, *given)
        parts = [torch.cat([fused(form, part, *given) for part in torch.split(x, size)]) for size in (1, 7, 16, 40)]
        by_tensor = fused(form, x, *learnt(given))
        by_column = fused(form, x[None], *[torch.full((97,), number) for number in given])[0]
    recorded = fused(form, x.requires_grad_(), *given).detach()
    assert all(torch.equal(whole, other) for other in (*parts, by_tensor, by_column, recorded))


def outcome(use: Kernels, name: str, given: tuple[float, ...]) -> list[Tensor]:
    """Return everything that a machine's kernels make of some numbers."""
    x, gradient = batch(41, 13), batch(41, 13, seed=1)
    single = [torch.tensor(number) for number in given]
    columns = [torch.full((13,), number) for number in given]
    wanted = [True] * len(given)
    pulls = [use.pull(name, gradient, x, numbers, wanted) for numbers in (single, columns)]
    found = [use.fixed(name, x, given), *use.fixed_with_slope(name, x, given), use.value(name, x, columns)]
    return found + [part for parts in pulls for part in parts if part is not None]


@needs_kernels
@pytest.mark.skipif(kernels.instruction_set != "avx512", reason="this processor has one instruction set")
@pytest.mark.parametrize(("name", "given"), CASES)
def test_every_instruction_set_has_the_same_bits(name: str, given: tuple[float, ...]) -> None:
    older = Kernels(capability="AVX2")
    assert older.instruction_set == "avx2"
    pairs = list(zip(outcome(kernels, name, given), outcome(older, name, given), strict=True))
    assert len(pairs) == 6 + 2 * len(given)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@needs_kernels
@pytest.mark.parametrize("name", FORMS)
def test_far_out_nothing_is_infinite_and_not_a_number_stays_so(name: str) -> None:
    form, (given, *_) = FORMS[name]
    squares = name == "xielu"  # which has an x^2 of its own on the right
    x = torch.tensor([-3e38, -1e30, -1e20, *((1e17, 1e18) if squares else (1e20, 3e38))], requires_grad=True)
    parameters = learnt(given)
    for numbers in (given, parameters):
        value = fused(form, x, *numbers)
        assert taken(value)
        assert value.isfinite().all()
        assert torch.autograd.grad(value.sum(), x, retain_graph=True)[0].isfinite().all()
        if not squares:
            assert value[:3].tolist() == [0.0] * 3
            torch.testing.assert_close(value[3:], x[3:])
    if not squares:
        assert all(found.item() == 0.0 for found in torch.autograd.grad(value.sum(), parameters))
    assert fused(form, torch.tensor([math.nan], requires_grad=True), *given).isnan().all()


@needs_kernels
def test_swish_beyond_every_exponent() -> None:
    x = torch.tensor([-3e38, -1.0, 0.0, 1.0, 3e38], requires_grad=True)
    value = fused(SWISH, x, 1e30)
    assert value.tolist() == [0.0, 0.0, 0.0, 1.0, torch.tensor(3e38).item()]
    assert torch.autograd.grad(value.sum(), x)[0].tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    by_tensor = fused(SWISH_LEARNT, x, torch.tensor(3e38, requires_grad=True))
    assert taken(by_tensor)
    assert torch.equal(by_tensor, value)


def digest(name: str) -> str:
    """Digest of what a kernel makes of numbers that every processor makes alike, and with parameters that are exact."""
    whole = torch.arange(41 * 13).view(41, 13)
    x, gradient = ((whole * 37) % 101 - 50) / 8.0, ((whole * 53) % 67 - 33) / 16.0
    given = (0.5, 1.25, 0.75)[: len(FORMS[name][1][0])]
    columns = [torch.full((13,), number) for number in given]
    found = [*kernels.fixed_with_slope(name, x, given), *kernels.pull(name, gradient, x, columns, [True] * len(given))]
    found += kernels.pull(name, gradient, x, [torch.tensor(number) for number in given], [True] * len(given))
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in found if part is not None)).hexdigest()[:16]


# With other digests the kernels have other bits: their version, which every result records, must be raised.
DIGESTS = {
    "swim": "5bea3f09ad3c35c6",
    "swish": "fb349532a9d8de7e",
    "ulu": "ca58d13b59807c28",
    "crrelu": "fc633896d7f8f9ef",
    "xielu": "c70f5e99fcfd7b3d",
}


@needs_kernels
@pytest.mark.parametrize("name", FORMS)
def test_a_version_stands_for_its_bits(name: str) -> None:
    assert (rl_acts.native_kernels(), digest(name)) == ("1", DIGESTS[name])
