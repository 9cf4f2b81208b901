"""Counter-based random numbers: a number is a function of (run's seed, stream, step, position), not of a state.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The same
numbers come out whichever runs train side by side, after any restart, and in blocks of any size; a checkpoint holds a
step, not a generator. Only integer operations of PyTorch are used, so the 32-bit words are the same on every device
and under the compiler; the floats made of them may differ in the last bit between devices.
"""

import math
from enum import IntEnum

import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
# The second half of the key keeps these numbers apart from other uses of the same seeds. The value is arbitrary and
# stays.
_TAG = 0x52414354


class Stream(IntEnum):
    """What numbers are for; streams of one run are independent. The values are part of every result and stay."""

    WARM_UP = 0
    EXPLORATION = 1
    SAMPLE = 2
    TARGET_NOISE = 3
    POLICY = 4
    NEXT_POLICY = 5
    ACTIVATION = 6
    PROBE = 7
    PROBE_POLICY = 8
    PROBE_NEXT_POLICY = 9


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Return the four 32-bit words of Philox4x32-10.

    Args:
        counter: Four int64 tensors with values in [0, 2^32) that broadcast against one another.
        key: Two such tensors.

    Returns:
        Four int64 tensors with values in [0, 2^32).
    """
    c0, c1, c2, c3, _, _ = torch.broadcast_tensors(*counter, *key)  # type: ignore[no-untyped-call]
    k0, k1 = key
    for _ in range(_ROUNDS):
        # The products need all 64 bits; as signed numbers they wrap around, and above bit 32 of a shifted one, of c1
        # and of c3 there is rubbish until the masks.
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0 = (second >> 32).bitwise_xor_(c1).bitwise_xor_(k0).bitwise_and_(_LOW)
        c2 = (first >> 32).bitwise_xor_(c3).bitwise_xor_(k1).bitwise_and_(_LOW)
        c1, c3 = second, first
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return c0, c1.bitwise_and_(_LOW), c2, c3.bitwise_and_(_LOW)


def words(seeds: Tensor, stream: Stream, steps: Tensor, count: int, slots: Tensor | None = None) -> Tensor:
    """Return 32-bit words.

    Args:
        seeds: Of the runs, int64 in [0, 2^32), shape ``(P,)``.
        stream: What for.
        steps: int64 from 0, shape ``(T,)``.
        count: Words per run, step and slot, n.
        slots: Which of the stream's independent parts to draw from, int64 in [0, 2^24), shape ``(S,)``; None for the
            first alone.

    Returns:
        int64 in [0, 2^32), shape ``(T, P, S n)``, slot by slot. Word i of a run at a step in a slot depends neither on
        n nor on the other slots.
    """
    blocks = torch.arange((count + 3) // 4, device=seeds.device)
    step = steps.view(-1, 1, 1, 1)
    last = torch.full_like(step, int(stream)) if slots is None else int(stream) + (slots.view(1, 1, -1, 1) << 8)
    counter = (blocks.view(1, 1, 1, -1), step & _LOW, (step >> 32) & _LOW, last)
    four = philox(counter, (seeds.view(1, -1, 1, 1), torch.full_like(seeds, _TAG).view(1, -1, 1, 1)))
    found = torch.stack(four, dim=-1).flatten(-2)[..., :count]
    return found.squeeze(2) if slots is None else found.flatten(2)


def uniform(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """Return numbers in (0, 1), evenly spaced by 2^-23 and symmetric about 1/2, from 32-bit words of any shape."""
    # 23 bits and the half are 24 bits, which a float32 holds without rounding: neither 0 nor 1 can occur.
    return ((bits >> 9).to(dtype) + 0.5) * 2.0**-23


def normal(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """Return standard normal numbers by the method of Box and Muller.

    Args:
        bits: 32-bit words, shape ``(..., n)`` with even n.
        dtype: Of the result.

    Returns:
        Shape ``(..., n)``; no magnitude is above 5.8. Numbers 2i and 2i + 1 are made of words 2i and 2i + 1.
    """
    pairs = uniform(bits, dtype).view(*bits.shape[:-1], -1, 2)
    radius = (-2.0 * pairs[..., 0].log()).sqrt()
    angle = 2.0 * math.pi * pairs[..., 1]
    return torch.stack((radius * angle.cos(), radius * angle.sin()), dim=-1).flatten(-2)


def normals(seeds: Tensor, stream: Stream, steps: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Return standard normal numbers, shape ``(T, P, n)``; arguments as for `words`."""
    return normal(words(seeds, stream, steps, count + count % 2), dtype)[..., :count]


def below(bits: Tensor, size: Tensor | int) -> Tensor:
    """Return whole numbers in [0, size), from 32-bit words of any shape.

    Args:
        bits: 32-bit words.
        size: From 1 to 2^31. Every number has the same probability up to 2^-32.
    """
    return (bits * size) >> 32
