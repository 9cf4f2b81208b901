"""A population: runs of one algorithm on one task that train together, each as if it were alone."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import envs
import rl_acts
from agents import population_file as file
from agents.allocator import keep_freed_memory
from agents.checkpoint import read_data, read_manifest, write_checkpoint
from agents.clock import Clock
from agents.config import ConfigError, check_count
from agents.device import has_compiler, resolve_device
from agents.diagnostics import Diagnosis, Diagnostics
from agents.divergence import broken_rows, kind_of
from agents.draws import Draws
from agents.evaluation import Evaluation
from agents.executor import Captured, Eager, Sizes, Transitions, build_learner
from agents.hyperparameters import resolve_hyperparameters
from agents.learner import Losses, Member, Setting, checked_members
from agents.memory import bytes_per_transition, check_replay
from agents.philox import Stream
from agents.population_evaluation import PopulationEvaluator
from agents.replay import Replay

_RETURNS_KEPT = 100


class Population:
    """P runs of one algorithm on one task, in lockstep: one environment step of each, then its updates.

    What a run becomes depends on its member and on the settings alone, not on its neighbours. On a CPU, with one thread
    of PyTorch's, that holds to the bit for any neighbours and any P: every product and sum of a run is made in one
    order and begins in memory as if the run were alone; tests compare it on the machine at hand. On a GPU it holds to
    the bit for any neighbours at one P: batched products of different P round differently there, so a study's cohorts
    have a recorded size. Between a CPU and a GPU results agree in distribution only. A run in which something becomes
    NaN or infinite ends within one update, is named in `diverged`, and leaves the others as they are.

    Args:
        algorithm: ``"td3"``, ``"sac"`` or ``"ddpg"``.
        task: A Gymnasium id with Box spaces.
        members: The runs, each a `Member` or a pair (activation of actor and critics, seed).
        hyperparameters: What differs from the defaults, by Stable-Baselines3's names.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        dtype: Of networks and replay memory.
        threads: That step the environments.
        most_steps: Environment steps that will ever be made; the replay memory needs no more room than that.
        compile_losses: Whether losses go through `torch.compile`; None: on a GPU with a compiler. On a CPU it is slower
            for ReLU, faster for activations of many operations, and takes up to a minute.
        capture: Whether updates are captured as CUDA graphs; None: on a GPU.
        diagnostics_every: Environment steps between the measurements that `measure` makes; the 100 updates before each
            are watched for it. None watches none.
        diagnostics_probe: As for `agents.diagnostics.Diagnostics`.

    Attributes:
        most_steps: As given.
        step: Environment steps of each run so far.
        updates: Updates of each run so far.
        measured: The step of the last `measure`; 0 before the first.
        diverged: By a run's index, what was not finite and when.
        clock: Time spent on acting, simulating, learning and evaluating.
        seconds_to_save: That the last `save` took; 0 before the first.
        returns: Of each run's last 100 training episodes.

    Raises:
        ConfigError: No algorithm of that name, no members, or a seed out of range.
        HyperparameterError, ActivationError, DeviceError: As their names say.
        envs.TaskError: The task does not exist or cannot be trained on.
    """

    def __init__(  # noqa: PLR0913 - each but the first three has a default
        self,
        algorithm: str,
        task: str,
        members: Sequence[Member | tuple[rl_acts.NetworkActivation, int]],
        *,
        hyperparameters: Mapping[str, Any] | None = None,
        device: str = "auto",
        dtype: torch.dtype = torch.float32,
        threads: int = 1,
        most_steps: int | None = None,
        compile_losses: bool | None = None,
        capture: bool | None = None,
        diagnostics_every: int | None = None,
        diagnostics_probe: int | None = None,
    ) -> None:
        self.algorithm, self.task = algorithm, task
        self.members = checked_members(algorithm, members)
        self.hyperparameters = resolve_hyperparameters(algorithm, hyperparameters or {})
        self.device, self.dtype = resolve_device(device), dtype
        known = envs.check_task(task)
        check_count("most_steps", 1 if most_steps is None else most_steps, least=1)
        self.most_steps = most_steps
        capacity = min(self.hyperparameters["buffer_size"], most_steps or self.hyperparameters["buffer_size"])
        row = bytes_per_transition(known.observation_size, known.action_size, dtype.itemsize)
        check_replay(len(self.members), capacity, row, self.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        seeds = [member.seed for member in self.members]
        self._environments = envs.make(task, len(self.members), seeds, threads)
        space = self._environments.single_action_space
        self._low, self._high = space.low.astype(np.float32), space.high.astype(np.float32)
        on_cuda = self.device.type == "cuda"
        setting = Setting(
            self.members,
            known.observation_size,
            known.action_size,
            self.hyperparameters,
            self.device,
            dtype,
            compiled=compile_losses if compile_losses is not None else on_cuda and has_compiler(),
        )
        self.learner = build_learner(algorithm, setting)
        self.replay = Replay(
            len(self.members), capacity, known.observation_size, known.action_size, device=self.device, dtype=dtype
        )
        sizes = Sizes(known.observation_size, known.action_size, self.hyperparameters["batch_size"])
        self._warm_up = Draws(seeds, [Stream.WARM_UP], sizes.action, "uniform", torch.device("cpu"), dtype)
        executor = Captured if (on_cuda if capture is None else capture) else Eager
        self._executor = executor(self.learner, self.replay, seeds, sizes, self.device, dtype)
        self._acting, self._setting = False, setting
        self.diagnose(diagnostics_every, diagnostics_probe)
        self.step = self.updates = self.evaluations = self.measured = 0
        self.diverged: dict[int, str] = {}
        self.clock = Clock()
        self.seconds_to_save = 0.0
        self._evaluator = PopulationEvaluator(task, seeds, threads)
        self._returns = np.zeros(len(self.members))
        self.returns: list[deque[float]] = [deque(maxlen=_RETURNS_KEPT) for _ in self.members]
        self._observations, _ = self._environments.reset()
        self.replay.begin(self._to_device(self._observations))

    @property
    def action_bounds(self) -> tuple[list[float], list[float]]:
        """Lower and upper bounds of the components of an action."""
        return self._low.tolist(), self._high.tolist()

    @property
    def can_be_saved(self) -> bool:
        """Whether the simulators' state can be had, which is so for the eleven tasks of MuJoCo."""
        return any(self.task == known.id for known in envs.tasks())

    def alive(self) -> NDArray[np.bool_]:
        """Return which runs have not diverged, shape ``(P,)``."""
        mask = np.ones(len(self.members), dtype=np.bool_)
        mask[list(self.diverged)] = False
        return mask

    def train(self, steps: int, should_stop: Callable[[], bool] = lambda: False) -> int:
        """Make environment steps, and the updates that belong to them.

        Args:
            steps: Of each run.
            should_stop: Asked before each step.

        Returns:
            The steps that were made: fewer if asked to stop, or if all runs have diverged.
        """
        check_count("steps", steps, least=0)
        if self.most_steps is not None and self.step + steps > self.most_steps:
            raise ConfigError(
                f"{self.step} + {steps} steps are more than most_steps, {self.most_steps}, for which there is memory."
            )
        # Somebody may have changed the networks since the last call.
        self._acting = False
        made = 0
        while made < steps and len(self.diverged) < len(self.members) and not should_stop():
            self._make_step()
            made += 1
        return made

    def _make_step(self) -> None:
        actions = self._actions()
        with self.clock.part("simulate"):
            self._simulate(actions)
        self.step += 1
        values = self.hyperparameters
        if self.step > values["learning_starts"] and self.step % values["train_freq"] == 0:
            count = values["train_freq"] if values["gradient_steps"] == -1 else values["gradient_steps"]
            self.diagnostics.before_updates(self.step)
            for left in reversed(range(count)):
                # Before the last update, if that leaves the policies as they are: a GPU then makes it while the
                # environments are stepped. The actions are the same either way.
                if left == 0 and not self.learner.moves_policy(self.updates + 1):
                    self._begin_acting()
                self._update()

    def _actions(self) -> Tensor:
        if self.step < self.hyperparameters["learning_starts"]:
            return self._warm_up.at(self.step)[0]
        self._begin_acting()
        with self.clock.part("act"):
            actions = self._executor.actions()
            self._end_unless_finite("action", actions)
        self._acting = False
        return actions

    def _begin_acting(self) -> None:
        if not self._acting and self.step >= self.hyperparameters["learning_starts"]:
            with self.clock.part("act"):
                self._executor.begin_acting(self._observations, self.step)
            self._acting = True

    def _simulate(self, actions: Tensor) -> None:
        alive = self.alive()
        scaled = self._unscaled(actions.float().numpy())
        # What a diverged run would do is of no interest, and NaN would make MuJoCo warn.
        scaled[~alive] = 0.0
        following, rewards, terminated, truncated, _ = self._environments.step(scaled, active=alive)
        if not (np.isfinite(following).all() and np.isfinite(rewards).all()):
            self._end_broken_simulations(following, rewards)
            terminated, truncated = terminated & self.alive(), truncated & self.alive()
        self._returns += rewards
        ended, reached = terminated | truncated, following
        if ended.any():
            for run in np.flatnonzero(ended):
                self.returns[run].append(float(self._returns[run]))
            self._returns[ended] = 0.0
            following, _ = self._environments.reset(options={"reset_mask": ended})
        self._observations = following
        runs = np.flatnonzero(ended).tolist()
        self._executor.store(Transitions(actions, rewards, terminated, reached, following, runs))

    def _update(self) -> None:
        self.updates += 1
        with self.clock.part("learn"):
            self._executor.update(self.updates)
            for name, mask in self._executor.broken().items():
                for run in np.flatnonzero(mask.numpy()):
                    self._end(int(run), name, kind_of(self._executor.losses[name][run].cpu().numpy()))
        self.diagnostics.after_update(actor=self.learner.moves_policy(self.updates))

    def diagnose(self, every: int | None, probe: int | None = None) -> None:
        """Change when and on how many rows it is measured; see the constructor."""
        self.diagnostics = Diagnostics(self.learner, self.replay, self._setting, every, probe, self.most_steps)

    def measure(self) -> dict[int, Diagnosis]:
        """Return what is found in the networks of each run that has not diverged; training goes on as without it.

        Raises ConfigError before the first step.
        """
        found = self.diagnostics.measure(np.flatnonzero(self.alive()).tolist())
        self.measured = self.step
        return found

    @property
    def losses(self) -> Losses:
        """Losses of the last update that had them, by name, each of shape ``(P,)``."""
        return self._executor.losses

    def evaluate(self, episodes: int, should_stop: Callable[[], bool] = lambda: False) -> list[Evaluation] | None:
        """Let the deterministic policies play episodes of their own, which training does not see.

        Args:
            episodes: Of each run, E.
            should_stop: Asked before each step.

        Returns:
            Returns and lengths of each run's E episodes, with NaN and 0 for diverged runs; None if asked to stop, after
            which the next call makes the same evaluation.
        """
        check_count("episodes", episodes, least=1)
        with self.clock.part("evaluate"):
            found = self._evaluator.play(self._act, self.alive(), self.evaluations, episodes, should_stop)
        if found is None:
            return None
        returns, _ = found
        for run, kind in broken_rows(returns).items():
            self._end(run, "return in evaluation", kind)
        returns[~self.alive()] = np.nan
        self.evaluations += 1
        return [Evaluation(returns, lengths) for returns, lengths in zip(*found, strict=True)]

    def _act(self, observations: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the deterministic policies' actions in the environment's bounds, for shapes ``(P, E, size)``."""
        with torch.no_grad():
            actions = self.learner.act(self._to_device(observations))
        # MuJoCo takes NaN for no action at all, and so would let a broken policy score.
        self._end_unless_finite("action in evaluation", actions)
        return self._unscaled(actions.nan_to_num().cpu().float().numpy())

    def _unscaled(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return actions in the environment's own bounds, computed as Stable-Baselines3 does."""
        scaled: NDArray[np.float32] = self._low + 0.5 * (actions + 1.0) * (self._high - self._low)
        return scaled

    def _to_device(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(device=self.device, dtype=self.dtype)

    def _end_unless_finite(self, what: str, values: Tensor) -> None:
        if not bool(torch.isfinite(values).all()):
            for run, kind in broken_rows(values.detach().cpu().numpy()).items():
                self._end(run, what, kind)

    def _end_broken_simulations(self, observations: NDArray[np.float64], rewards: NDArray[np.float64]) -> None:
        for what, values in (("observation", observations), ("reward", rewards)):
            for run, kind in broken_rows(values).items():
                self._end(run, what, kind)
                values[run] = 0.0

    def _end(self, run: int, what: str, kind: str) -> None:
        if run not in self.diverged:
            self.diverged[run] = f"{what} not finite ({kind}) at step {self.step}"

    def save(self, folder: Path | str) -> None:
        """Write everything that the future depends on, in place of what an earlier call wrote there.

        Training goes on bit for bit, in this process and in another that loads it. A kill on the way leaves the earlier
        checkpoint.

        Args:
            folder: Made if missing.

        Raises:
            CheckpointError: An activation is no text, so no file can name it.
            envs.TaskError: The task is none of the eleven of MuJoCo: simulators of others cannot be saved.
            OSError: The disk cannot be written.
        """
        begin = perf_counter()
        simulators = {f"simulator-{name}": np.asarray(array) for name, array in self._environments.get_state().items()}
        replay = self.replay.state()
        rows = {f"replay-{run}": part.cpu().numpy() for run, part in enumerate(replay.pop("rows"))}
        tensors = {
            **{f"learner.{name}": tensor for name, tensor in self.learner.state().items()},
            **{f"replay.{name}": tensor for name, tensor in replay.items()},
            **{f"diagnostics.{name}": tensor for name, tensor in self.diagnostics.state().items()},
            "observations": torch.from_numpy(self._observations),
            "episode_returns": torch.from_numpy(self._returns),
        }
        tensors |= {f"returns.{run}": torch.tensor(kept, dtype=torch.float64) for run, kept in enumerate(self.returns)}
        facts = file.facts_of(self)
        # How long the last one took, which is the best guess for the next, for whoever must stop in time.
        facts["seconds"] = self.seconds_to_save
        write_checkpoint(Path(folder), facts, tensors, {**rows, **simulators})
        self.seconds_to_save = perf_counter() - begin

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto", threads: int = 1) -> "Population":
        """Return the population that `save` wrote.

        Args:
            folder: Where it was saved.
            device: As for the constructor; of the kind on which it was saved.
            threads: As for the constructor.

        Raises:
            CheckpointError: It is missing or damaged, or was made on another kind of device or by other versions of
                PyTorch, NumPy, MuJoCo or Gymnasium, with which training would not go on as it was.
        """
        manifest = read_manifest(Path(folder))
        file.check_place(Path(folder), manifest, resolve_device(device).type)
        tensors, arrays = read_data(Path(folder), manifest)
        population = cls(
            manifest["algorithm"],
            manifest["task"],
            [file.member_from_json(member) for member in manifest["members"]],
            hyperparameters=manifest["hyperparameters"],
            device=device,
            dtype=getattr(torch, manifest["dtype"]),
            threads=threads,
            most_steps=manifest["most_steps"],
        )
        population.diagnose(*file.diagnostics_of(manifest))
        population._restore(manifest, tensors, arrays)
        return population

    def _restore(
        self, manifest: Mapping[str, Any], tensors: Mapping[str, Tensor], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        file.restore_learner(self.learner, file.part_of(tensors, "learner"))
        self.replay.restore(
            file.part_of(tensors, "replay"), [arrays[f"replay-{run}"] for run in range(len(self.members))]
        )
        self._environments.set_state(
            {name.removeprefix("simulator-"): a for name, a in arrays.items() if name.startswith("simulator-")}
        )
        self._observations = tensors["observations"].numpy().copy()
        self._returns = tensors["episode_returns"].numpy().copy()
        for run, kept in enumerate(self.returns):
            kept.extend(tensors[f"returns.{run}"].tolist())
        self.step, self.updates, self.evaluations = (manifest[name] for name in ("step", "updates", "evaluations"))
        self.measured = manifest.get("measured", 0)
        if watched := file.part_of(tensors, "diagnostics"):
            self.diagnostics.restore(watched)
        self.diverged = {int(run): cause for run, cause in manifest["diverged"].items()}
        self.clock.restore(manifest["clock"])
        self.seconds_to_save = float(manifest["seconds"])

    def close(self) -> None:
        """Release the simulators."""
        self._environments.close()
        self._evaluator.close()
