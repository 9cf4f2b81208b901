"""Check values of f and f' at POINTS, to 17 digits, from the files in `values/`.

Computed with 40-digit arithmetic from the closed forms in each entry's docstring, not from this library; they agree
with the published reference values of the project's sources to every digit printed there.
"""

from tests.rl_acts.values import basic, polynomial, rational, series

POINTS = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)

# By spec: f at each point, f' at each point. At a kink f' is the value that the entry's docstring names.
CHECK_VALUES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    **basic.VALUES,
    **polynomial.VALUES,
    **rational.VALUES,
    **series.VALUES,
}
