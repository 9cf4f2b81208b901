"""NumPy's PCG64 generators as plain numbers, so that a state needs no pickle."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MASK = 2**64 - 1


def pack(generator: np.random.Generator) -> Words:
    """Return a PCG64 generator as six words: state and increment, high word first, then the buffered half draw."""
    state = generator.bit_generator.state
    numbers = (state["state"]["state"], state["state"]["inc"])
    words = [word for number in numbers for word in (number >> 64, number & _MASK)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def unpack(words: Words) -> np.random.Generator:
    """Return the generator that `pack` was given.

    >>> generator = np.random.default_rng(7)
    >>> unpack(pack(generator)).random() == generator.random()
    True
    """
    high, low, increment_high, increment_low, has_half, half = (int(word) for word in words)
    bits = np.random.PCG64(0)
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": increment_high << 64 | increment_low},
        "has_uint32": has_half,
        "uinteger": half,
    }
    return np.random.Generator(bits)
