"""Diagnostics of a population: when they are due, and what they find."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor, nn

from agents.config import ConfigError, check_count
from agents.executor import Learner
from agents.learner import Setting, build_stacks
from agents.probe_losses import Probe, actor_loss, critic_loss, draw_probe, policy_actions
from agents.replay import Replay
from agents.sac import SAC
from agents.update_window import UPDATES, UpdateWindow
from rl_acts.diagnostics import Measured, Row, measure, policy_saturation

# Rows of the probe for each unit of the widest layer: ranks need several.
_ROWS_PER_UNIT = 4
# What was found of one run, by network: actor, q1, q2.
Diagnosis: TypeAlias = Mapping[str, Measured]


class Diagnostics:
    """Measures the networks of P runs, without changing a bit of what becomes of them.

    All is done on copies on the CPU, which neither the compiler nor captured graphs ever see.

    Args:
        learner: To look at.
        replay: To draw probes from.
        setting: From which the learner was built, and its networks can be built again as they were at first.
        every: Environment steps between measurements; None: only when asked.
        probe: Rows; None: four for each unit of the widest hidden layer.
        last_step: The last step of training, at which it is measured too; None if it is not known.

    Attributes:
        settings: `every` and `probe` as given.
        every: As given.
        probe: Rows.

    Raises:
        ConfigError: `every` or `probe` is no whole number of at least 1.
    """

    def __init__(
        self,
        learner: Learner,
        replay: Replay,
        setting: Setting,
        every: int | None,
        probe: int | None,
        last_step: int | None,
    ) -> None:
        for name, value in (("diagnostics_every", every), ("diagnostics_probe", probe)):
            if value is not None:
                check_count(name, value, least=1)
        self._learner, self._replay, self._setting = learner, replay, setting
        self._seeds = [member.seed for member in setting.members]
        widest = max((*learner.actor.layout.hidden, *learner.critic.layout.hidden), default=1)
        self.settings = (every, probe)
        self.every, self.probe, self._last = every, probe or _ROWS_PER_UNIT * widest, last_step
        self._window = UpdateWindow(learner)
        values = setting.hyperparameters
        frequency = values["train_freq"]
        updates = frequency if values["gradient_steps"] == -1 else values["gradient_steps"]
        self._window_steps = -(-UPDATES * frequency // updates)
        self._initial: tuple[list[list[nn.Sequential]], list[list[nn.Sequential]]] | None = None

    def due(self, step: int) -> bool:
        """Return whether it is to be measured at this step: each multiple of `every` from there on, and the last."""
        return self.every is not None and step > 0 and (step % self.every == 0 or step == self._last)

    def steps_until_due(self, step: int) -> int | None:
        """Return how many steps there are to the next measurement behind this step, None if there is none."""
        if self.every is None:
            return None
        following = step + self.every - step % self.every
        return (following if self._last is None or self._last <= step else min(following, self._last)) - step

    def before_updates(self, step: int) -> None:
        """Note that updates of this step are about to be made."""
        left = self.steps_until_due(step - 1)
        near = left is not None and left <= self._window_steps
        if near and not self._window.is_open:
            self._window.begin()
        elif not near and self._window.is_open:
            self._window.close()

    def after_update(self, *, actor: bool) -> None:
        """Note that an update was made, or begun on a GPU; `actor` says whether it was one of the actor too."""
        if self._window.is_open:
            self._window.after_update(actor=actor)

    def measure(self, runs: Sequence[int]) -> dict[int, Diagnosis]:
        """Measure the networks of some runs.

        Args:
            runs: Their indices.

        Returns:
            By run. Norms of gradients and updates are there only where updates were watched: the last 100 before a
            measurement that is due.

        Raises:
            ConfigError: The replay memory is empty.
        """
        if not len(self._replay):
            raise ConfigError("there is nothing to measure on before the first step of training.")
        device = self._setting.device
        # Linear layers draw initial values, even those that get others at once.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            probe = draw_probe(self._learner, self._replay, self._seeds, self.probe)
            found = {run: self._of_run(run, probe) for run in runs}
        self._window.close()
        return found

    def _of_run(self, run: int, probe: Probe) -> Diagnosis:
        learner = self._learner
        count = learner.critic.per_run
        actor = learner.actor.module(run).cpu()
        critics = [learner.critic.module(run * count + index).cpu() for index in range(count)]
        actors_then, critics_then = self._at_first()
        observations, actions = probe.observations[run], probe.actions[run]
        of_actor = measure(
            actor, observations, loss=actor_loss(learner, probe, run, critics), initial=actors_then[run][0]
        )
        saturation = float(policy_saturation(policy_actions(learner, of_actor.output)))
        extra = [Row("output", "policy_saturation", saturation), *self._window.rows("actor", run)]
        found = {"actor": replace(of_actor, rows=(*of_actor.rows, *extra))}
        for index, critic in enumerate(critics):
            measured = measure(
                critic,
                torch.cat((observations, actions), -1),
                loss=critic_loss(learner, probe, run),
                initial=critics_then[run][index],
            )
            rows = self._window.rows("critic", run * count + index)
            found[f"q{index + 1}"] = replace(measured, rows=(*measured.rows, *rows))
        return found

    def _at_first(self) -> tuple[list[list[nn.Sequential]], list[list[nn.Sequential]]]:
        """Return the networks as they were at first: by their seeds, so no checkpoint has to keep them."""
        if self._initial is None:
            gaussian = isinstance(self._learner, SAC)
            self._initial = build_stacks(self._setting, critics=self._learner.critic.per_run, gaussian=gaussian)
        return self._initial

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps, by name: the updates watched so far."""
        return self._window.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned, after the learner's own state has been restored."""
        self._window.restore(state)
