"""Corrections for many comparisons."""

import numpy as np

from experiments.statistics.arrays import FloatArray


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down correction (1979) of p values [n], in the order given: bounds the chance of any false one."""
    count = p_values.size
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((count - np.arange(count)) * p_values[order])
    corrected = np.empty(count)
    corrected[order] = np.minimum(1.0, stepped)
    return corrected


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Benjamini and Hochberg's step-up correction (1995) of p values [n], in the order given: the q values.

    Taking all with q <= level as found, at most that share of what is found is false on average.
    """
    count = p_values.size
    order = np.argsort(p_values, kind="stable")
    stepped = (count / np.arange(1, count + 1)) * p_values[order]
    corrected = np.empty(count)
    corrected[order] = np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1])
    return corrected
