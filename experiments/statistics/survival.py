"""Times until something is reached, some of which are only known to be longer than the run (right-censored).

Never average the times of the runs that made it: the arm with the most failures would look fastest.
Letters of axes: R runs, E distinct times.
"""

from dataclasses import dataclass

import numpy as np

from experiments.statistics.arrays import BoolArray, FloatArray
from experiments.statistics.distributions import normal_two_sided
from experiments.statistics.scores import moving_mean

# Evaluations whose mean must reach the threshold: one lucky evaluation does not count (evaluation_protocol section 3).
WINDOW = 5


@dataclass(frozen=True)
class Times:
    """Time of each run until reached, or until its end where it never was.

    Attributes:
        time: [R].
        reached: [R], False where the time is censored.
    """

    time: FloatArray
    reached: BoolArray


@dataclass(frozen=True)
class KaplanMeier:
    """Kaplan and Meier's estimate (1958) of the share that has not reached it yet.

    Attributes:
        time: the distinct times at which a run reaches it, rising, [E].
        waiting: share that has not reached it after each, [E].
    """

    time: FloatArray
    waiting: FloatArray

    @property
    def median(self) -> float | None:
        """First time at which at most half still wait; None where that never happens."""
        # Products of shares such as 0.8 * 0.75 * ... miss 0.5 by rounding.
        half = np.flatnonzero(self.waiting <= 0.5 + 1e-12)
        return float(self.time[half[0]]) if half.size else None

    def restricted_mean(self, horizon: float) -> float:
        """Mean time up to `horizon`, a run that has not reached it by then counted as the horizon: area below."""
        inside = self.time < horizon
        edges = np.concatenate([[0.0], self.time[inside], [horizon]])
        heights = np.concatenate([[1.0], self.waiting[inside]])
        return float((np.diff(edges) * heights).sum())


def times_to_threshold(axis: FloatArray, curves: FloatArray, threshold: float, window: int = WINDOW) -> Times:
    """First point at which the mean of an evaluation and the ones before it (`window` in all) reaches the threshold.

    Args:
        axis: steps or seconds of the evaluations, [E] or (each run its own) [R, E].
        curves: returns, [R, E]; a run is censored at its last point.
        threshold: return to be reached.
        window: evaluations averaged; with fewer none is reached.
    """
    axes = np.broadcast_to(axis, curves.shape)
    above = np.asarray(moving_mean(curves, window) >= threshold)
    reached = np.asarray(above.any(axis=1))
    first = np.where(reached, above.argmax(axis=1), curves.shape[1] - 1)
    return Times(np.take_along_axis(axes, first[:, None], axis=1)[:, 0].astype(np.float64), reached)


def kaplan_meier(times: Times) -> KaplanMeier:
    """Share of runs that still wait, over time; censored runs count as long as they were watched."""
    moments = np.unique(times.time[times.reached])
    events = (times.time[times.reached][:, None] == moments).sum(axis=0)
    watched = (times.time[:, None] >= moments).sum(axis=0)
    return KaplanMeier(moments, np.cumprod(1.0 - events / watched))


def logrank(a: Times, b: Times) -> float:
    """Two-sided p value of the log-rank test (Mantel, 1966) that two arms reach it equally fast; NaN if none does."""
    time = np.concatenate([a.time, b.time])
    reached = np.concatenate([a.reached, b.reached])
    moments = np.unique(time[reached])
    watched_a = (a.time[:, None] >= moments).sum(axis=0)
    watched = (time[:, None] >= moments).sum(axis=0)
    events_a = ((a.time[:, None] == moments) & a.reached[:, None]).sum(axis=0)
    events = ((time[:, None] == moments) & reached[:, None]).sum(axis=0)
    share = watched_a / watched
    spread = events * share * (1 - share) * (watched - events) / np.maximum(watched - 1, 1)
    if not spread.sum() > 0:
        return float("nan")
    return normal_two_sided(float((events_a - events * share).sum() / np.sqrt(spread.sum())))
