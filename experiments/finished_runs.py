"""What finished runs left on the disk: whether it is all there, and with which libraries it was made."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from agents.files import read_json
from agents.machine import recorded_versions, versions
from agents.policy_file import MANIFEST_FILE, WEIGHTS_FILE
from agents.run_folder import EVALUATIONS_FILE, FINAL_STATES, RUN_FILE, run_path
from experiments.cohorts import has_checkpoint
from experiments.problems import InputError
from experiments.registry import Entry, Key

# Another version of any of these gives other numbers from the same seed.
_LIBRARIES = ("mujoco", "gymnasium", "torch", "stable-baselines3", "native_kernels")


def lost(folder: Path, entry: Entry) -> str | None:
    """Return what is wrong with the folder of a run that counts as done or diverged, or None if nothing is.

    Args:
        folder: Of the study.
        entry: Of any run; one that is not over can have lost nothing.
    """
    if entry.state not in FINAL_STATES:
        return None
    run = folder / run_path(*entry.key)
    record = _record(run)
    if record is None:
        return f"{RUN_FILE} is missing or damaged"
    if record.get("state") != entry.state:
        return f"{RUN_FILE} says {record.get('state')}"
    wanted = (EVALUATIONS_FILE, MANIFEST_FILE, WEIGHTS_FILE) if entry.state == "done" else (EVALUATIONS_FILE,)
    missing = [name for name in wanted if not (run / name).is_file()]
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else None


def check_versions(folder: Path, entries: Iterable[Entry], wanted: Collection[Key]) -> None:
    """Check that runs which are still to be made would be made with the libraries of the finished ones.

    Args:
        folder: Of the study.
        entries: Of the runs that are in it.
        wanted: Keys of the study's runs. If all of them are over, nothing is added and any libraries will do.

    Raises:
        InputError: A finished run, or one that would go on from a checkpoint, has another version of MuJoCo, Gymnasium,
            PyTorch, Stable-Baselines3 or the native kernels.
    """
    entries = list(entries)
    finished = [entry for entry in entries if entry.state in FINAL_STATES and lost(folder, entry) is None]
    if {entry.key for entry in finished}.issuperset(wanted):
        return
    begun = [entry for entry in entries if has_checkpoint(folder, entry)]
    here, others = versions(), defaultdict(set)
    for entry in (*finished, *begun):
        recorded = _versions(_record(folder / run_path(*entry.key)) or {})
        for name in _LIBRARIES:
            if recorded.get(name, here[name]) != here[name]:
                others[name].add(str(recorded[name]))
    if others:
        old = " and ".join(f"{name} {', '.join(sorted(found))} (here {here[name]})" for name, found in others.items())
        which = "finished" if finished else "begun"
        raise InputError(
            f"the {which} runs in {folder} were made with {old}; results of different versions are never mixed. "
            "Give another folder with --out, or run in the old environment."
        )


def _versions(record: Mapping[str, Any]) -> dict[str, str]:
    found, hardware = recorded_versions(record.get("versions") or {}), record.get("hardware") or {}
    if hardware.get("device") != hardware.get("cpu"):
        # On a GPU they take no part.
        found.pop("native_kernels", None)
    return found


def _record(run: Path) -> dict[str, Any] | None:
    try:
        return read_json(run / RUN_FILE)
    except (OSError, ValueError):
        return None
