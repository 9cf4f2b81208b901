"""Ten updates of ours and of Stable-Baselines3's `train`, from the same weights, batches and noise."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agents.layout import aligned
from agents.learner import Member
from tests.agents.reference import (
    copy_into,
    default_dtype,
    layers_of,
    our_learner,
    random_batch,
    random_noise,
    sb3_model,
    train_sb3,
)

UPDATES = 10
# In float64 the largest difference of any number; in float32 the norm of the difference by the norm of the tensor.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
ARMS = {
    "relu": Member("relu", "relu", 3),
    "swim": Member("swim", "swim", 3),
    "swim_learnable": Member("swim_learnable(per=unit)", "swim_learnable", 3, activation_lr=1e-3),
    "different": Member("swim(k=0.7)", ["tanh", "swish_learnable(per=unit)"], 3),
    "one for the network": Member("prelu(per=net)", "swish_learnable(per=net)", 3),
}
NEIGHBOURS = [
    Member("relu", "relu", 0),
    Member("swim_learnable(per=unit)", "swim_learnable", 1, activation_lr=1e-3),
    Member("tanh", "relu", 2),
    Member("gelu", "gelu", 4),
]


def networks_of(algorithm: str) -> list[str]:
    return ["actor", "critic", "critic_target", *(["actor_target"] if algorithm != "sac" else [])]


def parts(layers: list[nn.Module]) -> list[Tensor]:
    """Return the tensors of one network in an order that ours shares."""
    linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return [*(tensor for linear in linears for tensor in (linear.weight, linear.bias)), *unique_parameters(layers)]


def unique_parameters(layers: list[nn.Module]) -> list[Tensor]:
    """Return the learnt values of activations, each once."""
    rest = [layer for layer in layers if not isinstance(layer, nn.Linear)]
    return list({id(parameter): parameter for layer in rest for parameter in layer.parameters()}.values())


def assert_near(ours: Tensor, theirs: Tensor, what: str) -> None:
    ours, theirs = ours.detach(), theirs.detach()
    difference = (ours - theirs).abs().max() if ours.dtype == torch.float64 else (ours - theirs).norm() / theirs.norm()
    assert difference <= TOLERANCE[ours.dtype], f"{what}: {difference}"


def assert_moments_near(learner: Any, model: Any, part: str, index: int) -> None:
    """Compare Adam's two moments of one run's networks, linear layers and learnt values."""
    own, optimiser = getattr(learner, part), getattr(model.policy, part).optimizer
    state = learner.state()
    for number, layers in enumerate(layers_of(model, part)):
        network = index * own.per_run + number
        group = next(group for group in own.groups if group.start <= network < group.stop)
        with_learnt = [each for each in own.groups if each.flat is not None]
        learnt = 1 + with_learnt.index(group) if group.flat is not None else 0
        for moment in ("exp_avg", "exp_avg_sq"):
            linears = sb3_linears(model, part, layers)
            copies = [copy.deepcopy(layer) for layer in layers if isinstance(layer, nn.Linear)]
            own.layout.extract(state[f"{part}_optimiser.0.{moment}"][network], copies)
            for place, (copied, parameters) in enumerate(zip(copies, linears, strict=True)):
                for name, tensors in zip(("weight", "bias"), parameters, strict=True):
                    theirs = torch.cat([optimiser.state[tensor][moment] for tensor in tensors])
                    assert_near(getattr(copied, name), theirs, f"{part} {place} {name} {moment}")
            rest = unique_parameters(layers)
            for place, parameter in enumerate(rest):
                vector = state[f"{part}_optimiser.{learnt}.{moment}"][network - group.start]
                begin = sum(aligned(earlier.numel()) for earlier in rest[:place])
                found = vector[begin : begin + parameter.numel()].view(parameter.shape)
                assert_near(found, optimiser.state[parameter][moment], f"{part} learnt {place} {moment}")


def sb3_linears(model: Any, part: str, layers: list[nn.Module]) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Return the weights and biases of each linear layer of ours: SAC's two heads are one layer."""
    found = [([layer.weight], [layer.bias]) for layer in layers if isinstance(layer, nn.Linear)]
    if part == "actor" and hasattr(model.policy.actor, "log_std"):
        heads = [model.policy.actor.mu, model.policy.actor.log_std]
        found[-1] = ([head.weight for head in heads], [head.bias for head in heads])
    return found  # type: ignore[return-value]  # parameters are tensors


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("slot", [None, 3], ids=["alone", "slot 3 of 5"])
@pytest.mark.parametrize("arm", list(ARMS))
@pytest.mark.parametrize("algorithm", ["td3", "sac", "ddpg"])
def test_ten_updates(algorithm: str, arm: str, slot: int | None, dtype: torch.dtype) -> None:
    if arm == "one for the network" and dtype == torch.float32:
        pytest.skip("the gradient of its one number is a sum of terms of both signs, which keeps too few digits")
    member, settings = ARMS[arm], {"net_arch": [32, 32], "learning_rate": 1e-3}
    members = [member] if slot is None else [*NEIGHBOURS[:slot], member, *NEIGHBOURS[slot:]]
    index = slot or 0
    with default_dtype(dtype):
        model = sb3_model(algorithm, member, **settings)
        learner = our_learner(algorithm, members, dtype, **settings)
        for name in networks_of(algorithm):
            per_run = getattr(learner, name).per_run
            for number, layers in enumerate(layers_of(model, name)):
                copy_into(getattr(learner, name), index * per_run + number, layers)
        for update in range(1, UPDATES + 1):
            batch = random_batch(len(members), dtype, update)
            noise = random_noise(len(members), dtype, update)
            train_sb3(model, batch, noise, index)
            learner.update(batch, noise, delayed=learner.delayed_is_due(update))
        for name in networks_of(algorithm):
            own = getattr(learner, name)
            for number, layers in enumerate(layers_of(model, name)):
                found = parts(list(own.module(index * own.per_run + number)))
                for place, (ours, theirs) in enumerate(zip(found, parts(layers), strict=True)):
                    assert_near(ours, theirs, f"{name} {number} tensor {place}")
        if algorithm == "sac":
            assert_near(learner.log_entropy_coefficient[index], model.log_ent_coef[0], "log alpha")
            state = learner.state()
            for moment in ("exp_avg", "exp_avg_sq"):
                theirs = model.ent_coef_optimizer.state[model.log_ent_coef][moment][0]
                assert_near(state[f"entropy_optimiser.0.{moment}"][index, 0], theirs, f"log alpha {moment}")
        assert_moments_near(learner, model, "critic", index)
        assert_moments_near(learner, model, "actor", index)
