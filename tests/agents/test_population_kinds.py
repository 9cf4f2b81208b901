"""Activations with noise, with state, with another width, and of whole rows, in populations and their files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from agents import executor, load_policy, to_sb3
from agents.layout import shapes_of
from agents.learner import Member
from agents.policy_file import save_policy
from agents.population import Population
from agents.population_policy import policy_of
from tests.agents.conftest import small_config
from tests.agents.kinds import KINDS, PHASE_AFTER, registered
from tests.agents.test_executor import cuda_stand_ins  # noqa: F401 - a fixture
from tests.agents.test_population import MIXED, SMALL, assert_same_run, make

PLACE = 3


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


def with_kind(kind: str) -> list[Member]:
    """Return five runs, the fourth of the kind, among them one of the same kind before it."""
    members = [*MIXED]
    members[2], members[PLACE] = Member(kind, kind, 2), Member(kind, [kind, "swim_learnable"], 7, activation_lr=1e-2)
    return members


def state_of(population: Population, run: int) -> dict[str, Tensor]:
    """Return a run's buffers by names that do not depend on its neighbours."""
    found = {}
    for name in ("actor", "critic", "critic_target", "actor_target"):
        network: Any = getattr(population.learner, name, None)
        for index in range(0 if network is None else network.per_run):
            place = run * network.per_run + index
            for layer, module in enumerate(network.module(place)):
                found.update({f"{name}.{index}.{layer}.{key}": value for key, value in module.named_buffers()})
    return found


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
@pytest.mark.parametrize("kind", [*KINDS, "pwlu(warm_up=3, per=unit)", "dy_relu_b", "rational_noisy"])
def test_a_run_does_not_depend_on_its_neighbours(kind: str, algorithm: str) -> None:
    members = with_kind(kind)
    settings: dict[str, Any] = {"hyperparameters": {"learning_starts": 20}}
    alone, mixed = make(algorithm, [members[PLACE]], **settings), make(algorithm, members, **settings)
    for population in (alone, mixed):
        population.train(32)
    assert alone.diverged == mixed.diverged == {}
    assert_same_run(alone, 0, mixed, PLACE)
    first, second = state_of(alone, 0), state_of(mixed, PLACE)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "name",
    [
        entry.name
        for entry in map(rl_acts.info, rl_acts.names())
        if entry.stateful or entry.stochastic or not entry.elementwise
    ],
)
@pytest.mark.parametrize("widths", [[24, 16], [64, 64]])
def test_nor_with_any_entry_of_a_kind(name: str, widths: list[int]) -> None:
    settings: dict[str, Any] = {"hyperparameters": {"net_arch": widths, "learning_starts": 20}}
    members = [(name, seed) for seed in range(5)]
    alone, many = make("td3", members[PLACE:4], **settings), make("td3", members, **settings)
    for population in (alone, many):
        population.train(30)
    assert_same_run(alone, 0, many, PLACE)
    assert all(torch.equal(tensor, state_of(many, PLACE)[key]) for key, tensor in state_of(alone, 0).items())


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
@pytest.mark.parametrize("updates", [2, 7])
def test_goes_on_bit_for_bit_from_a_checkpoint(algorithm: str, updates: int, tmp_path: Path) -> None:
    members = [Member(kind, kind, seed) for seed, kind in enumerate(KINDS)]
    straight, first = make(algorithm, members), make(algorithm, members)
    for population in (straight, first):
        population.train(40 + updates)
    # Two updates end within the first phase.
    calls = [int(buffer[0]) for buffer in first.learner.critic.buffers() if buffer.dtype == torch.int64]
    assert calls[:2] == [updates, int(updates >= PHASE_AFTER)]
    first.save(tmp_path)
    second = Population.load(tmp_path, device="cpu")
    for population in (straight, second):
        population.train(12)
    for name, tensor in straight.learner.state().items():
        assert torch.equal(tensor, second.learner.state()[name]), name
    assert any(".buffer." in name for name in straight.learner.state())


@pytest.mark.usefixtures("cuda_stand_ins")
@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_captured_work_is_the_same_work(algorithm: str) -> None:
    members = [Member(kind, kind, seed) for seed, kind in enumerate(KINDS)]
    eager, captured = make(algorithm, members), make(algorithm, members, capture=True)
    assert isinstance(captured._executor, executor.Captured)
    for population in (eager, captured):
        population.train(52)
    for name, tensor in eager.learner.state().items():
        assert torch.equal(tensor, captured.learner.state()[name]), name


@pytest.mark.exhaustive
# The compiler asks the policy's actions, which SAC hands from one loss to the next, for a gradient.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_compiled_losses_agree_with_eager_ones(algorithm: str) -> None:
    members = [Member(kind, kind, seed) for seed, kind in enumerate(KINDS)]
    eager, compiled = make(algorithm, members), make(algorithm, members, compile_losses=True)
    for population in (eager, compiled):
        population.train(44)
    for name, tensor in eager.learner.state().items():
        expected, found = tensor.double(), compiled.learner.state()[name].double()
        assert float((found - expected).norm() / expected.norm().clamp(min=1e-12)) < 1e-4, name


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_targets_are_given_the_online_state_in_the_same_update(algorithm: str) -> None:
    population = make(algorithm, [Member("two_phase", "two_phase", 0)])
    learner = population.learner
    population.train(40)
    for update in range(1, PHASE_AFTER + 3):
        population.train(1)
        assert population.updates == update
        for own, theirs in zip(learner.critic_target.buffers(), learner.critic.buffers(), strict=True):
            assert torch.equal(own, theirs)
        target, online = learner.critic_target.groups[0].flat, learner.critic.groups[0].flat
        assert target is not None
        assert online is not None
        # The critics' values were rewritten in this update, and Adam's step went over both.
        assert torch.equal(target, online) == (update == PHASE_AFTER)
    assert int(learner.critic.module(0)[1].get_buffer("calls")) == PHASE_AFTER + 2
    assert int(learner.actor.module(0)[1].get_buffer("calls")) == (
        PHASE_AFTER + 2 if algorithm == "sac" else (PHASE_AFTER + 2) // 2
    )


def test_acting_and_evaluation_change_no_state_and_see_no_noise() -> None:
    population = make("sac", [Member("two_phase", "two_phase", 0), Member("rrelu", "rrelu", 1)])
    population.train(45)
    before = {name: tensor.clone() for name, tensor in population.learner.state().items()}
    observations = torch.from_numpy(population._observations).float().unsqueeze(1)
    actions = population.learner.act(observations)
    assert torch.equal(actions, population.learner.act(observations))
    single = population.learner.actor.module(1)
    single[1], single[3] = nn.LeakyReLU(11 / 48), nn.LeakyReLU(11 / 48)
    torch.testing.assert_close(actions[1], single(observations[1]).chunk(2, -1)[0].tanh())
    population.evaluate(2)
    assert all(torch.equal(tensor, population.learner.state()[name]) for name, tensor in before.items())


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_runs_of_other_widths_train_and_are_exported(algorithm: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"hyperparameters": {"learning_starts": 20}}
    members = [Member("glu", ["glu", "swiglu"], seed) for seed in range(5)]
    alone, many = make(algorithm, members[PLACE:4], **settings), make(algorithm, members, **settings)
    plain = make(algorithm, [Member("relu", "relu", PLACE)], **settings)
    # Layers of the same shape begin with the same weights.
    assert torch.equal(
        alone.learner.actor.module(0)[4].weight,  # type: ignore[arg-type]
        plain.learner.actor.module(0)[4].weight,  # type: ignore[arg-type]
    )
    for population in (alone, many):
        population.train(30)
    assert_same_run(alone, 0, many, PLACE)
    config = small_config(
        task="Hopper-v5",
        algorithm=algorithm,
        actor_activation="glu",
        critic_activation=("glu", "swiglu"),
        hyperparameters=dict(SMALL),
        engine="population",
    )
    policy, manifest = policy_of(many, PLACE, config)
    assert shapes_of(policy.actor) == ((11, 46), (23, 34), (17, 3))
    observations = torch.randn(9, 11)
    expected = many.learner.act(observations.expand(5, 9, 11))[PLACE]
    torch.testing.assert_close(policy(observations), expected)
    save_policy(tmp_path, policy, manifest)
    (tmp_path / "run.json").write_text(json.dumps({"config": config.to_json()}))
    found, _ = to_sb3(tmp_path).predict(observations.numpy(), deterministic=True)
    torch.testing.assert_close(torch.as_tensor(found), expected)


# Files


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
@pytest.mark.parametrize("kind", ["rrelu", "two_phase", "assigning", "of_the_row"])
def test_policies_hold_everything(kind: str, algorithm: str, tmp_path: Path) -> None:
    config = small_config(
        task="Hopper-v5", algorithm=algorithm, actor_activation=kind, critic_activation=kind, engine="population"
    )
    values = {**dict(config.hyperparameters), "learning_starts": SMALL["learning_starts"]}
    population = Population(algorithm, "Hopper-v5", [(kind, 3)], hyperparameters=values, device="cpu")
    population.train(48)
    policy, manifest = policy_of(population, 0, config)
    save_policy(tmp_path, policy, manifest)
    (tmp_path / "run.json").write_text(json.dumps({"config": config.to_json()}))
    loaded = load_policy(tmp_path)
    learner = population.learner
    trained, read = (network[:-1].state_dict().items() for network in (learner.actor.module(0), loaded.actor))
    pairs = list(zip(trained, read, strict=True))
    assert pairs
    for (name, tensor), (other, stored) in pairs:
        assert name == other
        assert torch.equal(tensor, stored), name
    observations = torch.randn(20, 11)
    expected = learner.act(observations.unsqueeze(0))[0]
    torch.testing.assert_close(loaded(observations), expected)
    model: Any = to_sb3(tmp_path)
    torch.testing.assert_close(torch.as_tensor(model.predict(observations.numpy(), deterministic=True)[0]), expected)
    critics = dict(model.policy.critic.q_networks[1].named_buffers())
    for name, buffer in loaded.critics[1].named_buffers():
        assert torch.equal(buffer, critics[name]), name
