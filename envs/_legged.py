"""Ant, Humanoid and HumanoidStandup, which observe contact forces."""

import math

import numpy as np
from gymnasium.envs.mujoco import MujocoEnv

from envs._arrays import Actions, Bools, Floats, Info, Integers
from envs._formula import Bounds, Formula, Parameters, place, sum_of_squares
from envs._simulators import Simulator


class Ant(Formula):
    """Ant-v5; its velocity is that of the torso's position as the step's last substep computed it."""

    contact_forces = True

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.forward_weight = parameters["forward_reward_weight"]
        self.ctrl_weight = parameters["ctrl_cost_weight"]
        self.contact_weight = parameters["contact_cost_weight"]
        self.force_range = parameters["contact_force_range"]
        self.healthy_reward = parameters["healthy_reward"]
        self.terminates = bool(parameters["terminate_when_unhealthy"])
        self.observed = simulator.joints[:, 2 * bool(parameters["exclude_current_positions_from_observation"]) :]
        self.sees_forces = bool(parameters["include_cfrc_ext_in_observation"])
        self.forces = simulator.field("cfrc_ext").reshape(len(self.observed), -1)
        self.torso = simulator.field("xpos")[:, template.data.body(parameters["main_body"]).id, :2]
        self.memory["xy"] = self.xy_before = np.zeros(self.torso.shape)
        upper = np.full(simulator.joints.shape[1], math.inf)
        lower = -upper
        z_lower, z_upper = parameters["healthy_z_range"]
        # The height's bounds are inclusive in Gymnasium.
        lower[2], upper[2] = math.nextafter(z_lower, -math.inf), math.nextafter(z_upper, math.inf)
        self.healthy = Bounds(lower, upper)

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:  # noqa: ARG004 - always the same here
        return ["xpos", "cfrc_ext"]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.normal(generator)

    def begin(self, ids: Integers) -> None:
        self.xy_before[ids] = self.torso[ids]

    def observe(self) -> Floats:
        if not self.sees_forces:
            return self.observed.copy()
        # The first body is the world.
        return np.concatenate((self.observed, np.clip(self.forces[:, 6:], *self.force_range)), axis=1)

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        xy = self.torso.copy()
        x_velocity, y_velocity = ((xy - self.xy_before) / self.dt).T.copy()
        self.xy_before[:] = xy
        healthy = self.healthy.hold(self.simulator.joints)
        forward, survive = x_velocity * self.forward_weight, healthy * self.healthy_reward
        control = self.ctrl_weight * sum_of_squares(actions)
        contact = self.contact_weight * sum_of_squares(np.clip(self.forces, *self.force_range))
        info = {
            **place(self.simulator),
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_forward": forward,
            "reward_ctrl": -control,
            "reward_contact": -contact,
            "reward_survive": survive,
        }
        reward = (forward + survive) - (control + contact)
        return reward, ~healthy if self.terminates else self.never.copy(), info

    def first_info(self) -> Info:
        return place(self.simulator)


_SEEN = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")


class HumanoidStandup(Formula):
    """HumanoidStandup-v5: height less the costs of control and of impacts."""

    contact_forces = True

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.ctrl_weight = parameters["ctrl_cost_weight"]
        self.timestep = float(template.model.opt.timestep)
        count = len(simulator.joints)
        excluded = 2 * bool(parameters["exclude_current_positions_from_observation"])
        # The first row of a field belongs to the world, the first six actuator forces to the free joint.
        seen = [simulator.field(name).reshape(count, -1) for name in _seen(parameters)]
        skipped = {"cinert": 10}
        self.parts = [simulator.joints[:, excluded:]]
        self.parts += [part[:, skipped.get(name, 6) :] for name, part in zip(_seen(parameters), seen, strict=True)]
        self.forces = simulator.field("cfrc_ext").reshape(count, -1)
        self.tendons = {f"tendon_{name}": simulator.field(f"ten_{name}") for name in ("length", "velocity")}
        self.weigh_contact(parameters)

    def weigh_contact(self, parameters: Parameters) -> None:
        """Take the weight and the range of the contact forces' cost from the arguments."""
        self.contact_weight, self.contact_range = parameters["impact_cost_weight"], parameters["impact_cost_range"]

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:
        return [*{*_seen(parameters), "cfrc_ext", "ten_length", "ten_velocity"}]

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        return self.uniform(generator)

    def observe(self) -> Floats:
        return np.concatenate(self.parts, axis=1)

    def costs(self, actions: Actions) -> tuple[Floats, Floats]:
        """Return the costs of control and of contact; controls are float64 in ``MjData``, whatever the actions were."""
        control = self.ctrl_weight * sum_of_squares(actions.astype(np.float64, copy=False))
        return control, np.clip(self.contact_weight * sum_of_squares(self.forces), *self.contact_range)

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        height = self.simulator.qpos[:, 2] / self.timestep
        control, impact = self.costs(actions)
        info = {
            **self.first_info(),
            "reward_linup": height,
            "reward_quadctrl": -control,
            "reward_impact": -impact,
        }
        return height - control - impact + 1, self.never.copy(), info

    def first_info(self) -> Info:
        qpos = self.simulator.qpos
        x, y = qpos[:, 0].copy(), qpos[:, 1].copy()
        rise = qpos[:, 2] - self.init_qpos[2]
        return {"x_position": x, "y_position": y, "z_distance_from_origin": rise, **self.tendon_info()}

    def tendon_info(self) -> Info:
        """Return lengths and velocities of the tendons, each ``(num_envs, tendons)``."""
        return {name: values.copy() for name, values in self.tendons.items()}


class Humanoid(HumanoidStandup):
    """Humanoid-v5; its velocity is that of the centre of mass as the step's last substep computed it."""

    def __init__(self, simulator: Simulator, template: MujocoEnv, parameters: Parameters) -> None:
        super().__init__(simulator, template, parameters)
        self.forward_weight = parameters["forward_reward_weight"]
        self.healthy_reward = parameters["healthy_reward"]
        self.terminates = bool(parameters["terminate_when_unhealthy"])
        self.masses, self.mass = template.model.body_mass.copy(), template.model.body_mass.sum()
        self.centres = simulator.field("xipos")
        self.memory["xy"] = self.xy_before = np.zeros((len(self.centres), 2))
        lower, upper = parameters["healthy_z_range"]
        self.healthy = Bounds(np.array([lower], np.float64), np.array([upper], np.float64))

    def weigh_contact(self, parameters: Parameters) -> None:
        self.contact_weight, self.contact_range = parameters["contact_cost_weight"], parameters["contact_cost_range"]

    @staticmethod
    def fields(parameters: Parameters) -> list[str]:
        return ["xipos", *HumanoidStandup.fields(parameters)]

    def begin(self, ids: Integers) -> None:
        self.xy_before[ids] = self.centre()[ids]

    def centre(self) -> Floats:
        """Return the horizontal position of the centre of mass, ``(num_envs, 2)``."""
        # Gymnasium sums with this function too, body after body.
        centre: Floats = np.einsum("b,nbj->nj", self.masses, self.centres) / self.mass
        return centre[:, :2]

    def score(self, actions: Actions) -> tuple[Floats, Bools, Info]:
        xy = self.centre()
        x_velocity, y_velocity = ((xy - self.xy_before) / self.dt).T.copy()
        self.xy_before[:] = xy
        healthy = self.healthy.hold(self.simulator.qpos[:, 2:3])
        forward, survive = self.forward_weight * x_velocity, healthy * self.healthy_reward
        control, contact = self.costs(actions)
        info = {
            **self.first_info(),
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_survive": survive,
            "reward_forward": forward,
            "reward_ctrl": -control,
            "reward_contact": -contact,
        }
        reward = (forward + survive) - (control + contact)
        return reward, ~healthy if self.terminates else self.never.copy(), info

    def first_info(self) -> Info:
        return {**place(self.simulator), **self.tendon_info()}


def _seen(parameters: Parameters) -> list[str]:
    # Gymnasium's Humanoid, too, asks for True itself.
    return [name for name in _SEEN if parameters[f"include_{name}_in_observation"] is True]
