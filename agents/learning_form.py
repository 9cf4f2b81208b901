"""An activation in the pass in which its own network learns, where it differs from what everybody else sees."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from agents.activation_kinds import draws_noise, has_state, learning_copy


class LearningForm:
    """A function of one network's pre-activations, values and random numbers, whose state goes in and comes out.

    Args:
        module: The activation; it stays as it is.
        rewrites: Whether it may rewrite its learnt values.

    Attributes:
        noisy: Whether it takes random numbers.
    """

    def __init__(self, module: nn.Module, *, rewrites: bool) -> None:
        self.noisy = draws_noise(module)
        self._module: Any = learning_copy(module)
        self._rewrites = rewrites

    def __call__(
        self, learnt: Mapping[str, Tensor], state: Mapping[str, Tensor], z: Tensor, numbers: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Evaluate.

        Args:
            learnt: Parameters by name.
            state: Buffers by name; they stay as they are.
            z: Pre-activations ``(batch, width)``.
            numbers: Uniform in (0, 1), if it is noisy.

        Returns:
            The activations, and by name what has become of the state, and of the learnt values if they may be
            rewritten.
        """
        arguments = (z,) if numbers is None else (z, self._module.from_uniform(numbers))
        # Copies: the module writes into them or puts others in their place, and what gradients need stays.
        tensors = {name: tensor.clone() for name, tensor in state.items()}
        values = {name: tensor.clone() for name, tensor in learnt.items()} if self._rewrites else dict(learnt)
        given = {**values, **tensors}
        value = torch.as_tensor(torch.func.functional_call(self._module, given, arguments))
        changed = given if self._rewrites else tensors
        return value, {name: given[name].detach() for name in changed}


def learning_form(module: nn.Module, *, rewrites: bool) -> LearningForm | None:
    """Return a module's form while its network learns, or None if that is the form that everybody sees."""
    return LearningForm(module, rewrites=rewrites) if draws_noise(module) or has_state(module) else None
