"""From the curve of a run to its scores. Letters of axes: R runs, E evaluation points."""

import numpy as np

from experiments.statistics.arrays import FloatArray

MOST_FINAL = 10


def carry_forward(returns: FloatArray) -> FloatArray:
    """Replace each value [E] that is not finite by the last finite one before it; leading ones become the first finite.

    Raises:
        ValueError: no value is finite.
    """
    finite = np.isfinite(returns)
    if not finite.any():
        raise ValueError("no finite evaluation to carry forward")
    first = int(np.argmax(finite))
    last = np.maximum.accumulate(np.where(finite, np.arange(returns.size), first))
    return returns[last]


def final_window(points: int, given: int | None = None) -> int:
    """Number of evaluations that make the final score.

    Without a number fixed by the study: the last ten, but no more than the last tenth of training and at least one.
    Ten is the field's habit (evaluation_protocol section 1); in a short study with eleven evaluations ten would be
    nearly the area under the curve, and no final score at all.

    Args:
        points: evaluations that a run has.
        given: what the study fixes; all evaluations where it has fewer.

    >>> final_window(201), final_window(41), final_window(5), final_window(201, given=5), final_window(3, given=5)
    (10, 4, 1, 5, 3)
    """
    return min(points, given) if given is not None else max(1, min(MOST_FINAL, points // 10))


def final_scores(curves: FloatArray, window: int) -> FloatArray:
    """Mean over the last `window` points, [R, E] -> [R]. Never the maximum over training, which rewards noise."""
    return np.asarray(curves[:, -window:].mean(axis=1), dtype=np.float64)


def area_under_curve(steps: FloatArray, curves: FloatArray) -> FloatArray:
    """Trapezoid area divided by the spanned steps: the mean return over training, [E], [R, E] -> [R]; NaN if E < 2."""
    if steps.size < 2:
        return np.full(curves.shape[0], np.nan)
    area = np.trapezoid(curves, steps, axis=1) / (steps[-1] - steps[0])
    return np.asarray(area, dtype=np.float64)


def moving_mean(curves: FloatArray, window: int) -> FloatArray:
    """Mean of each point and the `window` - 1 before it, [R, E] -> [R, E]; NaN where those are not there yet."""
    means = np.full(curves.shape, np.nan)
    if curves.shape[1] >= window:
        means[:, window - 1 :] = np.lib.stride_tricks.sliding_window_view(curves, window, axis=1).mean(axis=-1)
    return means


def peak_of_mean(steps: FloatArray, curves: FloatArray) -> tuple[float, float, float]:
    """Where the mean curve is largest, that mean, and the standard deviation over runs there (population formula).

    What many papers report. It is optimistic by construction, more so for noisier arms: never compare arms by it.
    """
    means = curves.mean(axis=0)
    best = int(np.argmax(means))
    return float(steps[best]), float(means[best]), float(curves[:, best].std())
