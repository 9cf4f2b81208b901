"""How the device that learns is driven: call by call, or by replaying captured CUDA graphs.

Both draw the same numbers by the same keys and do the same operations in the same order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.activation_noise import ActivationDraws
from agents.draws import Draws
from agents.learner import Losses, Setting
from agents.philox import Stream, normals, words
from agents.replay import Replay
from agents.sac import SAC
from agents.td3 import TD3

# Calls before a capture, in which the compiler compiles and libraries make their plans.
_WARM_UP_CALLS = 3


Learner: TypeAlias = TD3 | SAC


def build_learner(algorithm: str, setting: Setting) -> Learner:
    """Return the learner of ``"td3"``, ``"sac"`` or ``"ddpg"``."""
    if algorithm == "sac":
        return SAC(setting)
    return TD3(setting, critics=1 if algorithm == "ddpg" else 2)


@dataclass(frozen=True)
class Transitions:
    """One environment step of each run, as it comes from the simulators.

    Attributes:
        actions: In [-1, 1], shape ``(P, action size)``.
        rewards: Shape ``(P,)``.
        terminated: Bools, shape ``(P,)``.
        reached: The observations after the step, shape ``(P, observation size)``.
        following: Those from which the runs go on: of a new episode where one has ended.
        ended: Indices of the runs whose episode has ended.
    """

    actions: Tensor
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    reached: NDArray[np.float64]
    following: NDArray[np.float64]
    ended: Sequence[int]


@dataclass(frozen=True)
class Sizes:
    """Numbers in an observation and in an action, and rows in a batch."""

    observation: int
    action: int
    batch: int


class Eager:
    """Each operation is called as it comes; losses are looked at after each update.

    Args:
        learner: To drive.
        replay: To draw batches from.
        seeds: Of the P runs.
        sizes: Of the task and the batch.
        device: That learns.
        dtype: Of networks and replay memory.

    Attributes:
        losses: Of the last update that had them, by name, each of shape ``(P,)``.
    """

    def __init__(
        self,
        learner: Learner,
        replay: Replay,
        seeds: Sequence[int],
        sizes: Sizes,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.learner, self.replay = learner, replay
        self.losses: Losses = {}
        self._shape = (len(seeds), sizes.batch, sizes.action)
        self._device, self._dtype = device, dtype
        self._exploration = Draws(seeds, [Stream.EXPLORATION], sizes.action, "normal", device, dtype)
        self._sampling = Draws(seeds, [Stream.SAMPLE], sizes.batch, "bits", device, dtype)
        self._noise = Draws(seeds, learner.noise_streams, sizes.batch * sizes.action, "normal", device, dtype)
        self._activations = ActivationDraws(learner.actor, learner.critic, seeds, sizes.batch, device, dtype)
        self._actions: Tensor | None = None

    def begin_acting(self, observations: NDArray[np.float64], step: int) -> None:
        """Let the policies of this moment act.

        Args:
            observations: Shape ``(P, observation size)``.
            step: Environment steps so far, by which noise is keyed.
        """
        with torch.no_grad():
            seen = self._moved(observations).unsqueeze(1)
            self._actions = self.learner.explore(seen, self._exploration.at(step)[0].unsqueeze(1))[:, 0]

    def actions(self) -> Tensor:
        """Return the actions that were begun last, in [-1, 1], shape ``(P, action size)``, on the CPU."""
        if self._actions is None:
            raise RuntimeError("no actions were begun")
        return self._actions.cpu()

    def store(self, step: Transitions) -> None:
        """Put one step of each run into the replay memories."""
        reached = self._moved(step.reached) if step.ended else None
        self.replay.add(
            step.actions.to(device=self._device, dtype=self._dtype),
            self._moved(step.rewards),
            torch.from_numpy(step.terminated).to(self._device),
            self._moved(step.following),
            {} if reached is None else {run: reached[run] for run in step.ended},
        )

    def _moved(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(device=self._device, dtype=self._dtype)

    def update(self, number: int) -> None:
        """Make one update of every run; numbers count from 1."""
        batch = self.replay.sample(self._sampling.at(number)[0])
        noise = tuple(numbers.view(self._shape) for numbers in self._noise.at(number))
        drawn = self._activations.at(number, actor=self.learner.moves_policy(number))
        self.losses.update(self.learner.update(batch, noise, drawn, delayed=self.learner.delayed_is_due(number)))

    def broken(self) -> dict[str, Tensor]:
        """Return the losses that were not finite since the last call, by name, as bools ``(P,)`` on the CPU."""
        found = {name: ~torch.isfinite(loss) for name, loss in self.losses.items()}
        return {name: mask.cpu() for name, mask in found.items() if bool(mask.any())}


class Captured(Eager):
    """Acting and both kinds of update are CUDA graphs: one launch each, nothing waited for but the actions.

    Losses that are not finite are marked on the device, and the marks travel with the next actions.

    Args:
        learner: To drive; its losses may be compiled.
        replay: To draw batches from.
        seeds: Of the P runs.
        sizes: Of the task and the batch.
        device: A CUDA device.
        dtype: Of networks and replay memory.
    """

    def __init__(
        self,
        learner: Learner,
        replay: Replay,
        seeds: Sequence[int],
        sizes: Sizes,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(learner, replay, seeds, sizes, device, dtype)
        runs = len(seeds)
        self._seeds = torch.tensor(list(seeds), dtype=torch.int64, device=device)
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._number = torch.zeros(1, dtype=torch.int64, device=device)
        self._stored = torch.zeros((), dtype=torch.int64, device=device)
        # Page-locked, so that copies need not be waited for; a graph replays the addresses that it was captured with.
        self._seen = torch.zeros(runs, sizes.observation, dtype=dtype).pin_memory()
        self._acted = torch.zeros(runs, sizes.action, dtype=dtype).pin_memory()
        width = sizes.action + 2 + 2 * sizes.observation
        self._staged = torch.zeros(runs, width, dtype=dtype).pin_memory()
        self._marks: dict[str, Tensor] = {}
        self._marks_seen: dict[str, Tensor] = {}
        self._graphs: dict[str, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._acting = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._storing = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._rows = replay.address()

    def begin_acting(self, observations: NDArray[np.float64], step: int) -> None:
        """Begin to act; see `Eager`. Returns before the device has done anything."""
        self._seen.copy_(torch.from_numpy(observations))
        self._step.fill_(step)
        self._replay_graph("act", self._act)
        self._acting.record()

    def actions(self) -> Tensor:
        """Wait for the actions; see `Eager`."""
        self._acting.synchronize()
        return self._acted.clone()

    def store(self, step: Transitions) -> None:
        """Begin to store one step; see `Eager`. One copy to the device, which is not waited for."""
        # The copy before this one must have left the page-locked memory.
        self._storing.synchronize()
        columns = (
            step.actions,
            torch.from_numpy(step.rewards).unsqueeze(1),
            torch.from_numpy(step.terminated).unsqueeze(1),
            torch.from_numpy(step.following),
            torch.from_numpy(step.reached),
        )
        torch.cat([column.to(self._dtype) for column in columns], dim=1, out=self._staged)
        widths = [column.shape[1] for column in columns]
        moved = self._staged.to(self._device, non_blocking=True)
        self._storing.record()
        actions, rewards, terminated, following, reached = moved.split_with_sizes(widths, dim=1)
        ended = {run: reached[run] for run in step.ended}
        self.replay.add(actions, rewards[:, 0], terminated[:, 0], following, ended)

    def update(self, number: int) -> None:
        """Begin one update; see `Eager`. Returns before it is done."""
        if self.replay.address() != self._rows:
            # The memory has moved because it had to grow; what was captured knows the old place.
            self._graphs.clear()
            self._rows = self.replay.address()
        self._number.fill_(number)
        self._stored.fill_(self.replay.steps)
        # The same actor's turns for all updates of a kind.
        delayed, actor = self.learner.delayed_is_due(number), self.learner.moves_policy(number)
        self._replay_graph(f"update {delayed}", lambda: self._update(delayed=delayed, actor=actor))

    def broken(self) -> dict[str, Tensor]:
        """Return the marks that came with the last actions; see `Eager`."""
        return {name: mask.clone() for name, mask in self._marks_seen.items() if bool(mask.any())}

    def _act(self) -> None:
        with torch.no_grad():
            seen = self._seen.to(self._device, non_blocking=True).unsqueeze(1)
            count = self._acted.shape[1]
            noise = normals(self._seeds, Stream.EXPLORATION, self._step, count, self._dtype)[0]
            self._acted.copy_(self.learner.explore(seen, noise.unsqueeze(1))[:, 0], non_blocking=True)
            for name, marks in self._marks.items():
                self._marks_seen[name].copy_(marks, non_blocking=True)

    def _update(self, *, delayed: bool, actor: bool) -> None:
        _, rows, actions = self._shape
        bits = words(self._seeds, Stream.SAMPLE, self._number, rows)[0]
        noise = tuple(
            normals(self._seeds, stream, self._number, rows * actions, self._dtype)[0].view(self._shape)
            for stream in self.learner.noise_streams
        )
        drawn = self._activations.at(self._number, actor=actor)
        losses = self.learner.update(self.replay.sample(bits, self._stored), noise, drawn, delayed=delayed)
        for name, loss in losses.items():
            self.losses.setdefault(name, torch.zeros_like(loss)).copy_(loss)
            if name not in self._marks:
                self._marks[name] = torch.zeros_like(loss, dtype=torch.bool)
                self._marks_seen[name] = torch.zeros(loss.shape, dtype=torch.bool).pin_memory()
                # Acting must carry the new marks along.
                self._graphs.pop("act", None)
            self._marks[name].logical_or_(~torch.isfinite(loss))

    def _replay_graph(self, name: str, work: Callable[[], None]) -> None:
        if name not in self._graphs:
            self._graphs[name] = self._capture(work)
        self._graphs[name].replay()

    def _capture(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        before = {key: tensor.clone() for key, tensor in self.learner.state().items()}
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_CALLS):
                work()
        torch.cuda.current_stream().wait_stream(side)
        # The calls so far were real updates, which nobody has asked for.
        state = self.learner.state()
        for key, tensor in before.items():
            state[key].copy_(tensor)
        for marks in self._marks.values():
            marks.zero_()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            work()
        return graph
