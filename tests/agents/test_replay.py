"""The replay ring against a plain list of transitions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.replay import Replay

RUNS, OBSERVATIONS, ACTIONS = 2, 3, 2


def make(capacity: int) -> Replay:
    return Replay(RUNS, capacity, OBSERVATIONS, ACTIONS, device=torch.device("cpu"), dtype=torch.float32)


class Played:
    """Fills a replay with transitions that are all different, and keeps them in lists."""

    def __init__(self, replay: Replay, ends: set[tuple[int, int]]) -> None:
        self.replay, self.ends = replay, ends
        self.step = 0
        self.kept: list[list[tuple[Tensor, ...]]] = [[] for _ in range(RUNS)]
        self.current = self.observation(0.0)
        replay.begin(self.current)

    def observation(self, mark: float) -> Tensor:
        base = torch.arange(RUNS * OBSERVATIONS, dtype=torch.float32).view(RUNS, OBSERVATIONS)
        return base / 10 + 100 * self.step + mark

    def play(self, steps: int) -> None:
        for _ in range(steps):
            actions = torch.full((RUNS, ACTIONS), self.step / 1000)
            rewards = torch.tensor([float(self.step), float(-self.step)])
            reached = self.observation(1.0)
            ended = [run for run in range(RUNS) if (run, self.step) in self.ends]
            terminated = torch.tensor([run in ended and self.step % 2 == 0 for run in range(RUNS)])
            following = reached.clone()
            for run in ended:
                following[run] = 7777.0 + self.step
            self.replay.add(actions, rewards, terminated, following, {run: reached[run] for run in ended})
            for run in range(RUNS):
                row = (self.current[run], actions[run], rewards[run], terminated[run].float(), reached[run])
                self.kept[run].append(row)
            self.current = following
            self.step += 1

    def check(self) -> None:
        """Draw each transition once, in order, and compare."""
        size = len(self.replay)
        bits = torch.tensor([[-(-(index << 32) // size) for index in range(size)]] * RUNS)
        batch = self.replay.sample(bits)
        for run in range(RUNS):
            expected = self.kept[run][-size:]
            for index, row in enumerate(expected):
                found = (
                    batch.observations[run, index],
                    batch.actions[run, index],
                    batch.rewards[run, index],
                    batch.terminated[run, index],
                    batch.next_observations[run, index],
                )
                for ours, theirs in zip(found, row, strict=True):
                    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("steps", [1, 9, 10, 11, 12, 25, 40])
@pytest.mark.parametrize("every", [1, 3, 1000])
def test_draws_what_was_stored(steps: int, every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.replay._FIRST_ENDS", 2)
    # With an end at each step the rows for ends must grow; in the second run the episodes end elsewhere.
    ends = {(0, step) for step in range(0, 50, every)} | {(1, step) for step in range(1, 50, 2 * every)}
    played = Played(make(10), ends)
    played.play(steps)
    assert len(played.replay) == min(steps, 10)
    played.check()


@pytest.mark.parametrize(
    "ends",
    [
        {(0, step) for step in range(50)} | {(1, 3), (1, 17)},
        # Both runs find their next place in use at one step.
        {(run, step) for run in range(2) for step in range(50)},
        {(0, step) for step in range(50)} | {(1, step) for step in range(5, 50, 2)},
    ],
)
@pytest.mark.parametrize("before", [5, 9, 17, 23])
def test_goes_on_after_saving(ends: set[tuple[int, int]], before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.replay._FIRST_ENDS", 2)
    played = Played(make(10), ends)
    played.play(before)
    state = played.replay.state()
    rows = [part.numpy().copy() for part in state.pop("rows")]
    restored = make(10)
    restored.restore(state, rows)
    played.replay = restored
    played.check()
    played.play(13)
    played.check()


def test_state_holds_nothing_of_unused_memory() -> None:
    def bytes_of(replay: Replay) -> bytes:
        return b"".join(np.ascontiguousarray(tensor.numpy()).tobytes() for tensor in replay.state().values())

    states = []
    for filling in (0.0, float("nan")):
        replay = make(10)
        replay._rows.fill_(filling)
        played = Played(replay, {(0, 4)})
        played.play(6)
        states.append(bytes_of(replay))
    assert states[0] == states[1]


def test_draws_uniformly_with_replacement() -> None:
    played = Played(make(8), set())
    played.play(20)
    generator = np.random.default_rng(0)
    bits = torch.from_numpy(generator.integers(0, 2**32, size=(RUNS, 40_000)))
    rewards: Any = played.replay.sample(bits).rewards[0]
    found, counts = torch.unique(rewards, return_counts=True)
    assert found.tolist() == [float(step) for step in range(12, 20)]
    assert float((counts - 5000).abs().max()) < 5 * 5000**0.5
