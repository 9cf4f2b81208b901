"""InvertedPendulum and InvertedDoublePendulum."""

import math

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs._arrays import Actions, Bools, Floats, Info
from envs._formula import Bounds, Formula, Parameters
from envs._simulators import Simulator


class InvertedPendulum(Formula):
    """InvertedPendulum-v5: one point for each step upright."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        upper = np.full(simulator.joints.shape[1], math.inf)
        # The angle's bound is inclusive in Gymnasium.
        upper[1] = math.nextafter(0.2, math.inf)
        self.upright = Bounds(-upper, upper)

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.uniform(generator)

    def observe(self) -> Floats:
        return self.simulator.joints.copy()

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:  # noqa: ARG002 - control is free here
        upright = self.upright.hold(self.simulator.joints)
        return upright.astype(np.float64), ~upright, {"reward_survive": upright.astype(np.int64)}


class InvertedDoublePendulum(Formula):
    """InvertedDoublePendulum-v5: points for staying up less penalties for distance and velocity."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.healthy_reward = parameters["healthy_reward"]
        self.tip = simulator.field("site_xpos")[:, 0]
        self.constraint = simulator.field("qfrc_constraint")[:, :1]

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:  # noqa: ARG004 - always the same here
        return ["site_xpos", "qfrc_constraint"]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.normal(generator)

    def observe(self) -> Floats:
        qpos, qvel = self.simulator.qpos, self.simulator.qvel
        angles = qpos[:, 1:].copy()
        parts = (qpos[:, :1], np.sin(angles), np.cos(angles), np.clip(qvel, -10, 10), np.clip(self.constraint, -10, 10))
        return np.concatenate(parts, axis=1)

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:  # noqa: ARG002 - control is free here
        x, _, y = self.tip.T
        terminated = y <= 1
        distance = 0.01 * _scalar_square(x) + _scalar_square(y - 2)
        v1, v2 = self.simulator.qvel[:, 1], self.simulator.qvel[:, 2]
        velocity = 1e-3 * _scalar_square(v1) + 5e-3 * _scalar_square(v2)
        survive = self.healthy_reward * (~terminated).astype(np.int64)
        info = {"reward_survive": survive, "distance_penalty": -distance, "velocity_penalty": -velocity}
        return survive - distance - velocity, terminated, info


def _scalar_square(numbers: Floats) -> Floats:
    # Gymnasium squares scalars with `**`, which is the C library's `pow`; arrays are squared by other code.
    return np.array([number**2 for number in numbers.tolist()])
