"""The random numbers of updates and actions, made in blocks of several steps where single steps would be slow."""

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.philox import Stream, normals, uniform, words

# Enough that each of the hundred small operations behind a block is worth its call, and no more than a cache holds.
_WORDS_PER_BLOCK = 65_536


class Draws:
    """Numbers of one kind, by step. A block is only a faster way to the same numbers.

    Args:
        seeds: Of the P runs.
        streams: Which to draw from.
        count: Numbers per run, step and stream, or per slot if there are any.
        kind: ``"normal"``, ``"uniform"`` in (-1, 1), ``"unit"``: uniform in (0, 1), or ``"bits"``: 32-bit words.
        device: Of the result.
        dtype: Of the result, unless it is bits.
        slots: As for `agents.philox.words`; not for normal numbers.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        streams: Sequence[Stream],
        count: int,
        kind: str,
        device: torch.device,
        dtype: torch.dtype,
        slots: Tensor | None = None,
    ) -> None:
        self._seeds = torch.tensor(list(seeds), dtype=torch.int64, device=device)
        self._streams, self._count, self._kind, self._dtype = tuple(streams), count, kind, dtype
        self._slots = slots
        each = count * (1 if slots is None else len(slots))
        self._steps = max(1, _WORDS_PER_BLOCK // (len(seeds) * each * max(1, len(streams))))
        self._block = -1
        self._numbers: list[Tensor] = []

    def at(self, step: int) -> tuple[Tensor, ...]:
        """Return the numbers of one step, for each stream an array of shape ``(P, count)``, or ``(P, S count)``."""
        block, row = divmod(step, self._steps)
        if block != self._block:
            steps = torch.arange(block * self._steps, (block + 1) * self._steps, device=self._seeds.device)
            self._numbers = [self._draw(stream, steps) for stream in self._streams]
            self._block = block
        return tuple(numbers[row] for numbers in self._numbers)

    def _draw(self, stream: Stream, steps: Tensor) -> Tensor:
        if self._kind == "normal":
            return normals(self._seeds, stream, steps, self._count, self._dtype)
        bits = words(self._seeds, stream, steps, self._count, self._slots)
        if self._kind == "bits":
            return bits
        numbers = uniform(bits, self._dtype)
        return numbers if self._kind == "unit" else 2.0 * numbers - 1.0
