"""HalfCheetah, Hopper, Walker2d and Swimmer: forward velocity less the cost of control, and staying upright for two."""

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs._arrays import Actions, Bools, Floats, Info, Integers
from envs._formula import Bounds, Formula, Parameters, place, sum_of_squares
from envs._simulators import Simulator


class HalfCheetah(Formula):
    """HalfCheetah-v5."""

    skipped = 1

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.forward_weight = parameters["forward_reward_weight"]
        self.ctrl_weight = parameters["ctrl_cost_weight"]
        self.nq = self.init_qpos.size
        self.skipped = self.skipped * bool(parameters["exclude_current_positions_from_observation"])
        self.observed = simulator.joints[:, self.skipped :]
        self.x = simulator.qpos[:, 0]
        self.memory["x"] = self.x_before = np.zeros(len(self.x))

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.normal(generator)

    def observe(self) -> Floats:
        return self.observed.copy()

    def begin(self, ids: Integers) -> None:
        self.x_before[ids] = self.x[ids]

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        x, velocity, forward, cost = self.progress(actions)
        info = {"x_position": x, "x_velocity": velocity, "reward_forward": forward, "reward_ctrl": -cost}
        return forward - cost, self.never.copy(), info

    def progress(self, actions: Actions) -> tuple[Floats, Floats, Floats, Floats]:
        """Return position, velocity, the reward for it and the cost of control, each ``(num_envs,)``."""
        x = self.x.copy()
        velocity = x - self.x_before
        velocity /= self.dt
        self.x_before[:] = x
        return x, velocity, self.forward_weight * velocity, self.ctrl_weight * sum_of_squares(actions)

    def first_info(self) -> Info:
        return {"x_position": self.x.copy()}


class Walker2d(HalfCheetah):
    """Walker2d-v5."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.healthy_reward = parameters["healthy_reward"]
        self.terminates = bool(parameters["terminate_when_unhealthy"])
        self.z = simulator.qpos[:, 1]
        self.z_start = self.init_qpos[1]
        lower, upper = self.limits(parameters)
        self.judged = simulator.joints[:, 1 : 1 + lower.size]
        self.healthy = Bounds(lower, upper)
        # Gymnasium clips velocities in observations to 10.
        self.largest = np.full(self.observed.shape, np.inf)
        self.largest[:, self.nq - self.skipped :] = 10.0
        self.least = -self.largest

    def limits(self, parameters: Parameters) -> tuple[Floats, Floats]:
        """Return the bounds of a healthy height and angle."""
        lower, upper = zip(parameters["healthy_z_range"], parameters["healthy_angle_range"], strict=True)
        return np.array(lower, np.float64), np.array(upper, np.float64)

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.uniform(generator)

    def observe(self) -> Floats:
        observations: Floats = np.maximum(self.observed, self.least)
        np.minimum(observations, self.largest, out=observations)
        return observations

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        x, velocity, forward, cost = self.progress(actions)
        healthy = self.healthy.hold(self.judged)
        survive = healthy * self.healthy_reward
        reward = forward + survive
        reward -= cost
        info = {
            "x_position": x,
            "z_distance_from_origin": self.z - self.z_start,
            "x_velocity": velocity,
            "reward_forward": forward,
            "reward_ctrl": -cost,
            "reward_survive": survive,
        }
        return reward, ~healthy if self.terminates else self.never.copy(), info

    def first_info(self) -> Info:
        return {"x_position": self.x.copy(), "z_distance_from_origin": self.z - self.z_start}


class Hopper(Walker2d):
    """Hopper-v5; every number of the state but the first two has bounds too."""

    def limits(self, parameters: Parameters) -> tuple[Floats, Floats]:
        lower, upper = np.empty((2, self.init_qpos.size + self.init_qvel.size - 1))
        lower[:], upper[:] = parameters["healthy_state_range"]
        (z_lower, z_upper), (angle_lower, angle_upper) = (
            parameters["healthy_z_range"],
            parameters["healthy_angle_range"],
        )
        lower[0], upper[0] = z_lower, z_upper
        lower[1], upper[1] = max(lower[1], angle_lower), min(upper[1], angle_upper)
        return lower, upper


class Swimmer(HalfCheetah):
    """Swimmer-v5."""

    skipped = 2

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.xy = simulator.qpos[:, :2]
        self.memory = {"xy": np.zeros(self.xy.shape)}
        self.xy_before = self.memory["xy"]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.uniform(generator)

    def begin(self, ids: Integers) -> None:
        self.xy_before[ids] = self.xy[ids]

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        xy = self.xy.copy()
        x_velocity, y_velocity = ((xy - self.xy_before) / self.dt).T.copy()
        self.xy_before[:] = xy
        forward, cost = self.forward_weight * x_velocity, self.ctrl_weight * sum_of_squares(actions)
        info = {
            **place(self.simulator),
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_forward": forward,
            "reward_ctrl": -cost,
        }
        return forward - cost, self.never.copy(), info

    def first_info(self) -> Info:
        return place(self.simulator)
