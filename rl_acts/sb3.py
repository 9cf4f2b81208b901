"""Stable-Baselines3 policies that take activations by name: for the actor, for the critics, for each layer.

Example:
    >>> from stable_baselines3 import TD3
    >>> import rl_acts.sb3
    >>> activations = dict(actor_activation="swim", critic_activation=["relu", "swish_learnable"])
    >>> model = TD3(rl_acts.sb3.TD3Policy, "Pendulum-v1", policy_kwargs=dict(net_arch=[64, 64], **activations))
    >>> model.policy.critic.qf0[3]
    SwishLearnable(per='layer', positive=False)

A saved model names this module and the specs; loading it needs rl_acts installed. Stable-Baselines3's files are
pickles: load only those you trust.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import nn

from rl_acts._info import Parameter, Real, checked
from rl_acts._mlp import hidden_activations, own_draws
from rl_acts._widths import KEEP, HiddenWidths, NetworkActivation, hidden_widths
from rl_acts.errors import ActivationError

try:
    from stable_baselines3.common.policies import ContinuousCritic
    from stable_baselines3.common.preprocessing import get_action_dim
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, get_actor_critic_arch
    from stable_baselines3.sac import policies as sac
    from stable_baselines3.td3 import policies as td3
except ImportError as error:
    raise ImportError("rl_acts.sb3 needs Stable-Baselines3: pip install 'rl-acts[sb3]'.") from error

if TYPE_CHECKING:
    # One body for both policies: the checker sees TD3's base class, at run time the next class in the MRO is the base.
    _Base: TypeAlias = td3.TD3Policy
else:
    _Base = object

from rl_acts._sb3_diagnostics import DiagnosticsCallback

__all__ = ["DiagnosticsCallback", "SACPolicy", "TD3Policy"]

_ACTIVATION_LR = Parameter("activation_lr", 3e-4, Real(other=1e-3, minimum=0.0), "learning rate of learnt activations")


class _ActivationGroup(dict[str, Any]):
    """Optimiser group of the activations whose learning rate is its own.

    Stable-Baselines3 writes its schedule into every group's ``"lr"`` at each `train()`; this group keeps what it had.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        # The first write must pass: copying and unpickling a dict fill it item by item.
        if key != "lr" or "lr" not in self:
            super().__setitem__(key, value)


class _ActivationPolicy(_Base):
    # Linear layers of the actor's size that read its last hidden layer.
    _heads = 1

    def __init__(
        self,
        *args: Any,
        actor_activation: NetworkActivation | None = None,
        critic_activation: NetworkActivation | None = None,
        activation_lr: float | None = None,
        keep: str = "width",
        **kwargs: Any,
    ) -> None:
        checked(type(self).__name__, (KEEP,), "keep", keep)
        if activation_lr is not None:
            checked(type(self).__name__, (_ACTIVATION_LR,), "activation_lr", activation_lr)
        # The base class builds the networks in its constructor, so these must be there before it.
        self.actor_activation = actor_activation
        self.critic_activation = critic_activation
        self.activation_lr = activation_lr
        self.keep = keep
        super().__init__(*args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(),
            "actor_activation": self.actor_activation,
            "critic_activation": self.critic_activation,
            "activation_lr": self.activation_lr,
            "keep": self.keep,
        }

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> td3.Actor:
        if self.actor_activation is None:
            return super().make_actor(features_extractor)
        extractor = self.make_features_extractor() if features_extractor is None else features_extractor
        arch, outputs = get_actor_critic_arch(self.net_arch)[0], self._heads * get_action_dim(self.action_space)
        with _named("actor_activation"):
            widths = hidden_widths(self.actor_activation, [extractor.features_dim, *arch, outputs], self.keep)
        # What reads a hidden layer, SAC's heads among it, is built for the width behind the activation.
        self.actor_kwargs["net_arch"] = list(widths.behind)
        actor = super().make_actor(extractor)
        with _named("actor_activation"):
            _install(actor, self.actor_activation, widths)
        return actor

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        if self.critic_activation is None:
            return super().make_critic(features_extractor)
        extractor = self.make_features_extractor() if features_extractor is None else features_extractor
        arch, inputs = (
            get_actor_critic_arch(self.net_arch)[1],
            extractor.features_dim + get_action_dim(self.action_space),
        )
        with _named("critic_activation"):
            widths = hidden_widths(self.critic_activation, [inputs, *arch, 1], self.keep)
        self.critic_kwargs["net_arch"] = list(widths.behind)
        critic = super().make_critic(extractor)
        with _named("critic_activation"):
            _install(critic, self.critic_activation, widths)
        return critic

    def _own_activations(self, *networks: tuple[nn.Module, nn.Module]) -> None:
        """Give learnt activations their optimiser groups, and each target its online network's buffers."""
        learnt = [self._split_optimizer(network) for network in (self.actor, self.critic)]
        if self.activation_lr is not None and not any(learnt):
            raise ActivationError(
                f"activation_lr={self.activation_lr!r} was given, but neither the actor's nor the critics' activation "
                "has anything to learn."
            )
        for online, target in networks:
            _follow_buffers(online, target)

    def _split_optimizer(self, network: Any) -> bool:
        """Give the activations' parameters a group of their own, without weight decay; say whether there are any."""
        activations = {id(parameter) for module in _activations(network) for parameter in module.parameters()}
        everything = network.optimizer.param_groups[0]["params"]
        learnt = [parameter for parameter in everything if id(parameter) in activations]
        if not learnt:
            return False
        rest = [parameter for parameter in everything if id(parameter) not in activations]
        defaults = network.optimizer.defaults
        group: dict[str, Any] = {"params": learnt, "lr": self.activation_lr or defaults["lr"]}
        if "weight_decay" in defaults:
            group["weight_decay"] = 0.0
        optimizer_class = cast("Callable[..., torch.optim.Optimizer]", self.optimizer_class)
        network.optimizer = optimizer_class([{"params": rest}, group], lr=defaults["lr"], **self.optimizer_kwargs)
        if self.activation_lr is not None:
            pin = partial(_pin, self.activation_lr)
            pin(network.optimizer)
            # Loading a state replaces the groups by plain dicts, with the rate of the model that was saved.
            network.optimizer.register_load_state_dict_post_hook(pin)
        return True


def _pin(rate: float, optimizer: torch.optim.Optimizer) -> None:
    optimizer.param_groups[-1] = _ActivationGroup({**optimizer.param_groups[-1], "lr": rate})


def _nets(network: nn.Module) -> list[nn.Sequential]:
    """Return the stacks ``Linear, activation, ...`` inside an actor or a critic."""
    if isinstance(network, ContinuousCritic):
        return cast("list[nn.Sequential]", network.q_networks)
    return [network.latent_pi if isinstance(network, sac.Actor) else cast("td3.Actor", network).mu]


def _activations(network: nn.Module) -> list[nn.Module]:
    return [module for net in _nets(network) for module in net if not isinstance(module, nn.Linear)]


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ActivationError as error:
        raise ActivationError(f"{name}: {error}") from None


def _install(network: nn.Module, activation: NetworkActivation, widths: HiddenWidths) -> None:
    """Put activations where Stable-Baselines3 has put its `activation_fn`.

    Its own builder makes the linear layers, so a seed gives the same initial weights as without rl_acts; only those
    before an activation that changes the width are made anew. What is drawn here moves no later draw.
    """
    device = next(network.parameters()).device
    with own_draws():
        for net in _nets(network):
            modules = hidden_activations(activation, widths.before)
            for index, (module, width) in enumerate(zip(modules, widths.before, strict=True)):
                linear = cast("nn.Linear", net[2 * index])
                if linear.out_features != width:
                    net[2 * index] = nn.Linear(linear.in_features, width, device=device)
                net[2 * index + 1] = module.to(device)


def _follow_buffers(online: nn.Module, target: nn.Module) -> None:
    """Let the target's activations see the online ones' buffers (statistics, phases, counters) of the moment.

    Polyak averaging moves parameters only, and Stable-Baselines3 copies buffers only if their name contains
    ``running_`` and they are floating; a counter must be copied, not averaged.

    An activation that rewrites its own parameters in training says so by an integer buffer `phase` that changes with
    each rewrite: where it differs from the target's, the target gets the parameters too, in place of an average of the
    old and the new.
    """
    sources, copies = _activations(online), _activations(target)
    pairs = [pair for pair in zip(sources, copies, strict=True) if any(True for _ in pair[0].buffers())]
    if not pairs:
        return

    target.register_forward_pre_hook(_CopyBuffers(pairs))


class _CopyBuffers:
    """Forward hook of a target network. An object, not a closure: copied and pickled with the policy that it is in."""

    def __init__(self, pairs: list[tuple[nn.Module, nn.Module]]) -> None:
        self.pairs = pairs

    def __call__(self, _module: nn.Module, _inputs: tuple[Any, ...]) -> None:
        with torch.no_grad():
            for source, copy in self.pairs:
                for of_source, of_copy in zip(source.modules(), copy.modules(), strict=True):
                    _copy_rewritten(of_source, of_copy)
                for current, stale in zip(source.buffers(), copy.buffers(), strict=True):
                    stale.copy_(current)


def _copy_rewritten(source: nn.Module, copy: nn.Module) -> None:
    phase, known = (dict(module.named_buffers(recurse=False)).get("phase") for module in (source, copy))
    if phase is None or known is None:
        return
    rewritten = phase != known
    for current, stale in zip(source.parameters(), copy.parameters(), strict=True):
        # No branch: asking a GPU for the phase would make it wait at every update.
        stale.copy_(torch.where(rewritten, current, stale))


class TD3Policy(_ActivationPolicy, td3.TD3Policy):
    """Stable-Baselines3's `TD3Policy` (for TD3 and DDPG) with activations by spec.

    Args:
        *args: As for `stable_baselines3.td3.policies.TD3Policy`; Stable-Baselines3 supplies them.
        actor_activation: One spec for all hidden layers, or a list with one per layer; None for `activation_fn`. A
            class or callable is saved by reference, so it must be importable where the model is loaded; a lambda is
            not.
        critic_activation: Likewise for each Q-network. Every network has its own modules and learnt values.
        activation_lr: Learning rate of the learnt activation parameters, constant; None for the model's schedule. They
            never have weight decay. A loaded model takes the rate of its `policy_kwargs`.
        keep: What is kept where an activation changes the width, ``"width"`` (default) or ``"parameters"``, as for
            `rl_acts.mlp`. SAC's two heads are counted as one linear layer with twice the actions.
        **kwargs: As for Stable-Baselines3's policy: `net_arch`, `activation_fn`, `optimizer_class`, and the others.

    Raises:
        ActivationError: A bad spec, a list that does not fit `net_arch`, or an `activation_lr` with nothing to learn.
    """

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        self._own_activations((self.actor, self.actor_target), (self.critic, self.critic_target))


class SACPolicy(_ActivationPolicy, sac.SACPolicy):  # type: ignore[misc]  # its actor is another class than TD3's
    """Stable-Baselines3's `SACPolicy` with activations by spec; the arguments are those of `TD3Policy`."""

    _heads = 2

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        self._own_activations((self.critic, self.critic_target))
