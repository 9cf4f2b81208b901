"""The activations, one family of the survey's taxonomy (arXiv 2407.11090) per file. Importing it registers them all.

Read first: `relu.py` for the shape of an entry, `swim.py` for one with a formula of its own, `parametric.py` for a
learnable one.
"""

from rl_acts.families import elu, group_rational, parametric, polynomial, rational, relu, series, sigmoid, smooth, swim

__all__ = [
    "elu",
    "group_rational",
    "parametric",
    "polynomial",
    "rational",
    "relu",
    "series",
    "sigmoid",
    "smooth",
    "swim",
]
