"""Derivatives of activations of every kind."""

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts.diagnostics import slopes

Z = 3 * torch.randn(64, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("name", rl_acts.names())
def test_every_activation_has_the_columns_of_its_jacobian(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        activation = rl_acts.make(name, 8).double().eval()
        for parameter in activation.parameters():
            parameter.data += 0.1 * torch.rand_like(parameter)
    state = torch.get_rng_state()
    found = slopes(activation, Z)
    assert torch.equal(torch.get_rng_state(), state)
    wanted = _column_norms(activation, Z)
    entry = rl_acts.info(name)
    # One number in each column of each part of the outputs: then nothing is estimated.
    exact = entry.elementwise or entry.width_factor != 1 or name == "group_rational"
    if exact:
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)
    else:
        ratio = found.square().mean() / wanted.square().mean()
        assert 0.9 < float(ratio) < 1.1
        assert ((found == 0) == (wanted == 0)).all()


def _column_norms(activation: nn.Module, z: Tensor) -> Tensor:
    """Return what `slopes` estimates, one row of the batch and one output at a time."""
    leaf = z.clone().requires_grad_()
    outputs = activation(leaf)
    total = torch.zeros_like(z)
    for output in outputs.unbind(-1):
        total += torch.autograd.grad(output.sum(), leaf, retain_graph=True)[0].square()
    return total.sqrt()


def test_relu_and_swim_by_hand() -> None:
    z = torch.tensor([[-2.0, 0.5], [1.0, -0.1]])
    assert slopes(nn.ReLU(), z).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert slopes(nn.Tanh(), torch.zeros(1, 1)).tolist() == [[1.0]]
    at_zero = slopes(rl_acts.make("swim"), torch.zeros(1, 1))
    assert at_zero.tolist() == [[0.5]]


def test_outputs_that_share_an_input_do_not_cancel() -> None:
    class Opposite(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack((x[..., 0] - x[..., 1], x[..., 1] - x[..., 0]), -1)

    # Both columns of the Jacobian are (1, -1), whose sum is 0.
    found = slopes(Opposite(), torch.zeros(2000, 2))
    assert float(found.square().mean()) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.ReLU()])
def test_pre_activations_stay_as_they_are(activation: nn.Module) -> None:
    z = torch.tensor([[-2.0, 0.5]])
    slopes(activation, z)
    assert z.tolist() == [[-2.0, 0.5]]


def test_what_depends_on_nothing_has_no_slope() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ones_like(x)

    assert slopes(Constant(), torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2
