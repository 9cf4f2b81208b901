"""The Stable-Baselines3 policies: real models on real MuJoCo tasks."""

import copy
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, SAC, TD3
from torch import Tensor, nn

import rl_acts
import rl_acts.sb3
from rl_acts import ActivationError

TASK = "InvertedPendulum-v5"
SMALL: dict[str, Any] = {"learning_starts": 20, "batch_size": 16, "buffer_size": 500, "device": "cpu", "seed": 0}


def td3(algorithm: type[TD3] = TD3, **policy_kwargs: Any) -> Any:
    return algorithm(rl_acts.sb3.TD3Policy, TASK, policy_kwargs={"net_arch": [8, 8], **policy_kwargs}, **SMALL)


def sac(**policy_kwargs: Any) -> Any:
    return SAC(rl_acts.sb3.SACPolicy, TASK, policy_kwargs={"net_arch": [8, 8], **policy_kwargs}, **SMALL)


def names_of(net: nn.Module) -> list[str]:
    assert isinstance(net, nn.Sequential)
    return [type(module).__name__ for module in net]


def test_td3_holds_exactly_the_activations_asked_for() -> None:
    model = td3(actor_activation="swim", critic_activation=["relu", "swish_learnable"])
    for actor in (model.actor, model.actor_target):
        assert names_of(actor.mu) == ["Linear", "Swim", "Linear", "Swim", "Linear", "Tanh"]
    for critic in (model.critic, model.critic_target):
        for net in critic.q_networks:
            assert names_of(net) == ["Linear", "ReLU", "Linear", "SwishLearnable", "Linear"]
    modules = [net[3] for critic in (model.critic, model.critic_target) for net in critic.q_networks]
    assert len(set(map(id, modules))) == 4


def test_sac_holds_exactly_the_activations_asked_for() -> None:
    model = sac(actor_activation=["tanh", "swim_learnable(per=unit)"], critic_activation="mish")
    assert names_of(model.actor.latent_pi) == ["Linear", "Tanh", "Linear", "SwimLearnable"]
    assert all(names_of(net) == ["Linear", "Mish", "Linear", "Mish", "Linear"] for net in model.critic.q_networks)


def test_net_arch_can_differ_between_actor_and_critic() -> None:
    model = td3(
        net_arch={"pi": [8], "qf": [8, 4]},
        actor_activation="prelu(per=unit)",
        critic_activation=["relu", "prelu(per=unit)"],
    )
    assert tuple(model.actor.mu[1].slope.shape) == (8,)
    assert tuple(model.critic.q_networks[1][3].slope.shape) == (4,)


def test_without_activations_it_is_stable_baselines3s_own_policy() -> None:
    ours = td3(activation_fn=nn.Tanh)
    theirs = TD3("MlpPolicy", TASK, policy_kwargs={"net_arch": [8, 8], "activation_fn": nn.Tanh}, **SMALL)
    assert names_of(ours.actor.mu) == names_of(theirs.actor.mu)
    assert len(ours.critic.optimizer.param_groups) == 1


@pytest.mark.parametrize("algorithm", ["td3", "sac"])
def test_relu_by_name_trains_bit_for_bit_as_stable_baselines3(algorithm: str) -> None:
    # Each learns before the other is made: both draw from the generators that the constructor seeds.
    build: Any = {"td3": td3, "sac": sac}[algorithm]
    ours = build(actor_activation="relu", critic_activation="relu").learn(60)
    cls: Any = {"td3": TD3, "sac": SAC}[algorithm]
    theirs = cls("MlpPolicy", TASK, policy_kwargs={"net_arch": [8, 8]}, **SMALL).learn(60)
    for (name, mine), other in zip(ours.policy.state_dict().items(), theirs.policy.state_dict().values(), strict=True):
        assert torch.equal(mine, other), name


def test_learnt_values_move_and_targets_follow_slowly() -> None:
    model = td3(actor_activation="swim_learnable(per=unit)", critic_activation="swish_learnable")
    model.learn(80)
    start = rl_acts.SwimLearnable().raw_k.item()
    online, target = (actor.mu[1].raw_k for actor in (model.actor, model.actor_target))
    assert ((online - start).abs() > 0).all()
    assert ((target - start).abs() > 0).all()
    assert ((target - start).abs() < (online - start).abs()).all()
    online_beta, target_beta = (c.q_networks[0][1].raw_beta for c in (model.critic, model.critic_target))
    assert len({1.0, online_beta.item(), target_beta.item()}) == 3


def test_per_net_is_one_object_in_each_network_and_none_between_them() -> None:
    model = td3(actor_activation="swim_learnable(per=net)", critic_activation="swim_learnable(per=net)")
    nets = [model.actor.mu, model.actor_target.mu, *model.critic.q_networks, *model.critic_target.q_networks]
    pairs = [(net[1], net[3]) for net in nets]
    assert all(first is second for first, second in pairs)
    assert len({id(first) for first, _ in pairs}) == 6
    with pytest.raises(ActivationError, match=r"critic_activation: per='net' means one object"):
        td3(critic_activation=["relu", "swim_learnable(per=net)"])


@pytest.mark.parametrize("build", [td3, sac])
def test_activation_lr_survives_the_schedule(build: Any) -> None:
    model = build(
        actor_activation="swim_learnable(per=unit)", critic_activation="swim_learnable(per=unit)", activation_lr=1e-2
    )
    # An odd number of updates ends with one in which TD3's actor takes no step after the schedule was written.
    model.learn(61)
    for network in (model.actor, model.critic):
        main, own = network.optimizer.param_groups
        assert own["lr"] == 1e-2
        assert main["lr"] == model.learning_rate
    assert {tuple(parameter.shape) for parameter in model.actor.optimizer.param_groups[1]["params"]} == {(8,)}


def test_activation_lr_is_the_rate_that_is_used() -> None:
    moved = []
    for rate in (1e-4, 1e-2):
        model = sac(actor_activation="swim_learnable", activation_lr=rate)
        model.learn(22)
        moved.append(abs(model.actor.latent_pi[1].raw_k.item() - rl_acts.SwimLearnable().raw_k.item()))
    # Adam's first steps have the length of the rate.
    assert moved[1] / moved[0] == pytest.approx(100, rel=0.2)


def test_without_activation_lr_the_group_follows_the_schedule() -> None:
    model = td3(actor_activation="prelu")
    model.learning_rate = 5e-5
    model._setup_lr_schedule()
    model.learn(30)
    assert [group["lr"] for group in model.actor.optimizer.param_groups] == [5e-5, 5e-5]


def test_activations_never_have_weight_decay() -> None:
    model = td3(
        actor_activation="prelu(per=unit)",
        optimizer_class=torch.optim.AdamW,
        optimizer_kwargs={"weight_decay": 0.1},
    )
    assert [group["weight_decay"] for group in model.actor.optimizer.param_groups] == [0.1, 0.0]
    plain = td3(actor_activation="prelu", optimizer_class=torch.optim.RMSprop)
    plain.learn(30)
    assert len(plain.actor.optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("policy_kwargs", "part"),
    [
        ({"actor_activation": "swimm"}, "actor_activation: Unknown activation 'swimm'. Did you mean 'swim'"),
        ({"critic_activation": ["relu"]}, "critic_activation: Got 1 activations for 2 hidden layers"),
        ({"actor_activation": "relu", "activation_lr": 1e-2}, "activation_lr=0.01 was given, but neither"),
        ({"actor_activation": "prelu", "activation_lr": 0.0}, "activation_lr=0.0 is not allowed"),
        ({"actor_activation": "prelu", "activation_lr": "fast"}, "activation_lr='fast' is not allowed"),
        ({"activation_fn": lambda: rl_acts.PReLU(per="unit")}, "rl_acts.sb3.TD3Policy"),
    ],
)
def test_refuses(policy_kwargs: dict[str, Any], part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        td3(**policy_kwargs)
    assert part in str(caught.value)


def _works_without_width(cls: type[nn.Module]) -> bool:
    try:
        cls()
    except ActivationError:
        return False
    return True


@pytest.mark.parametrize("name", rl_acts.names())
def test_every_class_works_as_plain_activation_fn_or_says_why_not(name: str) -> None:
    cls = rl_acts.info(name).cls
    if not _works_without_width(cls):
        with pytest.raises(ActivationError, match=r"needs the layer's width.*rl_acts\.sb3\.TD3Policy"):
            td3(activation_fn=cls)
        return
    model = TD3("MlpPolicy", TASK, policy_kwargs={"net_arch": [8, 8], "activation_fn": cls}, **SMALL)
    assert type(model.actor.mu[1]) is cls


def test_ddpg_comes_along() -> None:
    model = td3(DDPG, critic_activation="swim_learnable", actor_activation="swim")
    model.learn(60)
    assert len(model.critic.q_networks) == 1
    assert names_of(model.critic.q_networks[0])[1] == "SwimLearnable"


class Statistics(nn.Module):
    """Stateful: counts its training calls (integer) and keeps a mean (floating); both enter the value."""

    calls: Tensor
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
            self.mean.lerp_(x.detach().mean(), 0.1)
        return (x - self.mean).relu()


@pytest.fixture
def statistics() -> Iterator[str]:
    rl_acts.register("toy_statistics", stateful=True)(Statistics)
    yield "toy_statistics"
    rl_acts.unregister("toy_statistics")


@pytest.mark.parametrize("build", [td3, sac])
def test_targets_see_the_buffers_of_the_moment(build: Any, statistics: str) -> None:
    model = build(actor_activation=statistics, critic_activation=statistics)
    model.learn(60)
    observations, actions = torch.zeros(3, 4), torch.zeros(3, 1)
    model.critic_target(observations, actions)
    pairs = [(model.critic.q_networks[1][3], model.critic_target.q_networks[1][3])]
    if isinstance(model, TD3):
        model.actor_target(observations)
        pairs.append((model.actor.mu[3], model.actor_target.mu[3]))
    for online, target in pairs:
        assert online.calls.item() >= 15
        assert torch.equal(online.calls, target.calls)
        assert torch.equal(online.mean, target.mean)
        assert online.mean is not target.mean


_LOAD = """
import json, sys
import numpy, stable_baselines3
import rl_acts.sb3
name, folder = sys.argv[1:]
observations = numpy.load(folder + "/observations.npy")
model = getattr(stable_baselines3, name).load(folder + "/model.zip", device="cpu")
policy = getattr(rl_acts.sb3, name + "Policy").load(folder + "/policy.pt", device="cpu")
print(json.dumps({
    "model": model.predict(observations, deterministic=True)[0].tolist(),
    "policy": policy.predict(observations, deterministic=True)[0].tolist(),
    "rates": [group["lr"] for group in model.actor.optimizer.param_groups],
    "constructor": policy._get_constructor_parameters()["critic_activation"],
}))
"""


@pytest.mark.parametrize("name", ["TD3", "SAC"])
def test_a_fresh_interpreter_loads_model_and_policy(name: str, tmp_path: Path) -> None:
    activations: dict[str, Any] = {
        "actor_activation": "swim_learnable(per=unit)",
        "critic_activation": ["relu", {"name": "swish_learnable", "per": "unit"}],
        "activation_lr": 1e-2,
    }
    build: Any = {"TD3": td3, "SAC": sac}[name]
    model = build(**activations)
    model.learn(60)
    environment = gymnasium.make(TASK)
    observations = np.array([environment.observation_space.sample() for _ in range(100)]).clip(-3, 3).astype(np.float32)
    np.save(tmp_path / "observations.npy", observations)
    model.save(tmp_path / "model.zip")
    model.policy.save(str(tmp_path / "policy.pt"))
    result = subprocess.run(
        [sys.executable, "-c", _LOAD, name, str(tmp_path)], capture_output=True, text=True, check=True
    )
    loaded = json.loads(result.stdout)
    expected = model.predict(observations, deterministic=True)[0].tolist()
    assert loaded["model"] == expected
    assert loaded["policy"] == expected
    assert loaded["rates"] == [model.learning_rate, 1e-2]
    assert loaded["constructor"] == activations["critic_activation"]


def test_a_loaded_model_goes_on_training_at_its_own_rate(tmp_path: Path) -> None:
    model = td3(actor_activation="prelu", activation_lr=1e-2)
    model.learn(30)
    model.save(tmp_path / "model.zip")
    again = TD3.load(tmp_path / "model.zip", env=model.get_env(), device="cpu")
    again.learn(31)
    assert again.actor.optimizer.param_groups[1]["lr"] == 1e-2
    assert again.actor.optimizer.param_groups[0]["lr"] == again.learning_rate


def test_a_loaded_model_takes_the_rate_of_its_policy_kwargs(tmp_path: Path) -> None:
    model = td3(actor_activation="prelu", activation_lr=1e-2)
    model.save(tmp_path / "model.zip")
    changed = {**model.policy_kwargs, "activation_lr": 1e-4}
    again = TD3.load(tmp_path / "model.zip", custom_objects={"policy_kwargs": changed}, device="cpu")
    assert again.actor.optimizer.param_groups[1]["lr"] == 1e-4


def test_a_policy_with_a_stateful_activation_copies_and_pickles(statistics: str) -> None:
    policy = td3(critic_activation=statistics).policy
    stored = io.BytesIO()
    torch.save(policy, stored)
    stored.seek(0)
    for again in (copy.deepcopy(policy), torch.load(stored, weights_only=False)):
        again.critic.qf0[1].mean.fill_(123.0)
        again.critic_target(torch.zeros(3, 4), torch.zeros(3, 1))
        assert again.critic_target.qf0[1].mean.item() == 123.0
        assert policy.critic_target.qf0[1].mean.item() == 0.0


def test_importing_without_stable_baselines3_says_what_to_install() -> None:
    code = "import sys; sys.modules['stable_baselines3'] = None\nimport rl_acts.sb3"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.strip().endswith(
        "ImportError: rl_acts.sb3 needs Stable-Baselines3: pip install 'rl-acts[sb3]'."
    )
