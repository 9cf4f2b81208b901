"""The contract that every registered activation keeps, as checks over its `ActivationInfo`.

`test_contract.py` runs them over the whole registry, so a new entry is tested by being registered;
`test_contract_itself.py` shows on broken entries that each check can fail. An entry's declarations decide what applies:
no gradient check through a surrogate, given noise for a stochastic one, the declared width where it changes. An
elementwise entry is tested on numbers; of another one rows are: its f' is the gradient of the sum of its outputs.
"""

import copy
import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import rl_acts
from rl_acts import ActivationInfo, Function, Real, Several, Whole
from tests.rl_acts import check_values
from tests.rl_acts.check_values import POINTS, SECOND_HALF

# Even, and a multiple of the eight groups that the grouped activations have by default.
FEATURES = 8
# Their function of a parameter has a kink at the initial value, or nearer to it than finite differences step: LSLU's
# shifts omega = 0 of units that are not active, |b_4| of RAF's published fit with b_4 = 1.7e-10.
STARTS_AT_A_KINK = ("lslu", "raf")
HALF_DTYPES = (torch.float16, torch.bfloat16)


def build(
    entry: ActivationInfo, dtype: torch.dtype = torch.float32, features: int = FEATURES, /, **arguments: Any
) -> nn.Module:
    """Make the entry for a layer of some units; in float64 its initial values are exact to float64.

    Initial values that are drawn are the same at each call, so that what differs between two modules is not the draw.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if dtype is torch.float64 else default)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return rl_acts.make({"name": entry.name, **arguments}, features, dtype=dtype)
    finally:
        torch.set_default_dtype(default)


def build_for_numbers(entry: ActivationInfo, dtype: torch.dtype) -> nn.Module:
    """Make an elementwise entry so that it takes numbers in any shape: values for each unit are those of one unit."""
    return build(entry, dtype, 1)


def applied(entry: ActivationInfo, module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the module as a deterministic function: a stochastic one gets the same noise at each call."""
    if not entry.stochastic:
        return module

    def with_noise(x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        # Drawn in float64, because a generator gives other numbers for other dtypes.
        noise = module.draw(x.double(), generator)  # type: ignore[operator]
        return torch.as_tensor(module(x, noise=noise.to(x.dtype)))

    return with_noise


def pre_activations(rows: int = 7, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Return `(rows, FEATURES)` normal numbers of spread 2, none within 0.01 of a whole or half number (kinks)."""
    x = 2.0 * torch.randn(rows, FEATURES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    near = (2 * x - (2 * x).round()).abs() < 0.02
    return torch.where(near, x + 0.05, x).to(dtype)


def move(module: nn.Module) -> None:
    """Change each learnt number, as learning would, so that nothing is what it is only at the start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))


def derivative(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return f'(x) of an elementwise function by automatic differentiation."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    return gradient


def check_gradient(entry: ActivationInfo) -> None:
    """Gradients of input and parameters equal finite differences in float64, at the start and after learning."""
    if entry.surrogate:
        return
    x = pre_activations().requires_grad_()
    start, learnt = build(entry, torch.float64), build(entry, torch.float64)
    move(learnt)
    for module in (learnt,) if entry.name in STARTS_AT_A_KINK else (start, learnt):
        function = applied(entry, module)
        assert torch.autograd.gradcheck(lambda x, *_, f=function: f(x), (x, *module.parameters()))


def check_literal_values(entry: ActivationInfo) -> None:
    """F and f' at the points of the table, in float64 and float32; one entry can have several rows.

    The rows of an entry that draws noise are of its evaluation form.
    """
    rows = [spec for spec in check_values.CHECK_VALUES if rl_acts.parse(spec).name == entry.name]
    points = (*POINTS, *SECOND_HALF) if entry.width_factor == 0.5 else POINTS
    by_feature = not (entry.elementwise or entry.changes_width or entry.family == "context-dependent")
    assert rows or not is_ours(entry), f"{entry.name} has no row in tests/rl_acts/check_values.py"
    for spec in rows:
        values, slopes = check_values.CHECK_VALUES[spec]
        arguments = rl_acts.parse(spec).arguments
        for dtype, tolerance in ((torch.float64, 2e-15), (torch.float32, 1e-6)):
            # A stochastic entry has its closed form in evaluation.
            module = build(entry, dtype, FEATURES if by_feature else len(points), **arguments).eval()
            x = torch.tensor(points, dtype=dtype)
            # What depends on the feature but treats all alike at the start has the same values in each.
            x = x[:, None].expand(-1, FEATURES) if by_feature else x
            for actual, expected in ((module(x), values), (derivative(module, x), slopes)):
                wanted = torch.tensor(expected, dtype=torch.float64)
                wanted = wanted[:, None].expand(-1, FEATURES) if by_feature else wanted
                torch.testing.assert_close(actual.double(), wanted, rtol=tolerance, atol=tolerance)


def check_extremes(entry: ActivationInfo) -> None:
    """Value and gradient at +-1e4 are finite in each dtype that can hold the true ones, and near them.

    Gradients with respect to parameters, of a mean over a batch, are finite where the true ones fit.
    """
    if not entry.elementwise:
        check_extreme_rows(entry)
        return
    x64 = torch.tensor([-1e4, 1e4], dtype=torch.float64)
    exact = build_for_numbers(entry, torch.float64)
    true = torch.cat((applied(entry, exact)(x64), derivative(applied(entry, exact), x64)))
    batch = x64.expand(FEATURES, 2).T
    # Of the mean: a sum over so many numbers of 1e4 would leave float16 by itself.
    true_means = [
        torch.autograd.grad(applied(entry, exact)(batch).mean(), parameter)[0] for parameter in exact.parameters()
    ]
    for dtype in (torch.float32, *HALF_DTYPES):
        if true.abs().max() > torch.finfo(dtype).max:
            continue
        module = build_for_numbers(entry, dtype)
        x = x64.to(dtype)
        actual = torch.cat((applied(entry, module)(x), derivative(applied(entry, module), x)))
        assert actual.isfinite().all(), f"{entry.name} in {dtype}: {actual.tolist()}"
        tolerance = 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(actual.double(), true, rtol=tolerance, atol=tolerance)
        for parameter, true_mean in zip(module.parameters(), true_means, strict=True):
            (gradient,) = torch.autograd.grad(applied(entry, module)(batch.to(dtype)).mean(), parameter)
            fits = true_mean.abs() <= torch.finfo(dtype).max
            assert gradient[fits].isfinite().all(), f"{entry.name} in {dtype}: gradient {gradient}"


def check_extreme_rows(entry: ActivationInfo) -> None:
    """The same for rows of numbers near +-1e4, of either sign in turns; those that every dtype holds exactly."""
    row = torch.tensor([-9984.0, 9984.0] * (FEATURES // 2), dtype=torch.float64)
    x64 = torch.stack((row, -row))
    exact = build(entry, torch.float64)
    function = applied(entry, exact)
    true = (function(x64), derivative(function, x64))
    of_parameters = [torch.autograd.grad(function(x64).sum(), parameter)[0] for parameter in exact.parameters()]
    for dtype in (torch.float32, *HALF_DTYPES):
        largest, tolerance = torch.finfo(dtype).max, 4 * torch.finfo(dtype).eps
        if max(float(part.detach().abs().max()) for part in true) > largest:
            continue
        module = build(entry, dtype)
        function = applied(entry, module)
        x = x64.to(dtype)
        for actual, expected in zip((function(x), derivative(function, x)), true, strict=True):
            torch.testing.assert_close(actual.double(), expected, rtol=tolerance, atol=tolerance)
        for parameter, wanted in zip(module.parameters(), of_parameters, strict=True):
            (gradient,) = torch.autograd.grad(function(x).sum(), parameter)
            assert gradient.isfinite().all() or wanted.abs().max() > largest, f"{entry.name} in {dtype}: {gradient}"


def check_shape_and_dtype(entry: ActivationInfo) -> None:
    """Shape (empty and without batch included) and dtype are kept, but for the width, which changes as declared."""
    for dtype in (torch.float64, torch.float32, *HALF_DTYPES):
        module = build(entry, dtype)
        for shape in ((FEATURES,), (0, FEATURES), (3, FEATURES), (2, 3, FEATURES)):
            output = applied(entry, module)(torch.ones(shape, dtype=dtype))
            assert output.dtype is dtype
            assert tuple(output.shape) == (*shape[:-1], round(entry.width_factor * FEATURES))


def check_elementwise(entry: ActivationInfo) -> None:
    """A declared elementwise function gives each number the value that it has alone.

    To rounding: PyTorch's vectorised and scalar kernels differ in the last bit.
    """
    if not entry.elementwise or entry.stochastic:
        return
    module, of_numbers = build(entry, torch.float64), build_for_numbers(entry, torch.float64)
    x = pre_activations()
    alone = torch.stack([torch.stack([of_numbers(number).reshape(()) for number in row]) for row in x])
    torch.testing.assert_close(alone, module(x), rtol=1e-15, atol=1e-15)


def check_rows_are_independent(entry: ActivationInfo) -> None:
    """A row gets the output that it gets inside a batch, in training and evaluation, whatever has been learnt.

    To rounding: PyTorch multiplies matrices of one row and of many in another order.
    """
    module = build(entry, torch.float64)
    move(module)
    x = pre_activations(256)
    noise = module.draw(x, torch.Generator().manual_seed(2)) if entry.stochastic else None  # type: ignore[operator]
    for training in (True, False):
        module.train(training)
        for row in (0, 100, 255):
            # Two copies, so that a state that the batch changes is not what the row alone meets.
            together, alone = copy.deepcopy(module), copy.deepcopy(module)
            of_rows = noise is not None and noise.shape[:1] == x.shape[:1]
            given = (
                [{}, {}] if noise is None else [{"noise": noise}, {"noise": noise[row : row + 1] if of_rows else noise}]
            )
            expected = together(x, **given[0])[row : row + 1]
            torch.testing.assert_close(alone(x[row : row + 1], **given[1]), expected, rtol=1e-12, atol=1e-12)


def check_state(entry: ActivationInfo) -> None:
    """state_dict and deepcopy carry everything, and a copy shares nothing with its original."""
    module = build(entry)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.25)
    stored = io.BytesIO()
    torch.save(module.state_dict(), stored)
    stored.seek(0)
    fresh = build(entry)
    fresh.load_state_dict(torch.load(stored, weights_only=True))
    copied = copy.deepcopy(module)
    x = pre_activations(dtype=torch.float32)
    before = applied(entry, module)(x)
    assert torch.equal(applied(entry, fresh)(x), before)
    assert torch.equal(applied(entry, copied)(x), before)
    with torch.no_grad():
        for tensor in (*copied.parameters(), *(buffer for buffer in copied.buffers() if buffer.is_floating_point())):
            tensor.add_(1.0)
    assert torch.equal(applied(entry, module)(x), before)


def check_pickle(entry: ActivationInfo) -> None:
    """A pickled module and its class come back by import path; the class is public."""
    module = build(entry)
    x = pre_activations(dtype=torch.float32)
    again = pickle.loads(pickle.dumps(module))  # noqa: S301  (our own bytes)
    assert torch.equal(applied(entry, again)(x), applied(entry, module)(x))
    assert pickle.loads(pickle.dumps(entry.cls)) is entry.cls  # noqa: S301
    if is_ours(entry):
        assert getattr(rl_acts, entry.cls.__name__) is entry.cls


def check_vmap(entry: ActivationInfo) -> None:
    """vmap(functional_call) over stacked parameters equals a loop over the modules, value and gradients."""
    modules = [build(entry, torch.float64) for _ in range(3)]
    with torch.no_grad():
        for index, module in enumerate(modules):
            for parameter in module.parameters():
                parameter.add_(0.125 * index)
    parameters, buffers = stack_module_state(modules)
    x = torch.stack([pre_activations(seed=index) for index in range(3)])

    def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, noise: Tensor) -> Tensor:
        keywords = {"noise": noise} if entry.stochastic else {}
        return torch.as_tensor(functional_call(modules[0], (parameters, buffers), (x,), keywords))

    # Phases and noise must be arithmetic on tensors: control flow on their values cannot be batched.
    noise = torch.stack([module.draw(x[0], None) for module in modules]) if entry.stochastic else x  # type: ignore[operator]
    together = vmap(one)(parameters, buffers, x, noise)
    keywords: list[dict[str, Tensor]] = [{"noise": row} if entry.stochastic else {} for row in noise]
    apart = torch.stack([m(row, **given) for m, row, given in zip(modules, x, keywords, strict=True)])
    torch.testing.assert_close(together, apart, rtol=1e-14, atol=1e-14)
    if not parameters:
        return
    stacked = torch.autograd.grad(together.sum(), list(parameters.values()))
    single = [torch.autograd.grad(apart.sum(), list(m.parameters()), retain_graph=True) for m in modules]
    for index, gradient in enumerate(stacked):
        torch.testing.assert_close(gradient, torch.stack([row[index] for row in single]), rtol=1e-12, atol=1e-12)


def check_compile(entry: ActivationInfo) -> None:
    """torch.compile without graph breaks gives the same values and gradients to rounding."""
    torch.compiler.reset()
    module = build(entry, torch.float64)
    x = pre_activations().requires_grad_()
    wanted = [x, *module.parameters()]
    keywords = {"noise": module.draw(x.detach(), None)} if entry.stochastic else {}  # type: ignore[operator]
    eager = module(x, **keywords)
    compiled = torch.compile(module, fullgraph=True)(x, **keywords)
    torch.testing.assert_close(compiled, eager, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(compiled.sum(), wanted), torch.autograd.grad(eager.sum(), wanted), rtol=1e-11, atol=1e-11
    )


def check_parameter_count(entry: ActivationInfo) -> None:
    """As many learnt numbers as declared, for each granularity, or with each other argument if they are counted."""
    if entry.learnt_numbers is not None:
        others: list[dict[str, Any]] = [{parameter.name: parameter.constraint.other} for parameter in entry.parameters]
        for changed in ({}, *others):
            for features in (FEATURES, 2 * FEATURES):
                module = build(entry, torch.float32, features, **changed)
                declared = entry.learnt_numbers(**{**entry.defaults, **changed}, features=features)
                assert sum(parameter.numel() for parameter in module.parameters()) == declared
        return
    learnt = [parameter for parameter in entry.parameters if parameter.shape is not None]
    one_set = sum(torch.Size(parameter.shape).numel() for parameter in learnt if parameter.shape is not None)
    has_per = any(parameter.name == "per" for parameter in entry.parameters)
    for per, sets in {"net": 1, "layer": 1, "unit": FEATURES}.items() if has_per else {None: 1}.items():
        module = build(entry, **({} if per is None else {"per": per}))
        assert sum(parameter.numel() for parameter in module.parameters()) == one_set * sets


def check_parameters_matter(entry: ActivationInfo) -> None:
    """Each documented parameter changes the output, a gradient, a shape or the state."""
    x = pre_activations(dtype=torch.float32)
    for parameter in entry.parameters:
        usual, other = build(entry), build(entry, **{parameter.name: parameter.constraint.other})
        assert fingerprint(entry, usual, x) != fingerprint(entry, other, x), (
            f"{entry.name}: {parameter.name} is ignored"
        )


def fingerprint(entry: ActivationInfo, module: nn.Module, x: Tensor) -> Mapping[str, Any]:
    """Return what an argument can change: values, slopes and every tensor of the state with its shape."""
    values = applied(entry, module)(x)
    slopes = derivative(applied(entry, module), x)
    return {
        "values": values.tolist(),
        "slopes": slopes.tolist(),
        "state": {name: (tuple(tensor.shape), tensor.tolist()) for name, tensor in module.state_dict().items()},
    }


def check_refusals(entry: ActivationInfo) -> None:
    """Values outside a parameter's constraint raise an error that names parameter, value and what is allowed."""
    for parameter in entry.parameters:
        bad: list[Any] = [None, [1.0], float("nan"), float("inf")]
        # Any word could be the name of an activation; an unknown one is refused by another message.
        bad += [] if isinstance(parameter.constraint, Function) else ["word"]
        if isinstance(parameter.constraint, Real):
            bad += [True] if parameter.constraint.minimum is None else [True, parameter.constraint.minimum - 1.0]
        if isinstance(parameter.constraint, Whole):
            bad += [True, 1.5, parameter.constraint.minimum - 1]
        if isinstance(parameter.constraint, Several):
            bad += [[], [None], [*parameter.constraint.other, 0.5]]
        for value in bad:
            with pytest.raises(rl_acts.ActivationError) as caught:
                entry.cls(**{parameter.name: value})
            message = str(caught.value)
            assert f"{parameter.name}={value!r}" in message
            assert str(parameter.constraint) in message


def check_ranges(entry: ActivationInfo) -> None:
    """The declared ranges of f and f' hold on a fine grid, and finite ends are approached."""
    if entry.surrogate or entry.stochastic or not entry.elementwise:
        return
    module = build_for_numbers(entry, torch.float64)
    grid = torch.linspace(-60, 60, 240_001, dtype=torch.float64)
    for declared, actual in ((entry.range, module(grid)), (entry.derivative_range, derivative(module, grid))):
        if declared is None:
            continue
        low, high = declared
        assert actual.min() >= low - 1e-7
        assert actual.max() <= high + 1e-7
        # Algebraic tails (softsign) are still 2 % off their limit at the end of the grid.
        assert low == -float("inf") or actual.min() <= low + 0.02
        assert high == float("inf") or actual.max() >= high - 0.02


def check_smoothness(entry: ActivationInfo) -> None:
    """F' jumps at a whole or half number or a parameter's default if and only if declared C0, f if discontinuous."""
    if entry.surrogate or entry.stochastic or not entry.elementwise:
        return
    module = build_for_numbers(entry, torch.float64)
    defaults = [value for value in entry.defaults.values() if isinstance(value, float)]
    points = torch.cat((torch.arange(-8, 9, dtype=torch.float64) / 2, torch.tensor(defaults, dtype=torch.float64)))
    jump = (module(points + 1e-9) - module(points - 1e-9)).abs().max()
    kink = (derivative(module, points + 1e-9) - derivative(module, points - 1e-9)).abs().max()
    assert (jump > 1e-3) == (entry.smoothness == "discontinuous")
    assert (kink > 1e-5) == (entry.smoothness in {"C0", "discontinuous"})


def check_documentation(entry: ActivationInfo) -> None:
    """Formula, source and docstring are there, and the docstring names each parameter and what is unverified."""
    if not is_ours(entry):
        return
    assert entry.formula
    assert entry.source
    assert entry.range is not None
    assert entry.derivative_range is not None
    text = entry.cls.__doc__ or ""
    assert all(f"{parameter.name}:" in text for parameter in entry.parameters)
    if "was not seen" in (entry.unverified or ""):
        assert "Unverified:" in text


def is_ours(entry: ActivationInfo) -> bool:
    """Return whether the library itself provides the entry."""
    return entry.cls.__module__.startswith("rl_acts.")


CHECKS: tuple[Callable[[ActivationInfo], None], ...] = (
    check_gradient,
    check_literal_values,
    check_extremes,
    check_shape_and_dtype,
    check_elementwise,
    check_rows_are_independent,
    check_state,
    check_pickle,
    check_vmap,
    check_parameter_count,
    check_parameters_matter,
    check_refusals,
    check_ranges,
    check_smoothness,
    check_documentation,
)
