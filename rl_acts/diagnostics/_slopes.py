"""Derivatives of any activation by automatic differentiation."""

import torch
from torch import Tensor, nn

# Random signs for activations whose outputs depend on several inputs: the estimate of a norm is then off by 18 % (one
# standard error) at most.
_DRAWS = 16
_SEED = 7


def slopes(activation: nn.Module, z: Tensor) -> Tensor:
    """Return how strongly each pre-activation is felt: |f'(z)|, as training differentiates it.

    What a number is felt by is the Euclidean norm of its column of the Jacobian dh/dz. For an activation that acts on
    each number alone that is |f'(z)| exactly; likewise where no two outputs share an input within each stretch of
    as many outputs as there are inputs (gated layers, which halve the width; CReLU and Fourier features, which double
    it). Where units see one another it is an unbiased estimate of the norm's square from 16 vectors of random signs
    that are always the same, exactly zero where the column is. A step with a surrogate gradient has the surrogate's.

    Args:
        activation: In the mode in which it is to be seen; evaluation mode draws no noise and changes no state.
        z: Pre-activations, shape ``(n, H)``.

    Returns:
        Shape ``(n, H)``.
    """
    leaf = z.detach().clone().requires_grad_()
    with torch.enable_grad():
        # A clone, for activations that work in place.
        h = activation(leaf.clone())
    if not h.requires_grad:
        return torch.zeros_like(z)
    generator = torch.Generator().manual_seed(_SEED)
    one, other = (_squared_columns(h, leaf, generator) for _ in range(2))
    if torch.allclose(one, other, rtol=1e-4, atol=1e-12, equal_nan=True):
        # One nonzero number in each column of each part: any signs give its absolute value.
        return one.sqrt()
    squares = [one, other, *(_squared_columns(h, leaf, generator) for _ in range(_DRAWS - 2))]
    return torch.stack(squares).mean(0).sqrt()


def _squared_columns(h: Tensor, leaf: Tensor, generator: torch.Generator) -> Tensor:
    """Return an estimate of the squared norms of the Jacobian's columns, by one vector of random signs."""
    bits = torch.randint(0, 2, h.shape, generator=generator)
    signs = (2 * bits - 1).to(h)
    total, width = torch.zeros_like(leaf), leaf.shape[-1]
    for part, own in zip(torch.split(h, width, -1), torch.split(signs, width, -1), strict=True):
        (gradient,) = torch.autograd.grad(part, leaf, own, retain_graph=True, allow_unused=True)
        if gradient is not None:
            total += gradient.square()
    return total
