"""The contract accepts entries of every declared kind, and each of its checks fails on an entry that breaks it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts import Activation, ActivationInfo, LearnableActivation, Parameter, Real, Several, Whole
from tests.rl_acts import check_values, contract

Check = Callable[[ActivationInfo], None]


@pytest.fixture
def register() -> Iterator[Callable[..., ActivationInfo]]:
    """Register a class for one test and take it out afterwards."""
    added: list[str] = []

    def add(cls: type[nn.Module], **declared: Any) -> ActivationInfo:
        name = f"toy_{cls.__name__.lower()}"
        rl_acts.register(name, **declared)(cls)
        added.append(name)
        return rl_acts.info(name)

    yield add
    for name in added:
        rl_acts.unregister(name)


class NoisyLeaky(nn.Module):
    """Stochastic: the slope on the left is drawn for each call."""

    def draw(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.rand((), generator=generator, dtype=x.dtype)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        slope = self.draw(x, None) if noise is None else noise
        return x.relu() + slope * (x - x.relu())


class FixedInEvaluation(NoisyLeaky):
    """Stochastic, with the mean slope in evaluation."""

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        return super().forward(x, noise if self.training else torch.tensor(0.5, dtype=x.dtype))


class _StepWithIdentityGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(_ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class Step(nn.Module):
    """Surrogate: the gradient is not the derivative."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(_StepWithIdentityGradient.apply(x))  # type: ignore[no-untyped-call]


class Counting(nn.Module):
    """Stateful: a buffer that enters the value by arithmetic."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.count


class Doubling(nn.Module):
    """Changes the width, as its registration says."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.relu(), (-x).relu()), dim=-1)


class Halving(nn.Module):
    """Changes the width, as its class says."""

    width_factor = 0.5

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        return a * b


class Weighted(Activation):
    """Looks at the whole row, with a weight for each feature, which starts as drawn."""

    declared = (Parameter("spread", 1.0, Real(other=2.0, minimum=0.0), "of the weights' start"),)

    def __init__(self, spread: float = 1.0, features: int | None = None) -> None:
        super().__init__()
        self.spread = self.real("spread", spread)
        assert features is not None
        self.weight = nn.Parameter(self.spread * torch.randn(features))

    def forward(self, x: Tensor) -> Tensor:
        return x * (x * self.weight).sum(-1, keepdim=True).tanh()


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("cls", "declared"),
    [
        (NoisyLeaky, {"stochastic": True}),
        (Step, {"surrogate": True, "range": (0.0, 1.0)}),
        (Counting, {"stateful": True, "smoothness": "Cinf", "derivative_range": (1.0, 1.0)}),
        (Doubling, {"width_factor": 2.0, "elementwise": False}),
        (Halving, {"elementwise": False}),
        (Weighted, {"elementwise": False, "learnt_numbers": lambda features, **_: features}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_declared_kinds_pass(
    register: Callable[..., ActivationInfo], cls: type[nn.Module], declared: dict[str, Any], check: Check
) -> None:
    check(register(cls, **declared))


class WrongSlope(Activation):
    """Declares k, documents it as ``k:``, and ignores it; its gradient is cut."""

    declared = (Parameter("k", 1.0, Real(other=2.0, minimum=0.0), "nothing"),)

    def __init__(self, k: float = 1.0) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return x.detach() * x


class Overflowing(Activation):
    """exp in a dead branch: the value is finite, the gradient is not."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x.exp() - 1) + 0 * torch.where(x > 0, x.exp(), x).clamp(max=0)


class Narrowing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()


class RowMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean() if x.numel() else x


class CentredInTraining(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0) if self.training else x


class CentredInEvaluation(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if self.training else x - x.mean(0)


class MixesOnceLearnt(LearnableActivation):
    """At the start each row is for itself."""

    declared = (Parameter("a", 0.0, Real(other=2.0), "share of the mean", shape=()),)

    def __init__(self, a: float = 0.0) -> None:
        super().__init__("layer", None)
        self.a = self.new_parameter(self.real("a", a))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.a * x.mean(0)


class RowSquare(nn.Module):
    """Looks at the row; the square leaves float16 although the result does not."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + x.square().mean(-1, keepdim=True)).sqrt()


class DrawnAnew(Activation):
    """Its parameter is ignored; only what is drawn differs between two modules."""

    declared = (Parameter("k", 1.0, Real(other=2.0, minimum=0.0), "nothing"),)

    def __init__(self, k: float = 1.0) -> None:
        super().__init__()
        self.k = self.real("k", k)
        self.weight = nn.Parameter(torch.randn(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.detach().sum()) > 0 else 2 * x


class TooMany(LearnableActivation):
    declared = (Parameter("a", 1.0, Real(other=2.0), "slope", shape=()),)

    def __init__(self, a: float = 1.0) -> None:
        super().__init__("layer", None)
        self.a = nn.Parameter(torch.full((2,), self.real("a", a)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.a[0]


class Kinked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.relu()


class KinkedAtDefault(Activation):
    """Its kink is at a parameter's default, off the whole and half numbers."""

    declared = (Parameter("b", -0.2, Real(other=0.3), "where the kink is"),)

    def __init__(self, b: float = -0.2) -> None:
        super().__init__()
        self.b = self.real("b", b)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.b).relu()


class OverflowingSum(LearnableActivation):
    """The gradient of its parameter leaves float16 on the way, though the true one fits."""

    declared = (Parameter("a", 1.0, Real(other=2.0), "scale", shape=()),)

    def __init__(self, a: float = 1.0) -> None:
        super().__init__("layer", None)
        self.a = self.new_parameter(self.real("a", a))

    def forward(self, x: Tensor) -> Tensor:
        return x.abs() * (0.0005 * self.a) * 20.0


class OtherWhenCompiled(nn.Module):
    """Stochastic, and another function once it is compiled."""

    def draw(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.rand((), generator=generator, dtype=x.dtype)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        return 2 * x if torch.compiler.is_compiling() else x + 0 * (noise if noise is not None else 0)


class EmptyLists(Activation):
    """Takes a list of no items without a word."""

    declared = (Parameter("powers", (1, 2), Several(Whole(other=1, minimum=1), other=(3,)), "powers"),)

    def __init__(self, powers: Sequence[int] = (1, 2)) -> None:
        super().__init__()
        self.powers = () if powers == [] else self.several("powers", powers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x**power for power in self.powers]).sum(dim=0)


def _local_class() -> type[nn.Module]:
    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    return Local


@pytest.mark.parametrize(
    ("cls", "declared", "check"),
    [
        (WrongSlope, {}, contract.check_gradient),
        (WrongSlope, {}, contract.check_parameters_matter),
        (WrongSlope, {}, contract.check_refusals),
        (EmptyLists, {}, contract.check_refusals),
        (Overflowing, {}, contract.check_extremes),
        (Narrowing, {}, contract.check_shape_and_dtype),
        (RowMean, {}, contract.check_elementwise),
        (CentredInTraining, {}, contract.check_rows_are_independent),
        (CentredInEvaluation, {}, contract.check_rows_are_independent),
        (MixesOnceLearnt, {}, contract.check_rows_are_independent),
        (RowSquare, {"elementwise": False}, contract.check_extremes),
        (Doubling, {"elementwise": False}, contract.check_shape_and_dtype),
        (Doubling, {"elementwise": False, "width_factor": 3.0}, contract.check_shape_and_dtype),
        (Weighted, {"elementwise": False, "learnt_numbers": lambda **_: 6}, contract.check_parameter_count),
        (DrawnAnew, {}, contract.check_parameters_matter),
        (Branching, {}, contract.check_vmap),
        (TooMany, {}, contract.check_parameter_count),
        (_local_class(), {}, contract.check_pickle),
        (OtherWhenCompiled, {"stochastic": True}, contract.check_compile),
        (Kinked, {"smoothness": "C1"}, contract.check_smoothness),
        (KinkedAtDefault, {"smoothness": "C1"}, contract.check_smoothness),
        (OverflowingSum, {}, contract.check_extremes),
        (Kinked, {"range": (0.0, float("inf")), "derivative_range": (0.0, 1.0)}, contract.check_ranges),
        (Kinked, {"range": (-1.0, float("inf"))}, contract.check_ranges),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_entries_fail(
    register: Callable[..., ActivationInfo], cls: type[nn.Module], declared: dict[str, Any], check: Check
) -> None:
    entry = register(cls, **declared)
    # Each check has its own way to fail: an assertion, gradcheck's error, vmap's error, pickle's.
    with pytest.raises((AssertionError, RuntimeError, AttributeError, pytest.fail.Exception)):
        check(entry)


def test_a_copy_that_shares_its_parameters_fails(register: Callable[..., ActivationInfo]) -> None:
    class Shared(LearnableActivation):
        declared = (Parameter("a", 1.0, Real(other=2.0), "shift", shape=()),)

        def __init__(self, a: float = 1.0) -> None:
            super().__init__("layer", None)
            self.a = self.new_parameter(self.real("a", a))

        def __deepcopy__(self, memo: dict[int, Any]) -> "Shared":
            return self

        def forward(self, x: Tensor) -> Tensor:
            return x + self.a

    with pytest.raises(AssertionError):
        contract.check_state(register(Shared))


def test_an_entry_of_the_library_without_check_values_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(check_values.CHECK_VALUES, "swim")
    monkeypatch.delitem(check_values.CHECK_VALUES, "swim(k=1)")
    monkeypatch.delitem(check_values.CHECK_VALUES, "swim(k=0.7)")
    with pytest.raises(AssertionError, match="swim has no row"):
        contract.check_literal_values(rl_acts.info("swim"))


def test_noise_in_the_evaluation_form_fails(
    register: Callable[..., ActivationInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ((-1.5, -0.5, -0.25, 0.0, 0.5, 1.0, 3.0), (0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0))
    monkeypatch.setitem(check_values.CHECK_VALUES, "toy_fixedinevaluation", row)
    contract.check_literal_values(register(FixedInEvaluation, stochastic=True))
    monkeypatch.setitem(check_values.CHECK_VALUES, "toy_noisyleaky", row)
    with pytest.raises(AssertionError, match="not close"):
        contract.check_literal_values(register(NoisyLeaky, stochastic=True))


def test_a_wrong_check_value_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    values, slopes = check_values.CHECK_VALUES["relu"]
    monkeypatch.setitem(check_values.CHECK_VALUES, "relu", (values, (*slopes[:3], 1.0, *slopes[4:])))
    with pytest.raises(AssertionError, match="not close"):
        contract.check_literal_values(rl_acts.info("relu"))


@pytest.mark.parametrize("name", ["group_rational", "rational_noisy"])
def test_a_wrong_check_value_fails_for_grouped_and_noisy_entries_too(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    contract.check_literal_values(rl_acts.info(name))
    values, slopes = check_values.CHECK_VALUES[name]
    monkeypatch.setitem(check_values.CHECK_VALUES, name, (values, (*slopes[:6], slopes[6] + 1e-9)))
    with pytest.raises(AssertionError, match="not close"):
        contract.check_literal_values(rl_acts.info(name))
