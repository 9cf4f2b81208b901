"""TD3 for a population, and DDPG as its special case.

Fujimoto, van Hoof and Meger, "Addressing function approximation error in actor-critic methods" (arXiv 1802.09477),
Algorithm 1, with the hyperparameters of `agents.hyperparameters`. DDPG (Lillicrap et al., arXiv 1509.02971) is TD3
with one critic, no target noise and no delay.
"""

import torch
from torch import Tensor

from agents.activation_noise import ActivationNoise, NetworkUniforms, no_noise
from agents.learner import (
    Batch,
    Losses,
    Setting,
    build_optimiser,
    build_stacks,
    move_towards,
    network_state,
    optimiser_state,
    population_network,
)
from agents.philox import Stream


class TD3:
    """P runs of TD3, each as if it were alone: losses are summed over runs, and nothing else joins them.

    Args:
        setting: What to build.
        critics: Q-networks per run.

    Attributes:
        noise_streams: Streams of the standard normal numbers that `update` takes, in order.
    """

    noise_streams = (Stream.TARGET_NOISE,)

    def __init__(self, setting: Setting, critics: int = 2) -> None:
        values = setting.hyperparameters
        self._exploration_noise = float(values["exploration_noise"])
        self._target_noise = values.get("target_policy_noise", 0.0)
        self._target_noise_clip = values.get("target_noise_clip", 0.0)
        self._policy_delay = int(values.get("policy_delay", 1))
        self._gamma, self._tau = values["gamma"], values["tau"]
        actors, values_of_actions = build_stacks(setting, critics=critics, gaussian=False)
        self.actor = population_network(setting, actors, "actor")
        self.critic = population_network(setting, values_of_actions, "critic")
        self.actor_target = population_network(setting, actors, "actor", target=True)
        self.critic_target = population_network(setting, values_of_actions, "critic", target=True)
        self._actor_optimiser = build_optimiser(self.actor, setting.members, values["learning_rate"])
        self._critic_optimiser = build_optimiser(self.critic, setting.members, values["learning_rate"])
        setting.compile_methods(self, "_targets", "_critic_loss", "_actor_loss")

    def act(self, observations: Tensor) -> Tensor:
        """Return the deterministic policy's actions in [-1, 1], shape ``(P, B, A)``, for ``(P, B, observations)``."""
        return torch.tanh(self.actor(observations))[:, 0]

    def explore(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions with Gaussian noise, clipped to [-1, 1]; `noise` is standard normal, ``(P, B, A)``."""
        return (self.act(observations) + self._exploration_noise * noise).clamp(-1.0, 1.0)

    def delayed_is_due(self, update: int) -> bool:
        """Return whether the update of this number, from 1, is one of actor and targets too."""
        return update % self._policy_delay == 0

    def moves_policy(self, update: int) -> bool:
        """Return whether the update of this number, from 1, changes the actor."""
        return self.delayed_is_due(update)

    def update(
        self,
        batch: Batch,
        noise: tuple[Tensor, ...],
        activation_noise: ActivationNoise | None = None,
        *,
        delayed: bool,
    ) -> Losses:
        """Make one update of every run.

        Args:
            batch: Transitions.
            noise: Standard normal numbers for the target actions, shape ``(P, B, A)``.
            activation_noise: As `agents.activation_noise.ActivationDraws` makes it; None if no activation draws any.
            delayed: Whether it is the actor's turn, and the targets'.

        Returns:
            ``critic_loss`` and, if the actor was updated, ``actor_loss``, shape ``(P,)``.
        """
        drawn = activation_noise or ActivationNoise(no_noise(self.actor), no_noise(self.critic))
        with torch.no_grad():
            targets = self._targets(batch, noise[0])
        critic_loss = self._critic_loss(batch, targets, drawn.critic)
        self.critic.gradients(critic_loss.sum())
        self._critic_optimiser.step()
        if not delayed:
            self.critic_target.follow(self.critic)
            return {"critic_loss": critic_loss.detach()}

        actor_loss = self._actor_loss(batch.observations, drawn.actor)
        self.actor.gradients(actor_loss.sum())
        self._actor_optimiser.step()
        move_towards((self.critic, self.actor), (self.critic_target, self.actor_target), self._tau)
        self.critic_target.follow(self.critic)
        self.actor_target.follow(self.actor)
        return {"critic_loss": critic_loss.detach(), "actor_loss": actor_loss.detach()}

    def _targets(self, batch: Batch, noise: Tensor) -> Tensor:
        """Clipped double Q-learning with target policy smoothing: one value for each transition, ``(P, B)``."""
        smoothing = (self._target_noise * noise).clamp(-self._target_noise_clip, self._target_noise_clip)
        next_actions = torch.tanh(self.actor_target(batch.next_observations))[:, 0]
        next_actions = (next_actions + smoothing).clamp(-1.0, 1.0)
        next_values = self.critic_target(batch.next_observations, next_actions).squeeze(-1).amin(1)
        targets: Tensor = batch.rewards + (1.0 - batch.terminated) * self._gamma * next_values
        return targets

    def _critic_loss(self, batch: Batch, targets: Tensor, uniforms: NetworkUniforms) -> Tensor:
        """Mean squared error, summed over a run's critics, ``(P,)``."""
        values = self.critic(batch.observations, batch.actions, uniforms=uniforms).squeeze(-1)
        return (values - targets.unsqueeze(1)).square().mean(2).sum(1)

    def _actor_loss(self, observations: Tensor, uniforms: NetworkUniforms) -> Tensor:
        """Minus the first critic's opinion of the policy's actions, ``(P,)``."""
        actions = torch.tanh(self.actor(observations, uniforms=uniforms))[:, 0]
        values = self.critic(observations, actions, learn=False, first=True)
        return -values.mean((1, 2, 3))

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that training changes, by name; writing into them changes the learner."""
        return {
            **network_state("actor", self.actor),
            **network_state("actor_target", self.actor_target),
            **network_state("critic", self.critic),
            **network_state("critic_target", self.critic_target),
            **optimiser_state("actor_optimiser", self._actor_optimiser),
            **optimiser_state("critic_optimiser", self._critic_optimiser),
        }
