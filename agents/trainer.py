"""Trains a cohort of runs as one population and keeps their folders: curves, events, checkpoints, policies."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from agents.checkpoint import CheckpointError, read_manifest
from agents.config import RunConfig
from agents.control import Control
from agents.diagnostics_events import write_diagnosis, write_hyperparameters
from agents.diagnostics_files import DiagnosticsWriter, interval, keep_until
from agents.divergence import DivergedError
from agents.evaluation import Evaluation
from agents.files import write_bytes_atomically
from agents.learner import Member
from agents.policy_file import has_policy, save_policy
from agents.population import Population
from agents.population_policy import policy_of
from agents.run_folder import EVALUATIONS_FILE, EvaluationWriter, checkpoint_file, write_progress
from rl_acts import NetworkActivation

_SECONDS_BETWEEN_PROGRESS = 1.0
# A checkpoint costs at most a twentieth of the time, and is not worth making sooner than this.
_LEAST_SECONDS_BETWEEN_CHECKPOINTS = 20.0
_CHECKPOINT_SHARE = 20.0
_STEPS_BETWEEN_EVENTS = 1000


def train_cohort(
    configs: Sequence[RunConfig], folders: Sequence[Path], checkpoint: Path | None, control: Control
) -> None:
    """Train the runs of a cohort, or what a checkpoint has left of them.

    Args:
        configs: The runs, alike in all but arm and seed, in the order in which the cohort began.
        folders: Of the runs, in the same order.
        checkpoint: Folder for checkpoints; None makes none. If it holds one, training goes on from it, and what the
            runs' folders hold of later steps is made again, bit for bit.
        control: Is told what happens, and says when to stop: then a checkpoint is written and the call returns.

    Raises:
        CheckpointError: The checkpoint is damaged or of other runs.
        TaskError, ActivationError, DeviceError, ConfigError: The configuration does not fit this machine.
        OSError: The disk cannot be written.
    """
    resuming = checkpoint is not None and checkpoint_file(checkpoint).is_file()
    population = _loaded(configs, checkpoint) if resuming and checkpoint is not None else _new(configs)
    every = interval(configs[0].diagnostics_every, population.device)
    if population.diagnostics.settings != (every, configs[0].diagnostics_probe):
        population.diagnose(every, configs[0].diagnostics_probe)
    control.resumed(population.step)
    cohort = _Cohort(population, configs, folders, checkpoint, control)
    try:
        if not resuming:
            population.clock.restart()
        cohort.train()
    finally:
        cohort.close()


class _Cohort:
    def __init__(
        self,
        population: Population,
        configs: Sequence[RunConfig],
        folders: Sequence[Path],
        checkpoint: Path | None,
        control: Control,
    ) -> None:
        self._population, self._config, self._folders = population, configs[0], folders
        self._configs, self._control = configs, control
        # Only MuJoCo's eleven tasks can be saved; runs on others begin again.
        self._checkpoint = checkpoint if population.can_be_saved else None
        # What these left is complete and stays as it is; those with a policy have made all their steps before, after
        # the checkpoint, and make them again without leaving a trace.
        self._complete = {run for run, folder in enumerate(folders) if population.step and has_policy(folder)}
        self._over = set(population.diverged)
        self._writers: dict[int, EvaluationWriter] = {}
        self._diagnoses: dict[int, DiagnosticsWriter] = {}
        self._events: dict[int, SummaryWriter] = {}
        writing = sorted(set(range(len(folders))) - self._over - self._complete)
        for run in writing:
            _keep_rows(folders[run] / EVALUATIONS_FILE, population.evaluations)
            keep_until(folders[run], population.measured)
        for run in writing:
            self._diagnoses[run] = DiagnosticsWriter(folders[run])
            self._writers[run] = EvaluationWriter(folders[run], self._config.evaluation_episodes)
            begin = population.step + 1 if population.step else None
            self._events[run] = SummaryWriter(str(folders[run]), purge_step=begin)
            if begin is None:
                write_hyperparameters(self._events[run], configs[run])
        self._progress_due = self._checkpoint_due = 0.0
        self._plan_checkpoint()

    def train(self) -> None:
        population, steps = self._population, self._config.steps
        while not self._control.should_stop() and len(self._over) < len(self._folders):
            if population.diagnostics.due(population.step) and population.measured != population.step:
                self._measure()
            elif population.step >= self._next_evaluation():
                self._evaluate()
                if population.step == steps and population.evaluations == self._evaluations():
                    self._finish()
                    return
            elif population.train(self._next_stop() - population.step, self._between_steps) or population.diverged:
                self._note_diverged()
                self._write_events()
        if len(self._over) < len(self._folders):
            self._save()
            self._progress()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        for events in self._events.values():
            events.close()
        self._population.close()

    def _evaluations(self) -> int:
        """Return how many evaluations a run has: one before training, and one at the end whatever the interval."""
        return 1 + -(-self._config.steps // self._config.evaluation_every)

    def _next_evaluation(self) -> int:
        return min(self._population.evaluations * self._config.evaluation_every, self._config.steps)

    def _next_stop(self) -> int:
        step = self._population.step
        until_due = self._population.diagnostics.steps_until_due(step) or _STEPS_BETWEEN_EVENTS
        return min(
            self._next_evaluation(), step + _STEPS_BETWEEN_EVENTS - step % _STEPS_BETWEEN_EVENTS, step + until_due
        )

    def _between_steps(self) -> bool:
        if self._population.diverged.keys() - self._over:
            self._note_diverged()
        now = perf_counter()
        if now >= self._progress_due:
            self._progress()
        if now >= self._checkpoint_due:
            self._save()
        return self._control.should_stop()

    def _evaluate(self) -> None:
        found = self._population.evaluate(self._config.evaluation_episodes, self._control.should_stop)
        if found is None:
            return
        self._note_diverged()
        step, seconds = self._population.step, self._population.clock.seconds()
        for run, evaluation in enumerate(found):
            if run not in self._over and run in self._writers:
                self._writers[run].append(step, evaluation, seconds)
                self._write_evaluation_events(run, step, evaluation)
        self._progress()

    def _measure(self) -> None:
        population = self._population
        for run, diagnosis in population.measure().items():
            if run not in self._over and run in self._diagnoses:
                self._diagnoses[run].append(population.step, diagnosis)
                write_diagnosis(self._events[run], population.step, diagnosis)

    def _write_evaluation_events(self, run: int, step: int, evaluation: Evaluation) -> None:
        self._events[run].add_scalar("eval/mean_reward", float(evaluation.returns.mean()), step)
        self._events[run].add_scalar("eval/mean_ep_length", float(evaluation.lengths.mean()), step)
        self._events[run].flush()

    def _write_events(self) -> None:
        population = self._population
        losses = {name: values.cpu().numpy() for name, values in population.losses.items()}
        for run, events in self._events.items():
            if run in self._over:
                continue
            if population.returns[run]:
                events.add_scalar("rollout/ep_rew_mean", float(np.mean(population.returns[run])), population.step)
            for name, values in losses.items():
                events.add_scalar(f"train/{name}", float(values[run]), population.step)
            events.add_scalar("time/fps", self._steps_per_second(), population.step)

    def _note_diverged(self) -> None:
        for run in sorted(self._population.diverged.keys() - self._over):
            self._over.add(run)
            write_progress(self._folders[run], self._population.step, self._population.clock.seconds())
            self._control.diverged(run, self._population.diverged[run], self._population.step)

    def _finish(self) -> None:
        for run, (config, folder) in enumerate(zip(self._configs, self._folders, strict=True)):
            if run in self._over:
                continue
            self._over.add(run)
            try:
                if run not in self._complete:
                    policy, manifest = policy_of(self._population, run, config)
                    save_policy(folder, policy, manifest)
            except DivergedError as error:
                self._control.diverged(run, str(error), self._population.step)
            else:
                self._control.done(run, self._steps_per_second())

    def _steps_per_second(self) -> float:
        seconds = self._population.clock.seconds()
        return self._population.step / max(seconds["wall_s"] - seconds["evaluate_s"], 1e-9)

    def _progress(self) -> None:
        for run, folder in enumerate(self._folders):
            if run not in self._over and run in self._writers:
                write_progress(folder, self._population.step, self._population.clock.seconds())
        self._progress_due = perf_counter() + _SECONDS_BETWEEN_PROGRESS

    def _save(self) -> None:
        if self._checkpoint is not None:
            # What belongs to steps before the checkpoint must be on the disk when it is.
            for events in self._events.values():
                events.flush()
            try:
                self._population.save(self._checkpoint)
            except OSError as error:
                # The earlier checkpoint is still there, and the runs are worth more than this one.
                sys.stderr.write(f"no checkpoint at step {self._population.step}: {error}\n")
        self._plan_checkpoint()

    def _plan_checkpoint(self) -> None:
        wait = max(_LEAST_SECONDS_BETWEEN_CHECKPOINTS, _CHECKPOINT_SHARE * self._population.seconds_to_save)
        self._checkpoint_due = perf_counter() + wait


def _new(configs: Sequence[RunConfig]) -> Population:
    first = configs[0]
    return Population(
        first.algorithm,
        first.task,
        [_member(config) for config in configs],
        hyperparameters=first.hyperparameters,
        device=first.device,
        threads=first.threads,
        most_steps=first.steps,
    )


def _loaded(configs: Sequence[RunConfig], checkpoint: Path) -> Population:
    manifest, first = read_manifest(checkpoint), configs[0]
    wanted = {
        "algorithm": first.algorithm,
        "task": first.task,
        "hyperparameters": dict(first.hyperparameters),
        "most_steps": first.steps,
    }
    for name, value in wanted.items():
        if manifest[name] != value:
            raise CheckpointError(f"the checkpoint in {checkpoint} has {name} {manifest[name]!r}, the runs {value!r}.")
    population = Population.load(checkpoint, device=first.device, threads=first.threads)
    if list(population.members) != [_member(config) for config in configs]:
        raise CheckpointError(f"the checkpoint in {checkpoint} is of the runs {population.members}.")
    return population


def _member(config: RunConfig) -> Member:
    return Member(_plain(config.actor_activation), _plain(config.critic_activation), config.seed, config.activation_lr)


def _plain(activation: str | tuple[str, ...]) -> NetworkActivation:
    return activation if isinstance(activation, str) else list(activation)


def _keep_rows(path: Path, count: int) -> None:
    """Remove the evaluations of steps that will be made again, and a last line that a kill has torn."""
    if not count:
        path.unlink(missing_ok=True)
        return
    if not path.exists():
        raise CheckpointError(f"{path} is missing, but the checkpoint speaks of {count} evaluations.")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines[: count + 1] if line.endswith("\n")]
    if len(kept) < count + 1:
        rows = list(csv.reader(io.StringIO("".join(kept))))
        last = rows[-1][0] if len(rows) > 1 else "none"
        raise CheckpointError(f"{path} has evaluations up to step {last}, fewer than the {count} of the checkpoint.")
    write_bytes_atomically(path, "".join(kept).encode())
