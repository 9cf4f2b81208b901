"""The eleven MuJoCo tasks in batches: one physics call, then each formula once for all environments."""

import inspect
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.mujoco import MujocoEnv
from gymnasium.spaces import Box
from gymnasium.utils import seeding

from envs._arms import Pusher, Reacher
from envs._arrays import Actions, Bools, Floats, Info, Integers, State
from envs._batched import BatchedEnv, Seeds
from envs._errors import TaskError
from envs._formula import Formula
from envs._generators import pack, unpack
from envs._legged import Ant, Humanoid, HumanoidStandup
from envs._pendulums import InvertedDoublePendulum, InvertedPendulum
from envs._runners import HalfCheetah, Hopper, Swimmer, Walker2d
from envs._simulators import BatchSimulator, ShardSimulator, Simulator
from envs._timers import switch_timers

FORMULAS: dict[str, type[Formula]] = {
    "Ant-v5": Ant,
    "HalfCheetah-v5": HalfCheetah,
    "Hopper-v5": Hopper,
    "Humanoid-v5": Humanoid,
    "HumanoidStandup-v5": HumanoidStandup,
    "InvertedDoublePendulum-v5": InvertedDoublePendulum,
    "InvertedPendulum-v5": InvertedPendulum,
    "Pusher-v5": Pusher,
    "Reacher-v5": Reacher,
    "Swimmer-v5": Swimmer,
    "Walker2d-v5": Walker2d,
}

_NO_LIMIT = np.iinfo(np.int64).max


class MujocoBatch(BatchedEnv):
    """`BatchedEnv` for the eleven tasks.

    Args:
        template: Gymnasium's own environment, made with the arguments that the batch shall have.
        num_envs: How many environments.
        threads: How many threads step them, the caller's included.
        seeds: One seed or None for each environment.
    """

    def __init__(self, template: gymnasium.Env[Any, Any], num_envs: int, threads: int, seeds: Seeds) -> None:
        core, spec = template.unwrapped, template.spec
        spaces = (template.observation_space, template.action_space)
        # What `gymnasium.make` returns for one of these ids is all of this; the checker wants to hear it.
        if not isinstance(core, MujocoEnv) or spec is None or not isinstance(spaces[0], Box):
            raise TaskError(f"{spec}: this is none of Gymnasium's MuJoCo environments.")
        if not isinstance(spaces[1], Box):
            raise TaskError(f"{spec.id}: actions are {spaces[1]}; they must be a Box.")
        super().__init__(spec.id, num_envs, template, (spaces[0], spaces[1]))
        switch_timers(False)
        kind, parameters = FORMULAS[spec.id], constructor_arguments(core)
        self._simulator = _simulator(kind, parameters, core, num_envs, threads)
        self._formula = kind(self._simulator, core, parameters)
        self._generators = [seeding.np_random(seed)[0] for seed in seeds]
        limit = spec.max_episode_steps
        self._limit = _NO_LIMIT if limit is None or limit < 0 else limit
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._all.flags.writeable = False

    def _reset(self, mask: Bools, seeds: Seeds) -> dict[str, Any]:
        ids: Integers = np.flatnonzero(mask).astype(np.int32)
        formula, simulator = self._formula, self._simulator
        if ids.size:
            for index in ids.tolist():
                seed = seeds[index]
                if seed is not None:
                    self._generators[index] = seeding.np_random(seed)[0]
                simulator.put(index, *formula.draw(self._generators[index]))
            simulator.forward(ids)
            formula.begin(ids)
            self._elapsed[ids] = 0
            self._observations[ids] = formula.observe()[ids]
        info = formula.first_info()
        idle = ~mask
        for values in info.values():
            values[idle] = 0
        return _masked(info, mask.copy())

    def _step(self, actions: Actions) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        self._simulator.step(actions, None)
        self._elapsed += 1
        self._observations = self._formula.observe()
        reward, terminated, info = self._formula.score(actions)
        return self._observations.copy(), reward, terminated, self._elapsed >= self._limit, _masked(info, self._all)

    def _step_some(self, actions: Actions, active: Bools) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        formula, idle = self._formula, ~active
        remembered = {name: values.copy() for name, values in formula.memory.items()}
        ids: Integers = np.flatnonzero(active).astype(np.int32)
        if ids.size:
            self._simulator.step(actions, ids)
        self._elapsed += active
        self._observations[ids] = formula.observe()[ids]
        reward, terminated, info = formula.score(actions)
        for name, values in remembered.items():
            formula.memory[name][idle] = values[idle]
        for entry in (reward, terminated, *info.values()):
            entry[idle] = 0
        truncated = active & (self._elapsed >= self._limit)
        return self._observations.copy(), reward, terminated, truncated, _masked(info, active.copy())

    def get_state(self) -> State:
        self._refuse_if_closed()
        memory = {f"memory.{name}": values.copy() for name, values in self._formula.memory.items()}
        return {
            "task": np.array(self.task_id),
            "physics": self._simulator.get_state(),
            "generators": np.stack([pack(generator) for generator in self._generators]),
            "elapsed": self._elapsed.copy(),
            "started": self._started.copy(),
            "observations": self._observations.copy(),
            **memory,
        }

    def set_state(self, state: State) -> None:
        current = self.get_state()
        self._check_state(state, current)
        self._simulator.set_state(np.ascontiguousarray(state["physics"]))
        self._generators = [unpack(words) for words in state["generators"]]
        self._elapsed[:] = state["elapsed"]
        self._started[:] = state["started"]
        self._all_started = bool(self._started.all())
        self._observations = np.array(state["observations"])
        for name, values in self._formula.memory.items():
            values[:] = state[f"memory.{name}"]

    def _check_state(self, state: State, current: State) -> None:
        differing = sorted(set(state) ^ set(current))
        if differing:
            what = "unknown" if differing[0] in state else "missing"
            raise TaskError(f"{self.task_id}: entry {differing[0]!r} of the state is {what}.")
        if str(state["task"]) != self.task_id:
            raise TaskError(f"{self.task_id}: the state is one of {str(state['task'])!r}.")
        for name, wanted in current.items():
            given = np.asarray(state[name])
            if name != "task" and (given.shape != wanted.shape or given.dtype != wanted.dtype):
                raise TaskError(
                    f"{self.task_id}: entry {name!r} of the state is {given.dtype} of shape {given.shape}; here it is "
                    f"{wanted.dtype} of shape {wanted.shape}."
                )

    def close_extras(self) -> None:
        """Stop the threads."""
        super().close_extras()
        self._simulator.close()


def constructor_arguments(environment: MujocoEnv) -> dict[str, Any]:
    """Return every argument that an environment's constructor took, defaults included."""
    signature = inspect.signature(type(environment).__init__).parameters
    defaults = {name: each.default for name, each in signature.items() if each.default is not inspect.Parameter.empty}
    return defaults | (environment.spec.kwargs if environment.spec is not None else {})


def _masked(info: Info, mask: Bools) -> dict[str, Any]:
    # Gymnasium's convention for vectors of environments: beside each entry a mask of who has it.
    return {**info, **{f"_{name}": mask for name in info}}


def _simulator(
    kind: type[Formula], parameters: dict[str, Any], template: MujocoEnv, num_envs: int, threads: int
) -> Simulator:
    if kind.contact_forces:
        fields = kind.fields(parameters)
        return ShardSimulator(template.model, num_envs, threads, template.frame_skip, fields)
    return BatchSimulator(template.model, num_envs, threads, template.frame_skip)
