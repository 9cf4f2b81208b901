"""Check values of f and f' at POINTS, to 17 digits, from the files in `values/`.

Computed with 40-digit arithmetic from the closed forms in each entry's docstring, not from this library; they agree
with the published reference values of the project's sources to every digit printed there.
"""

from tests.rl_acts.values import basic, bounded, evolved, gated, piecewise, shaped

POINTS = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)
# Behind POINTS where an activation halves the width. Elsewhere POINTS are one row, if the activation looks at rows.
SECOND_HALF = (2.0, -1.0, 0.5, 3.0, -2.0, 1.5, -0.5)

# By spec: f at each point, f' at each point; of an activation of rows the gradient of the sum of f. At a kink f' is
# the value that the entry's docstring names.
CHECK_VALUES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    **basic.VALUES,
    **bounded.VALUES,
    **evolved.VALUES,
    **gated.VALUES,
    **piecewise.VALUES,
    **shaped.VALUES,
}
