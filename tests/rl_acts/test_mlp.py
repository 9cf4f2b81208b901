"""The network builder: one activation or one per layer, and what shares one set of learnt values."""

import pytest
import torch
from stable_baselines3.common.torch_layers import create_mlp
from torch import nn

import rl_acts
from rl_acts import ActivationError, SwimLearnable


def _learnt(network: nn.Sequential) -> list[SwimLearnable]:
    return [module for module in network if isinstance(module, SwimLearnable)]


@pytest.mark.parametrize(
    ("per", "shapes"), [("net", [()]), ("layer", [(), ()]), ("unit", [(8,), (16,)])], ids=["net", "layer", "unit"]
)
def test_sharing(per: str, shapes: list[tuple[int, ...]]) -> None:
    network = rl_acts.mlp([3, 8, 16, 2], f"swim_learnable(per={per})")
    first, second = _learnt(network)
    assert (first is second) == (per == "net")
    learnt = [parameter for name, parameter in network.named_parameters() if name.endswith("raw_k")]
    assert [tuple(parameter.shape) for parameter in learnt] == shapes


def test_two_networks_share_nothing() -> None:
    one, other = (rl_acts.mlp([3, 8, 8, 2], "swim_learnable(per=net)") for _ in range(2))
    assert _learnt(one)[0] is not _learnt(other)[0]


def test_a_list_gives_each_layer_its_own() -> None:
    network = rl_acts.mlp([3, 8, 16, 2], ["relu", "prelu(per=unit)"], output_activation="tanh", bias=False)
    assert [type(module).__name__ for module in network] == ["Linear", "ReLU", "Linear", "PReLU", "Linear", "Tanh"]
    assert isinstance(network[3], rl_acts.PReLU)
    assert network[3].slope.shape == (16,)
    assert not any(name.endswith("bias") for name, _ in network.named_parameters())


def test_weights_are_those_of_stable_baselines3_for_the_same_seed() -> None:
    torch.manual_seed(3)
    ours = rl_acts.mlp([3, 8, 16, 2], "relu", output_activation="tanh")
    torch.manual_seed(3)
    theirs = nn.Sequential(*create_mlp(3, 2, [8, 16], nn.ReLU, squash_output=True))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    x = torch.randn(5, 3)
    assert torch.equal(ours(x), theirs(x))


def test_dtype_and_device_reach_every_parameter() -> None:
    network = rl_acts.mlp([3, 8, 2], "prelu(per=unit)", dtype=torch.float64, device="meta")
    assert {(p.dtype, p.device.type) for p in network.parameters()} == {(torch.float64, "meta")}


def test_no_hidden_layer_is_one_linear_layer() -> None:
    assert [type(module) for module in rl_acts.mlp([3, 2], "swim")] == [nn.Linear]


@pytest.mark.parametrize(
    ("sizes", "activation", "part"),
    [
        ([3], "relu", "sizes must be [in, hidden..., out] with whole numbers from 1 on; got [3]"),
        ([3, 0, 2], "relu", "got [3, 0, 2]"),
        ([3, 8.0, 2], "relu", "got [3, 8.0, 2]"),
        ([3, 8, 8, 2], ["relu"], "Got 1 activations for 2 hidden layers of widths [8, 8]"),
        ([3, 8, 8, 2], ["relu", "prelu(per=net)"], "per='net' means one object behind every hidden layer"),
        ([3, 8, 8, 2], "reluu", "Unknown activation 'reluu'"),
    ],
)
def test_refuses(sizes: list[int], activation: str | list[str], part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        rl_acts.mlp(sizes, activation)  # type: ignore[arg-type]
    assert part in str(caught.value)


def test_check_refuses_what_mlp_would() -> None:
    rl_acts.check(["relu", "swim_learnable(per=unit)"])
    rl_acts.check("prelu(per=net)", [8, 8])
    for bad in ([], ["relu", "prelu(per=net)"], "swim(k=0)"):
        with pytest.raises(ActivationError):
            rl_acts.check(bad)  # type: ignore[arg-type]
    with pytest.raises(ActivationError, match="Got 2 activations for 3 hidden layers"):
        rl_acts.check(["relu", "relu"], [8, 8, 8])
