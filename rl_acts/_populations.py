"""What trainers of several networks at once can do with an activation besides calling it for each."""

from dataclasses import dataclass

from torch import Tensor, nn

from rl_acts._base import Activation, LearnableActivation
from rl_acts._kernels import kernels


@dataclass(frozen=True)
class InPlace:
    """What an activation with constants computes, by its native kernel, in the memory of the pre-activations.

    PyTorch does not notice that they change: they must be nobody else's, and not part of a graph.

    Attributes:
        kernel: Name of the kernel.
        numbers: The constants.
    """

    kernel: str
    numbers: tuple[float, ...]

    def takes(self, z: Tensor) -> bool:
        """Tell whether it can be done with these pre-activations: contiguous ones of float32 on a CPU."""
        return kernels.take(self.kernel, z, self.numbers)

    def value(self, z: Tensor) -> Tensor:
        """Return the activations of pre-activations of any shape, in the memory of `z`."""
        return kernels.fixed(self.kernel, z, self.numbers, in_place=True)

    def value_and_slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activations of pre-activations of any shape, and their slopes in the memory of `z`."""
        return kernels.fixed_with_slope(self.kernel, z, self.numbers, in_place=True)


def in_place(module: nn.Module) -> InPlace | None:
    """Return the way of a module's own class to work in place, or None if there is none, or no native kernel here.

    The values are those that the module returns, to the bit where it takes its kernel too. A class derived from one of
    the library's has no such way unless it has a `constant_form` of its own.
    """
    found = module.constant_form() if isinstance(module, Activation) and "constant_form" in vars(type(module)) else None
    if found is None or kernels.instruction_set is None:
        return None
    form, numbers = found
    return None if form.kernel is None else InPlace(form.kernel, numbers)


def takes_stack(module: nn.Module, z: Tensor) -> bool:
    """Tell whether one call can serve several networks that have activations of this kind.

    If so, `torch.func.functional_call` with each learnt value as an array ``(n, 1, 1)``, or ``(n, 1, features)`` if it
    is one of units, maps `z` to what the n modules would return, to the bit, and so do its gradients: by the class's
    native kernel. A class derived from one of the library's cannot unless it has a `stacked_form` of its own.

    Args:
        module: One of the networks'.
        z: Pre-activations of all, ``(n, batch, features)``.
    """
    if not isinstance(module, LearnableActivation) or "stacked_form" not in vars(type(module)) or z.dim() != 3:
        return False
    form = module.stacked_form()
    return form is not None and form.kernel is not None and kernels.take(form.kernel, z, ())
