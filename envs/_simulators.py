"""Physics of many environments of one model, on several threads; two ways of doing it with the same bits."""

import abc
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import mujoco  # type: ignore[import-untyped]
import numpy as np
from mujoco.batch import Batch  # type: ignore[import-untyped]
from numpy.typing import NDArray

from envs._arrays import Actions, Floats, Integers
from envs._cores import Separation, with_threads

_INTEGRATION = mujoco.mjtState.mjSTATE_INTEGRATION


class Simulator(abc.ABC):
    """`num_envs` simulations of one model.

    Attributes:
        joints: Positions, then velocities, of each simulation, ``(num_envs, nq + nv)``; live.
        qpos: The positions in `joints`.
        qvel: The velocities in `joints`.
    """

    joints: Floats
    qpos: Floats
    qvel: Floats

    @abc.abstractmethod
    def field(self, name: str) -> Floats:
        """Return a live array ``(num_envs, ...)`` of a field of ``MjData``, as the last call left it."""

    @abc.abstractmethod
    def step(self, actions: Actions, ids: Integers | None) -> None:
        """Apply actions ``(num_envs, nu)`` for one environment step; `ids` names the simulations, None all of them."""

    @abc.abstractmethod
    def put(self, index: int, qpos: Floats, qvel: Floats) -> None:
        """Put one simulation into the model's initial state but for positions and velocities."""

    @abc.abstractmethod
    def forward(self, ids: Integers) -> None:
        """Run the forward pass of simulations that were put somewhere; their fields are current after it."""

    @abc.abstractmethod
    def get_state(self) -> Floats:
        """Return everything that the next step depends on, ``(num_envs, size of the integration state)``."""

    @abc.abstractmethod
    def set_state(self, state: Floats) -> None:
        """Take over what `get_state` returned; fields other than `joints` are meaningless until the next call."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Stop the threads, where there are any."""


class BatchSimulator(Simulator):
    """MuJoCo's own batch, whose thread pool is C++.

    It serves every task that needs no `mj_rnePostConstraint`, which the batch does not run.
    """

    def __init__(self, model: mujoco.MjModel, num_envs: int, threads: int, frame_skip: int) -> None:
        self._batch, helpers = with_threads(lambda: Batch(model, num_envs, threads))
        self._separation = Separation(helpers)
        self._frame_skip = frame_skip
        self._ctrl = self._batch.bind("ctrl")
        self.qpos, self.qvel = self._batch.bind("qpos"), self._batch.bind("qvel")
        self._state = self._batch.state
        self._initial = self._state[0].copy()
        # Rows are in the order of `mj_getState`: time, positions, velocities and the rest.
        self.joints = self._state[:, 1 : 1 + model.nq + model.nv]

    def field(self, name: str) -> Floats:
        values: Floats = self._batch.bind(name)
        return values

    def step(self, actions: Actions, ids: Integers | None) -> None:
        if ids is None:
            self._ctrl[:] = actions
        else:
            self._ctrl[ids] = actions[ids]
        self._batch.step(ids, self._frame_skip)
        self._separation.keep()

    def put(self, index: int, qpos: Floats, qvel: Floats) -> None:
        # The initial row written by hand spares a call of the pool.
        self._state[index] = self._initial
        self.qpos[index] = qpos
        self.qvel[index] = qvel

    def forward(self, ids: Integers) -> None:
        self._batch.forward(ids)

    def get_state(self) -> Floats:
        state: Floats = self._state.copy()
        return state

    def set_state(self, state: Floats) -> None:
        self._state[:] = state


class ShardSimulator(Simulator):
    """One ``MjData`` for each environment, stepped by Python threads: calls into MuJoCo release the interpreter lock.

    `fields` are copied after every call, because the arrays of separate ``MjData`` are no batch.
    """

    def __init__(
        self, model: mujoco.MjModel, num_envs: int, threads: int, frame_skip: int, fields: Sequence[str]
    ) -> None:
        self._model = model
        self._data = [mujoco.MjData(model) for _ in range(num_envs)]
        self.joints = np.zeros((num_envs, model.nq + model.nv))
        self.qpos, self.qvel = self.joints[:, : model.nq], self.joints[:, model.nq :]
        self._fields: dict[str, Floats] = {
            name: np.zeros((num_envs, *getattr(self._data[0], name).shape)) for name in fields
        }
        targets = {"qpos": self.qpos, "qvel": self.qvel, **self._fields}
        copies = [
            [(target[row], getattr(data, name)) for name, target in targets.items()]
            for row, data in enumerate(self._data)
        ]
        self._shift = _Shift(model, self._data, copies, frame_skip)
        self._helpers = [_Helper(self._shift) for _ in range(threads - 1)]
        self._separation = Separation([helper.thread.native_id or 0 for helper in self._helpers])
        self._stop = weakref.finalize(self, _stop, self._helpers)

    def field(self, name: str) -> Floats:
        return self._fields[name]

    def step(self, actions: Actions, ids: Integers | None) -> None:
        shift = self._shift
        # An interrupt while waiting may have left a helper at work.
        self._wait()
        shift.actions = actions
        shift.queue.extend(range(len(self._data)) if ids is None else ids.tolist())
        for helper in self._helpers:
            helper.start()
        shift.work()
        self._wait()
        self._separation.keep()
        if shift.errors:
            error = shift.errors[0]
            shift.errors.clear()
            raise error

    def _wait(self) -> None:
        for helper in self._helpers:
            helper.wait()

    def put(self, index: int, qpos: Floats, qvel: Floats) -> None:
        data = self._data[index]
        mujoco.mj_resetData(self._model, data)
        data.qpos[:] = qpos
        data.qvel[:] = qvel

    def forward(self, ids: Integers) -> None:
        for index in ids.tolist():
            mujoco.mj_forward(self._model, self._data[index])
            self._shift.copy(index)

    def get_state(self) -> Floats:
        state = np.empty((len(self._data), mujoco.mj_stateSize(self._model, _INTEGRATION)))
        for row, data in zip(state, self._data, strict=True):
            mujoco.mj_getState(self._model, data, row, _INTEGRATION)
        return state

    def set_state(self, state: Floats) -> None:
        for index, (row, data) in enumerate(zip(state, self._data, strict=True)):
            mujoco.mj_setState(self._model, data, row, _INTEGRATION)
            self._shift.copy(index)

    def close(self) -> None:
        self._stop()


class _Shift:
    """One environment step of every simulation in the queue; whoever is free takes the next."""

    def __init__(
        self,
        model: mujoco.MjModel,
        data: Sequence[mujoco.MjData],
        copies: Sequence[Sequence[tuple[NDArray[Any], NDArray[Any]]]],
        frame_skip: int,
    ) -> None:
        self._model, self._data, self._copies, self._frame_skip = model, data, copies, frame_skip
        self._ctrl = [each.ctrl for each in data]
        self.queue: deque[int] = deque()
        self.actions: Actions = np.zeros((0, 0))
        self.errors: list[BaseException] = []

    def work(self) -> None:
        model, frame_skip, actions = self._model, self._frame_skip, self.actions
        try:
            while (index := self._next()) is not None:
                data = self._data[index]
                self._ctrl[index][:] = actions[index]
                mujoco.mj_step(model, data, frame_skip)
                # Contact forces, as Gymnasium's own step computes them.
                mujoco.mj_rnePostConstraint(model, data)
                self.copy(index)
        except BaseException as error:  # noqa: BLE001 - the thread that called `step` raises it, interrupts too
            self.queue.clear()
            self.errors.append(error)

    def _next(self) -> int | None:
        try:
            return self.queue.popleft()
        except IndexError:
            return None

    def copy(self, index: int) -> None:
        for target, source in self._copies[index]:
            target[...] = source


class _Helper:
    """A thread that works once after each `start`.

    Plain locks hand over several times faster than the standard library's executors and conditions.
    """

    def __init__(self, shift: _Shift) -> None:
        self._go, self._done = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._done.acquire()
        self._stopped = False
        self._started = False
        self._shift = shift
        self.thread = threading.Thread(target=self._serve, name="envs-shard", daemon=True)
        self.thread.start()

    def start(self) -> None:
        self._started = True
        self._go.release()

    def wait(self) -> None:
        if self._started:
            self._done.acquire()
            self._started = False

    def stop(self) -> None:
        self.wait()
        self._stopped = True
        self._go.release()
        self.thread.join()

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            if self._stopped:
                return
            self._shift.work()
            self._done.release()


def _stop(helpers: Sequence[_Helper]) -> None:
    for helper in helpers:
        helper.stop()
