"""Diagnostics of Stable-Baselines3's TD3, DDPG and SAC while they train; `rl_acts.sb3` is its public face."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Image
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor, nn

from rl_acts.diagnostics import DiagnosticsError, Measured, Row, UpdateWatch, measure, picture, policy_saturation

_SEED = 0
_UPDATES = 100
_ROWS_PER_UNIT = 4
# Three hundred numbers are no table for people.
_NO_TABLES = ("stdout", "log")
_ONLY_TENSORBOARD = (*_NO_TABLES, "csv", "json")


class DiagnosticsCallback(BaseCallback):
    """Measures actor and critics every so many steps, and writes what it finds to the model's logger.

    For TD3, DDPG and SAC with policies of `rl_acts.sb3` or Stable-Baselines3's own. Tags are
    ``diagnostics/<network>/<layer>/<name>`` with the networks ``actor``, ``q1``, ``q2``; TensorBoard also gets
    histograms of pre-activations and, if something is learnt, ``diagnostics/learnt_shapes``. What is measured is in
    `rl_acts.diagnostics.measure`, with norms of gradients and updates over the last 100 updates. Training goes on bit
    for bit as without it.

    The probe batch is drawn from the replay memory as it is then, by the same random numbers each time. The losses that
    gradients are of are the algorithm's, on that batch. A step's measurement comes before its updates, as with every
    callback.

    Args:
        every: Environment steps between measurements.
        probe: Rows of the batch; None for four per unit of the widest hidden layer.
        verbose: As for every callback.

    Attributes:
        measured: What was found last, by network.

    Raises:
        DiagnosticsError: `every` or `probe` is no whole number of at least 1, or the model is another algorithm or
            explores by ``use_sde``.

    Example:
        >>> from stable_baselines3 import TD3
        >>> import rl_acts.sb3
        >>> model = TD3(rl_acts.sb3.TD3Policy, "Pendulum-v1", policy_kwargs=dict(actor_activation="swim"))
        >>> _ = model.learn(300, callback=rl_acts.sb3.DiagnosticsCallback(every=100, probe=64))
    """

    def __init__(self, every: int = 25_000, probe: int | None = None, verbose: int = 0) -> None:
        super().__init__(verbose)
        given: dict[str, object] = {"every": every, "probe": 1 if probe is None else probe}
        for name, value in given.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise DiagnosticsError(f"{name}={value!r} is not allowed; it must be a whole number of at least 1.")
        self.every, self.probe = every, probe
        self.measured: dict[str, Measured] = {}
        self._initial: dict[str, nn.Sequential] = {}
        self._watches: dict[str, UpdateWatch] = {}
        self._periods = 0

    def _on_training_start(self) -> None:
        # Kept over several calls of `learn`, which go on with the same networks.
        if not self._initial:
            self._initial = copy.deepcopy(networks_of(self.model.policy))
        self._periods = self.num_timesteps // self.every

    def _on_step(self) -> bool:
        memory = self.model.replay_buffer  # type: ignore[attr-defined]  # of all that `networks_of` accepts
        if self.num_timesteps // self.every > self._periods and memory is not None and memory.size() > 0:
            self._periods = self.num_timesteps // self.every
            self._measure()
        left = self.every - self.num_timesteps % self.every
        if left <= _UPDATES * self.training_env.num_envs and not self._watches:
            self._watch()
        return True

    def _on_training_end(self) -> None:
        self._close_watches()

    def _watch(self) -> None:
        policy = cast("Any", self.model.policy)
        owners = {"actor": policy.actor, **{f"q{1 + i}": policy.critic for i in range(len(policy.critic.q_networks))}}
        for name, tensors in _parameters_of(policy).items():
            self._watches[name] = UpdateWatch(owners[name].optimizer, tensors)

    def _close_watches(self) -> dict[str, dict[str, float]]:
        found = {name: watch.close() for name, watch in self._watches.items()}
        self._watches = {}
        return found

    def _measure(self) -> None:
        updates = self._close_watches()
        model = cast("OffPolicyAlgorithm", self.model)
        self.measured = measure_model(model, self.probe, self._initial)
        for name, values in updates.items():
            rows = [Row("all", key, value) for key, value in values.items()]
            self.measured[name] = replace(self.measured[name], rows=(*self.measured[name].rows, *rows))
        for name, measured in self.measured.items():
            for row in measured.rows:
                self.logger.record(f"diagnostics/{name}/{row.layer}/{row.name}", row.value, exclude=_NO_TABLES)
            for layer, z in measured.pre_activations.items():
                if torch.isfinite(z).all():
                    tag = f"diagnostics/{name}/{layer}/pre_activations"
                    self.logger.record(tag, z.flatten(), exclude=_ONLY_TENSORBOARD)
        shapes = {name: measured.shapes for name, measured in self.measured.items() if measured.shapes}
        if shapes:
            image = Image(picture(shapes), "HWC")
            self.logger.record("diagnostics/learnt_shapes", image, exclude=_ONLY_TENSORBOARD)
        self.logger.dump(self.num_timesteps)
        self.on_measured()

    def on_measured(self) -> None:
        """Called after each measurement; does nothing, for others to override."""


def measure_model(
    model: OffPolicyAlgorithm, probe: int | None = None, initial: dict[str, nn.Sequential] | None = None
) -> dict[str, Measured]:
    """Measure a model's networks on a batch from its replay memory; nothing of the model changes.

    Args:
        model: TD3, DDPG or SAC with something in its memory.
        probe: Rows; None for four per unit of the widest hidden layer.
        initial: As `networks_of` gave them at first.

    Returns:
        By network: ``actor``, ``q1``, and ``q2`` if there is one.
    """
    # What cannot be measured can often not be copied either.
    networks_of(model.policy)
    policy: Any = copy.deepcopy(model.policy).eval()
    networks = networks_of(policy)
    widths = [layer.out_features for net in networks.values() for layer in net if isinstance(layer, nn.Linear)]
    with _own_random_numbers(model.device):
        memory: Any = model.replay_buffer
        batch = memory.sample(probe or _ROWS_PER_UNIT * max(widths), env=model.get_vec_normalize_env())
        targets = _targets(model, policy, batch)
        noise = torch.randn(batch.actions.shape, device=model.device)
    critics = [net for name, net in networks.items() if name != "actor"]
    losses = {name: _critic_loss(model, targets) for name in networks if name != "actor"}
    losses["actor"] = _actor_loss(model, policy, critics, batch, noise)
    first = initial or {}
    with torch.no_grad():
        of_actor = policy.actor.extract_features(batch.observations, policy.actor.features_extractor)
        of_critic = policy.critic.extract_features(batch.observations, policy.critic.features_extractor)
    inputs = {name: torch.cat((of_critic, batch.actions), 1) for name in networks}
    inputs["actor"] = of_actor
    found = {
        name: measure(network, inputs[name], loss=losses[name], initial=first.get(name))
        for name, network in networks.items()
    }
    output = found["actor"].output
    actions = torch.tanh(output.chunk(2, -1)[0]) if isinstance(model, SAC) else output
    saturation = Row("output", "policy_saturation", float(policy_saturation(actions)))
    found["actor"] = replace(found["actor"], rows=(*found["actor"].rows, saturation))
    return found


def networks_of(policy: Any) -> dict[str, nn.Sequential]:
    """Return a policy's networks behind the features, by name; SAC's two heads become one layer.

    Raises:
        DiagnosticsError: It is no policy of TD3, DDPG or SAC, or one with ``use_sde``.
    """
    actor: Any = getattr(policy, "actor", None)
    nets = getattr(getattr(policy, "critic", None), "q_networks", None)
    if nets is None or not (hasattr(actor, "latent_pi") or isinstance(getattr(actor, "mu", None), nn.Sequential)):
        raise DiagnosticsError(
            f"a policy of type {type(policy).__name__} cannot be measured; allowed are those of TD3, DDPG and SAC."
        )
    first: nn.Sequential = (
        actor.mu if not hasattr(actor, "latent_pi") else nn.Sequential(*actor.latent_pi, _head(actor))
    )
    return {"actor": first, **{f"q{index + 1}": net for index, net in enumerate(nets)}}


def _head(actor: Any) -> nn.Linear:
    if not isinstance(actor.log_std, nn.Linear):
        raise DiagnosticsError("a policy with use_sde=True cannot be measured; allowed is use_sde=False.")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        head = nn.Linear(actor.mu.in_features, 2 * actor.mu.out_features).to(actor.mu.weight.device)
        head.weight.copy_(torch.cat((actor.mu.weight, actor.log_std.weight)))
        head.bias.copy_(torch.cat((actor.mu.bias, actor.log_std.bias)))
    return head


def _parameters_of(policy: Any) -> dict[str, Sequence[Tensor]]:
    # Not by way of `networks_of`, whose joined heads are copies.
    actor = policy.actor
    parts = [actor.latent_pi, actor.mu, actor.log_std] if hasattr(actor, "latent_pi") else [actor.mu]
    found: dict[str, Sequence[Tensor]] = {"actor": [tensor for part in parts for tensor in part.parameters()]}
    for index, net in enumerate(policy.critic.q_networks):
        found[f"q{index + 1}"] = list(net.parameters())
    return found


@contextmanager
def _own_random_numbers(device: torch.device) -> Iterator[None]:
    """Seed NumPy's and PyTorch's global generators, from which the memory and policies draw, for a while."""
    state = np.random.get_state()  # noqa: NPY002 - Stable-Baselines3 draws from it
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
            np.random.seed(_SEED)  # noqa: NPY002
            torch.manual_seed(_SEED)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _targets(model: OffPolicyAlgorithm, policy: Any, batch: Any) -> Tensor:
    """Return what the critics are to learn, shape ``(n, 1)``, as the algorithms' `train` computes it."""
    following = batch.next_observations
    if isinstance(model, SAC):
        actions, log_density = policy.actor.action_log_prob(following)
        coefficient = model.log_ent_coef.exp() if model.log_ent_coef is not None else model.ent_coef_tensor
        extra = coefficient * log_density.reshape(-1, 1)
    elif isinstance(model, TD3):
        noise = torch.randn_like(batch.actions) * model.target_policy_noise
        clip = model.target_noise_clip
        actions = (policy.actor_target(following) + noise.clamp(-clip, clip)).clamp(-1, 1)
        extra = torch.zeros((), device=model.device)
    else:
        raise DiagnosticsError(f"{type(model).__name__} cannot be measured; allowed are TD3, DDPG and SAC.")
    values = torch.cat(policy.critic_target(following, actions), 1).amin(1, keepdim=True) - extra
    discount = model.gamma if getattr(batch, "discounts", None) is None else batch.discounts
    targets: Tensor = batch.rewards + (1 - batch.dones) * discount * values
    return targets


def _critic_loss(model: OffPolicyAlgorithm, targets: Tensor) -> Callable[[Tensor], Tensor]:
    factor = 0.5 if isinstance(model, SAC) else 1.0
    return lambda values: factor * (values - targets).square().mean()


def _actor_loss(
    model: OffPolicyAlgorithm, policy: Any, critics: Sequence[nn.Module], batch: Any, noise: Tensor
) -> Callable[[Tensor], Tensor]:
    with torch.no_grad():
        features = policy.critic.extract_features(batch.observations, policy.critic.features_extractor)

    def of_td3(actions: Tensor) -> Tensor:
        values: Tensor = critics[0](torch.cat((features, actions), 1))
        return -values.mean()

    def of_sac(output: Tensor) -> Tensor:
        mean, log_std = output.chunk(2, -1)
        drawn = policy.actor.action_dist.proba_distribution(mean, log_std.clamp(-20, 2))
        gaussian = mean + log_std.clamp(-20, 2).exp() * noise
        actions = torch.tanh(gaussian)
        log_density = drawn.log_prob(actions, gaussian)
        least = torch.cat([critic(torch.cat((features, actions), 1)) for critic in critics], 1).amin(1)
        sac = cast("SAC", model)
        coefficient = sac.log_ent_coef.exp().detach() if sac.log_ent_coef is not None else sac.ent_coef_tensor
        value: Tensor = (coefficient * log_density - least).mean()
        return value

    return of_sac if isinstance(model, SAC) else of_td3
