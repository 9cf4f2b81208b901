"""The population on a GPU: captured graphs do what calls one by one do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from agents.population import Population

SMALL = {"learning_starts": 60, "net_arch": [64, 64], "batch_size": 64}
MEMBERS = [("relu", 0), ("swim", 1), ("swim_learnable", 2), ("relu", 3)]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


# Noise, state with a phase that ends within the test, and rows.
KINDS = [("rrelu", 0), ("pwlu(warm_up=3)", 1), ("randomised_smooth_leaky", 2), ("dy_relu_b", 3)]


def make(algorithm: str, members: Sequence[tuple[str, int]] = MEMBERS, **changes: Any) -> Population:
    settings: dict[str, Any] = {"hyperparameters": SMALL, "device": "cuda", "most_steps": 2000, **changes}
    return Population(algorithm, "Hopper-v5", members, **settings)


def norm_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    one, other = one.double().cpu(), other.double().cpu()
    return float((one - other).norm() / other.norm().clamp(min=1e-12))


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager losses", "compiled losses"])
@pytest.mark.parametrize("members", [MEMBERS, KINDS], ids=["elementwise", "other kinds"])
def test_captured_agrees_with_calls_one_by_one(
    members: Sequence[tuple[str, int]], compiled: bool, algorithm: str
) -> None:
    plain = make(algorithm, members, compile_losses=False, capture=False)
    captured = make(algorithm, members, compile_losses=compiled, capture=True)
    for population in (plain, captured):
        # A few updates: rounding differs, and training amplifies it.
        population.train(66)
    assert captured.updates == plain.updates == 6
    for name, tensor in plain.learner.state().items():
        if "optimiser" not in name:
            assert norm_difference(captured.learner.state()[name], tensor) < 1e-4, name
    np.testing.assert_allclose(captured._observations, plain._observations, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_warming_up_and_capturing_make_no_updates(algorithm: str) -> None:
    population = make(algorithm, compile_losses=False)
    population.train(61)
    steps = [tensor for name, tensor in population.learner.state().items() if name.endswith(".step")]
    assert {float(step) for step in steps} <= {0.0, 1.0}


def test_each_replay_draws_its_own_noise_with_the_right_variance() -> None:
    quiet = {**SMALL, "exploration_noise": 0.2, "learning_rate": 1e-12}
    population = make("td3", hyperparameters=quiet)
    population.train(70)
    observations = population._observations
    drawn = []
    for step in range(1000, 2000):
        population._executor.begin_acting(observations, step)
        drawn.append(population._executor.actions())
    actions = torch.stack(drawn).double()
    assert len({tuple(row) for row in actions[:, 0].tolist()}) == 1000
    inside = actions.abs().amax(0) < 1.0
    spread = actions.std(0)[inside]
    assert torch.allclose(spread, torch.full_like(spread, 0.2), rtol=0.1)


def test_the_steady_state_neither_recompiles_nor_waits() -> None:
    population = make("sac", compile_losses=True)
    population.train(80)
    compiled = dict(torch._dynamo.utils.counters["stats"])
    torch.cuda.set_sync_debug_mode("error")
    try:
        population.train(20)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert dict(torch._dynamo.utils.counters["stats"]) == compiled


def test_a_broken_neighbour_changes_no_bit() -> None:
    quiet, broken = make("td3", compile_losses=False), make("td3", compile_losses=False)
    for population in (quiet, broken):
        population.train(80)
    broken.learner.critic.flat.detach()[2] = torch.nan
    for population in (quiet, broken):
        population.train(20)
    assert list(broken.diverged) == [1]
    for run in (0, 2, 3):
        assert torch.equal(quiet.learner.actor.flat[run], broken.learner.actor.flat[run])


def test_goes_on_bit_for_bit_from_a_checkpoint(tmp_path: Any) -> None:
    straight, first = make("td3"), make("td3")
    for population in (straight, first):
        population.train(100)
    first.save(tmp_path)
    loaded = Population.load(tmp_path, device="cuda")
    for population in (straight, loaded):
        population.train(50)
    for name, tensor in straight.learner.state().items():
        assert torch.equal(tensor, loaded.learner.state()[name]), name


def test_single_precision_is_single_precision() -> None:
    make("td3").close()
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32 or torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_measuring_changes_no_bit_and_captures_nothing_again(algorithm: str) -> None:
    watched = make(algorithm, diagnostics_every=120, diagnostics_probe=256)
    alone = make(algorithm)
    for population in (watched, alone):
        population.train(100)
    graphs = {name: id(graph) for name, graph in watched._executor._graphs.items()}  # type: ignore[attr-defined]
    watched.train(20)
    found = watched.measure()
    watched.train(40)
    alone.train(60)
    assert {name: id(graph) for name, graph in watched._executor._graphs.items()} == graphs  # type: ignore[attr-defined]
    for name, tensor in alone.learner.state().items():
        assert torch.equal(watched.learner.state()[name], tensor), name
    assert found[2]["actor"].value("all", "gradient_norm") > 0
    assert found[2]["q1"].value("layer1", "srank") > 0
