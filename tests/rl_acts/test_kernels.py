"""Native kernels: right against the plain expression in float64, the same bits everywhere, never where they harm."""

import hashlib
import math
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import rl_acts
from rl_acts import _kernels
from rl_acts._base import Activation
from rl_acts._fused import Form, _FixedByKernel, _LearntByKernel, fused
from rl_acts._fused_forms import CRRELU, SWIM, SWISH, SWISH_LEARNT, ULU, XIELU
from rl_acts._kernels import Kernels, kernels

LIBRARY = Path(_kernels.__file__).with_name("libkernels.so")
SOURCE = Path(_kernels.__file__).with_name("_kernels.c")

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
ON_X86 = "avx512" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "avx2"

needs_kernels = pytest.mark.skipif(kernels.instruction_set is None, reason="no native kernels here")


def points() -> Tensor:
    return torch.cat([-MAGNITUDES.flip(0), torch.zeros(1), MAGNITUDES])


def learnt(given: Sequence[float], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.tensor(number, dtype=dtype, requires_grad=True) for number in given]


def batch(rows: int = 9, columns: int = 5, seed: int = 0) -> Tensor:
    return 3.0 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def taken(value: Tensor) -> bool:
    """Tell whether a recorded value came by a kernel."""
    return type(value.grad_fn).__name__ in {f"{kind.__name__}Backward" for kind in (_FixedByKernel, _LearntByKernel)}


def test_they_are_there_where_they_can_be_built() -> None:
    capable = torch.backends.cpu.get_cpu_capability() in {"AVX512", "AVX2"}
    if not capable or shutil.which("cc") is None:
        pytest.skip("no compiler, or a processor that has no kernels")
    assert os.environ.get("RL_ACTS_KERNELS") == "0" or kernels.instruction_set == ON_X86
    assert rl_acts.native_kernels() == ("none" if kernels.instruction_set is None else "1")


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


@needs_kernels
def test_a_graph_can_be_walked_twice_and_differentiated_twice() -> None:
    x, gradient = batch().requires_grad_(), batch(seed=1)
    for form, numbers in ((SWIM, [0.7]), (SWIM, learnt([0.7])), (SWISH, [1.5]), (XIELU, learnt([0.8, 0.9, 0.5]))):
        leaves = [x, *(number for number in numbers if isinstance(number, Tensor))]
        value = fused(form, x, *numbers)
        assert taken(value)
        first = torch.autograd.grad(value, leaves, gradient, retain_graph=True)
        again = torch.autograd.grad(value, leaves, gradient, retain_graph=True)
        assert all(map(torch.equal, first, again))
        for way in (value, form.expression(x, *numbers)):
            recorded = torch.autograd.grad(way, leaves, gradient, create_graph=True)
            torch.testing.assert_close(recorded, first)
            second = torch.autograd.grad(recorded[0].square().sum(), leaves)
            if way is value:
                expected = second
        torch.testing.assert_close(second, expected)


@pytest.mark.parametrize("with_kernels", [True, False])
def test_several_gradients_at_once(with_kernels: bool) -> None:
    x, gradients = batch().requires_grad_(), torch.stack([batch(seed=seed) for seed in range(1, 4)])
    for form, numbers in ((SWIM, [0.7]), (SWIM, learnt([0.7])), (SWISH, [1.5])):
        leaves = [x, *(number for number in numbers if isinstance(number, Tensor))]
        if with_kernels:
            value = fused(form, x, *numbers)
        else:
            with kernels:
                value = fused(form, x, *numbers)
        found = torch.autograd.grad(value, leaves, gradients, is_grads_batched=True, retain_graph=True)
        each = [torch.autograd.grad(value, leaves, gradient, retain_graph=True) for gradient in gradients]
        torch.testing.assert_close(list(found), [torch.stack(parts) for parts in zip(*each, strict=True)])


@needs_kernels
def test_gradients_of_any_layout() -> None:
    x = batch().requires_grad_()
    for numbers in ([0.7], learnt([0.7])):
        value = fused(SWIM, x, *numbers)
        (of_ones,) = torch.autograd.grad(value, x, torch.ones(9, 5), retain_graph=True)
        assert torch.equal(torch.autograd.grad(value.sum(), x, retain_graph=True)[0], of_ones)
        transposed = batch(5, 9, seed=1).T
        (found,) = torch.autograd.grad(value, x, transposed, retain_graph=True)
        assert torch.equal(found, torch.autograd.grad(value, x, transposed.contiguous())[0])


@needs_kernels
def test_an_overwritten_parameter_is_noticed() -> None:
    x, raw = batch().requires_grad_(), torch.tensor(0.7, requires_grad=True)
    k = raw * 1.0
    value = fused(SWIM, x, k)
    assert taken(value)
    with torch.no_grad():
        k.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value.sum(), x)


@needs_kernels
def test_what_a_kernel_cannot_take_goes_by_passes() -> None:
    x = batch().requires_grad_()

    class Marked(Tensor):
        pass

    refused: list[tuple[Tensor, tuple[float | Tensor, ...]]] = [
        (x.double(), (0.7,)),
        (x.T, (0.7,)),
        (x.detach().as_subclass(Marked).requires_grad_(), (0.7,)),
        (x, (torch.full((9, 1), 0.7),)),
        (x[None], (torch.full((1, 9, 1), 0.7),)),
        (x, (torch.full((5,), 0.7, dtype=torch.float64),)),
        (x, (torch.tensor(0.7).as_subclass(Marked),)),
        (x, (1e38,)),
        (x[:0], (0.7,)),
    ]
    for given, parameters in refused:
        assert not kernels.take("swim", given, parameters)
        value = fused(SWIM, given, *parameters)
        expected = SWIM.expression(given.double(), *[torch.as_tensor(p).double() for p in parameters])
        torch.testing.assert_close(
            value.double().as_subclass(Tensor), expected.as_subclass(Tensor), rtol=1e-5, atol=1e-6
        )
    assert kernels.take("swim", x, (0.7,))
    assert not kernels.take("no such kernel", x, ())


@needs_kernels
@pytest.mark.parametrize("numbers", [(0.7,), tuple(learnt([0.7]))], ids=["constant", "learnt"])
def test_what_hooks_bring_back_is_read_as_it_lies(numbers: tuple[float | Tensor, ...]) -> None:
    x, gradient = batch().requires_grad_(), batch(seed=1)

    def packed(tensor: Tensor) -> Tensor:
        return tensor.t().contiguous() if tensor.dim() == 2 else tensor

    def unpacked(tensor: Tensor) -> Tensor:
        return tensor.t() if tensor.dim() == 2 else tensor

    leaves = [x, *(number for number in numbers if isinstance(number, Tensor))]
    with torch.autograd.graph.saved_tensors_hooks(packed, unpacked):
        value = fused(SWIM, x, *numbers)
    expected = torch.autograd.grad(fused(SWIM, x, *numbers), leaves, gradient)
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(value, leaves, gradient, retain_graph=True), expected)


@needs_kernels
@pytest.mark.parametrize("numbers", [(0.7,), tuple(learnt([0.7]))], ids=["constant", "learnt"])
def test_backward_under_vmap_and_in_a_trace(numbers: tuple[float | Tensor, ...]) -> None:
    x = batch().requires_grad_()
    value = fused(SWIM, x, *numbers)
    assert taken(value)
    gradients = torch.stack([batch(seed=seed) for seed in range(1, 4)])

    def by_x(gradient: Tensor) -> Tensor:
        return torch.autograd.grad(value, x, gradient, retain_graph=True)[0]

    each = [by_x(gradient) for gradient in gradients]
    torch.testing.assert_close(torch.vmap(by_x)(gradients), torch.stack(each))
    torch.testing.assert_close(make_fx(by_x)(gradients[0])(gradients[1]), each[1])
    zeros = torch._efficientzerotensor(9, 5)
    assert not by_x(zeros).any()


@needs_kernels
def test_negated_views_and_another_default_device() -> None:
    x = torch.tensor([1.0, 2.0])
    expected = SWIM.expression(-x, 0.5)
    torch.testing.assert_close(fused(SWIM, torch._neg_view(x), 0.5), expected)
    torch.testing.assert_close(fused(SWIM, x, torch._neg_view(torch.tensor(-0.5))), SWIM.expression(x, 0.5))
    with torch.device("meta"):
        # 0.4375 has not been asked for before, so its tensor is made here.
        value = fused(XIELU, x, *learnt_on_cpu([0.8, 0.9]), 0.4375)
    torch.testing.assert_close(value, XIELU.expression(x, 0.8, 0.9, 0.4375))


def learnt_on_cpu(given: Sequence[float]) -> list[Tensor]:
    return [torch.tensor(number, requires_grad=True, device="cpu") for number in given]


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


@needs_kernels
def test_contexts_nest() -> None:
    with kernels:
        with kernels:
            pass
        assert not kernels.take("swim", batch(), (0.7,))
    assert kernels.take("swim", batch(), (0.7,))


@needs_kernels
def test_whoever_records_calls_sees_calls() -> None:
    x = batch()
    with torch.no_grad(), FlopCounterMode(display=False):
        assert not kernels.take("swim", x, (0.7,))
    traced = make_fx(rl_acts.make("swim"))(x)
    torch.testing.assert_close(traced(2.0 * x), rl_acts.make("swim")(2.0 * x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_trace_holds_the_function(tmp_path: Path) -> None:
    network = nn.Sequential(
        nn.Linear(3, 5), rl_acts.make("swim_learnable"), nn.Linear(5, 2), rl_acts.make("gelu_quick")
    )
    x, others = batch(4, 3), batch(6, 3, seed=1)
    torch.jit.trace(network, (x,)).save(str(tmp_path / "network.pt"))  # type: ignore[no-untyped-call]
    loaded = torch.jit.load(str(tmp_path / "network.pt"))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loaded(others), network(others))


@needs_kernels
def test_the_context_does_without_them_and_counts() -> None:
    x = batch().requires_grad_()
    with kernels:
        assert not taken(fused(SWIM, x, 0.7))
        assert not taken(fused(SWIM, x.double(), 0.7))
        assert kernels.spared == 1
    assert taken(fused(SWIM, x, 0.7))


STACKED = ["swim_learnable", "swish_learnable(beta=1.5)", "swish_learnable(positive=true)", "crrelu", "aulu", "xielu"]
STACKED += ["xielu(train_beta=true)"]


@needs_kernels
@pytest.mark.parametrize("per", ["layer", "unit"])
@pytest.mark.parametrize("spec", STACKED)
def test_one_call_serves_several_networks(spec: str, per: str) -> None:
    parsed = rl_acts.parse(spec)
    modules = [rl_acts.make({"name": parsed.name, **parsed.arguments, "per": per}, 7) for _ in range(5)]
    names = [name for name, _ in modules[0].named_parameters()]
    # Apart in memory, as a population has them.
    arrays = {name: torch.empty(5, 16)[:, : modules[0].get_parameter(name).numel()] for name in names}
    generator = torch.Generator().manual_seed(2)
    for row, module in enumerate(modules):
        for name in names:
            parameter = module.get_parameter(name)
            with torch.no_grad():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
            arrays[name][row] = parameter.detach().reshape(-1)
    z, gradient = batch(5 * 9, 7).view(5, 9, 7), batch(5 * 9, 7, seed=1).view(5, 9, 7)
    assert rl_acts.takes_stack(modules[0], z)
    given = {name: array.view(5, 1, -1).requires_grad_() for name, array in arrays.items()}
    leaf = z.clone().requires_grad_()
    value = torch.func.functional_call(modules[0], given, (leaf,))
    found = torch.autograd.grad(value, [leaf, *given.values()], gradient)
    for row, module in enumerate(modules):
        own = z[row].clone().requires_grad_()
        expected = module(own)
        assert torch.equal(value[row], expected)
        gradients = torch.autograd.grad(expected, [own, *module.parameters()], gradient[row])
        for ours, theirs in zip(found, gradients, strict=True):
            assert torch.equal(ours[row].reshape(theirs.shape), theirs)


def test_what_one_call_cannot_serve() -> None:
    class Doubled(rl_acts.SwimLearnable):
        def forward(self, x: Tensor) -> Tensor:
            return 2.0 * super().forward(x)

    z = torch.zeros(2, 3, 4)
    for module in (rl_acts.make("rational"), rl_acts.make("swim"), nn.PReLU(), Doubled(), rl_acts.XIELU(eps=-1e-6)):
        assert not rl_acts.takes_stack(module, z)
    learnt_one = rl_acts.make("swim_learnable")
    assert rl_acts.takes_stack(learnt_one, z) is (kernels.instruction_set is not None)
    assert not rl_acts.takes_stack(learnt_one, z[0])
    assert not rl_acts.takes_stack(learnt_one, z.double())
    with kernels:
        assert not rl_acts.takes_stack(learnt_one, z)


IN_PLACE = ["swim(k=0.7)", "pflu", "swish", "swish(beta=1.5)", "gelu_quick", "ulu", "crrelu_fixed(eps=-0.3)"]


@needs_kernels
@pytest.mark.parametrize("spec", IN_PLACE)
def test_in_place_is_what_the_module_computes(spec: str) -> None:
    module = rl_acts.make(spec)
    way = rl_acts.in_place(module)
    assert way is not None
    z = batch(33, 7).requires_grad_()
    value = module(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    own = z.detach().clone()
    assert way.takes(own)
    assert way.value(own) is own
    assert torch.equal(own, value)
    own = z.detach().clone()
    found, slope_there = way.value_and_slope(own)
    assert slope_there is own
    assert torch.equal(found, value)
    assert torch.equal(slope_there, slope)
    assert not way.takes(own.T)
    with kernels:
        assert not way.takes(own)


def test_what_cannot_be_done_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubled(rl_acts.Swim):
        def forward(self, x: Tensor) -> Tensor:
            return 2.0 * super().forward(x)

    for module in (rl_acts.make("swim_learnable"), rl_acts.make("tanh"), nn.SiLU(), Doubled()):
        assert rl_acts.in_place(module) is None
    monkeypatch.setattr(kernels, "instruction_set", None)
    assert rl_acts.in_place(rl_acts.Swim()) is None


@pytest.mark.parametrize("name", rl_acts.names())
def test_a_constant_form_is_the_function(name: str) -> None:
    module = rl_acts.make(name, 8)
    found = module.constant_form() if isinstance(module, Activation) else None
    if found is None:
        # Those that a population would be slower without.
        assert name not in {rl_acts.parse(spec).name for spec in IN_PLACE}
        return
    form, numbers = found
    x = batch(4, 8).double()
    torch.testing.assert_close(form.expression(x, *numbers), module(x))


def names_of_versions(**environment: str) -> str:
    code = "import rl_acts; print(rl_acts.native_kernels())"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_the_environment_variable_does_without_them() -> None:
    assert names_of_versions(RL_ACTS_KERNELS="0") == "none"
    assert names_of_versions(RL_ACTS_KERNELS="1") == names_of_versions(RL_ACTS_KERNELS="")


@pytest.fixture
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@needs_kernels
def test_a_library_of_another_source_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "_kernels.c"
    changed.write_bytes(SOURCE.read_bytes() + b"\n")
    with pytest.warns(RuntimeWarning, match=r"is not used: it was built from another _kernels\.c\. Activations go"):
        assert Kernels(LIBRARY, changed).instruction_set is None


def test_a_damaged_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "libkernels.so").write_bytes(b"no library")
    with pytest.warns(RuntimeWarning, match=r"libkernels\.so is not used: .*Activations go without"):
        assert Kernels(tmp_path / "libkernels.so", SOURCE).instruction_set is None
    if LIBRARY.exists():
        with pytest.warns(RuntimeWarning, match=r"is not used: .*No such file"):
            assert Kernels(LIBRARY, tmp_path / "_kernels.c").instruction_set is None


@pytest.mark.usefixtures("no_warning")
def test_no_library_and_an_older_processor_are_no_reason_to_warn(tmp_path: Path) -> None:
    assert Kernels(tmp_path / "libkernels.so", SOURCE).instruction_set is None
    if kernels.instruction_set in {"avx2", "avx512"}:
        older = Kernels(capability="DEFAULT")
        assert older.instruction_set is None
        assert not older.take("swim", batch(), (0.7,))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_source_has_no_warnings(tmp_path: Path) -> None:
    if kernels.instruction_set not in {"avx2", "avx512"}:
        pytest.skip("the flags are those of another processor")
    warn = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion"]
    command = ["cc", "-std=c11", "-O3", *warn, "-mavx2", "-mfma", "-DISA=avx2", "-c", "-o", str(tmp_path / "kernels.o")]
    assert subprocess.run([*command, str(SOURCE)], capture_output=True, text=True, check=True).stderr == ""
