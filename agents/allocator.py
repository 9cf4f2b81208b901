"""The C library's memory allocator, told once to keep what is freed.

A training step frees and takes again tensors of some hundred kilobytes. By default glibc gives such blocks back to the
system, which then faults each page in anew: thousands of faults per update, half of the time of a naive loop.
"""

import ctypes
import sys

# From glibc's malloc.h: parameter numbers, and the largest threshold that it takes on 64-bit machines.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MMAP_THRESHOLD = 32 * 1024**2
_KEEP = 2**31 - 1
_PAD = 64 * 1024**2


def keep_freed_memory() -> bool:
    """Keep freed blocks of up to 32 MB in the process.

    Returns:
        Whether the C library could be told; only glibc knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD), (_TRIM_THRESHOLD, _KEEP), (_TOP_PAD, _PAD))
    return all(mallopt(parameter, value) for parameter, value in settings)
