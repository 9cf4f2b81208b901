"""Populations: what a run becomes, whatever its neighbours, interruptions and the device of its networks."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.checkpoint import CheckpointError
from agents.config import ConfigError
from agents.learner import Member
from agents.population import Population
from envs import TaskError

ALONE = Member("swim_learnable(per=unit)", ["tanh", "swish_learnable"], 7, activation_lr=1e-2)
MIXED = [
    Member("relu", "relu", 0),
    Member("relu", "gelu", 1),
    Member("swim", "swim", 2),
    ALONE,
    Member("elu", "relu", 4),
]
# An odd batch and odd widths, so that no vectorised loop comes out even.
SMALL = {"learning_starts": 40, "net_arch": [23, 17], "batch_size": 37}


def make(algorithm: str, members: Sequence[Any], task: str = "Hopper-v5", **changes: Any) -> Population:
    settings: dict[str, Any] = {"hyperparameters": {**SMALL, **changes.pop("hyperparameters", {})}, "device": "cpu"}
    return Population(algorithm, task, members, **{**settings, **changes})


def tensors_of(population: Population, run: int) -> dict[str, torch.Tensor]:
    """Return all that training has made of one run, by names that do not depend on its neighbours."""
    learner, found = population.learner, {}
    names = ["actor", "critic", "critic_target", *(["actor_target"] if hasattr(learner, "actor_target") else [])]
    state = learner.state()
    for name in names:
        network = getattr(learner, name)
        for index in range(network.per_run):
            place = run * network.per_run + index
            found[f"{name}.{index}"] = network.flat.detach()[place]
            group = next(group for group in network.groups if group.start <= place < group.stop)
            if group.flat is not None:
                found[f"{name}.{index}.learnt"] = group.flat.detach()[place - group.start]
            for moment in ("exp_avg", "exp_avg_sq"):
                if f"{name}_optimiser.0.{moment}" in state:
                    found[f"{name}.{index}.{moment}"] = state[f"{name}_optimiser.0.{moment}"][place]
    if "entropy" in state:
        found["entropy"] = state["entropy"][run]
    replay = population.replay.state()
    found["replay"] = replay["rows"][run]
    found["ends"] = replay["end_of"][run]
    found["returns"] = torch.tensor(list(population.returns[run]))
    found["observation"] = torch.from_numpy(population._observations[run])
    return found


def assert_same_run(one: Population, run: int, other: Population, other_run: int) -> None:
    first, second = tensors_of(one, run), tensors_of(other, other_run)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("widths", [[23, 17], [64, 64], [256, 256]])
@pytest.mark.parametrize("algorithm", ["td3", "sac", "ddpg"])
def test_a_run_does_not_depend_on_its_neighbours(algorithm: str, widths: list[int]) -> None:
    settings: dict[str, Any] = {"hyperparameters": {"net_arch": widths}}
    alone, mixed = make(algorithm, [ALONE], **settings), make(algorithm, MIXED, **settings)
    for population in (alone, mixed):
        population.evaluate(2)
        population.train(80)
    assert_same_run(alone, 0, mixed, 3)
    (one,), many = alone.evaluate(2) or [], mixed.evaluate(2) or []
    assert np.array_equal(one.returns, many[3].returns)
    assert np.array_equal(one.lengths, many[3].lengths)


@pytest.mark.parametrize("activation", ["relu", "mish", "swim_learnable(per=unit)"])
@pytest.mark.parametrize("runs", [2, 9, 16])
@pytest.mark.parametrize(("algorithm", "task"), [("td3", "InvertedPendulum-v5"), ("sac", "HalfCheetah-v5")])
def test_nor_on_neighbours_of_its_own_arm(algorithm: str, task: str, runs: int, activation: str) -> None:
    # One action, batches and widths that are no multiple of a vector, and so many runs that vectors are filled.
    settings: dict[str, Any] = {"hyperparameters": {"net_arch": [20, 30], "batch_size": 20, "learning_starts": 15}}
    members = [(activation, seed) for seed in range(runs)]
    place = runs - 1
    alone, mixed = make(algorithm, members[place:], task, **settings), make(algorithm, members, task, **settings)
    for population in (alone, mixed):
        population.train(45)
    assert_same_run(alone, 0, mixed, place)
    (one,), many = alone.evaluate(3) or [], mixed.evaluate(3) or []
    assert np.array_equal(one.returns, many[place].returns)


@pytest.mark.exhaustive
@pytest.mark.parametrize("trial", range(40))
def test_nor_on_anything_else(trial: int) -> None:
    generator = np.random.default_rng(trial)

    def pick(values: Sequence[str]) -> str:
        return values[int(generator.integers(len(values)))]

    algorithm, task = pick(["td3", "sac", "ddpg"]), pick(["Hopper-v5", "InvertedPendulum-v5", "Reacher-v5"])
    widths = [int(width) for width in generator.integers(1, 130, size=int(generator.integers(1, 4)))]
    settings: dict[str, Any] = {
        "hyperparameters": {"net_arch": widths, "batch_size": int(generator.integers(1, 130)), "learning_starts": 20}
    }
    arms = ["relu", "mish", "elu", "gelu", "swim", "tanh", "swim_learnable(per=net)", "swish_learnable(per=unit)"]
    members = [Member(pick(arms), pick(arms), seed) for seed in range(int(generator.integers(2, 20)))]
    place = int(generator.integers(len(members)))
    alone, mixed = make(algorithm, [members[place]], task, **settings), make(algorithm, members, task, **settings)
    for population in (alone, mixed):
        population.train(30)
    assert_same_run(alone, 0, mixed, place)


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_a_neighbour_that_becomes_nan_changes_no_bit(algorithm: str) -> None:
    quiet, broken = make(algorithm, MIXED), make(algorithm, MIXED)
    for population in (quiet, broken):
        population.train(60)
    for network in (broken.learner.actor, broken.learner.critic):
        network.flat.detach()[network.per_run : 2 * network.per_run] = torch.nan
    for population in (quiet, broken):
        population.train(40)
    assert quiet.diverged == {}
    assert list(broken.diverged) == [1]
    assert broken.diverged[1] == "action not finite (NaN) at step 60"
    for run in (0, 2, 3, 4):
        assert_same_run(quiet, run, broken, run)
    first, second = quiet.evaluate(2) or [], broken.evaluate(2) or []
    assert np.isnan(second[1].returns).all()
    assert all(np.array_equal(first[run].returns, second[run].returns) for run in (0, 2, 3, 4))


def test_a_loss_that_becomes_infinite_is_named_within_one_update() -> None:
    population = make("td3", MIXED)
    population.train(50)
    # A critic's last bias: the actor does not see it, so the first to tell is the loss.
    population.learner.critic.layout.views(population.learner.critic.flat.detach())[-1][1][4] = torch.inf
    population.train(1)
    assert population.diverged == {2: "critic_loss not finite (infinity) at step 51"}


def test_training_ends_when_all_runs_have_diverged() -> None:
    population = make("td3", MIXED[:2])
    population.train(50)
    population.learner.actor.flat.detach()[:] = torch.nan
    assert population.train(100) == 1
    assert sorted(population.diverged) == [0, 1]


# Training 6,000 steps takes minutes, many where other work shares the cores.
@pytest.mark.parametrize("half", [150, pytest.param(1500, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_goes_on_bit_for_bit_in_a_fresh_process(algorithm: str, half: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"hyperparameters": {"buffer_size": 200}}
    straight, first = make(algorithm, MIXED, **settings), make(algorithm, MIXED, **settings)
    for population in (straight, first):
        population.evaluate(2)
        population.train(half)
    first.save(tmp_path / "saved")
    straight.train(half)
    expected = straight.evaluate(2) or []
    program = (
        "import sys; from agents import Population\n"
        "population = Population.load(sys.argv[1], device='cpu')\n"
        "population.train(int(sys.argv[3]))\n"
        "found = population.evaluate(2)\n"
        "population.save(sys.argv[2])\n"
        "print(repr([evaluation.returns.tolist() for evaluation in found]))\n"
    )
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "saved"), str(tmp_path / "after"), str(half)],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert result.stdout.splitlines()[-1] == repr([evaluation.returns.tolist() for evaluation in expected])
    after = Population.load(tmp_path / "after", device="cpu")
    assert (after.step, after.updates, after.evaluations) == (2 * half, straight.updates, 2)
    for name, tensor in straight.learner.state().items():
        assert torch.equal(tensor, after.learner.state()[name]), name
    for name, tensor in straight.replay.state().items():
        assert torch.equal(tensor, after.replay.state()[name]), name
    assert [list(kept) for kept in straight.returns] == [list(kept) for kept in after.returns]


def test_a_diverged_run_stays_so_after_loading(tmp_path: Path) -> None:
    population = make("td3", MIXED)
    population.train(50)
    population.learner.actor.flat.detach()[1] = torch.nan
    population.train(1)
    population.save(tmp_path)
    loaded = Population.load(tmp_path, device="cpu")
    assert loaded.diverged == population.diverged
    assert loaded.alive().tolist() == [True, False, True, True, True]
    assert loaded.train(5) == 5


def test_evaluations_do_not_touch_training() -> None:
    evaluated, plain = make("sac", MIXED[:2]), make("sac", MIXED[:2])
    for population in (evaluated, plain):
        population.train(50)
    evaluated.evaluate(3)
    for population in (evaluated, plain):
        population.train(20)
    for run in range(2):
        assert_same_run(evaluated, run, plain, run)


def test_a_policy_of_nan_scores_nothing() -> None:
    population = make("td3", [("relu", 0), ("relu", 1)], "InvertedPendulum-v5")
    population.learner.actor.flat.detach()[0] = torch.nan
    found = population.evaluate(2) or []
    assert np.isnan(found[0].returns).all()
    assert np.isfinite(found[1].returns).all()
    assert population.diverged == {0: "action in evaluation not finite (NaN) at step 0"}


def test_an_evaluation_that_was_stopped_is_made_again() -> None:
    stopped, plain = make("td3", MIXED[:2]), make("td3", MIXED[:2])
    asked = iter([False, False, True])
    assert stopped.evaluate(2, lambda: next(asked)) is None
    first, second = stopped.evaluate(2) or [], plain.evaluate(2) or []
    assert [one.returns.tolist() for one in first] == [one.returns.tolist() for one in second]


def test_counts_steps_and_updates_as_stable_baselines3_does() -> None:
    # Random actions until learning_starts, the first update one step later.
    population = make("td3", [("relu", 0)])
    population.train(40)
    assert population.updates == 0
    population.train(1)
    assert population.updates == 1
    rows = make("td3", [("relu", 0)], hyperparameters={"train_freq": 4, "gradient_steps": -1})
    rows.train(43)
    assert rows.updates == 0
    rows.train(1)
    assert rows.updates == 4
    twice = make("td3", [("relu", 0)], hyperparameters={"gradient_steps": 2})
    twice.train(42)
    assert twice.updates == 4


def test_warm_up_actions_are_random_and_the_policy_acts_afterwards() -> None:
    population = make("td3", [("relu", 0), ("relu", 1)], hyperparameters={"exploration_noise": 0.0})
    population.train(40)
    begin = population.learner.actor.layout.inputs
    warm_up = population.replay.state()["rows"][:, :40, begin : begin + 3]
    assert float(warm_up.std()) == pytest.approx(3**-0.5, abs=0.05)
    before = population.learner.act(torch.from_numpy(population._observations).float().unsqueeze(1))[:, 0]
    population.train(1)
    assert torch.equal(population.replay.state()["rows"][:, 40, begin : begin + 3], before.detach())


def test_exploration_noise_has_its_scale() -> None:
    noisy = make(
        "td3", [("relu", 0)], hyperparameters={"exploration_noise": 0.2, "learning_starts": 0, "net_arch": [4]}
    )
    noisy.train(1)
    begin = noisy.learner.actor.layout.inputs
    observation = noisy.replay.state()["rows"][:, :1, :begin]
    other = make(
        "td3", [("relu", 0)], hyperparameters={"exploration_noise": 0.0, "learning_starts": 0, "net_arch": [4]}
    )
    clean = other.learner.act(observation)[0, 0].detach()
    difference = noisy.replay.state()["rows"][0, 0, begin : begin + 3] - clean
    doubled = make(
        "td3", [("relu", 0)], hyperparameters={"exploration_noise": 0.4, "learning_starts": 0, "net_arch": [4]}
    )
    doubled.train(1)
    twice = doubled.replay.state()["rows"][0, 0, begin : begin + 3] - clean
    assert torch.allclose(twice, 2 * difference, atol=1e-6)


def test_initial_weights_are_those_of_linear_layers_and_alike_for_all_activations() -> None:
    population = make("td3", [("relu", 5), ("swim_learnable", 5), ("relu", 6)])
    actor = population.learner.actor
    assert torch.equal(actor.flat[0], actor.flat[1])
    assert not torch.equal(actor.flat[0], actor.flat[2])
    first = actor.module(0)[0]
    assert isinstance(first, torch.nn.Linear)
    # PyTorch's default: uniform up to 1 / sqrt(fan in), 11 observations.
    assert float(first.weight.detach().abs().max()) == pytest.approx(11**-0.5, rel=0.05)


def test_terminal_observations_are_stored_and_time_limits_are_no_ends() -> None:
    population = make(
        "td3", [("relu", 0), ("relu", 1)], "InvertedPendulum-v5", hyperparameters={"learning_starts": 5000}
    )
    population.train(60)
    state = population.replay.state()
    ends = state["end_steps"][0][state["end_steps"][0] >= 0]
    assert len(ends) >= 3
    rows, size = state["rows"][0], 4
    for slot, step in enumerate(ends.tolist()):
        # The pole has fallen: its angle is beyond 0.2 rad, and the row is marked as terminal.
        assert abs(float(state["ends"][0, slot, 1])) > 0.2
        assert float(rows[step, size + 2]) == 1.0
    reacher = make("td3", [("relu", 0)], "Reacher-v5", hyperparameters={"learning_starts": 5000})
    reacher.train(120)
    state = reacher.replay.state()
    assert state["end_steps"][0, :3].tolist() == [49, 99, -1]
    assert float(state["rows"][0, :, -1].abs().sum()) == 0.0


@pytest.mark.parametrize("task", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_other_tasks_train_but_cannot_be_saved(task: str, tmp_path: Path) -> None:
    population = make("sac", [("relu", 0), ("swim", 1)], task)
    population.train(60)
    assert population.updates == 20
    with pytest.raises(TaskError, match=task):
        population.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_double_precision() -> None:
    population = make("sac", [("swim", 0)], dtype=torch.float64)
    population.train(60)
    assert population.learner.actor.flat.dtype == torch.float64
    assert np.isfinite((population.evaluate(1) or [])[0].returns).all()


def test_entropy_coefficient_fixed_or_learnt() -> None:
    fixed = make("sac", [("relu", 0)], hyperparameters={"ent_coef": 0.25})
    learnt = make("sac", [("relu", 0)], hyperparameters={"ent_coef": "auto_0.25", "target_entropy": -1.5})
    other = make("sac", [("relu", 0)], hyperparameters={"ent_coef": "auto_0.25", "target_entropy": 5.0})
    for population in (fixed, learnt, other):
        population.train(100)
    values = [float(each.learner.state()["entropy"][0, 0].exp()) for each in (fixed, learnt, other)]
    assert values[0] == 0.25
    assert values[1] < 0.25 < values[2]


def test_targets_move_every_so_many_updates() -> None:
    population = make("sac", [("relu", 0)], hyperparameters={"target_update_interval": 3, "tau": 0.5})
    population.train(40)
    before = population.learner.critic_target.flat.clone()
    population.train(2)
    assert torch.equal(before, population.learner.critic_target.flat)
    population.train(1)
    assert not torch.equal(before, population.learner.critic_target.flat)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"algorithm": "ppo"}, ConfigError, "algorithm is 'ppo'; allowed are td3, sac, ddpg"),
        ({"members": []}, ConfigError, "a population has no members"),
        ({"members": [("relu", -1)]}, ConfigError, "seed is -1; allowed is a whole number from 0 to 4294967295"),
        ({"task": "Hoper-v5"}, TaskError, "Did you mean 'Hopper-v5'"),
        ({"task": "CartPole-v1"}, TaskError, "actions are Discrete"),
        ({"members": [("swimm", 0)]}, ValueError, "Unknown activation 'swimm'"),
        ({"hyperparameters": {"tau": 2.0}}, ValueError, "tau is 2.0"),
        ({"members": [Member("relu", "relu", 0, activation_lr=-1.0)]}, ConfigError, "activation_lr is -1.0"),
        ({"members": [("relu", 0, 1)]}, ConfigError, r"\('relu', 0, 1\) is no member"),
        ({"most_steps": 0}, ConfigError, "most_steps is 0; allowed is a whole number of at least 1"),
        ({"members": [(torch.nn.BatchNorm1d(4).__class__, 0)]}, ValueError, "BatchNorm1d"),
        ({"device": "cuda:9"}, ValueError, "device 'cuda:9' does not exist here"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"algorithm": "td3", "task": "Hopper-v5", "members": [("relu", 0)], **change}
    with pytest.raises(error, match=message):
        Population(**arguments)


def test_bad_numbers_of_steps_and_episodes() -> None:
    population = make("td3", [("relu", 0)], most_steps=50)
    with pytest.raises(ConfigError, match=r"steps is 2\.5"):
        population.train(2.5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="episodes is 0"):
        population.evaluate(0)
    population.train(45)
    with pytest.raises(ConfigError, match=r"45 \+ 6 steps are more than most_steps, 50"):
        population.train(6)


def test_a_memory_larger_than_the_machine_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"1 x a replay memory of 1,000,000,000,000 transitions needs .* buffer_size of at most"
    ):
        make("td3", [("relu", 0)], hyperparameters={"buffer_size": 10**12})


def test_bad_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        Population.load(tmp_path)
    population = make("td3", [("relu", 0)])
    population.train(50)
    population.save(tmp_path)
    data = next(tmp_path.glob("data-*"))
    rows = data / "replay-0.npy"
    content = bytearray(rows.read_bytes())
    content[200] ^= 1
    rows.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"replay-0\.npy is damaged: its SHA-256 is"):
        Population.load(tmp_path, device="cpu")
    rows.unlink()
    with pytest.raises(CheckpointError, match=r"replay-0\.npy cannot be read"):
        Population.load(tmp_path, device="cpu")
    manifest = tmp_path / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"mujoco": "3', '"mujoco": "2'))
    with pytest.raises(CheckpointError, match=r"made with mujoco 2\."):
        Population.load(tmp_path, device="cpu")
    kernels = json.loads(text)["versions"]["native_kernels"]
    manifest.write_text(text.replace(f'"native_kernels": "{kernels}"', '"native_kernels": "0"'))
    with pytest.raises(CheckpointError, match=rf"made with native_kernels 0 \(here {kernels}\)"):
        Population.load(tmp_path, device="cpu")
    manifest.write_text(text.replace('"device": "cpu"', '"device": "cuda"'))
    with pytest.raises(CheckpointError, match="was made on cuda; training cannot go on as it was on cpu"):
        Population.load(tmp_path, device="cpu")
    manifest.write_text(text.replace('"format": 2', '"format": 9'))
    with pytest.raises(CheckpointError, match="has format 9"):
        Population.load(tmp_path, device="cpu")


def test_a_kill_while_saving_leaves_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    population = make("td3", [("relu", 0)])
    population.train(50)
    population.save(tmp_path)

    def killed(*_args: Any) -> None:
        raise KeyboardInterrupt

    population.train(10)
    monkeypatch.setattr("agents.checkpoint.write_json_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        population.save(tmp_path)
    assert Population.load(tmp_path, device="cpu").step == 50
    monkeypatch.undo()
    population.save(tmp_path)
    assert Population.load(tmp_path, device="cpu").step == 60
    assert len(list(tmp_path.glob("data-*"))) == 1


def test_an_activation_without_a_name_cannot_be_saved(tmp_path: Path) -> None:
    population = make("td3", [(torch.nn.Softsign, 0)])
    population.train(45)
    with pytest.raises(CheckpointError, match=r"rl_acts\.register"):
        population.save(tmp_path / "saved")
