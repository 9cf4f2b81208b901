"""`measure`: what it finds, in which networks, and that nothing changes."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts.diagnostics import DiagnosticsError, hidden_layers, measure

BATCH = torch.randn(32, 3, generator=torch.Generator().manual_seed(3))


def squared(output: Tensor) -> Tensor:
    return output.square().mean()


def network(*activations: Any, width: int = 8) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return rl_acts.mlp([3, *[width] * len(activations), 1], list(activations))


def by_hand() -> Any:
    """Return a network of two units: of the first row (1, 0), of the second (0, 2)."""
    built: Any = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        built[0].weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
        built[0].bias.zero_()
        built[2].weight.copy_(torch.tensor([[3.0, 0.1]]))
        built[2].bias.zero_()
    return built


def test_a_network_worked_out_by_hand() -> None:
    start = by_hand()
    start[0].bias.data += 1.0
    found = measure(by_hand(), torch.tensor([[1.0, 0.0], [0.0, 2.0]]), loss=lambda out: out.sum(), initial=start)
    layer = {row.name: row.value for row in found.rows if row.layer == "layer1"}
    assert layer["dormant_share"] == layer["dead_share"] == 0.0
    assert layer["saturated_share"] == 0.5
    # dL/dh is 3 and 0.1 in each row, the mean 1.55.
    assert (layer["gradient_inactive_share"], layer["gradient_inactive_share_tau_0.01"]) == (0.5, 0.0)
    assert layer["effective_rank"] == pytest.approx(math.exp(math.log(3) - 2 / 3 * math.log(2)))
    assert (layer["srank"], layer["pca_rank"], layer["feature_rank"], layer["stable_rank"]) == (2, 2, 2, 1.25)
    assert layer["feature_norm"] == 1.5
    assert (layer["pre_activation_mean"], layer["pre_activation_share_right"]) == (0.0, 0.5)
    assert layer["weight_norm"] == 2.0
    assert layer["weight_rms"] == pytest.approx(2.0 / math.sqrt(6))
    assert layer["distance_from_init"] == pytest.approx(math.sqrt(2 / 6))
    assert found.value("output", "weight_norm") == pytest.approx(math.hypot(3, 0.1))
    assert found.value("all", "weight_norm") == pytest.approx(math.sqrt(4 + 9.01))
    assert found.value("all", "distance_from_init") == pytest.approx(math.sqrt(2 / 9))
    torch.testing.assert_close(found.output, torch.tensor([[3.0], [0.2]]))
    assert found.pre_activations["layer1"].tolist() == [[1.0, -1.0], [-2.0, 2.0]]
    with pytest.raises(KeyError):
        found.value("layer2", "srank")


def test_measures_of_gradients_need_a_loss_and_distances_a_start() -> None:
    names = {row.name for row in measure(network("prelu"), BATCH).rows}
    assert not any("gradient" in name or "distance" in name for name in names)
    names = {row.name for row in measure(network("prelu"), BATCH, loss=squared).rows}
    assert {"gradient_inactive_share", "learnt_slope_gradient_norm"} <= names


def test_dormant_and_dead_units_of_a_layer_are_found() -> None:
    built = network("relu", "relu")
    with torch.no_grad():
        built[2].bias[:3] = -100.0
        built[2].weight[3] = 0.0
        built[2].bias[3] = 1e-6
    found = measure(built, BATCH)
    assert found.value("layer2", "dead_share") == 3 / 8
    assert found.value("layer2", "dormant_share_tau_0") == 3 / 8
    assert found.value("layer2", "dormant_share") == 4 / 8
    assert found.value("layer1", "dead_share") == 0.0


def test_learnt_values_and_shapes() -> None:
    built = network("swim_learnable(per=unit)", "relu", "prelu")
    with torch.no_grad():
        built[1].raw_k[0] = 5.0
    found = measure(built, BATCH, loss=squared)
    k = built[1].k.detach()
    assert found.value("layer1", "learnt_k_mean") == pytest.approx(float(k.mean()))
    assert found.value("layer1", "learnt_k_min") == pytest.approx(0.5)
    assert found.value("layer1", "learnt_k_max") == pytest.approx(float(k[0]))
    assert found.value("layer3", "learnt_slope_mean") == pytest.approx(0.25)
    loss = squared(built(BATCH))
    wanted = torch.autograd.grad(loss, [built[1].raw_k])[0].norm()
    assert found.value("layer1", "learnt_k_gradient_norm") == pytest.approx(float(wanted))
    assert set(found.shapes) == {"layer1", "layer3"}
    shape = found.shapes["layer1"]
    assert (float(shape.x[0]), float(shape.x[-1]), len(shape.x)) == (-6.0, 6.0, 121)
    one, other = (rl_acts.make(f"swim(k={float(value)})")(shape.x) for value in (k[0], k[1]))
    torch.testing.assert_close(shape.low, torch.minimum(one, other))
    torch.testing.assert_close(shape.high, torch.maximum(one, other))
    torch.testing.assert_close(shape.y, (one + 7 * other) / 8)
    of_prelu = found.shapes["layer3"]
    assert torch.equal(of_prelu.low, of_prelu.high)
    torch.testing.assert_close(of_prelu.y, torch.where(of_prelu.x > 0, of_prelu.x, 0.25 * of_prelu.x))


def test_one_object_behind_all_layers() -> None:
    found = measure(network_of("swish_learnable(per=net)"), BATCH, loss=squared)
    assert found.value("layer1", "learnt_beta_mean") == found.value("layer2", "learnt_beta_mean") == 1.0


def network_of(spec: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return rl_acts.mlp([3, 8, 8, 1], spec)


def test_layers_of_nested_networks_with_norms_and_dropout() -> None:
    norm, swim, dropout, identity = nn.LayerNorm(8), rl_acts.make("swim"), nn.Dropout(0.5), nn.Linear(8, 8)
    built: Any = nn.Sequential(
        nn.Flatten(), nn.Sequential(nn.Linear(3, 8), norm, swim, dropout), identity, nn.Linear(8, 1), nn.Tanh()
    )
    layers, rest, last = hidden_layers(built)
    assert [layer.name for layer in layers] == ["layer1", "layer2"]
    assert list(layers[0].before)[1:] == [built[1][0], norm]
    assert list(layers[0].activation) == [swim]
    assert list(layers[1].before) == [dropout, identity]
    assert not list(layers[1].activation)
    assert last is built[3]
    assert list(rest) == [built[3], built[4]]
    found = measure(built, BATCH)
    torch.testing.assert_close(found.output, built.eval()(BATCH))
    assert found.value("layer2", "saturated_share") == 0.0


@pytest.mark.parametrize("name", rl_acts.names())
def test_every_activation_can_be_measured_and_stays_as_it_is(name: str) -> None:
    built = network_of(name).train()
    before = copy.deepcopy(built.state_dict())
    state = torch.get_rng_state()
    found = measure(built, BATCH, loss=squared, initial=built)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in built.modules())
    assert all(parameter.grad is None for parameter in built.parameters())
    for key, tensor in built.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert all(math.isfinite(row.value) for row in found.rows)
    assert len({(row.layer, row.name) for row in found.rows}) == len(found.rows)
    learnable = any(parameter.requires_grad for parameter in built[1].parameters())
    assert set(found.shapes) == ({"layer1", "layer2"} if learnable else set())


def test_training_goes_on_bit_for_bit() -> None:
    built = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.RReLU(), nn.Dropout(0.5), nn.Linear(8, 1))

    def trained(look: Callable[[nn.Module], object]) -> list[Tensor]:
        torch.manual_seed(5)
        own = copy.deepcopy(built)
        optimiser = torch.optim.SGD(own.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimiser.zero_grad()
            squared(own(BATCH)).backward()  # type: ignore[no-untyped-call]
            look(own)
            optimiser.step()
        momenta = [optimiser.state[parameter]["momentum_buffer"] for parameter in own.parameters()]
        return [*own.state_dict().values(), *momenta]

    with torch.random.fork_rng(devices=[]):
        alone, watched = trained(lambda _: None), trained(lambda own: measure(own, BATCH, loss=squared))
    assert all(torch.equal(one, other) for one, other in zip(alone, watched, strict=True))


def test_even_without_gradients_around_and_in_place() -> None:
    built = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=True), nn.Linear(8, 1))
    with torch.no_grad():
        inside = measure(built, BATCH, loss=squared)
    with torch.inference_mode():
        assert measure(built, BATCH, loss=squared).rows == inside.rows
    assert measure(built, BATCH, loss=squared).rows == inside.rows
    assert inside.value("layer1", "pre_activation_q05") < 0


def test_weights_that_are_nan_are_shown_as_such() -> None:
    built = network("relu", "swim")
    built[2].weight.data[0, 0] = math.nan
    found = measure(built, BATCH, loss=squared)
    assert math.isfinite(found.value("layer1", "srank"))
    for name in ("dormant_share", "dead_share", "saturated_share", "srank", "effective_rank", "pca_rank"):
        assert math.isnan(found.value("layer2", name)), name
    assert math.isnan(found.value("all", "weight_norm"))


@pytest.mark.parametrize(
    ("built", "batch", "message"),
    [
        (nn.Linear(3, 1), BATCH, "type Linear cannot be measured"),
        (nn.Sequential(nn.ReLU()), BATCH, "without linear layers"),
        (nn.Sequential(nn.Linear(3, 1)), BATCH[0], r"got \(3,\)"),
        (nn.Sequential(nn.Linear(3, 1)), BATCH[:0], r"got \(0, 3\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(built: nn.Module, batch: Tensor, message: str) -> None:
    with pytest.raises(DiagnosticsError, match=message):
        measure(built, batch)
