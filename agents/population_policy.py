"""From one run of a population to a policy file."""

from typing import Any, cast

import numpy as np
import torch

from agents.config import RunConfig
from agents.divergence import check_array
from agents.policy_file import Policy, policy_manifest
from agents.population import Population
from agents.sac import SAC


def policy_of(population: Population, run: int, config: RunConfig) -> tuple[Policy, dict[str, Any]]:
    """Return one run's actor and critics in plain PyTorch, and their manifest.

    Args:
        population: Trained.
        run: Index of the run.
        config: Of the run.

    Raises:
        DivergedError: A weight is NaN or infinite.
    """
    learner = population.learner
    low, high = population.action_bounds
    manifest = policy_manifest(config, learner.actor.layout.inputs, low, high)
    if isinstance(learner, SAC):
        manifest["entropy_coefficient"] = float(learner.log_entropy_coefficient.detach()[run].exp())
    policy = Policy(manifest)
    actor = learner.actor.module(run).cpu().float()
    if policy.log_std is not None:
        # The two heads are one layer here.
        joined = cast("torch.nn.Linear", actor[-1])
        head = torch.nn.Linear(joined.in_features, joined.out_features // 2)
        for layer, rows in ((head, slice(None, head.out_features)), (policy.log_std, slice(head.out_features, None))):
            layer.weight.data.copy_(joined.weight.data[rows])
            layer.bias.data.copy_(joined.bias.data[rows])
        actor[-1] = head
    policy.actor.load_state_dict(actor.state_dict())
    for index, critic in enumerate(policy.critics):
        critic.load_state_dict(learner.critic.module(run * learner.critic.per_run + index).cpu().float().state_dict())
    for name, tensor in policy.tensors().items():
        check_array(f"weight {name}", np.asarray(tensor), population.step)
    return policy.eval(), manifest
