"""Initial weights that keep the variance: an option of the network builder, off by default."""

import pytest
import torch
from torch import nn

import rl_acts
from rl_acts import ActivationError


def _linears(network: nn.Sequential) -> list[nn.Linear]:
    return [module for module in network if isinstance(module, nn.Linear)]


@pytest.mark.parametrize("activation", ["relu", "swim", "tanh", "relu_squared", "swish_learnable(per=unit)"])
def test_weights_have_the_variance_that_the_activation_before_asks_for(activation: str) -> None:
    torch.manual_seed(0)
    network = rl_acts.mlp([200, 300, 400, 300], activation, init="variance")
    gains = [1.0, *[rl_acts.init_gain(activation)] * 2]
    for layer, gain in zip(_linears(network), gains, strict=True):
        # Of n normal weights the relative standard error of the variance is sqrt(2 / n), below 0.6 % here.
        weight = layer.weight.detach()
        assert weight.var().item() * layer.in_features == pytest.approx(gain**2, rel=0.025)
        assert weight.mean().abs() < 4 * weight.std() / weight.numel() ** 0.5
        assert not layer.bias.any()


def test_the_second_moment_is_kept_through_a_deep_network() -> None:
    torch.manual_seed(0)
    x = torch.randn(400, 400)
    for activation in ("relu", "swim"):
        network = rl_acts.mlp([400] * 9, activation, init="variance", bias=False)
        with torch.no_grad():
            kept = network(x).square().mean()
            lost = rl_acts.mlp([400] * 9, activation, bias=False)(x).square().mean()
        assert 0.7 < kept < 1.4
        assert lost < 1e-4


def test_each_layer_has_the_gain_of_its_own_activation() -> None:
    torch.manual_seed(0)
    network = rl_acts.mlp([50, 300, 300, 300], ["relu_squared", "sigmoid"], init="variance", output_activation="tanh")
    scales = [layer.weight.std().item() * layer.in_features**0.5 for layer in _linears(network)]
    assert scales == pytest.approx([1.0, 0.8164966, 1.846229], rel=0.02)


def test_the_same_seed_gives_the_same_weights() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(rl_acts.mlp([3, 8, 8, 2], "swim", init="variance").state_dict())
    assert all(torch.equal(one, other) for one, other in zip(states[0].values(), states[1].values(), strict=True))


def test_it_is_off_by_default() -> None:
    torch.manual_seed(7)
    usual = rl_acts.mlp([3, 8, 8, 2], "swim")
    torch.manual_seed(7)
    named = rl_acts.mlp([3, 8, 8, 2], "swim", init="default")
    torch.manual_seed(7)
    plain = nn.Linear(3, 8)
    first, _, last = _linears(usual)
    assert torch.equal(first.weight, plain.weight)
    assert torch.equal(_linears(named)[2].bias, last.bias)
    assert bool(last.bias.any())


def test_no_hidden_layer_is_one_linear_layer_with_gain_1() -> None:
    torch.manual_seed(0)
    (layer,) = _linears(rl_acts.mlp([400, 300], "relu", init="variance"))
    assert layer.weight.var().item() * 400 == pytest.approx(1.0, rel=0.025)


def test_refusals() -> None:
    with pytest.raises(ActivationError, match="mlp: init='he' is not allowed; init must be one of 'default', 'vari"):
        rl_acts.mlp([3, 8, 2], "swim", init="he")
    with pytest.raises(ActivationError, match="has no gain"):
        rl_acts.mlp([3, 8, 2], lambda _features: nn.Threshold(1e9, 0.0), init="variance")
