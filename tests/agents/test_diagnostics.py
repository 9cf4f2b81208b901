"""Diagnostics of a population: on what, when, and that no bit of training changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.config import ConfigError
from agents.learner import Member
from agents.philox import Stream, words
from agents.population import Population
from agents.probe_losses import actor_loss, critic_loss, draw_probe
from agents.sac import SAC
from rl_acts.diagnostics import norm, norm_ratio

MEMBERS = [
    Member("relu", "relu", 0),
    Member("swim_learnable(per=unit)", ["tanh", "pwlu"], 7, activation_lr=1e-2),
    Member("rrelu", "ash", 2),
]
SMALL = {"learning_starts": 30, "net_arch": [23, 17], "batch_size": 37}


def make(algorithm: str, members: Sequence[Member] = MEMBERS, **changes: Any) -> Population:
    settings: dict[str, Any] = {"hyperparameters": {**SMALL, **changes.pop("hyperparameters", {})}, "device": "cpu"}
    return Population(algorithm, "Hopper-v5", members, **{**settings, **changes})


def everything(population: Population) -> dict[str, torch.Tensor]:
    replay = population.replay.state()
    return {**population.learner.state(), "rows": replay["rows"], "ends": replay["ends"]}


def numbers(diagnosis: Any) -> dict[tuple[str, str, str], float]:
    return {(name, row.layer, row.name): row.value for name, found in diagnosis.items() for row in found.rows}


@pytest.mark.parametrize("algorithm", ["td3", "sac", "ddpg"])
def test_training_goes_on_bit_for_bit(algorithm: str) -> None:
    watched, alone = make(algorithm, diagnostics_every=20, diagnostics_probe=64), make(algorithm)
    state = torch.get_rng_state()
    for _ in range(3):
        watched.train(20)
        parts = watched.clock.seconds()
        found = watched.measure()
        after = watched.clock.seconds()
        assert {name: value for name, value in parts.items() if name != "wall_s"} == {
            name: value for name, value in after.items() if name != "wall_s"
        }
        alone.train(20)
    assert torch.equal(torch.get_rng_state(), state)
    one, other = everything(watched), everything(alone)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    assert set(found) == {0, 1, 2}
    assert set(found[0]) == ({"actor", "q1"} if algorithm == "ddpg" else {"actor", "q1", "q2"})


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_what_is_found_does_not_depend_on_neighbours(algorithm: str) -> None:
    alone = make(algorithm, MEMBERS[1:2], diagnostics_every=60)
    mixed = make(algorithm, diagnostics_every=60)
    for population in (alone, mixed):
        population.train(60)
    one, other = numbers(alone.measure()[0]), numbers(mixed.measure()[1])
    assert one.keys() == other.keys()
    # What is found of the same bits; norms over a stack may be added up in another order.
    assert {name: pytest.approx(value, rel=1e-6, abs=1e-12) for name, value in one.items()} == other


def test_the_probe_is_drawn_by_seed_from_the_memory_as_it_is() -> None:
    population = make("td3")
    population.train(50)
    probe = draw_probe(population.learner, population.replay, [member.seed for member in MEMBERS], 200)
    seeds = torch.tensor([0, 7, 2])
    bits = words(seeds, Stream.PROBE, torch.tensor([0]), 200)[0]
    places = (bits * 50) >> 32
    rows = population.replay.state()["rows"]
    for run in range(3):
        assert torch.equal(probe.observations[run], rows[run, places[run], :11])
        assert torch.equal(probe.actions[run], rows[run, places[run], 11:14])
    again = draw_probe(population.learner, population.replay, [0, 7, 2], 200)
    assert torch.equal(again.observations, probe.observations)
    assert torch.equal(again.targets, probe.targets)
    population.train(10)
    later = draw_probe(population.learner, population.replay, [0, 7, 2], 200)
    moved = (bits * 60) >> 32
    assert torch.equal(later.observations[1], population.replay.state()["rows"][1, moved[1], :11])


@pytest.mark.parametrize(("given", "rows"), [(None, 4 * 23), (50, 50)])
def test_how_many_rows_the_probe_has(given: int | None, rows: int) -> None:
    population = make("td3", diagnostics_probe=given)
    population.train(5)
    assert len(population.measure()[0]["q1"].output) == rows


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_losses_have_the_gradients_of_the_learners_own(algorithm: str) -> None:
    population = make(algorithm, dtype=torch.float64)
    population.train(60)
    learner, seeds = population.learner, [member.seed for member in MEMBERS]
    probe = draw_probe(learner, population.replay, seeds, 40)
    keys = torch.tensor(seeds)
    batch = population.replay.sample(words(keys, Stream.PROBE, torch.tensor([0]), 40)[0])
    assert torch.equal(batch.observations, probe.observations)
    # Without noise of activations, as everybody but the learning pass sees them.
    none: Any = None
    wanted = learner._critic_loss(batch, probe.targets, none)
    of_critics = torch.autograd.grad(wanted.sum(), learner.critic.flat)[0]
    if isinstance(learner, SAC):
        actions, log_density = learner._sample(batch.observations, probe.noise)
        of_runs = learner._actor_loss(batch.observations, actions, log_density, probe.entropy_coefficients)
    else:
        of_runs = learner._actor_loss(batch.observations, none)
    of_actors = torch.autograd.grad(of_runs.sum(), learner.actor.flat)[0]
    for run in range(3):
        actor = learner.actor.module(run)
        critics = [learner.critic.module(2 * run + index) for index in range(2)]
        loss = actor_loss(learner, probe, run, critics)(actor(probe.observations[run]))
        _assert_same_gradients(actor, loss, learner.actor.layout.views(of_actors[run : run + 1]))
        for index, critic in enumerate(critics):
            values = critic(torch.cat((probe.observations[run], probe.actions[run]), 1))
            loss = critic_loss(learner, probe, run)(values)
            row = slice(2 * run + index, 2 * run + index + 1)
            _assert_same_gradients(critic, loss, learner.critic.layout.views(of_critics[row]))


def _assert_same_gradients(network: Any, loss: torch.Tensor, views: Any) -> None:
    linears = [module for module in network if isinstance(module, torch.nn.Linear)]
    found = torch.autograd.grad(loss, [linear.weight for linear in linears])
    for gradient, (weight, _) in zip(found, views, strict=True):
        torch.testing.assert_close(gradient.T, weight[0], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("algorithm", "actor_updates"), [("td3", 50), ("sac", 100)])
def test_the_last_hundred_updates_are_watched(
    algorithm: str, actor_updates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = make(algorithm, diagnostics_every=140)
    kept: list[tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor], torch.Tensor]] = []
    update = population._executor.update

    def recorded(number: int) -> None:
        before = _tensors(population.learner.critic, 2)
        actor = population.learner.actor.flat.detach().clone()
        update(number)
        after = _tensors(population.learner.critic, 2)
        moved = population.learner.actor.flat.detach() - actor
        kept.append((_gradients(population.learner.critic, 2), before, after, moved[1].norm()))

    monkeypatch.setattr(population._executor, "update", recorded)
    population.train(140)
    found = population.measure()[1]
    assert len(kept) == 110
    gradients = torch.stack([norm(gradient) for gradient, *_ in kept[-100:]])
    assert found["q1"].value("all", "gradient_norm") == pytest.approx(float(gradients.mean()), rel=1e-4)
    cv = float(gradients.std(correction=0) / gradients.mean())
    assert found["q1"].value("all", "gradient_norm_cv") == pytest.approx(cv, rel=1e-4)
    changes = [[b - a for a, b in zip(before, after, strict=True)] for _, before, after, _ in kept[-100:]]
    mean = sum(float(norm(change)) for change in changes) / 100
    assert found["q1"].value("all", "update_norm") == pytest.approx(mean, rel=1e-4)
    ratios = [float(norm_ratio(change, before)) for change, (_, before, *_) in zip(changes, kept[-100:], strict=True)]
    assert found["q1"].value("all", "effective_learning_rate") == pytest.approx(sum(ratios) / 100, rel=1e-4)
    ratios = [float(norm_ratio(gradient, before)) for gradient, before, *_ in kept[-100:]]
    assert found["q1"].value("all", "gradient_weight_ratio") == pytest.approx(sum(ratios) / 100, rel=1e-4)
    ofactor = [float(size) for *_, size in kept[-100:] if size > 0]
    assert len(ofactor) == actor_updates
    squares = found["actor"].value("all", "update_norm")
    assert squares >= sum(ofactor) / actor_updates * (1 - 1e-5)


def _tensors(network: Any, index: int, flat: torch.Tensor | None = None, learnt: Any = None) -> list[torch.Tensor]:
    """Return weights, biases and learnt values of one network, each as a tensor of its own."""
    own = network.flat.detach() if flat is None else flat
    views = [view[0].clone() for pair in network.layout.views(own[index : index + 1]) for view in pair]
    group = next(group for group in network.groups if group.start <= index < group.stop)
    values = (group.flat.detach() if learnt is None else learnt(group))[index - group.start]
    return [*views, values.clone()]


def _gradients(network: Any, index: int) -> list[torch.Tensor]:
    return _tensors(network, index, network.flat.grad, lambda group: group.flat.grad)


def test_updates_are_watched_before_measurements_alone() -> None:
    population = make("td3", MEMBERS[:1], diagnostics_every=140)

    def watches() -> bool:
        return population.diagnostics._window.is_open

    population.train(38)
    assert not watches()
    population.train(10)
    assert watches()
    population.train(92)
    population.measure()
    assert not watches()
    names = {row.name for row in population.measure()[0]["actor"].rows}
    assert "gradient_norm" not in names
    # Nobody measured at 280: the window closes by itself.
    population.train(145)
    assert not watches()


def test_when_it_is_due() -> None:
    diagnostics = make("td3", diagnostics_every=30, most_steps=100).diagnostics
    assert [step for step in range(101) if diagnostics.due(step)] == [30, 60, 90, 100]
    assert [diagnostics.steps_until_due(step) for step in (0, 29, 30, 89, 90, 99)] == [30, 1, 30, 1, 10, 1]
    never = make("td3", most_steps=100).diagnostics
    assert not any(never.due(step) for step in range(101))
    assert never.steps_until_due(0) is None


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_a_checkpoint_in_the_middle_of_what_is_watched(algorithm: str, tmp_path: Path) -> None:
    straight = make(algorithm, diagnostics_every=60, diagnostics_probe=64)
    straight.train(60)
    begun = make(algorithm, diagnostics_every=60, diagnostics_probe=64)
    begun.train(45)
    begun.save(tmp_path)
    resumed = Population.load(tmp_path, device="cpu")
    assert resumed.diagnostics.settings == (60, 64)
    resumed.train(15)
    one, other = straight.measure(), resumed.measure()
    assert [numbers(one[run]) for run in range(3)] == [numbers(other[run]) for run in range(3)]
    resumed.save(tmp_path)
    assert Population.load(tmp_path, device="cpu").measured == 60


def test_a_run_that_has_diverged_is_not_measured() -> None:
    population = make("td3")
    population.train(40)
    population.learner.actor.flat.detach()[1] = torch.nan
    population.train(3)
    assert list(population.diverged) == [1]
    assert set(population.measure()) == {0, 2}


def test_a_run_that_is_about_to_diverge_harms_no_other() -> None:
    population = make("sac")
    population.train(40)
    clean = numbers(population.measure()[0])
    population.learner.critic.flat.detach()[2] = torch.nan
    found = population.measure()
    assert numbers(found[0]) == clean
    assert numbers(found[1])["q1", "layer2", "srank"] != numbers(found[1])["q1", "layer2", "srank"]


def test_compiled_losses_are_left_alone() -> None:
    population = make("sac")
    population.train(40)

    def compiled(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("other sizes than training's would be compiled once more")

    for name in ("_sample", "_targets", "_critic_loss", "_actor_loss"):
        setattr(population.learner, name, compiled)
    population.measure()


def test_nothing_to_measure_on() -> None:
    with pytest.raises(ConfigError, match="before the first step"):
        make("td3").measure()


@pytest.mark.parametrize("name", ["diagnostics_every", "diagnostics_probe"])
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_bad_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value!r}"):
        make("td3", **{name: value})
