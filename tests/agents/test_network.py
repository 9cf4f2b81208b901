"""Networks of a population: both ways through them, and anybody's activation in them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from agents import lifting
from agents.network import PopulationNetwork


def build(
    specs: list[object], per_run: int, *, plain: bool, sizes: tuple[int, ...] = (5, 16, 8, 2)
) -> PopulationNetwork:
    torch.manual_seed(0)
    stacks = [[rl_acts.mlp(sizes, spec) for _ in range(per_run)] for spec in specs]  # type: ignore[arg-type]
    return PopulationNetwork(stacks, [str(spec) for spec in specs], plain=plain)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("per_run", [1, 2])
@pytest.mark.parametrize("rows", [1, 32])
def test_both_ways_agree(rows: int, per_run: int, first: bool) -> None:
    # A population lays all its networks out with the same linear layers.
    usual = [name for name in rl_acts.names() if not rl_acts.info(name).changes_width]
    specs: list[object] = [*usual, "swim_learnable(per=unit)", "prelu(per=net)", "relu", "relu"]
    explicit, plain = build(specs, per_run, plain=False), build(specs, per_run, plain=True)
    generator = torch.Generator().manual_seed(1)
    left = torch.randn(len(specs), rows, 3, generator=generator)
    right = torch.randn(len(specs), rows, 2, generator=generator)
    found = []
    for network in (explicit, plain):
        part = right.clone().requires_grad_()
        values = network(left, part, first=first)
        assert values.shape == (len(specs), 1 if first else per_run, rows, 2)
        loss = values.square().sum()
        found.append([values.detach(), *torch.autograd.grad(loss, [part, *network.parameters()])])
        with torch.no_grad():
            assert torch.allclose(network(left, right, first=first), values, atol=1e-6)
        frozen = network(left, part, learn=False, first=first)
        assert torch.allclose(torch.autograd.grad(frozen.square().sum(), part)[0], found[-1][1], atol=1e-5)
    for ours, theirs in zip(*found, strict=True):
        assert float((ours - theirs).norm()) <= 1e-5 * max(1.0, float(theirs.norm()))


def test_only_the_first_network_is_touched() -> None:
    network = build(["relu", "swim_learnable"], 2, plain=False)
    gradient = torch.autograd.grad(network(torch.randn(2, 4, 5), first=True).sum(), network.parameters()[0])[0]
    assert float(gradient[0::2].abs().sum()) > 0
    assert float(gradient[1::2].abs().sum()) == 0


# Widths with which portions have several networks.
ALIGNED = (5, 16, 16, 2)


@pytest.mark.skipif(rl_acts.native_kernels() == "none", reason="no native kernels here")
def test_constant_activations_are_written_over_their_pre_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = build(["swim", "swish", "relu"], 2, plain=False, sizes=ALIGNED), torch.randn(3, 4, 5)

    def results() -> list[Tensor]:
        with torch.no_grad():
            unrecorded = network(x)
        value = network(x)
        return [unrecorded, value.detach(), *torch.autograd.grad(value.square().sum(), network.parameters())]

    def refuse(*_: object) -> None:
        raise AssertionError("by the general way")

    usual = results()
    with monkeypatch.context() as patched:
        for general in ("_call", "_recorded"):
            patched.setattr(lifting, general, refuse)
        in_place = results()
    assert all(map(torch.equal, usual, in_place))
    for group in network.groups:
        monkeypatch.setattr(group, "_in_place", [None, None])
    by_modules = results()
    assert torch.equal(by_modules[0], in_place[0])
    for ours, theirs in zip(in_place, by_modules, strict=True):
        torch.testing.assert_close(ours, theirs)


LEARNT = ("swim_learnable", "swim_learnable(per=unit)", "swim_learnable(per=net)", "swish_learnable", "aulu", "xielu")


@pytest.mark.skipif(rl_acts.native_kernels() == "none", reason="no native kernels here")
@pytest.mark.parametrize("spec", LEARNT)
@pytest.mark.parametrize("first", [False, True])
def test_learnt_activations_of_several_networks_are_one_call(
    spec: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More networks than a vector has numbers, so that some would be computed as what is left over behind one.
    network = build(["relu", *[spec] * 19], 2, plain=False, sizes=ALIGNED)
    x = torch.randn(20, 4, 5)
    assert max(len(portion.networks) for portion in network.portions(first, 4)) == (19 if first else 38)
    with torch.no_grad():
        for leaf in network.parameters()[1:]:
            leaf.add_(0.1 * torch.randn(leaf.shape))

    def results() -> list[Tensor]:
        with torch.no_grad():
            unrecorded = network(x, first=first)
        value = network(x, first=first)
        part = x.clone().requires_grad_()
        frozen = network(part, first=first, learn=False)
        gradients = torch.autograd.grad(value.square().sum(), network.parameters())
        return [unrecorded, value.detach(), *gradients, *torch.autograd.grad(frozen.square().sum(), part)]

    with monkeypatch.context() as patched:
        patched.setattr(lifting.ActivationGroup, "_recorded_one", None)
        by_one_call = results()
    monkeypatch.setattr(rl_acts, "takes_stack", lambda *_: False)
    one_by_one = results()
    assert len(by_one_call) == 5
    assert all(map(torch.equal, by_one_call, one_by_one))


def test_a_frozen_learnt_value_is_each_networks_own() -> None:
    def one(k: float) -> nn.Sequential:
        frozen = rl_acts.SwimLearnable(k=k).requires_grad_(False)
        return nn.Sequential(nn.Linear(5, 16), frozen, nn.Linear(16, 16), rl_acts.SwimLearnable(), nn.Linear(16, 2))

    singles = [one(0.5), one(2.0)]
    network, x = PopulationNetwork([[single] for single in singles], ["swim", "swim"]), torch.randn(2, 4, 5)
    values = network(x)[:, 0]
    for value, single, part in zip(values, singles, x, strict=True):
        torch.testing.assert_close(value, single(part))
    assert all(torch.isfinite(found).all() for found in torch.autograd.grad(values.sum(), network.parameters()))


@pytest.mark.skipif(rl_acts.native_kernels() == "none", reason="no native kernels here")
def test_threads_do_not_make_a_network_depend_on_its_neighbours() -> None:
    x = torch.randn(1, 256, 5)
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        for spec in ("swim", "swim_learnable"):
            alone, beside = (build([spec] * runs, 1, plain=False, sizes=(5, 256, 256, 2)) for runs in (1, 2))
            with torch.no_grad():
                assert torch.equal(alone(x)[0], beside(x.expand(2, -1, -1))[0])
    finally:
        torch.set_num_threads(threads)


class Twice(nn.ReLU):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.tensor(3.0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.used * x) * self.frozen


@pytest.mark.parametrize(
    "make_one",
    [Twice, Unused, nn.Softsign, lambda: nn.SiLU(inplace=True), lambda: nn.LeakyReLU(inplace=True), nn.Dropout],
)
def test_anybodys_module_is_what_it_is(make_one: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    single = nn.Sequential(nn.Linear(5, 6), make_one(), nn.Linear(6, 3)).eval()
    network = PopulationNetwork([[single], [single]], ["a", "b"])
    x = torch.randn(2, 7, 5)
    values = network(x)[:, 0]
    assert torch.allclose(values, single(x), atol=1e-6)
    gradients = torch.autograd.grad(values.square().sum(), network.parameters())
    own = torch.autograd.grad(
        single(x).square().sum(), [p for p in single.parameters() if p.requires_grad], allow_unused=True
    )
    views = network.layout.views(gradients[0].sum(0, keepdim=True))
    assert own[0] is not None
    assert torch.allclose(views[0][0][0].T, own[0], atol=1e-4)


def test_copies_of_networks_are_their_own() -> None:
    network = build(["prelu(per=net)", "relu"], 1, plain=False)
    copied = network.module(0)
    x = torch.randn(2, 4, 5)
    assert torch.allclose(copied(x[0]), network(x)[0, 0], atol=1e-6)
    before = network(x).detach().clone()
    for parameter in copied.parameters():
        parameter.data.fill_(7.0)
    assert torch.equal(before, network(x))
    assert copied[1] is copied[3]
