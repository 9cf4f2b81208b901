"""Which column of somebody's table means what."""

from collections.abc import Mapping, Sequence

from experiments.problems import InputError

# What a column can mean, and the names under which it is recognised when nobody says; the first that is there is taken.
MEANINGS: Mapping[str, tuple[str, ...]] = {
    "step": ("step_env", "step", "steps", "timestep", "timesteps", "global_step", "env_step", "env_steps",
             "total_timesteps", "num_timesteps", "time/total_timesteps", "frames", "interactions"),
    "return": ("return_undiscounted", "return", "return_mean", "returns", "mean_return", "episodic_return",
               "episode_return", "episode_reward", "mean_reward", "eval/mean_reward", "reward", "score"),
    "task": ("task", "env", "env_id", "environment", "env_name", "task_id", "domain"),
    "algorithm": ("algorithm", "algo", "agent", "method"),
    "arm": ("arm", "activation", "variant", "group", "condition"),
    "seed": ("seed", "run", "run_id", "trial", "rep", "repetition"),
    "elapsed": ("elapsed_s", "elapsed", "wall_s", "wall_time", "seconds", "time/time_elapsed"),
    "kind": ("returns_kind",),
}  # fmt: skip
NEEDED = ("step", "return")


def read_map(entries: Sequence[str]) -> dict[str, str]:
    """Columns by meaning, from texts such as ``step=Steps,return=Score``.

    Raises:
        InputError: an entry has another form, names an unknown meaning or says one twice.
    """
    found: dict[str, str] = {}
    for part in (part for entry in entries for part in entry.split(",")):
        meaning, equals, column = part.partition("=")
        if not equals or not column or meaning not in MEANINGS:
            raise InputError(
                f"--map {part!r} is not MEANING=COLUMN, as in step=Steps,return=Score; meanings: {', '.join(MEANINGS)}."
            )
        if meaning in found:
            raise InputError(f"--map says twice what {meaning} is: {found[meaning]} and {column}.")
        found[meaning] = column
    return found


def read_where(entries: Sequence[str]) -> dict[str, frozenset[str]]:
    """Wanted values by column, from texts such as ``source=a``; a column that is named again allows another value.

    Raises:
        InputError: an entry has another form.
    """
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        column, equals, value = entry.partition("=")
        if not equals or not column:
            raise InputError(f"--where {entry!r} is not COLUMN=VALUE, as in source=mine.")
        found[column] = found.get(column, frozenset()) | {value}
    return found


def columns_of(names: Sequence[str], given: Mapping[str, str], source: str) -> dict[str, str]:
    """The column of each meaning: the given one, else the first that has one of its usual names.

    Raises:
        InputError: a given column is not there, or none is for the step or the return.
    """
    usual = {name.lower().strip(): name for name in reversed(names)}
    found = {}
    for meaning, candidates in MEANINGS.items():
        if meaning in given:
            if given[meaning] not in names:
                raise InputError(
                    f"{source} has no column {given[meaning]!r}, which --map names for the {meaning}; its columns: "
                    f"{', '.join(names)}."
                )
            found[meaning] = given[meaning]
        elif (name := next((usual[one] for one in candidates if one in usual), None)) is not None:
            found[meaning] = name
    missing = [meaning for meaning in NEEDED if meaning not in found]
    if missing:
        raise InputError(
            f"{source} has no column that is known to be the {missing[0]}: say which it is with "
            f"--map {missing[0]}=COLUMN; its columns: {', '.join(names)}."
        )
    return found
