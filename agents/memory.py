"""How much memory a run needs and how much there is."""

from pathlib import Path

import torch

from agents.config import ConfigError, RunConfig
from agents.network_size import parameters
from envs import check_task

# Weights, targets, gradients and Adam's two moments in single precision, and what an update holds in between.
_BYTES_PER_PARAMETER = 64
# Where a container's limit, its use and the use's parts stand, newest kind first, and the name of the part that the
# kernel gives back by itself: files read once.
_CONTROL_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
_MEMORY = Path("/proc/meminfo")
_UNKNOWN = 2**62


def bytes_per_row(config: RunConfig) -> int:
    """Return the bytes of one transition in a run's replay memory.

    The population stores observation, action, reward and termination in single precision and where the next
    observation is found; Stable-Baselines3 stores both observations as the task gives them, in double precision.

    Raises:
        TaskError: The run's task cannot be built.
    """
    task = check_task(config.task)
    if config.engine == "sb3":
        return 2 * 8 * task.observation_size + 4 * (task.action_size + 3)
    return bytes_per_transition(task.observation_size, task.action_size)


def bytes_per_transition(observation_size: int, action_size: int, number: int = 4) -> int:
    """Return what one transition takes in a population's replay memory.

    Observation, action, reward and termination in one row, where the next observation is found if it is not in the
    next row, and for one in twenty, as episodes of twenty steps have it, the observation that ended the episode.

    Args:
        observation_size: Numbers in an observation.
        action_size: Numbers in an action.
        number: Bytes of a number.
    """
    row = number * (observation_size + action_size + 2) + 4
    return row + -(-(number * observation_size + 8) // 20)


def replay_rows(config: RunConfig) -> int:
    """Return the most transitions that a run's replay memory ever holds."""
    return min(int(config.hyperparameters["buffer_size"]), config.steps)


def bytes_per_run(config: RunConfig) -> int:
    """Return about how many bytes a run needs while it trains: its replay memory, and 64 bytes per parameter.

    Raises:
        TaskError: The run's task cannot be built.
    """
    return replay_rows(config) * bytes_per_row(config) + _BYTES_PER_PARAMETER * parameters(config)


def check_replay(runs: int, transitions: int, bytes_per_transition: int, device: torch.device) -> None:
    """Check that replay memories fit, before anything is built.

    Args:
        runs: How many memories.
        transitions: In each.
        bytes_per_transition: In each.
        device: Where they will be.

    Raises:
        ConfigError: They do not; the message says what would.
    """
    available, needed = available_bytes(device), runs * transitions * bytes_per_transition
    if needed > available:
        raise ConfigError(
            f"{runs} x a replay memory of {transitions:,} transitions needs {needed / 1e9:,.1f} GB, and "
            f"{available / 1e9:,.1f} GB are free; a buffer_size of at most "
            f"{available // (runs * bytes_per_transition):,} would fit, or fewer runs at once."
        )


def available_bytes(device: torch.device) -> int:
    """Return the bytes that new processes can still have: of the GPU, or of this machine or container.

    Args:
        device: Where replay memories will be.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine(), *(_left(*group) for group in _CONTROL_GROUPS))


def _machine() -> int:
    # Without the file there is nothing to go by, and no reason to refuse.
    kilobytes = _facts(_MEMORY).get("MemAvailable:")
    return _UNKNOWN if kilobytes is None else kilobytes * 1024


def _left(folder: Path, limit: str, used: str, files: str) -> int:
    try:
        # A group without a limit says "max".
        most, now = (int((folder / name).read_text(encoding="utf-8")) for name in (limit, used))
    except (OSError, ValueError):
        return _UNKNOWN
    return max(0, most - now + _facts(folder / "memory.stat").get(files, 0))


def _facts(path: Path) -> dict[str, int]:
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}
