"""Which calls native kernels take: graphs, gradients, hooks, traces; never where they harm."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import rl_acts
from rl_acts._fused import fused
from rl_acts._fused_forms import SWIM, SWISH, XIELU
from rl_acts._kernels import kernels
from tests.rl_acts.kernel_cases import batch, learnt, needs_kernels, taken


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
        assert kernels.calls == 1
    assert taken(fused(SWIM, x, 0.7))
