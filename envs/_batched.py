"""The face of a batch of environments: what goes in is checked here, once for every kind of environment."""

import abc
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs._arrays import Actions, Bools, Floats, State
from envs._errors import TaskError

Seeds = Sequence[int | None]


class BatchedEnv(VectorEnv[Floats, Actions, NDArray[Any]], abc.ABC):
    """`num_envs` independent environments of one task, stepped together; `envs.make` builds it.

    Nothing is reset but by `reset`: the observation of a step that ends an episode is that episode's own last one. An
    environment that has ended may be stepped on, and does what Gymnasium's own does then. What `reset` and `step`
    return are new arrays each time, the caller's to keep.

    Attributes:
        single_observation_space: One observation: float64, one axis.
        single_action_space: One action: one axis, finite bounds. Actions outside are not clipped here, as in Gymnasium.
        metadata: ``autoreset_mode`` is ``AutoresetMode.DISABLED``.
    """

    single_observation_space: Box
    single_action_space: Box

    def __init__(self, task_id: str, num_envs: int, template: gymnasium.Env[Any, Any], spaces: tuple[Box, Box]) -> None:
        self.task_id = task_id
        self.num_envs = num_envs
        self.spec = template.spec
        self.metadata = {**template.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space, self.single_action_space = spaces
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._shape = (num_envs, *self.single_action_space.shape)
        self._observations: Floats = np.zeros((num_envs, *self.single_observation_space.shape))
        self._started = np.zeros(num_envs, dtype=np.bool_)
        self._all_started = False
        self._no_seeds: Seeds = (None,) * num_envs

    def reset(
        self, *, seed: int | Seeds | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin new episodes.

        Args:
            seed: None goes on with each environment's generator; a whole number s seeds the environments with s, s + 1,
                ...; a sequence gives each its own, or None.
            options: ``{"reset_mask": mask}`` with bools ``(num_envs,)`` resets only where the mask is true. Nothing
                else is allowed.

        Returns:
            All current observations, ``(num_envs, size)``, and Gymnasium's information as arrays ``(num_envs, ...)``;
            where nothing was reset it is zero and the mask ``_name`` that comes with each ``name`` is false.

        Raises:
            TaskError: Bad seeds, another option, or a mask of another shape or type.
        """
        self._refuse_if_closed()
        seeds = self._checked_seeds(seed)
        mask = self._checked_options(options)
        info = self._reset(mask, seeds)
        self._started |= mask
        self._all_started = bool(self._started.all())
        return self._observations.copy(), info

    def step(
        self, actions: Actions, *, active: Bools | None = None
    ) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        """Step every environment, or the active ones.

        Actions that are not a number go into the simulator as they are, as in Gymnasium; MuJoCo then applies no
        control, and rewards that depend on the action become NaN.

        Args:
            actions: In the environment's own bounds, float32 or float64, ``(num_envs, action size)``. The type matters:
                the cost of a float32 action is computed in float32, as in Gymnasium.
            active: Bools ``(num_envs,)``; None for all. The others are not simulated: their observation stays, and
                reward, termination, truncation and information are zero.

        Returns:
            Observations ``(num_envs, size)``, rewards, terminations and truncations ``(num_envs,)``, and Gymnasium's
            information as arrays ``(num_envs, ...)`` with a mask ``_name`` for each ``name``.

        Raises:
            TaskError: Actions or mask of another shape or type.
            gymnasium.error.ResetNeeded: An environment to be stepped was never reset.
        """
        given: Any = actions
        if not isinstance(given, np.ndarray) or given.shape != self._shape or given.dtype.char not in "fd":
            raise TaskError(
                f"{self.task_id}: actions are {_describe(given)}; they must be a float32 or float64 array of shape "
                f"{self._shape}."
            )
        mask = None if active is None else self._checked_mask(active, "active")
        if not self._all_started:
            self._refuse_unless_started(mask)
        if mask is None or mask.all():
            return self._step(actions)
        return self._step_some(actions, mask)

    @abc.abstractmethod
    def get_state(self) -> State:
        """Return everything that the future depends on, as new plain arrays that `np.savez` keeps without pickle.

        Raises:
            TaskError: The task is none of the eleven of MuJoCo.
        """

    @abc.abstractmethod
    def set_state(self, state: State) -> None:
        """Go on exactly where `get_state` was called, in this or another process.

        The same task, number of environments and arguments are the caller's duty; the first two are checked.

        Args:
            state: What `get_state` returned, or the same read from a file.

        Raises:
            TaskError: Another task, number of environments, or missing, unknown or misshapen entries.
        """

    @abc.abstractmethod
    def _reset(self, mask: Bools, seeds: Seeds) -> dict[str, Any]:
        """Reset where the mask is true, bring `_observations` up to date and return the information with its masks."""

    @abc.abstractmethod
    def _step(self, actions: Actions) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]: ...

    @abc.abstractmethod
    def _step_some(self, actions: Actions, active: Bools) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]: ...

    def _checked_seeds(self, seed: int | Seeds | None) -> Seeds:
        if seed is None:
            return self._no_seeds
        if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
            seed = [int(seed) + index for index in range(self.num_envs)]
        return checked_seeds(self.task_id, seed, self.num_envs)

    def _checked_options(self, options: dict[str, Any] | None) -> Bools:
        unknown = sorted(set(options or {}) - {"reset_mask"})
        if unknown:
            raise TaskError(f"{self.task_id}: unknown option {unknown[0]!r}; reset knows 'reset_mask' alone.")
        if not options:
            return np.ones(self.num_envs, dtype=np.bool_)
        return self._checked_mask(options["reset_mask"], "options['reset_mask']")

    def _checked_mask(self, mask: Any, name: str) -> Bools:
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise TaskError(
                f"{self.task_id}: {name} is {_describe(mask)}; it must be a bool array of shape ({self.num_envs},)."
            )
        checked: Bools = mask
        return checked

    def _refuse_unless_started(self, active: Bools | None) -> None:
        self._refuse_if_closed()
        missing = ~self._started if active is None else active & ~self._started
        if missing.any():
            raise gymnasium.error.ResetNeeded(
                f"{self.task_id}: environment {int(missing.argmax())} was never reset; call reset() before step()."
            )

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise TaskError(f"{self.task_id}: the environments are closed.")

    def close_extras(self) -> None:
        """Release what the environments hold; `close` calls it once."""
        # So that `step` need not ask in each call whether the environments are closed.
        self._all_started = False


def checked_seeds(task_id: str, seeds: Any, num_envs: int, end: int | None = None) -> Seeds:
    """Return one seed or None for each environment.

    Args:
        task_id: For the message.
        seeds: A sequence of whole numbers or None.
        num_envs: How many there must be.
        end: Seeds are below this number; None for no limit.

    Raises:
        TaskError: Another number of seeds, or one that is no whole number of the range.
    """
    if not isinstance(seeds, Sequence | np.ndarray) or isinstance(seeds, str) or len(seeds) != num_envs:
        raise TaskError(f"{task_id}: seeds are {_describe(seeds)}; they must be {num_envs} whole numbers.")
    checked: list[int | None] = []
    for seed in seeds:
        whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if seed is not None and not (whole and seed >= 0 and (end is None or seed < end)):
            allowed = "from 0 on" if end is None else f"in [0, {end})"
            raise TaskError(f"{task_id}: seed {seed!r} is not allowed; a seed is a whole number {allowed}.")
        checked.append(None if seed is None else int(seed))
    return checked


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a {type(value).__name__} of length {len(value)}"
    return repr(value)
