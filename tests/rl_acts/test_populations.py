"""What populations do with activations besides calling them: in place, and several networks by one call."""

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts._base import Activation
from rl_acts._kernels import kernels
from tests.rl_acts.kernel_cases import batch, needs_kernels

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
