"""Versions of the libraries that change scores. Results of different versions are never pooled or compared."""

from collections.abc import Iterable, Mapping

from experiments.collect.collection import Run
from experiments.text import joined

# NumPy's and Python's versions are recorded too, but neither the simulation nor the learning is theirs; nor do native
# kernels change more than a GPU does, which is rounding.
COMPARED = ("mujoco", "gymnasium", "torch", "stable-baselines3", "rl_acts")


def used(runs: Iterable[Run], libraries: Iterable[str] = COMPARED) -> dict[str, tuple[str, ...]]:
    """The recorded versions of each library over the runs, sorted; a library that no run records is left out."""
    runs = tuple(runs)
    found = {
        library: tuple(sorted({run.versions[library] for run in runs if library in run.versions}))
        for library in libraries
    }
    return {library: versions for library, versions in found.items() if versions}


def differing(runs: Iterable[Run]) -> dict[str, tuple[str, ...]]:
    """The versions of those libraries of COMPARED in which the runs differ; empty if their results can be pooled.

    A run that does not record a library's version is not held against the others: that is noted elsewhere.
    """
    return {library: versions for library, versions in used(runs).items() if len(versions) > 1}


def versions_text(versions: Mapping[str, tuple[str, ...]]) -> str:
    """Libraries and versions in words.

    >>> versions_text({"mujoco": ("3.17.0", "4.0.0"), "torch": ("2.13.0",)})
    'mujoco 3.17.0 and 4.0.0; torch 2.13.0'
    """
    return "; ".join(f"{library} {joined(found)}" for library, found in versions.items())
