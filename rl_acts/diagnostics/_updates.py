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
        self._update_norms: list[float] = []
        self._ratios: list[tuple[float, float]] = []
        before: Callable[..., Any] = self._begin
        after: Callable[..., Any] = self._end
        self._hooks = [optimiser.register_step_pre_hook(before), optimiser.register_step_post_hook(after)]

    def close(self) -> dict[str, float]:
        """Stop watching and return what the steps were like, nothing if there was none.

        ``gradient_norm`` is the mean of the gradients' norms as the optimiser got them, ``gradient_norm_cv`` their
        coefficient of variation, ``update_norm`` the mean norm of what a step changed; ``effective_learning_rate`` and
        ``gradient_weight_ratio`` are the means of `norm_ratio` of changes and of gradients. A step that leaves all as
        it is, without gradients, is none.
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
            "update_norm": sum(self._update_norms) / len(self._update_norms),
            "effective_learning_rate": sum(change for change, _ in self._ratios) / len(self._ratios),
            "gradient_weight_ratio": sum(gradient for _, gradient in self._ratios) / len(self._ratios),
        }

    def _begin(self, *_: Any) -> None:
        self._before = [tensor.detach().clone() for tensor in self._tensors]

    def _end(self, *_: Any) -> None:
        if all(tensor.grad is None for tensor in self._tensors):
            return
        gradients = [torch.zeros_like(own) if own.grad is None else own.grad for own in self._tensors]
        steps = [now.detach() - then for now, then in zip(self._tensors, self._before, strict=True)]
        self._gradient_norms.append(float(norm(gradients)))
        self._update_norms.append(float(norm(steps)))
        self._ratios.append((float(norm_ratio(steps, self._before)), float(norm_ratio(gradients, self._before))))
