"""SAC for a population.

Haarnoja et al., "Soft actor-critic algorithms and applications" (arXiv 1812.05905), Algorithm 1 with twin critics and,
if asked for, automatic entropy adjustment (section 5), in Stable-Baselines3's order of operations: the policy is
sampled, the entropy coefficient is updated but used with its old value, then critics, actor, targets. One thing
differs: ``target_update_interval`` counts the updates of the whole training; Stable-Baselines3 counts those between two
collections, so that there, with one, it has no effect.
"""

import math

import torch
from torch import Tensor

from agents.activation_noise import ActivationNoise, NetworkUniforms, no_noise
from agents.layout import ALIGNMENT
from agents.learner import (
    Batch,
    Losses,
    Setting,
    adam,
    build_optimiser,
    build_stacks,
    move_towards,
    network_state,
    optimiser_state,
    population_network,
)
from agents.philox import Stream

# Bounds of the logarithm of the policy's standard deviation, and what keeps the logarithm of 1 - tanh^2 finite: both
# as in Stable-Baselines3.
_LOG_STD_MIN, _LOG_STD_MAX = -20.0, 2.0
_EPSILON = 1e-6


def squashed_sample(output: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return actions ``(..., B, A)`` drawn from the policy and the logarithms of their densities ``(..., B)``.

    Args:
        output: Of the actor: means and logarithms of standard deviations, shape ``(..., B, 2 A)``.
        noise: Standard normal numbers, shape ``(..., B, A)``.
    """
    mean, log_std = output.chunk(2, dim=-1)
    log_std = log_std.clamp(_LOG_STD_MIN, _LOG_STD_MAX)
    actions = torch.tanh(mean + log_std.exp() * noise)
    gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    return actions, (gaussian - (1.0 - actions.square() + _EPSILON).log()).sum(-1)


class SAC:
    """P runs of SAC, each as if it were alone: losses are summed over runs, and nothing else joins them.

    Args:
        setting: What to build.

    Attributes:
        noise_streams: Streams of the standard normal numbers that `update` takes, in order.
    """

    noise_streams = (Stream.POLICY, Stream.NEXT_POLICY)

    def __init__(self, setting: Setting) -> None:
        values = setting.hyperparameters
        self._gamma, self._tau = values["gamma"], values["tau"]
        self._target_update_interval = int(values["target_update_interval"])
        wanted = values["target_entropy"]
        self._target_entropy = -float(setting.action_size) if wanted == "auto" else float(wanted)
        actors, critics = build_stacks(setting, critics=2, gaussian=True)
        self.actor = population_network(setting, actors, "actor")
        self.critic = population_network(setting, critics, "critic")
        self.critic_target = population_network(setting, critics, "critic", target=True)
        self._actor_optimiser = build_optimiser(self.actor, setting.members, values["learning_rate"])
        self._critic_optimiser = build_optimiser(self.critic, setting.members, values["learning_rate"])
        self._build_entropy_coefficient(setting)
        setting.compile_methods(self, "_sample", "_targets", "_critic_loss", "_actor_loss")

    def _build_entropy_coefficient(self, setting: Setting) -> None:
        given = setting.hyperparameters["ent_coef"]
        self._learns_entropy_coefficient = isinstance(given, str)
        start = float(str(given).partition("_")[2] or 1.0) if self._learns_entropy_coefficient else float(given)
        # One number for each run, in a row of its own: Adam then treats each as if it were alone, to the last bit.
        self._entropy = torch.zeros(len(setting.members), ALIGNMENT, dtype=setting.dtype, device=setting.device)
        self._entropy[:, 0] = math.log(start) if start > 0 else -math.inf
        self._entropy_optimiser = None
        if self._learns_entropy_coefficient:
            self._entropy.requires_grad_()
            rate = setting.hyperparameters["learning_rate"]
            self._entropy_optimiser = adam([{"params": [self._entropy], "lr": rate}], setting.device)

    @property
    def log_entropy_coefficient(self) -> Tensor:
        """Natural logarithm of the entropy coefficient (alpha), shape ``(P,)``."""
        return self._entropy[:, 0]

    def act(self, observations: Tensor) -> Tensor:
        """Return the deterministic policy's actions in [-1, 1], shape ``(P, B, A)``, for ``(P, B, observations)``."""
        mean, _ = self.actor(observations)[:, 0].chunk(2, dim=-1)
        return torch.tanh(mean)

    def explore(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions drawn from the policy; `noise` is standard normal, ``(P, B, A)``."""
        mean, log_std = self.actor(observations)[:, 0].chunk(2, dim=-1)
        return torch.tanh(mean + log_std.clamp(_LOG_STD_MIN, _LOG_STD_MAX).exp() * noise)

    def delayed_is_due(self, update: int) -> bool:
        """Return whether the update of this number, from 1, is one of the targets too."""
        return update % self._target_update_interval == 0

    def moves_policy(self, update: int) -> bool:
        """Return whether the update of this number, from 1, changes the actor: each does."""
        del update
        return True

    def _sample(
        self, observations: Tensor, noise: Tensor, uniforms: NetworkUniforms | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return actions ``(P, B, A)`` and the logarithms of their densities ``(P, B)``."""
        return squashed_sample(self.actor(observations, uniforms=uniforms)[:, 0], noise)

    def update(
        self,
        batch: Batch,
        noise: tuple[Tensor, ...],
        activation_noise: ActivationNoise | None = None,
        *,
        delayed: bool = True,
    ) -> Losses:
        """Make one update of every run.

        Args:
            batch: Transitions.
            noise: Standard normal numbers for the actions at the observations and at the next ones, each of shape
                ``(P, B, A)``.
            activation_noise: As `agents.activation_noise.ActivationDraws` makes it; None if no activation draws any.
            delayed: Whether it is the targets' turn.

        Returns:
            ``critic_loss``, ``actor_loss`` and ``ent_coef``, shape ``(P,)``.
        """
        drawn = activation_noise or ActivationNoise(no_noise(self.actor), no_noise(self.critic))
        actions, log_density = self._sample(batch.observations, noise[0], drawn.actor)
        coefficient = self.log_entropy_coefficient.detach().exp()
        self._update_entropy_coefficient(log_density.detach())

        with torch.no_grad():
            targets = self._targets(batch, noise[1], coefficient)
        critic_loss = self._critic_loss(batch, targets, drawn.critic)
        self.critic.gradients(critic_loss.sum())
        self._critic_optimiser.step()

        actor_loss = self._actor_loss(batch.observations, actions, log_density, coefficient)
        self.actor.gradients(actor_loss.sum())
        self._actor_optimiser.step()
        if delayed:
            move_towards((self.critic,), (self.critic_target,), self._tau)
        self.critic_target.follow(self.critic)
        return {"critic_loss": critic_loss.detach(), "actor_loss": actor_loss.detach(), "ent_coef": coefficient}

    def _targets(self, batch: Batch, noise: Tensor, coefficient: Tensor) -> Tensor:
        """Soft values by the smaller of two target critics: one for each transition, ``(P, B)``."""
        next_actions, next_log_density = self._sample(batch.next_observations, noise)
        next_values = self.critic_target(batch.next_observations, next_actions).squeeze(-1).amin(1)
        next_values = next_values - coefficient.unsqueeze(1) * next_log_density
        targets: Tensor = batch.rewards + (1.0 - batch.terminated) * self._gamma * next_values
        return targets

    def _critic_loss(self, batch: Batch, targets: Tensor, uniforms: NetworkUniforms) -> Tensor:
        """Half of the mean squared error, summed over a run's critics, ``(P,)``."""
        values = self.critic(batch.observations, batch.actions, uniforms=uniforms).squeeze(-1)
        return 0.5 * (values - targets.unsqueeze(1)).square().mean(2).sum(1)

    def _actor_loss(self, observations: Tensor, actions: Tensor, log_density: Tensor, coefficient: Tensor) -> Tensor:
        """Entropy-regularised value of the policy's actions, negated, ``(P,)``."""
        least = self.critic(observations, actions, learn=False).squeeze(-1).amin(1)
        return (coefficient.unsqueeze(1) * log_density - least).mean(1)

    def _update_entropy_coefficient(self, log_density: Tensor) -> None:
        if self._entropy_optimiser is None:
            return
        loss = -(self.log_entropy_coefficient * (log_density + self._target_entropy).mean(1)).sum()
        (self._entropy.grad,) = torch.autograd.grad(loss, [self._entropy])
        self._entropy_optimiser.step()

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that training changes, by name; writing into them changes the learner."""
        entropy = (
            {} if self._entropy_optimiser is None else optimiser_state("entropy_optimiser", self._entropy_optimiser)
        )
        return {
            **network_state("actor", self.actor),
            **network_state("critic", self.critic),
            **network_state("critic_target", self.critic_target),
            **optimiser_state("actor_optimiser", self._actor_optimiser),
            **optimiser_state("critic_optimiser", self._critic_optimiser),
            "entropy": self._entropy.detach(),
            **entropy,
        }
