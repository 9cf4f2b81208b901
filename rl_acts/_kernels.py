"""Native kernels: activations of float32 on a CPU in one pass over memory each way.

They are written in C (`_kernels.c`), without which everything works too: the package's build makes them where there is
a C compiler (`hatch_build.py`), and `rl_acts._fused` asks here whether a call can have one. Every instruction set
computes the same bits; they differ from those of PyTorch's passes by rounding. The calling thread computes alone,
whatever the size, so that neither the number of threads nor who else is in a batch decides a bit.
"""

import ctypes
import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

# Raised when a change of the source changes results by a bit.
_VERSION = "1"

_LIBRARY = Path(__file__).with_name("libkernels.so")
_SOURCE = Path(__file__).with_name("_kernels.c")
_NAMES = ("swim", "swish", "ulu", "crrelu", "xielu")
_MOST = 3

_TENSOR, _SIZE = ctypes.c_void_p, ctypes.c_int64
# Groups, rows, columns, whether parameters are by column.
_SHAPE = (_SIZE, _SIZE, _SIZE, ctypes.c_int)
_NO_MORE_NUMBERS = (0.0,) * _MOST

# By PyTorch's name of what this processor can do; others have the one that every processor of their kind has.
_INSTRUCTION_SETS = {"AVX512": "avx512", "AVX2": "avx2"}

# Beyond this a constant goes by PyTorch's passes: products with it overflow where the function does not.
_LARGEST_NUMBER = 1e37

_PLAIN_TYPES = frozenset({Tensor, nn.Parameter})
_dispatch_modes = torch._C._len_torch_dispatch_stack  # noqa: SLF001


@dataclass(frozen=True)
class _Kernel:
    fixed: Callable[..., None]
    value: Callable[..., None]
    pull: Callable[..., None]


class Kernels:
    """The kernels of this machine, which may be none.

    As a context: calls in it do without them.

    Args:
        library: That the build made, or did not make.
        source: That it should have been made from.
        capability: Of the processor, as PyTorch calls it; None for this one's.

    Attributes:
        instruction_set: ``"avx512"``, ``"avx2"``, ``"default"``, or None if there are no kernels.
        calls: How often the context made a difference since it was entered.
    """

    def __init__(self, library: Path = _LIBRARY, source: Path = _SOURCE, capability: str | None = None) -> None:
        self._kernels: dict[str, _Kernel] = {}
        self._contexts = 0
        self.calls = 0
        self.instruction_set: str | None = None
        if library.is_file():
            self._load(library, source, capability or torch.backends.cpu.get_cpu_capability())

    def _load(self, library: Path, source: Path, capability: str) -> None:
        try:
            loaded = ctypes.CDLL(str(library))
            built_from = ctypes.c_char_p.in_dll(loaded, "rl_acts_kernels_source").value
            digest = hashlib.sha256(source.read_bytes()).hexdigest().encode()
        except (OSError, ValueError) as error:
            _warn(f"{library} is not used: {error}")
            return
        if built_from != digest:
            _warn(f"{library} is not used: it was built from another {source.name}")
            return
        ours = _INSTRUCTION_SETS.get(capability, "default")
        if not hasattr(loaded, f"{_NAMES[0]}_value_{ours}"):
            return
        self.instruction_set = ours
        for name in _NAMES:
            self._kernels[name] = _Kernel(
                _function(loaded, f"{name}_fixed_{ours}", [*[_TENSOR] * 3, _SIZE, *[ctypes.c_float] * _MOST]),
                _function(loaded, f"{name}_value_{ours}", [*[_TENSOR] * 2, *_SHAPE, *[_TENSOR] * _MOST]),
                _function(loaded, f"{name}_pull_{ours}", [*[_TENSOR] * 3, *_SHAPE, *[_TENSOR] * 2 * _MOST]),
            )

    def __enter__(self) -> "Kernels":
        self._contexts += 1
        self.calls = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts -= 1

    def take(self, name: str, x: Tensor, parameters: Sequence[float | Tensor]) -> bool:
        """Tell whether a call can have a kernel.

        Args:
            name: Of the kernel.
            x: Pre-activations; neither a transform of `torch.func` nor a compiler nor a trace is at work.
            parameters: Of the function: numbers, or tensors that broadcast to the shape of `x`.
        """
        if name not in self._kernels or not can_be_read(x) or not x.is_contiguous() or x.numel() == 0:
            return False
        for parameter in parameters:
            if not _takes(parameter, x):
                return False
        if self._contexts:
            self.calls += 1
            return False
        return True

    def fixed(self, name: str, x: Tensor, numbers: Sequence[float], *, in_place: bool = False) -> Tensor:
        """Return f(x, *numbers), written over x if `in_place`."""
        value = x if in_place else torch.empty_like(x)
        more = _NO_MORE_NUMBERS[len(numbers) :]
        self._kernels[name].fixed(x.data_ptr(), value.data_ptr(), None, x.numel(), *numbers, *more)
        return value

    def fixed_with_slope(
        self, name: str, x: Tensor, numbers: Sequence[float], *, in_place: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return f(x, *numbers) and df/dx, the latter written over x if `in_place`."""
        value, slope = torch.empty_like(x), x if in_place else torch.empty_like(x)
        more = _NO_MORE_NUMBERS[len(numbers) :]
        self._kernels[name].fixed(x.data_ptr(), value.data_ptr(), slope.data_ptr(), x.numel(), *numbers, *more)
        return value, slope

    def value(self, name: str, x: Tensor, parameters: Sequence[float | Tensor]) -> Tensor:
        """Return f(x, *parameters), one of them a tensor at least."""
        value = torch.empty_like(x)
        shape, given = _layout(x, parameters)
        self._kernels[name].value(x.data_ptr(), value.data_ptr(), *shape, *_pointers(given))
        return value

    def pull(
        self, name: str, gradient: Tensor, x: Tensor, parameters: Sequence[float | Tensor], wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """Return the gradients with respect to x and to each parameter that is wanted.

        `wanted` tells for each parameter whether it is. All have the shape of the largest parameter.
        """
        gradient = gradient.contiguous()
        by_x = torch.empty_like(x)
        shape, given = _layout(x, parameters)
        sums = [torch.empty_like(parameter) if need else None for parameter, need in zip(given, wanted, strict=True)]
        self._kernels[name].pull(
            gradient.data_ptr(), x.data_ptr(), by_x.data_ptr(), *shape, *_pointers(given), *_pointers(sums)
        )
        return [by_x, *sums]


def _warn(problem: str) -> None:
    message = f"{problem}. Activations go without native kernels until it is built again (pip install)."
    warnings.warn(message, RuntimeWarning, stacklevel=5)


def _function(library: ctypes.CDLL, name: str, arguments: list[type]) -> Callable[..., None]:
    function = getattr(library, name)
    function.argtypes = arguments
    function.restype = None
    return function  # type: ignore[no-any-return]


def can_be_read(x: Tensor) -> bool:
    """Tell whether a kernel may read a tensor's memory, once it is contiguous, and nobody wants PyTorch to do it."""
    return (
        x.dtype is torch.float32
        and type(x) in _PLAIN_TYPES
        and x.is_cpu
        and x.layout is torch.strided
        and not x.is_neg()
        and not x._is_zerotensor()  # noqa: SLF001
        # Somebody counts or records PyTorch's calls.
        and _dispatch_modes() == 0
    )


def _takes(parameter: float | Tensor, x: Tensor) -> bool:
    if not isinstance(parameter, Tensor):
        return -_LARGEST_NUMBER <= parameter <= _LARGEST_NUMBER
    if not can_be_read(parameter):
        return False
    shape = parameter.shape
    if not shape:
        return True
    return shape == x.shape[-1:] or (len(shape) == x.dim() == 3 and _stacks(shape, x.shape))


def _stacks(shape: torch.Size, of_x: torch.Size) -> bool:
    """Tell whether parameters of this shape are those of groups, a number or a number for each column."""
    return shape[0] == of_x[0] and shape[1] == 1 and shape[2] in (1, of_x[2])


def _layout(x: Tensor, parameters: Sequence[float | Tensor]) -> tuple[tuple[int, int, int, bool], list[Tensor]]:
    """Return the groups, rows, columns and whether parameters are by column, and the parameters, all of one shape."""
    given = [each if isinstance(each, Tensor) else constant_on_cpu(each, torch.float32) for each in parameters]
    shape = given[0].shape
    if any([each.shape != shape for each in given]):  # noqa: C419 - a generator costs more
        shape = torch.broadcast_tensors(*given)[0].shape  # type: ignore[no-untyped-call]
        given = [each.detach().expand(shape) for each in given]
    given = [each.contiguous() for each in given]
    size = x.numel()
    if not shape:
        return (1, size, 1, False), given
    if len(shape) == 1:
        return (1, size // shape[0], shape[0], True), given
    groups, _, columns = shape
    return (groups, size // (groups * columns), columns, columns > 1), given


@lru_cache(maxsize=1024)
def constant_on_cpu(number: float, dtype: torch.dtype) -> Tensor:
    """Return a number as a tensor without axes, whatever the default device is. There is one for all: read it only."""
    return torch.full((), number, dtype=dtype, device="cpu")


def _pointers(tensors: Sequence[Tensor | None]) -> list[int | None]:
    pointers = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
    return pointers + [None] * (_MOST - len(pointers))


def native_kernels() -> str:
    """Return the version of the native kernels, or ``"none"`` if activations are computed by PyTorch alone.

    They serve float32 on a CPU. Kernels of one version give the same bits on every processor; other versions, and
    PyTorch, give results that differ from them by rounding. The environment variable ``RL_ACTS_KERNELS=0``, set before
    the package is imported, does without them.
    """
    return "none" if kernels.instruction_set is None else _VERSION


kernels = Kernels(Path(os.devnull) if os.environ.get("RL_ACTS_KERNELS") == "0" else _LIBRARY)
