"""Replay memories of a population, on the device that learns, with each observation stored once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.learner import Batch

# Rows for observations that end an episode, as a part of all rows; more are made when more are needed.
_FIRST_SHARE_OF_ENDS = 8


class Replay:
    """A ring of the last transitions of each of P runs.

    Row j of a run holds observation, action, reward and termination of its step j; the next observation stands in the
    row of step j + 1, unless the episode ended with step j: then it stands in a row of its own behind the ring. Memory
    is touched, and on a CPU taken from the system, only as it fills.

    Args:
        runs: P.
        capacity: Transitions per run.
        observation_size: Numbers in an observation.
        action_size: Numbers in an action.
        device: Of all tensors.
        dtype: Of observations, actions and rewards.
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
        self._ends = max(1, self._ring // _FIRST_SHARE_OF_ENDS)
        width = observation_size + action_size + 2
        self._rows = torch.empty(runs, self._ring + self._ends, width, device=device, dtype=dtype)
        self._successors = torch.empty(runs, self._ring, device=device, dtype=torch.int32)
        # Of the step that ended in each row for ends, so that no row is overwritten that a transition still needs.
        self._end_steps = torch.full((runs, self._ends), -1, dtype=torch.int64)
        self._next_ends = [0] * runs
        self.steps = 0
        self._first_row = (torch.arange(runs, device=device) * self._rows.shape[1]).unsqueeze(1)
        self._first_successor = (torch.arange(runs, device=device) * self._ring).unsqueeze(1)

    @staticmethod
    def bytes_per_transition(observation_size: int, action_size: int, dtype: torch.dtype) -> int:
        """Return what one transition of one run takes: a row, where its successor is, a share of the rows for ends."""
        row = dtype.itemsize * (observation_size + action_size + 2)
        return row + 4 + -(-(row + 8) // _FIRST_SHARE_OF_ENDS)

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
        self._successors[:, row] = after
        for run, observation in ended.items():
            end = self._row_for_end(run)
            self._rows[run, end, :begin] = observation
            self._rows[run, end, begin:] = 0.0
            self._successors[run, row] = end
        self.steps += 1

    def address(self) -> int:
        """Return where the rows lie; it changes when the memory must grow."""
        return self._rows.data_ptr()

    def sample(self, bits: Tensor, steps: Tensor | None = None) -> Batch:
        """Return transitions drawn uniformly with replacement.

        Args:
            bits: 32-bit words, shape ``(P, B)``.
            steps: `steps` as a tensor on the device, for a captured call; None takes the number itself.
        """
        stored: Any = self.steps if steps is None else steps
        size: Any = len(self) if steps is None else steps.clamp(max=self.capacity)
        oldest = (stored - size) % self._ring
        places = ((((bits * size) >> 32) + oldest) % self._ring).view(self._runs, -1)
        successors = self._successors.view(-1).index_select(0, (places + self._first_successor).view(-1))
        rows = self._rows.view(-1, self._rows.shape[2])
        taken = rows.index_select(0, (places + self._first_row).view(-1)).view(*places.shape, -1)
        following = rows.index_select(0, (successors.view_as(places) + self._first_row).view(-1))
        observations, actions = self._observations, self._actions
        return Batch(
            observations=taken[..., :observations],
            actions=taken[..., observations : observations + actions],
            rewards=taken[..., observations + actions],
            terminated=taken[..., observations + actions + 1],
            next_observations=following.view(*places.shape, -1)[..., :observations],
        )

    def state(self) -> dict[str, Tensor]:
        """Return what is in use, by name: rows as views, the rest as copies."""
        used, ends = min(self.steps + 1, self._ring), int((self._end_steps >= 0).any(0).sum())
        # What the memory held before in rows that a run has not used is no part of its state.
        in_use = (self._end_steps[:, :ends] >= 0).unsqueeze(2).to(self._rows.device)
        return {
            "rows": self._rows[:, :used],
            "ends": torch.where(in_use, self._rows[:, self._ring : self._ring + ends], 0.0),
            "successors": self._successors[:, : min(self.steps, self._ring)],
            "end_steps": self._end_steps[:, :ends].clone(),
            "next_ends": torch.tensor(self._next_ends),
            "steps": torch.tensor(self.steps),
            "rows_for_ends": torch.tensor(self._ends),
        }

    def restore(self, state: Mapping[str, Tensor], rows: Sequence[NDArray[Any]]) -> None:
        """Go on from what `state` returned, in a memory of the same sizes.

        Args:
            state: All of it but the rows.
            rows: Of each run, shape ``(used rows, width)``.
        """
        while self._ends < int(state["rows_for_ends"]):
            self._grow()
        self.steps = int(state["steps"])
        self._next_ends = state["next_ends"].tolist()
        for own, stored in zip(self._rows, rows, strict=True):
            # By way of a copy: a file mapped into memory cannot be written, of which PyTorch warns.
            own[: len(stored)] = torch.from_numpy(np.array(stored))
        ends = state["ends"].shape[1]
        self._rows[:, self._ring : self._ring + ends] = state["ends"].to(self._rows.device)
        self._successors[:, : state["successors"].shape[1]] = state["successors"].to(self._rows.device)
        self._end_steps.fill_(-1)
        self._end_steps[:, :ends] = state["end_steps"]

    def _row_for_end(self, run: int) -> int:
        slot = self._next_ends[run]
        oldest = self.steps + 1 - self.capacity
        if 0 <= int(self._end_steps[run, slot]) >= oldest:
            # The transition that ended here can still be drawn; the first of the new rows is free.
            slot = self._ends
            self._grow()
        self._end_steps[run, slot] = self.steps
        self._next_ends[run] = (slot + 1) % self._ends
        return self._ring + slot

    def _grow(self) -> None:
        """Double the rows for ends; those in use keep their places."""
        self._rows = torch.cat([self._rows, torch.empty_like(self._rows[:, : self._ends])], dim=1)
        self._end_steps = torch.cat([self._end_steps, torch.full_like(self._end_steps, -1)], dim=1)
        self._first_row = (torch.arange(self._runs, device=self._rows.device) * self._rows.shape[1]).unsqueeze(1)
        self._ends *= 2
