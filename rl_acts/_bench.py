"""What activations cost: forward, and forward with backward, relative to PyTorch's own ReLU and SiLU, in turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rl_acts._fused import Plainly, plainly
from rl_acts._kernels import Kernels, kernels
from rl_acts._registry import make, names
from rl_acts._spec import Spec
from rl_acts._table import table
from rl_acts.errors import ActivationError
from rl_acts.machine import cpu_name

MODES = ("eager", "composed", "plain", "compiled")

_WARM_UP_ROUNDS = 3
_CALLS_PER_TURN = 5
_COLUMNS = (
    "name",
    "forward us",
    "fwd+bwd us",
    "forward / ReLU",
    "fwd+bwd / ReLU",
    "forward / SiLU",
    "fwd+bwd / SiLU",
)


@dataclass(frozen=True)
class BenchRow:
    """Cost of one activation in one mode: medians over the rounds.

    Attributes:
        name: The spec as given.
        mode: ``"eager"``: as shipped. ``"composed"``: by PyTorch's passes in place of native kernels. ``"plain"``: the
            plain expression in place of both. ``"compiled"``.
        forward_us: Microseconds of one forward pass.
        both_us: Microseconds of one forward and backward pass.
        forward_ratio: `forward_us` relative to `torch.nn.ReLU` in the same round, a compiled one if `mode` is.
        both_ratio: `both_us` likewise.
        forward_silu_ratio: `forward_us` relative to `torch.nn.SiLU`, likewise.
        both_silu_ratio: `both_us` likewise.
    """

    name: str
    mode: str
    forward_us: float
    both_us: float
    forward_ratio: float
    both_ratio: float
    forward_silu_ratio: float
    both_silu_ratio: float


# In which a mode computes; each counts the calls in which it made a difference.
_CONTEXTS: dict[str, Kernels | Plainly] = {"composed": kernels, "plain": plainly}


class _Contestant:
    """One activation in one mode, and the seconds of its turns."""

    def __init__(self, name: str, mode: str, module: nn.Module, x: Tensor) -> None:
        self.name, self.mode = name, mode
        self.forward: list[float] = []
        self.both: list[float] = []
        self._context: AbstractContextManager[object] = _CONTEXTS.get(mode) or nullcontext()
        self._module = torch.compile(module, fullgraph=True, dynamic=False) if mode == "compiled" else module
        self._inputs = [x, *module.parameters()]
        with self._context:
            self._gradient = torch.randn_like(self._module(x))
            self._both()

    def _forward(self) -> None:
        with torch.no_grad():
            self._module(self._inputs[0])

    def _both(self) -> None:
        output = self._module(self._inputs[0])
        torch.autograd.grad(output, self._inputs, self._gradient, allow_unused=True)

    def take_turn(self, *, counts: bool) -> None:
        with self._context:
            for call, times in ((self._forward, self.forward), (self._both, self.both)):
                seconds = _timed(call, self._inputs[0].device)
                if counts:
                    times.append(seconds)

    def row(self, relu: "_Contestant", silu: "_Contestant") -> BenchRow:
        return BenchRow(
            name=self.name,
            mode=self.mode,
            forward_us=1e6 * statistics.median(self.forward),
            both_us=1e6 * statistics.median(self.both),
            forward_ratio=_median_ratio(self.forward, relu.forward),
            both_ratio=_median_ratio(self.both, relu.both),
            forward_silu_ratio=_median_ratio(self.forward, silu.forward),
            both_silu_ratio=_median_ratio(self.both, silu.both),
        )


def bench(
    specs: Sequence[Spec] | None = None,
    shape: Sequence[int] = (256, 256),
    *,
    rounds: int = 50,
    device: torch.device | str = "cpu",
    modes: Sequence[str] = ("eager",),
) -> list[BenchRow]:
    """Measure activations in turns (ABCABC) within one process, with one thread, as the training processes compute.

    The clock of a shared machine drifts by some 20 % within minutes, so only the ratios of one call to `bench` compare.

    Args:
        specs: What to measure; None for every registered activation.
        shape: Shape of the pre-activations, ``(..., features)``.
        rounds: How often each has its turn.
        device: Where to measure.
        modes: Which of ``"eager"``, ``"composed"``, ``"plain"`` and ``"compiled"``; all take turns with one another.

    Returns:
        A row for each spec and mode, mode by mode in the orders given. Left out are plain rows of activations that
        have no fused form, composed rows of those that have no kernel here, and compiled rows of those that cannot be
        compiled without a graph break.

    Raises:
        ActivationError: A bad spec or mode, or fewer than one round.
    """
    if rounds < 1:
        raise ActivationError(f"rounds={rounds!r} is not allowed; it must be a whole number from 1 on.")
    for mode in modes:
        if mode not in MODES:
            raise ActivationError(f"The mode {mode!r} is not allowed; allowed are {', '.join(MODES)}.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _bench(names() if specs is None else specs, tuple(shape), rounds, torch.device(device), modes)
    finally:
        torch.set_num_threads(threads)


def _bench(
    specs: Sequence[Spec], shape: tuple[int, ...], rounds: int, device: torch.device, modes: Sequence[str]
) -> list[BenchRow]:
    x = torch.randn(shape, device=device, requires_grad=True)
    modules = [(str(spec), make(spec, shape[-1]).to(device)) for spec in specs]
    with _room_to_compile(len(modules)) if "compiled" in modes else nullcontext():
        references: dict[bool, list[_Contestant]] = {}
        for compiled in {mode == "compiled" for mode in modes}:
            mode = "compiled" if compiled else "eager"
            references[compiled] = [_Contestant("", mode, reference, x) for reference in (nn.ReLU(), nn.SiLU())]
        invited = [_contestant(name, mode, module, x) for mode in modes for name, module in modules]
        measured = [contestant for contestant in invited if contestant is not None]
        everybody = [*(reference for pair in references.values() for reference in pair), *measured]
        for turn in range(_WARM_UP_ROUNDS + rounds):
            for contestant in everybody:
                contestant.take_turn(counts=turn >= _WARM_UP_ROUNDS)
    return [contestant.row(*references[contestant.mode == "compiled"]) for contestant in measured]


def _room_to_compile(modules: int) -> AbstractContextManager[object]:
    """Return a context in which every module keeps its compiled code; eight of one class would be the limit."""
    import torch._dynamo.config  # noqa: PLC0415 - the compiler takes seconds to import

    torch.compiler.reset()
    room: AbstractContextManager[object] = torch._dynamo.config.patch(recompile_limit=8 + modules)  # noqa: SLF001
    return room


def _contestant(name: str, mode: str, module: nn.Module, x: Tensor) -> _Contestant | None:
    try:
        contestant = _Contestant(name, mode, module, x)
    # Whatever the compiler says of code that it does not take.
    except Exception:
        if mode != "compiled":
            raise
        return None
    context = _CONTEXTS.get(mode)
    return None if context is not None and not context.calls else contestant


def bench_table(
    specs: Sequence[str] | None,
    shape: tuple[int, ...],
    *,
    rounds: int = 50,
    device: torch.device | str = "cpu",
    modes: Sequence[str] = ("eager",),
) -> str:
    """Return `bench` as a table for each mode, with the machine and the versions above it."""
    measured = {(row.mode, row.name): row for row in bench(specs, shape, rounds=rounds, device=device, modes=modes)}
    tables = []
    for mode in modes:
        rows = [(name, *_shown(measured.get((mode, name)))) for name in (names() if specs is None else specs)]
        tables.append(bench_conditions(shape, rounds, device, mode) + table(_COLUMNS, rows))
    return "\n".join(tables)


def bench_conditions(
    shape: tuple[int, ...], rounds: int, device: torch.device | str = "cpu", mode: str = "eager"
) -> str:
    """Return the line that says where and how a table of costs was measured."""
    if torch.device(device).type == "cuda":
        where = torch.cuda.get_device_name(device)
    else:
        where = f"{cpu_name()}, native kernels {kernels.instruction_set or 'none'}"
    how = f"one thread, {mode}, float32, shape {shape}, median of {rounds} turns"
    return f"{where}, torch {torch.__version__}, {how}\n"


def _shown(row: BenchRow | None) -> Sequence[str]:
    if row is None:
        return ["-"] * (len(_COLUMNS) - 1)
    ratios = (row.forward_ratio, row.both_ratio, row.forward_silu_ratio, row.both_silu_ratio)
    return [f"{row.forward_us:.0f}", f"{row.both_us:.0f}", *(f"{ratio:.2f}" for ratio in ratios)]


def _median_ratio(times: list[float], reference: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def _timed(call: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of one call: on a CPU the thread's own, so that other processes do not count."""
    # Once outside the clock: the contestant before has left its own data in the caches.
    call()
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    _finish(device)
    start = clock()
    for _ in range(_CALLS_PER_TURN):
        call()
    _finish(device)
    return (clock() - start) / _CALLS_PER_TURN


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
