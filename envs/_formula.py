"""What one task adds to the physics: first states, observations, rewards, terminations; all environments at once.

Everything equals Gymnasium's own code to the bit. What decides the bits: the same operations in the same order and in
the same precision (the control cost of float32 actions is float32), sums along contiguous rows (NumPy sums pairwise),
and dot products through BLAS, as `np.linalg.norm` does.
"""

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs._arrays import Actions, Bools, Floats, Info, Integers
from envs._simulators import Simulator

Parameters = Mapping[str, Any]


class Formula(abc.ABC):
    """One task's formulas over the live arrays of a simulator.

    Args:
        simulator: Where the physics happens.
        template: One of Gymnasium's own environments, made with the same arguments; never stepped.
        parameters: Every argument of that environment's constructor, defaults included.

    Attributes:
        memory: Arrays ``(num_envs, ...)`` that a step reads from before the step, by name.
    """

    contact_forces = False

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        self.simulator = simulator
        self.init_qpos, self.init_qvel = template.init_qpos.copy(), template.init_qvel.copy()
        # Arrays without axes cost NumPy less than Python's numbers do.
        self.dt = np.array(template.dt)
        self.scale = parameters.get("reset_noise_scale", 0.0)
        self.memory: dict[str, Floats] = {}
        self.never = np.zeros(len(simulator.joints), dtype=np.bool_)

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:  # noqa: ARG004 - some tasks' fields depend on the arguments
        """Return the fields of ``MjData`` that the formulas read, but for positions, velocities and controls."""
        return []

    @abc.abstractmethod
    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw the positions and velocities of one environment's first state."""

    @abc.abstractmethod
    def observe(self) -> Floats:
        """Return every environment's observation, a new array ``(num_envs, size)``."""

    @abc.abstractmethod
    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        """Return reward, termination and information of the step just made, new arrays; bring `memory` up to date."""

    def begin(self, ids: Integers) -> None:  # noqa: B027 - most tasks remember nothing
        """Bring `memory` up to date for environments that were just reset."""

    def first_info(self) -> Info:
        """Return the information of a reset, new arrays ``(num_envs, ...)``."""
        return {}

    def uniform(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw uniform noise around the initial positions and velocities."""
        qpos = self.init_qpos + generator.uniform(-self.scale, self.scale, self.init_qpos.size)
        return qpos, self.init_qvel + generator.uniform(-self.scale, self.scale, self.init_qvel.size)

    def normal(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw uniform noise around the initial positions, normal noise around the velocities."""
        qpos = self.init_qpos + generator.uniform(-self.scale, self.scale, self.init_qpos.size)
        return qpos, self.init_qvel + self.scale * generator.standard_normal(self.init_qvel.size)


class Bounds:
    """Whether every number of a row lies strictly between its bounds; NaN never does.

    Args:
        lower: Lower bounds, one for each column.
        upper: Upper bounds likewise.
    """

    def __init__(self, lower: Floats, upper: Floats) -> None:
        self._lower, self._upper = lower, upper

    def hold(self, rows: Floats) -> Bools:
        """Return a bool for each row of ``(num_envs, columns)``."""
        inside: Bools = np.logical_and.reduce((self._lower < rows) & (rows < self._upper), axis=1)
        return inside


def lengths(vectors: Floats) -> Floats:
    """Return the Euclidean length of each row of a contiguous array, by BLAS's dot product as `np.linalg.norm` does."""
    result: Floats = np.sqrt(np.vecdot(vectors, vectors))
    return result


def place(simulator: Simulator) -> Info:
    """Return where each environment's body is on the plane and how far that is from the origin."""
    xy = simulator.qpos[:, :2].copy()
    x, y = xy.T.copy()
    return {"x_position": x, "y_position": y, "distance_from_origin": lengths(xy)}


def sum_of_squares(rows: Any) -> Any:
    """Return each row's sum of squares in the rows' own precision."""
    # Rows must lie in one piece, whatever the caller's array looks like, or the sum takes another order.
    return np.add.reduce(np.square(rows, order="C"), axis=1)
