"""Reacher and Pusher: an arm's distances to what it shall reach, less the cost of control."""

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs._arrays import Actions, Bools, Floats, Info
from envs._formula import Formula, Parameters, lengths, sum_of_squares
from envs._simulators import Simulator


class Reacher(Formula):
    """Reacher-v5."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.distance_weight = parameters["reward_dist_weight"]
        self.control_weight = parameters["reward_control_weight"]
        places = simulator.field("xpos")
        self.fingertip = places[:, template.data.body("fingertip").id]
        self.target = places[:, template.data.body("target").id]

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:  # noqa: ARG004 - always the same here
        return ["xpos"]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        qpos = generator.uniform(-0.1, 0.1, self.init_qpos.size) + self.init_qpos
        while True:
            goal = generator.uniform(-0.2, 0.2, 2)
            if np.linalg.norm(goal) < 0.2:
                break
        qpos[-2:] = goal
        qvel = self.init_qvel + generator.uniform(-0.005, 0.005, self.init_qvel.size)
        qvel[-2:] = 0
        return qpos, qvel

    def observe(self) -> Floats:
        qpos, qvel = self.simulator.qpos, self.simulator.qvel
        angles = qpos[:, :2].copy()
        gap = self.fingertip - self.target
        return np.concatenate((np.cos(angles), np.sin(angles), qpos[:, 2:], qvel[:, :2], gap[:, :2]), axis=1)

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        distance = -lengths(self.fingertip - self.target) * self.distance_weight
        control = -sum_of_squares(actions) * self.control_weight
        return distance + control, self.never.copy(), {"reward_dist": distance, "reward_ctrl": control}


class Pusher(Formula):
    """Pusher-v5."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.near_weight = parameters["reward_near_weight"]
        self.distance_weight = parameters["reward_dist_weight"]
        self.control_weight = parameters["reward_control_weight"]
        places = simulator.field("xpos")
        self.tip, self.thing, self.goal = (
            places[:, template.data.body(name).id] for name in ("tips_arm", "object", "goal")
        )

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:  # noqa: ARG004 - always the same here
        return ["xpos"]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        qpos = self.init_qpos.copy()
        while True:
            cylinder = np.concatenate([generator.uniform(-0.3, 0, 1), generator.uniform(-0.2, 0.2, 1)])
            if np.linalg.norm(cylinder) > 0.17:
                break
        qpos[-4:-2] = cylinder
        qpos[-2:] = 0
        qvel = self.init_qvel + generator.uniform(-0.005, 0.005, self.init_qvel.size)
        qvel[-4:] = 0
        return qpos, qvel

    def observe(self) -> Floats:
        qpos, qvel = self.simulator.qpos, self.simulator.qvel
        return np.concatenate((qpos[:, :7], qvel[:, :7], self.tip, self.thing, self.goal), axis=1)

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        near = -lengths(self.thing - self.tip) * self.near_weight
        distance = -lengths(self.thing - self.goal) * self.distance_weight
        control = -sum_of_squares(actions) * self.control_weight
        info = {"reward_dist": distance, "reward_ctrl": control, "reward_near": near}
        return distance + control + near, self.never.copy(), info
