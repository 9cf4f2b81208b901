"""What captured graphs do, on a CPU: stand-ins for CUDA call the work that a graph would replay."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents import executor
from agents.population import Population
from tests.agents.test_population import MIXED, SMALL, assert_same_run


class Event:
    def record(self) -> None:
        pass

    def synchronize(self) -> None:
        pass


class Graph:
    def __init__(self, work: Callable[[], None]) -> None:
        self.replay = work


@pytest.fixture
def cuda_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(executor.Captured, "_capture", lambda _self, work: Graph(work))


def make(algorithm: str, **changes: Any) -> Population:
    # A memory that wraps around, and short episodes, for which its rows for ends must grow.
    settings = {"hyperparameters": {**SMALL, "buffer_size": 60}, "device": "cpu", **changes}
    return Population(algorithm, "InvertedPendulum-v5", MIXED, **settings)


@pytest.mark.usefixtures("cuda_stand_ins")
@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_captured_work_is_the_same_work(algorithm: str) -> None:
    eager, captured = make(algorithm), make(algorithm, capture=True)
    assert isinstance(captured._executor, executor.Captured)
    for population in (eager, captured):
        population.train(140)
    assert captured.updates == eager.updates == 100
    for run in range(len(MIXED)):
        assert_same_run(eager, run, captured, run)
    for name, loss in eager.losses.items():
        assert torch.equal(loss, captured.losses[name]), name


@pytest.mark.usefixtures("cuda_stand_ins")
def test_marks_travel_with_the_next_actions() -> None:
    captured = make("td3", capture=True)
    captured.train(60)
    captured.learner.critic.layout.views(captured.learner.critic.flat.detach())[-1][1][4] = torch.inf
    captured.train(1)
    captured.train(1)
    # The next update had already turned the infinity into NaN when the mark arrived.
    assert captured.diverged == {2: "critic_loss not finite (NaN) at step 62"}


@pytest.mark.exhaustive
def test_compiled_losses_agree_with_eager_ones() -> None:
    eager, compiled = make("td3"), make("td3", compile_losses=True)
    for population in (eager, compiled):
        population.train(44)
    assert compiled.updates == 4
    for name, tensor in eager.learner.state().items():
        difference = (compiled.learner.state()[name] - tensor).norm() / tensor.norm().clamp(min=1e-12)
        assert float(difference) < 1e-4, name
