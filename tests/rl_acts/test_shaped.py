"""What the contract does not know of TAAF, LSLU, dynamic ReLU, ASH, gated and doubling layers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import rl_acts
from rl_acts import ASH, LSLU, TAAF, ActivationError, CReLU, DeepFourier, DyReLUA, DyReLUB, DyReLUC, GraphReLU

FEATURES = 6


def rows(count: int = 5, seed: int = 0) -> Tensor:
    return 2.0 * torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def in_double(module: nn.Module, *, moved: bool = False) -> Any:
    module = module.double()
    if moved:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


ELEMENTWISE = [
    name
    for name in rl_acts.names()
    if (info := rl_acts.info(name)).elementwise
    and not (info.stochastic or info.changes_width)
    # Itself, and one that is for a whole network, which a base cannot be without per="net" outside.
    and name not in {"taaf", "joint_rational"}
]


@pytest.mark.parametrize("base", ELEMENTWISE)
def test_taaf_starts_as_any_elementwise_base(base: str) -> None:
    module = rl_acts.make({"name": "taaf", "base": base}, FEATURES)
    x = rows().float()
    assert torch.equal(module(x), rl_acts.make(base, FEATURES)(x))


def test_taaf_learns_four_numbers_a_unit_and_its_base_too() -> None:
    module = rl_acts.make("taaf(base='prelu(per=unit)')", FEATURES)
    assert isinstance(module, TAAF)
    assert {name: tuple(p.shape) for name, p in module.named_parameters()} == dict.fromkeys(
        ("alpha", "beta", "gamma", "delta", "phi.slope"), (FEATURES,)
    )
    module(rows().float()).square().sum().backward()
    assert all((p.grad != 0).all() for p in module.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in module.parameters())
    assert str(module.base) == "prelu(per=unit)"


def test_taaf_before_a_linear_layer_without_bias_is_its_gamma() -> None:
    network = rl_acts.mlp([3, FEATURES, 2], "taaf")
    linear, taaf = network[0], network[1]
    assert isinstance(linear, nn.Linear)
    assert isinstance(taaf, TAAF)
    x = torch.randn(5, 3)
    expected = network(x)
    with torch.no_grad():
        taaf.gamma.copy_(linear.bias)
        linear.bias.zero_()
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("taaf(base=swimm)", "Unknown activation 'swimm'"),
        ("taaf(base='swim(k=0)')", "swim: k=0 is not allowed"),
        (
            "taaf(base=ash)",
            "TAAF: base='ash' is not allowed; base must be an elementwise activation that draws no noise.",
        ),
        ("taaf(base=crelu)", "TAAF: base='crelu' is not allowed"),
        ("taaf(base='prelu(per=net)')", "one set of the base's values for the network needs per='net' outside too"),
    ],
)
def test_taaf_refuses(spec: str, part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        rl_acts.make(spec, FEATURES)
    assert part in str(caught.value)


def test_taaf_refuses_a_base_that_draws() -> None:
    class Drawing(nn.ReLU):
        pass

    rl_acts.register("toy_drawing", stochastic=True)(Drawing)
    try:
        with pytest.raises(ActivationError, match="base='toy_drawing' is not allowed"):
            rl_acts.make("taaf(base=toy_drawing)", FEATURES)
    finally:
        rl_acts.unregister("toy_drawing")


@pytest.mark.parametrize("n", [1, 3, 5])
def test_lslu_in_a_row_starts_as_relu_and_is_the_row_of_its_links(n: int) -> None:
    module = in_double(rl_acts.make({"name": "lslu", "n": n}, FEATURES))
    x = rows()
    assert torch.equal(module(x), x.relu())
    in_double(module, moved=True)
    h = x
    for theta, omega in zip(module.theta.tolist(), module.omega.tolist(), strict=True):
        h = theta * h.relu() + omega
    torch.testing.assert_close(module(x), module.scale * h.relu())


def test_lslu_in_a_sum_is_the_sum_with_own_values_for_each_unit() -> None:
    module = in_double(LSLU("series", per="unit", features=FEATURES), moved=True)
    x = rows()
    expected = sum(module.theta[:, i] * (x + module.shift[:, i]).relu() + module.omega[:, i] for i in range(3))
    torch.testing.assert_close(module(x), expected)
    start = LSLU("series", n=5)
    assert start.shift.tolist() == pytest.approx([-0.5, -0.25, 0.0, 0.25, 0.5])
    assert LSLU("series", n=1).shift.tolist() == [0.0]


def test_a_dead_lslu_is_dead_for_all_inputs() -> None:
    module = rl_acts.make("lslu", FEATURES)
    assert isinstance(module, LSLU)
    with torch.no_grad():
        module.omega[0] = -100.0
    assert torch.equal(module(rows().float()), torch.zeros(5, FEATURES))


def _by_hand(module: Any, x: Tensor, width: int) -> Tensor:
    hidden = (module.squeeze.weight @ x + module.squeeze.bias).relu()
    d = 2 / (1 + torch.exp(-(module.excite.weight @ hidden + module.excite.bias))) - 1
    a1, a2, b1, b2 = d[:width], d[width : 2 * width], d[2 * width : 3 * width], d[3 * width :]
    return torch.maximum((1 + a1) * x + 0.5 * b1, a2 * x + 0.5 * b2)


@pytest.mark.parametrize(("cls", "width"), [(DyReLUA, 1), (DyReLUB, FEATURES), (DyReLUC, FEATURES)])
def test_dynamic_relu(cls: Any, width: int) -> None:
    x = rows(50)
    assert torch.equal(in_double(cls(features=FEATURES))(x), x.relu())
    module = in_double(cls(r=2, start_at_relu=False, features=FEATURES), moved=True)
    value = module(x)
    torch.testing.assert_close(value, torch.stack([_by_hand(module, row, width) for row in x]))
    assert (value - x.relu()).abs().mean() > 0.05
    assert torch.autograd.gradcheck(lambda x, *_: module(x), (x[:3].clone().requires_grad_(), *module.parameters()))


def test_dynamic_relu_has_the_numbers_that_are_announced() -> None:
    # 256 features, r = 8: hidden 32, so 32 * 257 + 1024 * 33; with r = 4: 64 * 257 + 1024 * 65.
    for r, expected in ((8, 42_016), (4, 83_008)):
        assert sum(p.numel() for p in rl_acts.make({"name": "dy_relu_b", "r": r}, 256).parameters()) == expected
    module = rl_acts.make("dy_relu_a", 3)
    assert isinstance(module, DyReLUA)
    assert module.squeeze.out_features == 1


def test_the_hyper_network_learns_from_the_start_at_relu() -> None:
    torch.manual_seed(0)
    module = DyReLUB(features=FEATURES, r=1)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    before = [p.detach().clone() for p in module.parameters()]
    for step in range(3):
        optimiser.zero_grad()
        (module(rows(32, step).float()) - 1.0).square().mean().backward()
        optimiser.step()
    assert all((now.detach() != old).any() for now, old in zip(module.parameters(), before, strict=True))


def test_graph_relu_without_a_graph_is_for_each_row() -> None:
    x = rows()
    assert torch.equal(in_double(GraphReLU(features=FEATURES))(x), x.relu())
    module = in_double(GraphReLU(start_at_relu=False, features=FEATURES), moved=True)
    value = module(x)
    for index, row in enumerate(x):
        u = module.excite(module.squeeze(row).relu())
        d = torch.tanh(u.unsqueeze(-1) * module.v)
        expected = torch.maximum((1 + d[0]) * row + 0.5 * d[2], d[1] * row + 0.5 * d[3])
        torch.testing.assert_close(value[index], expected)
        torch.testing.assert_close(module(row), expected)


def test_graph_relu_sees_the_neighbours_that_it_is_given() -> None:
    x = rows(3)
    adjacency = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    by_matrix, by_call, none = (
        in_double(GraphReLU(start_at_relu=False, features=FEATURES, adjacency=given), moved=True)
        for given in (adjacency, lambda x: adjacency @ x, None)
    )
    for other in (by_call, none):
        other.load_state_dict(by_matrix.state_dict(), strict=False)
    assert torch.equal(by_matrix(x), by_call(x))
    torch.testing.assert_close(by_matrix(x)[2], none(x)[2], rtol=1e-14, atol=1e-14)
    assert (by_matrix(x)[:2] - none(x)[:2]).abs().max() > 1e-3
    elsewhere = x.clone()
    elsewhere[0] += 1.0
    changed = (by_matrix(elsewhere) - by_matrix(x)).abs().amax(-1) > 1e-6
    assert changed.tolist() == [True, True, False]
    assert "adjacency" in by_matrix.state_dict()
    assert by_matrix(x.expand(4, 3, FEATURES)).shape == (4, 3, FEATURES)
    with pytest.raises(ActivationError, match="the adjacency is of 3 nodes"):
        by_matrix(rows(4))
    with pytest.raises(ActivationError, match=r"an adjacency of shape \(2, 3\) is not allowed"):
        GraphReLU(features=FEATURES, adjacency=torch.ones(2, 3))
    spec = rl_acts.mlp([4, FEATURES, 1], lambda features: GraphReLU(features=features, adjacency=adjacency.float()))
    assert spec(torch.zeros(3, 4)).shape == (3, 1)


def test_ash_on_a_row_of_mean_0_is_swish() -> None:
    x = rows()
    centred = x - x.mean(-1, keepdim=True)
    for beta in (0.5, 1.0, 3.0):
        module = in_double(ASH(z=0.0, alpha=beta / 2))
        torch.testing.assert_close(module(centred), centred * torch.sigmoid(beta * centred))


def test_ash_sees_its_row_alone_and_with_gradients_through_its_statistics() -> None:
    module = in_double(ASH(z=0.7, alpha=0.6))
    x = rows()
    expected = x * torch.sigmoid(
        1.2 * (x - x.mean(-1, keepdim=True) - 0.7 * (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt())
    )
    torch.testing.assert_close(module(x), expected)
    jacobian = torch.func.jacrev(module)(x[0])
    off_diagonal = jacobian - jacobian.diag().diag()
    assert (off_diagonal.abs() > 1e-6).any()
    constant = torch.ones(2, FEATURES, dtype=torch.float64, requires_grad=True)
    module(constant).sum().backward()
    assert constant.grad is not None
    assert constant.grad.isfinite().all()
    with pytest.raises(ActivationError, match=r"ASH: rows of at least 2 numbers have a spread; got the shape \(3, 1\)"):
        module(torch.ones(3, 1))


@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("glu", torch.sigmoid),
        ("swiglu", F.silu),
        ("reglu", F.relu),
        ("geglu", F.gelu),
        ("bilinear", lambda a: a),
    ],
)
def test_the_first_half_is_gated(name: str, act: Any) -> None:
    x = rows().double()
    module = rl_acts.make(name, FEATURES)
    a, b = x[:, :3], x[:, 3:]
    torch.testing.assert_close(module(x), act(a) * b, rtol=1e-13, atol=1e-13)
    if name == "glu":
        # PyTorch's own gates the other half.
        torch.testing.assert_close(module(x), F.glu(torch.cat((b, a), -1)))


def test_reglu_of_equal_halves_is_relu_squared() -> None:
    x = rows()
    doubled = torch.cat((x, x), -1)
    torch.testing.assert_close(rl_acts.make("reglu", 2 * FEATURES)(doubled), rl_acts.make("relu_squared")(x))


def test_doubling_layers() -> None:
    x = rows()
    value = CReLU(FEATURES)(x)
    assert torch.equal(value, torch.cat((x.relu(), (-x).relu()), -1))
    assert ((value > 0).sum(-1) == FEATURES).all()
    waves = DeepFourier(FEATURES)(x)
    torch.testing.assert_close(waves.square().view(5, 2, FEATURES).sum(1), torch.ones(5, FEATURES, dtype=torch.float64))
    assert torch.equal(waves[:, :FEATURES], x.sin())
