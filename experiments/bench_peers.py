"""Whom `bench updates` compares with, and how to add somebody.

A peer is a function in a module that Python finds, named with ``--peer NAME=module:function``. It takes the Gymnasium
id, the algorithm (``"td3"`` or ``"sac"``), the width of both hidden layers, the rows of a batch and the activation, and
returns ``advance(steps)``, which makes that many environment steps. The first 2,000 of them (``--replay-rows``) are to
be random and without updates, every later one has one update. It is called in a process of its own, and raises
`NotImplementedError` for what it does not have. SBX as such a module, ``mine.py``, for ``--peer sbx2=mine:sbx``::

    import gymnasium
    from sbx import SAC, TD3

    def sbx(task, algorithm, width, batch_size, activation):
        if activation != "relu":
            raise NotImplementedError(activation)
        model = {"td3": TD3, "sac": SAC}[algorithm](
            "MlpPolicy", gymnasium.make(task), learning_starts=2_000, buffer_size=2_000, batch_size=batch_size,
            train_freq=1, gradient_steps=1, policy_kwargs={"net_arch": [width, width]},
        )
        return lambda steps: model.learn(steps, reset_num_timesteps=False, log_interval=None)
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from experiments.problems import InputError
from rl_acts.errors import did_you_mean

Advance = Callable[[int], None]
MakePeer = Callable[[str, str, int, int, str], Advance]

# By name: where its function is, what it imports, and what to install for that.
_BUILT_IN = {"sbx": ("experiments.bench_peers:sbx", "sbx", "sbx-rl")}
# The replay memory's rows, for peers that are made by a function of five arguments.
ROWS_VARIABLE = "BENCH_REPLAY_ROWS"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_HOOK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Peers:
    """Whom to compare with.

    Attributes:
        sb3: Whether Stable-Baselines3 is among them.
        hooks: By name, ``"module:function"``.
        missing: Names of those that are not installed.
    """

    sb3: bool
    hooks: Mapping[str, str]
    missing: tuple[str, ...]


def choose_peers(names: Sequence[str] | None, given: Sequence[str]) -> Peers:
    """Find the peers.

    Args:
        names: ``"sb3"`` and built-in peers; None for all of them, in which case one that is not installed is no error.
        given: ``NAME=module:function``, always among them.

    Raises:
        InputError: A name is unknown, taken or not installed, or a hook cannot be understood or found.
    """
    known = ("sb3", *_BUILT_IN)
    wanted = known if names is None else tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise InputError(
                f"--peers: {name!r} is unknown; allowed are {', '.join(known)}, and others with "
                f"--peer NAME=module:function.{did_you_mean(name, known)}"
            )
    built_in = [name for name in wanted if name != "sb3"]
    missing = tuple(name for name in built_in if find_spec(_BUILT_IN[name][1]) is None)
    if names is not None and missing:
        packages = " ".join(_BUILT_IN[name][2] for name in missing)
        raise InputError(f"--peers: {', '.join(missing)} is not installed; `pip install {packages}` would do it.")
    hooks = {name: _BUILT_IN[name][0] for name in built_in if name not in missing}
    for text in given:
        name, hook = _checked(text)
        if name in (*known, "ours", *hooks):
            raise InputError(f"--peer {text}: the name {name!r} is taken.")
        hooks[name] = hook
    return Peers("sb3" in wanted, hooks, missing)


def _checked(text: str) -> tuple[str, str]:
    name, _, hook = text.partition("=")
    if not _NAME.fullmatch(name) or not _HOOK.fullmatch(hook):
        raise InputError(f"--peer {text}: allowed is NAME=module:function, such as mine=my_peers:make.")
    module = hook.partition(":")[0]
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise InputError(f"--peer {text}: there is no module {module!r}; it must lie here or on PYTHONPATH.")
    return name, hook


def load_peer(hook: str) -> MakePeer:
    """Import a peer's function.

    Args:
        hook: ``"module:function"``.
    """
    module, _, function = hook.partition(":")
    make: MakePeer = getattr(import_module(module), function)
    return make


def sbx(task: str, algorithm: str, width: int, batch_size: int, activation: str) -> Advance:
    """Return SBX's TD3 or SAC; the peer that is named ``"sbx"``.

    Args:
        task: Gymnasium id.
        algorithm: ``"td3"`` or ``"sac"``.
        width: Of both hidden layers.
        batch_size: Rows of a batch.
        activation: ``"relu"`` or ``"swish"``; SBX takes functions of Flax.

    Raises:
        NotImplementedError: Another activation.
    """
    import gymnasium  # noqa: PLC0415 - this module is also read by commands that measure nothing

    functions = {"relu": "relu", "swish": "silu"}
    if activation not in functions:
        # As any hook says it, see above.
        raise NotImplementedError(f"SBX's networks have no {activation}")
    library: Any = import_module("sbx")
    rows = int(os.environ[ROWS_VARIABLE])
    settings: dict[str, Any] = {"action_noise": None}
    if algorithm == "td3":
        noise: Any = import_module("stable_baselines3.common.noise")
        size = gymnasium.make(task).action_space.shape[0]  # type: ignore[index]
        settings["action_noise"] = noise.NormalActionNoise([0.0] * size, [0.1] * size)
    model = getattr(library, algorithm.upper())(
        "MlpPolicy",
        gymnasium.make(task),
        learning_rate=3e-4,
        qf_learning_rate=3e-4,
        batch_size=batch_size,
        buffer_size=rows,
        learning_starts=rows,
        train_freq=1,
        gradient_steps=1,
        policy_kwargs={
            "net_arch": [width, width],
            "activation_fn": getattr(import_module("flax.linen"), functions[activation]),
        },
        **settings,
    )

    def advance(steps: int) -> None:
        model.learn(steps, reset_num_timesteps=False, log_interval=None)

    return advance
