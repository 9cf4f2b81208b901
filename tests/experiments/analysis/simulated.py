"""Studies in memory, with a known truth."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.collect.collection import Collection, Run
from experiments.collect.evaluations import Evaluations
from experiments.collect.plan import Study
from experiments.statistics.arrays import FloatArray

# Draws the final scores [R] of an arm on a task, given its number of seeds.
Draw = Callable[[np.random.Generator, int], FloatArray]
EVERY = 10_000
POINTS = 51


def plan(arms: Mapping[str, int], tasks: Sequence[str] = ("Hopper-v5",), **changes: Any) -> Study:
    """A study of arms with so many seeds each, the second against the first as its primary pair."""
    names = list(arms)
    return Study.model_validate(
        {
            "format": 1,
            "name": "simulated",
            "algorithms": ["td3"],
            "tasks": list(tasks),
            "arms": [
                {"name": name, "actor": "relu", "critic": "relu", "seeds": list(range(seeds))}
                for name, seeds in arms.items()
            ],
            "steps": EVERY * (POINTS - 1),
            "evaluation": {"every": EVERY, "episodes": 10},
            "hyperparameters": {"td3": {"learning_starts": 50_000, "train_freq": 1, "gradient_steps": 1}},
            "primary": [[names[1], names[0]]],
            "control": names[0],
            **changes,
        }
    )


def learning_curve(end: float, speed: float = 1.0) -> FloatArray:
    """Returns that rise from 0 towards an end, [E]; twice the speed reaches the same in half the steps."""
    return end * (1 - np.exp(-5 * speed * np.linspace(0, 1, POINTS)))


def run(place: tuple[str, str, str, int], returns: FloatArray, state: str = "done", **record: Any) -> Run:
    """A run (task, algorithm, arm, seed) with a clock of 100 steps per second of training, a tenth of it acting."""
    steps = np.arange(0.0, returns.size * EVERY, EVERY)
    seconds = steps / 100
    clock = np.stack([seconds * 1.25, seconds * 0.1, seconds * 0.3, seconds * 0.6, seconds * 0.25], axis=1)
    return Run(*place, state, Evaluations(steps, returns, clock), **record)


def simulate(study: Study, ends: Mapping[str, Draw], seed: int, noise: float = 30.0) -> Collection:
    """Every run of the plan: a learning curve to an end that its arm's distribution gives, plus noise."""
    rng = np.random.default_rng(seed)
    runs = []
    for task in study.tasks:
        for algorithm in study.algorithms:
            for arm in study.arms:
                for number, end in enumerate(ends[arm.name](rng, len(arm.seeds))):
                    curve = learning_curve(float(end)) + rng.normal(0, noise, POINTS)
                    runs.append(run((task, algorithm, arm.name, number), np.concatenate([[0.0], curve[1:]])))
    return Collection(study, tuple(runs), ())
