"""What kind of activation a module is, as far as a population treats kinds differently."""

import copy

from torch import nn

import rl_acts

_RELU = (rl_acts.info("relu").cls, nn.ReLU)


def is_relu(module: nn.Module) -> bool:
    """Return whether a module is ReLU and nothing else."""
    return type(module) in _RELU


def acts_on_numbers(module: nn.Module) -> bool:
    """Return whether a module without learnt values may be called with a stack of networks' pre-activations.

    The library's own are tested for it; of anybody else's class its word alone would have to be taken.
    """
    if is_relu(module):
        return True
    entry = _entry(module)
    return entry is not None and entry.elementwise and type(module).__module__.startswith("rl_acts.")


def draws_noise(module: nn.Module) -> bool:
    """Return whether a module draws noise while its network learns.

    Raises:
        ActivationError: It does, but a population cannot give it numbers of its own.
    """
    inside = [part for part in module.modules() if part is not module and _is_noisy(part)]
    if inside:
        raise rl_acts.ActivationError(
            f"{type(module).__name__} has {type(inside[0]).__name__} inside, which draws noise. A population gives "
            "noise only to the activation itself, through its noise_shape, from_uniform and forward(x, noise), as "
            "rl_acts.Noisy describes them."
        )
    noisy = _is_noisy(module)
    # The base class has both by name alone.
    missing = [
        name
        for name in ("noise_shape", "from_uniform")
        if getattr(type(module), name, None) in {None, getattr(rl_acts.Noisy, name)}
    ]
    if noisy and missing:
        raise rl_acts.ActivationError(
            f"{type(module).__name__} draws noise and has no {' and no '.join(missing)}, as rl_acts.Noisy describes "
            "them. A population needs both, because its random numbers are functions of a run's seed and the update."
        )
    return noisy


def has_state(module: nn.Module) -> bool:
    """Return whether a module has buffers that training may change.

    All of somebody else's may; the library's entries say whether theirs do.
    """
    entry = _entry(module)
    return any(True for _ in module.buffers()) and (entry is None or entry.stateful)


def learning_copy(module: nn.Module) -> nn.Module:
    """Return a copy in the mode in which its network learns: parts with buffers train, all else stays as it is."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        # Dropout and its like have no buffers, and stay off: they would draw numbers that belong to no run.
        part.training = any(True for _ in part.buffers())
    return copied


def own_copy(module: nn.Module) -> nn.Module:
    """Return a copy whose tensors are its own, not views of a stack."""
    copied = copy.deepcopy(module)
    for tensor in (*copied.parameters(), *copied.buffers()):
        tensor.data = tensor.detach().clone()
    return copied


def _is_noisy(module: nn.Module) -> bool:
    entry = _entry(module)
    return isinstance(module, rl_acts.Noisy) or (entry is not None and entry.stochastic)


def _entry(module: nn.Module) -> rl_acts.ActivationInfo | None:
    return next((entry for entry in map(rl_acts.info, rl_acts.names()) if entry.cls is type(module)), None)
