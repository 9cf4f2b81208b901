"""What an activation costs: forward, and forward with backward, relative to PyTorch's own ReLU, measured in turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from rl_acts._registry import make, names
from rl_acts._spec import Spec
from rl_acts._table import table
from rl_acts.errors import ActivationError
from rl_acts.machine import cpu_name

_WARM_UP_ROUNDS = 3
_CALLS_PER_TURN = 5


@dataclass(frozen=True)
class BenchRow:
    """Cost of one activation: medians over the rounds.

    Attributes:
        name: The spec as given.
        forward_us: Microseconds of one forward pass.
        both_us: Microseconds of one forward and backward pass.
        forward_ratio: `forward_us` relative to `torch.nn.ReLU` in the same round.
        both_ratio: `both_us` likewise.
    """

    name: str
    forward_us: float
    both_us: float
    forward_ratio: float
    both_ratio: float


def bench(
    specs: Sequence[Spec] | None = None,
    shape: Sequence[int] = (256, 256),
    *,
    rounds: int = 50,
    device: torch.device | str = "cpu",
) -> list[BenchRow]:
    """Measure activations in turns (ABCABC) within one process.

    The clock of a shared machine drifts by some 20 % within minutes, so only the ratios of one call to `bench` compare.
    Call `torch.set_num_threads(1)` before, as the training processes do.

    Args:
        specs: What to measure; None for every registered activation.
        shape: Shape of the pre-activations, ``(..., features)``.
        rounds: How often each has its turn.
        device: Where to measure.

    Returns:
        One row per spec, in the order given; the reference `torch.nn.ReLU` is not among them.

    Raises:
        ActivationError: A bad spec, or fewer than one round.
    """
    if rounds < 1:
        raise ActivationError(f"rounds={rounds!r} is not allowed; it must be a whole number from 1 on.")
    specs = names() if specs is None else specs
    x = torch.randn(tuple(shape), device=device, requires_grad=True)
    modules = [nn.ReLU(), *(make(spec, shape[-1]).to(device) for spec in specs)]
    # What an activation gives back can be wider or narrower than what it gets.
    shapes = [module(x).shape for module in modules]
    gradients = {size: torch.randn(size, device=device) for size in shapes}
    forward: list[list[float]] = [[] for _ in modules]
    both: list[list[float]] = [[] for _ in modules]
    for turn in range(_WARM_UP_ROUNDS + rounds):
        for index, module in enumerate(modules):
            forward_call, both_calls = partial(_forward, module, x), partial(_both, module, x, gradients[shapes[index]])
            times = _timed(forward_call, x.device), _timed(both_calls, x.device)
            if turn >= _WARM_UP_ROUNDS:
                forward[index].append(times[0])
                both[index].append(times[1])
    return [
        BenchRow(
            name=str(spec),
            forward_us=1e6 * statistics.median(forward[index]),
            both_us=1e6 * statistics.median(both[index]),
            forward_ratio=_median_ratio(forward[index], forward[0]),
            both_ratio=_median_ratio(both[index], both[0]),
        )
        for index, spec in enumerate(specs, start=1)
    ]


def bench_table(
    specs: Sequence[str] | None, shape: tuple[int, ...], *, rounds: int = 50, device: torch.device | str = "cpu"
) -> str:
    """Return `bench` as a table, measured with one thread, with the machine and the versions above it."""
    measured = bench_alone(specs, shape, rounds=rounds, device=device)
    rows = [
        (row.name, f"{row.forward_us:.0f}", f"{row.both_us:.0f}", f"{row.forward_ratio:.2f}", f"{row.both_ratio:.2f}")
        for row in measured
    ]
    head = ("name", "forward us", "fwd+bwd us", "forward / ReLU", "fwd+bwd / ReLU")
    return bench_conditions(shape, rounds, device) + table(head, rows)


def bench_alone(
    specs: Sequence[str] | None, shape: tuple[int, ...], *, rounds: int, device: torch.device | str = "cpu"
) -> list[BenchRow]:
    """Return `bench`, measured with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return bench(specs, shape, rounds=rounds, device=device)
    finally:
        torch.set_num_threads(threads)


def bench_conditions(shape: tuple[int, ...], rounds: int, device: torch.device | str = "cpu") -> str:
    """Return the line that says where and how a table of costs was measured."""
    where = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else cpu_name()
    return f"{where}, torch {torch.__version__}, one thread, eager, float32, shape {shape}, median of {rounds} turns\n"


def _median_ratio(times: list[float], reference: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def _forward(module: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        module(x)


def _both(module: nn.Module, x: Tensor, gradient: Tensor) -> None:
    output = module(x)
    # A parameter can have no part in the value yet, as in a phase of warming up.
    torch.autograd.grad(output, [x, *module.parameters()], gradient, allow_unused=True)


def _timed(call: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of one call; on a GPU the queue is empty before and after."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    for _ in range(_CALLS_PER_TURN):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / _CALLS_PER_TURN
