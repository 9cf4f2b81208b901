"""Replay memories of a population, on the device that learns, with each observation stored once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.learner import Batch
from agents.philox import below

# Observations that end an episode for which there is room at first; more room is made when it is needed.
_FIRST_ENDS = 256


class Replay:
    """A ring of the last transitions of each of P runs.

    Row j of a run holds observation, action, reward and termination of its step j; the next observation stands in the
    row of step j + 1, unless the episode ended with step j: then it stands in a memory for ends, apart from the ring.
    Memory is touched, and on a CPU taken from the system, only as it fills.

    Args:
        runs: P.
        capacity: Transitions per run.
        observation_size: Numbers in an observation.
        action_size: Numbers in an action.
        device: Of all tensors.
        dtype: Of observations, actions and rewards.

    Attributes:
        capacity: As given.
        steps: Transitions stored so far, of each run.
    """

    def __init__(
        self,
        runs: int,
        capacity: int,
        observation_size: int,
        action_size: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.capacity = capacity
        self._runs, self._observations, self._actions = runs, observation_size, action_size
        # One row more than transitions: the newest observation has no action yet.
        self._ring = capacity + 1
        width = observation_size + action_size + 2
        self._rows = torch.empty(runs, self._ring, width, device=device, dtype=dtype)
        # Where the observation after each row's step stands among the ends, or -1 for the next row.
        self._end_of = torch.empty(runs, self._ring, device=device, dtype=torch.int32)
        self._ends = torch.zeros(runs, min(_FIRST_ENDS, self._ring), observation_size, device=device, dtype=dtype)
        # Of the step that ended in each place for ends, so that none is overwritten that a transition still needs.
        self._end_steps = torch.full(self._ends.shape[:2], -1, dtype=torch.int64)
        self._next_ends = [0] * runs
        self.steps = 0
        self._first_row = (torch.arange(runs, device=device) * self._ring).unsqueeze(1)

    def __len__(self) -> int:
        """Return how many transitions each run has."""
        return min(self.steps, self.capacity)

    def begin(self, observations: Tensor) -> None:
        """Store the first observations, shape ``(P, observation size)``."""
        row = self._rows[:, self.steps % self._ring]
        row[:, : self._observations] = observations
        # Nothing has been done yet; zeros, so that what is saved does not depend on what the memory held before.
        row[:, self._observations :] = 0.0

    def add(
        self,
        actions: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        following: Tensor,
        ended: dict[int, Tensor],
    ) -> None:
        """Store one transition of each run.

        Args:
            actions: In [-1, 1], shape ``(P, action size)``.
            rewards: Shape ``(P,)``.
            terminated: Bools or numbers, shape ``(P,)``.
            following: The observations from which the runs go on, shape ``(P, observation size)``.
            ended: By index of a run whose episode has ended, its last observation, shape ``(observation size,)``.
        """
        row, after = self.steps % self._ring, (self.steps + 1) % self._ring
        begin = self._observations
        self._rows[:, row, begin : begin + self._actions] = actions
        self._rows[:, row, begin + self._actions] = rewards
        self._rows[:, row, begin + self._actions + 1] = terminated.to(self._rows.dtype)
        self._rows[:, after, :begin] = following
        self._rows[:, after, begin:] = 0.0
        self._end_of[:, row] = -1
        for run, observation in ended.items():
            end = self._place_for_end(run)
            self._ends[run, end] = observation
            self._end_of[run, row] = end
        self.steps += 1

    def address(self) -> int:
        """Return where the ends lie; it changes when there must be room for more."""
        return self._ends.data_ptr()

    def sample(self, bits: Tensor, steps: Tensor | None = None) -> Batch:
        """Return transitions drawn uniformly with replacement.

        Args:
            bits: 32-bit words, shape ``(P, B)``.
            steps: `steps` as a tensor on the device, for a captured call; None takes the number itself.
        """
        stored: Any = self.steps if steps is None else steps
        size: Any = len(self) if steps is None else steps.clamp(max=self.capacity)
        oldest = (stored - size) % self._ring
        places = ((below(bits, size) + oldest) % self._ring).view(self._runs, -1)
        rows = self._rows.view(-1, self._rows.shape[2])
        here = (places + self._first_row).view(-1)
        taken = rows.index_select(0, here).view(*places.shape, -1)
        following = rows.index_select(0, ((places + 1) % self._ring + self._first_row).view(-1))
        following = following.view(*places.shape, -1)[..., : self._observations]
        ends = self._end_of.view(-1).index_select(0, here).view_as(places)
        # On a CPU a look at the few that there are, if any, is cheaper than to prepare for all.
        if steps is not None or bool((ends >= 0).any()):
            following = self._following(following, ends)
        observations, actions = self._observations, self._actions
        return Batch(
            observations=taken[..., :observations],
            actions=taken[..., observations : observations + actions],
            rewards=taken[..., observations + actions],
            terminated=taken[..., observations + actions + 1],
            next_observations=following,
        )

    def _following(self, following: Tensor, ends: Tensor) -> Tensor:
        """Return next observations, of those that stand in the next row and those that ended an episode."""
        first_end = torch.arange(self._runs, device=ends.device).unsqueeze(1) * self._ends.shape[1]
        at_ends = self._ends.view(-1, self._observations).index_select(0, (ends.clamp(min=0) + first_end).view(-1))
        return torch.where((ends >= 0).unsqueeze(2), at_ends.view_as(following), following)

    def state(self) -> dict[str, Tensor]:
        """Return what is in use, by name: rows as views, the rest as copies."""
        used = min(self.steps + 1, self._ring)
        return {
            "rows": self._rows[:, :used],
            "end_of": self._end_of[:, : min(self.steps, self._ring)].clone(),
            "ends": self._ends.clone(),
            "end_steps": self._end_steps.clone(),
            "next_ends": torch.tensor(self._next_ends),
            "steps": torch.tensor(self.steps),
        }

    def restore(self, state: Mapping[str, Tensor], rows: Sequence[NDArray[Any]]) -> None:
        """Go on from what `state` returned, in a memory of the same sizes.

        Args:
            state: All of it but the rows.
            rows: Of each run, shape ``(used rows, width)``.
        """
        self.steps = int(state["steps"])
        self._next_ends = state["next_ends"].tolist()
        for own, stored in zip(self._rows, rows, strict=True):
            # By way of a copy: a file mapped into memory cannot be written, of which PyTorch warns.
            own[: len(stored)] = torch.from_numpy(np.array(stored))
        self._end_of[:, : state["end_of"].shape[1]] = state["end_of"].to(self._rows.device)
        self._ends = state["ends"].to(self._rows.device).clone()
        self._end_steps = state["end_steps"].clone()

    def _place_for_end(self, run: int) -> int:
        place, oldest = self._next_ends[run], self.steps + 1 - self.capacity
        if 0 <= oldest <= int(self._end_steps[run, place]) or (oldest < 0 <= int(self._end_steps[run, place])):
            # The transition that ended here can still be drawn.
            unused = (self._end_steps[run] < max(0, oldest)).nonzero()
            place = int(unused[0]) if len(unused) else self._grow()
        self._end_steps[run, place] = self.steps
        self._next_ends[run] = (place + 1) % self._ends.shape[1]
        return place

    def _grow(self) -> int:
        """Double the room for ends; those in use keep their places. Returns the first new one."""
        before = self._ends.shape[1]
        self._ends = torch.cat([self._ends, torch.zeros_like(self._ends)], dim=1)
        self._end_steps = torch.cat([self._end_steps, torch.full_like(self._end_steps, -1)], dim=1)
        return before
