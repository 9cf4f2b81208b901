"""Trains one run with Stable-Baselines3 and writes its folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from agents.clock import Clock
from agents.config import RunConfig
from agents.control import InterruptedRun
from agents.device import resolve_device
from agents.diagnostics_files import DiagnosticsWriter, interval
from agents.divergence import check_array
from agents.environment import make_training_environment
from agents.evaluation import Evaluator
from agents.models import WatchedAlgorithm, build_model
from agents.run_folder import EvaluationWriter, write_progress
from agents.sb3_policy import save_model
from rl_acts.sb3 import DiagnosticsCallback

_SECONDS_BETWEEN_PROGRESS = 1.0


def train(config: RunConfig, folder: Path, should_stop: Callable[[], bool] = lambda: False) -> Mapping[str, Any]:
    """Train one run and leave curves, TensorBoard events and the policy in its folder.

    Args:
        config: The run.
        folder: Exists and holds nothing of an earlier attempt.
        should_stop: Asked at every environment step, also of evaluations.

    Returns:
        ``steps_done`` and ``steps_per_s`` (environment steps per second of training without evaluation).

    Raises:
        DivergedError: Something became NaN or infinite; the evaluations so far are on the disk.
        InterruptedRun: `should_stop` said so.
        TaskError, ActivationError, DeviceError: The configuration does not fit this machine or these libraries.
    """
    torch.set_num_threads(config.threads)
    clock = Clock()
    environment = make_training_environment(config.task, clock)
    model = build_model(config, environment, resolve_device(config.device), clock)
    model.set_logger(configure(str(folder), ["tensorboard"]))
    recorder = _Recorder(config, folder, clock, should_stop)
    callbacks: list[BaseCallback] = [recorder]
    every = interval(config.diagnostics_every, model.device)
    if every is not None:
        callbacks.append(_Diagnostics(every, config.diagnostics_probe, folder))
    clock.restart()
    try:
        model.learn(config.steps, callback=callbacks)
        save_model(folder, model, config)
    finally:
        recorder.close()
        model.logger.close()
        environment.close()
    return {"steps_done": model.num_timesteps, "steps_per_s": recorder.steps_per_second()}


class _Diagnostics(DiagnosticsCallback):
    """Keeps what is measured in the run's folder too; the last step only if it is a multiple of the interval."""

    def __init__(self, every: int, probe: int | None, folder: Path) -> None:
        super().__init__(every, probe)
        self._writer = DiagnosticsWriter(folder)

    def on_measured(self) -> None:
        self._writer.append(self.num_timesteps, self.measured)


class _Recorder(BaseCallback):
    """Evaluates before training, every so many steps, and after the last update; keeps the progress file fresh."""

    model: WatchedAlgorithm

    def __init__(self, config: RunConfig, folder: Path, clock: Clock, should_stop: Callable[[], bool]) -> None:
        super().__init__()
        self._should_stop = should_stop
        self._config = config
        self._folder = folder
        self._clock = clock
        self._evaluator = Evaluator(config.task, config.seed, config.evaluation_episodes)
        self._writer = EvaluationWriter(folder, config.evaluation_episodes)
        self._progress_due = 0.0

    def _on_training_start(self) -> None:
        self._evaluate()
        self._progress()

    def _on_step(self) -> bool:
        self._check_stop()
        step = self.num_timesteps
        # The last evaluation waits for the last update, so that it is of the policy that is saved.
        if step % self._config.evaluation_every == 0 and step < self._config.steps:
            self._evaluate()
        if perf_counter() >= self._progress_due:
            self._progress()
        return True

    def _on_training_end(self) -> None:
        self._evaluate()
        self._progress()

    def close(self) -> None:
        self._writer.close()
        self._evaluator.close()

    def steps_per_second(self) -> float:
        seconds = self._clock.seconds()
        return self.num_timesteps / max(seconds["wall_s"] - seconds["evaluate_s"], 1e-9)

    def _evaluate(self) -> None:
        with self._clock.part("evaluate"):
            evaluation = self._evaluator.evaluate(self._act)
        check_array("return in evaluation", evaluation.returns, self.num_timesteps)
        self._writer.append(self.num_timesteps, evaluation, self._clock.seconds())
        self.logger.record("eval/mean_reward", float(evaluation.returns.mean()))
        self.logger.record("eval/mean_ep_length", float(evaluation.lengths.mean()))
        self.logger.dump(self.num_timesteps)

    def _check_stop(self) -> None:
        if self._should_stop():
            raise InterruptedRun

    def _act(self, observations: NDArray[Any]) -> NDArray[Any]:
        self._check_stop()
        actions, _ = self.model.policy.predict(observations, deterministic=True)
        check_array("action in evaluation", actions, self.num_timesteps)
        return actions

    def _progress(self) -> None:
        write_progress(self._folder, self.num_timesteps, self._clock.seconds())
        self._progress_due = perf_counter() + _SECONDS_BETWEEN_PROGRESS
