"""Gradients and updates of some optimiser steps, watched from outside."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rl_acts.diagnostics._norms import coefficient_of_variation, norm, norm_ratio


class UpdateWatch:
    """Watches the steps of an optimiser, without changing them, from its making until it is closed.

    Args:
        optimiser: Its hooks are used.
        tensors: Parameters of one network that the optimiser moves.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, tensors: Sequence[Tensor]) -> None:
        self._tensors = list(tensors)
        self._before: list[Tensor] = []
        self._gradient_norms: list[float] = []
        self._ratios: list[float] = []
        before: Callable[..., Any] = self._begin
        after: Callable[..., Any] = self._end
        self._hooks = [optimiser.register_step_pre_hook(before), optimiser.register_step_post_hook(after)]

    def close(self) -> dict[str, float]:
        """Stop watching and return ``gradient_norm``, ``gradient_norm_cv`` and ``update_ratio`` over the steps.

        They are the mean of the gradients' norms (as the optimiser got them), its coefficient of variation, and the
        mean of `norm_ratio` of update and weights; nothing if there was no step.
        """
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._before = [], []
        if not self._gradient_norms:
            return {}
        norms = torch.tensor(self._gradient_norms, dtype=torch.float64)
        return {
            "gradient_norm": float(norms.mean()),
            "gradient_norm_cv": float(coefficient_of_variation(norms)),
            "update_ratio": sum(self._ratios) / len(self._ratios),
        }

    def _begin(self, *_: Any) -> None:
        self._before = [tensor.detach().clone() for tensor in self._tensors]
        gradients = [tensor.grad for tensor in self._tensors if tensor.grad is not None]
        self._gradient_norms.append(float(norm(gradients)) if gradients else 0.0)

    def _end(self, *_: Any) -> None:
        steps = [now.detach() - then for now, then in zip(self._tensors, self._before, strict=True)]
        self._ratios.append(float(norm_ratio(steps, self._before)))
