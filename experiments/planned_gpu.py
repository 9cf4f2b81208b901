"""About how long a study would take on a GPU that is not at hand: planned from published figures, not measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents import RunConfig
from agents.network_size import flops_per_update
from envs import check_task
from experiments.cohorts import cohort_sizes, group_of, new_cohorts
from experiments.registry import Key
from experiments.schedule import MOST_ON_CUDA

# Seconds that one core takes for a step, resets included: results/bench/envs.txt. Other tasks count as an average one.
_SIMULATION = {
    "HalfCheetah-v5": 42e-6,
    "Hopper-v5": 98e-6,
    "Walker2d-v5": 129e-6,
    "Ant-v5": 261e-6,
    "Humanoid-v5": 286e-6,
}
_OTHER_SIMULATION = 160e-6


@dataclass(frozen=True)
class Gpu:
    """What a population's step costs on a GPU, the whole update captured in CUDA graphs.

    Attributes:
        name: As people call it.
        flops_per_s: What whole updates in float32 reach once the GPU is full.
        seconds_per_update: What an update of no runs at all would take: the chain of kernels that wait for one another.
        seconds_per_arm: What each further arm of a cohort adds: kernels for its activations.
        seconds_per_step: What the processor does around an update.
        cores: Which simulate the tasks.
    """

    name: str
    flops_per_s: float
    seconds_per_update: float
    seconds_per_arm: float
    seconds_per_step: float
    cores: int


# A line through the times planned for 10 to 80 runs of TD3 in float32 (57 us and 14.2 us for each run's 0.42 GFLOP),
# from 67 TFLOP/s at the peak, of which products of this size reach a half, and 2 us for each kernel of a graph: an arm
# has 14 of its own in an average update.
H200 = Gpu("one H200 with 16 cores", 29e12, 57e-6, 28e-6, 45e-6, 16)


def seconds_on(gpu: Gpu, configs: Mapping[Key, RunConfig], keys: Sequence[Key]) -> float:
    """Return about how many seconds runs take from their start on a GPU, their evaluations included.

    Cohorts follow one another. The GPU's cores share the simulation; episodes of evaluations count as long as they can
    be.

    Args:
        gpu: The GPU.
        configs: The runs by key.
        keys: Which of them train.

    Raises:
        TaskError: A run's task cannot be built.
    """
    group = {key: group_of(configs[key]) for key in keys}.__getitem__
    sizes = cohort_sizes(keys, 0, 1, lambda _: MOST_ON_CUDA, group)
    return sum(_cohort(gpu, [configs[key] for key in cohort]) for cohort in new_cohorts(keys, sizes, group))


def _cohort(gpu: Gpu, configs: Sequence[RunConfig]) -> float:
    first, arms = configs[0], {config.arm for config in configs}
    settings = first.hyperparameters
    learning = first.steps - min(settings["learning_starts"], first.steps)
    each = settings["gradient_steps"]
    updates = learning if each == -1 else learning * each / settings["train_freq"]
    update = (
        gpu.seconds_per_update
        + (len(arms) - 1) * gpu.seconds_per_arm
        + len(configs) * flops_per_update(first) / gpu.flops_per_s
    )
    simulated = _SIMULATION.get(first.task, _OTHER_SIMULATION)
    episodes = (first.steps // first.evaluation_every + 1) * first.evaluation_episodes
    evaluated = episodes * (check_task(first.task).time_limit or 0)
    per_step = gpu.seconds_per_step + -(-len(configs) // gpu.cores) * simulated
    return float(updates * update + first.steps * per_step + evaluated * len(configs) * simulated / gpu.cores)
