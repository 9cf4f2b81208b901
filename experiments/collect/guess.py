"""Which task, algorithm, arm and seed a log belongs to, as far as names tell."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import rl_acts

ALGORITHMS = frozenset((
    "a2c", "ars", "awr", "c51", "crossq", "ddpg", "dqn", "dreamer", "drq", "droq", "her", "iqn", "mbpo", "mpo",
    "ppg", "ppo", "qrdqn", "rainbow", "redq", "rpo", "sac", "simba", "tdmpc", "td3", "td7", "tqc", "trpo", "xql",
))  # fmt: skip
# Words of folders that say what is in them, not what was tried.
_GENERIC = frozenset((
    "baselines", "cleanrl", "csv", "data", "eval", "evals", "evaluation", "evaluations", "exp", "experiment",
    "experiments", "log", "logger", "logs", "model", "models", "monitor", "monitors", "out", "output", "outputs",
    "progress", "results", "rl", "run", "runs", "sb3", "tb", "tensorboard", "tf", "tfevents", "train", "training",
    "trial", "zoo", "rep", "repetition", "seed", "seeds", "tmp",
))  # fmt: skip
_TASK = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*?-v\d+)(?![A-Za-z0-9])")
_CLEANRL = re.compile(r"^(?P<task>.+?)__(?P<experiment>.+)__(?P<seed>\d+)__\d{8,}$")
_SEED = re.compile(r"(?<![A-Za-z])(?:seed|s)[-_= ]?(\d+)(?![A-Za-z0-9])", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?:^|[^A-Za-z0-9])(?:run|trial|rep|repetition|exp)[-_= ]?(\d+)$|^(\d+)$|_(\d+)$", re.IGNORECASE
)
# Algorithms whose policies in Stable-Baselines3 have ReLU where nothing else is asked for; the others have Tanh.
_RELU = frozenset(("ddpg", "dqn", "qrdqn", "sac", "td3", "tqc", "crossq"))


@dataclass(frozen=True)
class Guess:
    """What is known about a run; `how` says for each field where it is from.

    Attributes:
        folder_arm: what the folders' names alone would call the arm.
        actor: activation of the actor, "" where it is not recorded; `critic` likewise.
    """

    task: str | None = None
    algorithm: str | None = None
    arm: str | None = None
    seed: int | None = None
    folder_arm: str | None = None
    actor: str = ""
    critic: str = ""
    how: dict[str, str] = field(default_factory=dict)

    def said_by(self, origin: str) -> "Guess":
        """The same, each known field marked as coming from `origin`."""
        named = ("task", "algorithm", "arm", "seed")
        return replace(self, how={name: origin for name in named if getattr(self, name) is not None})

    def or_else(self, other: "Guess") -> "Guess":
        """This, with what it does not know taken from another."""
        unknown = {
            one.name: getattr(other, one.name)
            for one in fields(self)
            if one.name != "how" and getattr(self, one.name) in (None, "")
        }
        return replace(self, **unknown, how={**other.how, **self.how})


def from_folders(parts: Sequence[str]) -> Guess:
    """Guess from the names of a run's folders, from the outermost to the run's own.

    >>> guess = from_folders(["logs", "td3", "HalfCheetah-v4_1"])
    >>> guess.task, guess.algorithm, guess.arm, guess.seed
    ('HalfCheetah-v4', 'td3', None, 1)
    >>> guess = from_folders(["runs", "Hopper-v4__td3_swim__3__1700000000"])
    >>> guess.task, guess.algorithm, guess.arm, guess.seed
    ('Hopper-v4', 'td3', 'swim', 3)
    >>> guess = from_folders(["mine", "Walker2d-v5", "SAC", "swim-k0.7", "seed_12", "tb", "SAC_1"])
    >>> guess.task, guess.algorithm, guess.arm, guess.seed
    ('Walker2d-v5', 'sac', 'swim-k0.7', 12)
    """
    if parts and (match := _CLEANRL.match(parts[-1])):
        task = match["task"]
        # Ids with a namespace, such as dm_control/walker-walk-v0, make a folder of their own.
        if len(parts) > 1 and not _TASK.fullmatch(task) and parts[-2] == "dm_control":
            task = f"{parts[-2]}/{task}"
        named = from_experiment(match["experiment"])
        return replace(named, task=task, seed=int(match["seed"])).said_by("folder's name")
    inner = list(reversed(parts))
    task = next((found[1] for part in inner if (found := _TASK.search(_without_algorithm(part)))), None)
    algorithm = next((word for part in inner for word in _words(part) if word in ALGORITHMS), None)
    seed = next((int(found[1]) for part in inner if (found := _SEED.search(part))), None)
    if seed is None and inner and (found := _NUMBERED.search(inner[0])):
        # Only the run's own folder: a number further out is that of a whole batch.
        seed = int(next(filter(None, found.groups())))
    arm = next((left for part in inner if (left := _remainder(part))), None)
    return Guess(task, algorithm, arm, seed, folder_arm=arm).said_by("folders' names")


def from_experiment(name: str) -> Guess:
    """Guess from a name such as CleanRL's `exp_name`.

    >>> from_experiment("td3_continuous_action").arm, from_experiment("sac-swim").arm
    (None, 'swim')
    """
    arm = _remainder(name.replace("_continuous_action", "").replace("_continuous", ""))
    algorithm = next((word for word in _words(name) if word in ALGORITHMS), None)
    return Guess(algorithm=algorithm, arm=arm, folder_arm=arm).said_by("experiment's name")


def activation_name(text: str) -> str:
    """A short name for an activation that a configuration names, the library's own where it has one.

    >>> activation_name("<class 'torch.nn.modules.activation.LeakyReLU'>"), activation_name("nn.SiLU")
    ('leaky_relu', 'swish')
    >>> activation_name("swim(k=0.7)"), activation_name("th.nn.MyOwn")
    ('swim(k=0.7)', 'myown')
    """
    quoted = re.search(r"'([^']+)'", text)
    name = quoted[1] if quoted else text
    if "(" in name:
        return name
    name = name.rsplit(".", 1)[-1].lower()
    known = {known.replace("_", ""): known for known in rl_acts.names()}
    found = known.get(name.replace("_", ""), name)
    try:
        return rl_acts.info(found).name
    except rl_acts.ActivationError:
        return found


def from_activations(actor: str, critic: str) -> Guess:
    """The arm that two activations make.

    >>> from_activations("swim", "swim").arm, from_activations("relu", "swim").arm
    ('swim', 'relu-actor_swim-critic')
    """
    arm = actor if actor == critic else f"{actor}-actor_{critic}-critic"
    return Guess(arm=arm, actor=actor, critic=critic)


def default_activation(algorithm: str) -> str:
    """Stable-Baselines3's, where no activation is asked for."""
    return "relu" if algorithm in _RELU else "tanh"


def _words(part: str) -> Iterator[str]:
    yield from (word for word in re.split(r"[^a-z0-9]+", part.lower()) if word)


def _without_algorithm(part: str) -> str:
    words = "|".join(sorted(ALGORITHMS))
    return re.sub(rf"^(?:{words})[-_ ]+", "", part, flags=re.IGNORECASE)


def _remainder(part: str) -> str | None:
    """What is left of a folder's name without task, algorithm, seed and words that say nothing."""
    part = _NUMBERED.sub(" ", _SEED.sub(" ", _TASK.sub(" ", _without_algorithm(part))))
    kept = [
        word
        for word in re.split(r"[\s_]+", part)
        if word.strip("-.") and word.lower() not in _GENERIC | ALGORITHMS and not word.isdecimal()
    ]
    words = [word.strip("-.") for word in kept]
    words = [word for word in words if not all(piece.lower() in _GENERIC | ALGORITHMS for piece in word.split("-"))]
    return "_".join(words) or None
