"""What each arm costs, where `bench arms` has measured it for the study: `bench_arms.json` in the study's folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.collect.plan import Study

BENCH_FILE = "bench_arms.json"
# The form nearest to how studies train comes first.
_FORMS = ("captured", "compiled", "eager")


@dataclass(frozen=True)
class Cost:
    """Time of a whole training step relative to ReLU's in the same rounds: median, least and most of the rounds.

    Attributes:
        form: "eager", "compiled" or "captured".
    """

    form: str
    value: float
    low: float
    high: float


def read_costs(study_dir: Path, study: Study, notes: list[str]) -> dict[tuple[str, str], Cost]:
    """The cost by (algorithm, arm) of those arms whose networks all have one activation, and that was measured.

    Args:
        study_dir: the study's folder, where `python -m experiments bench arms --json DIR/bench_arms.json` has written.
        study: its plan.
        notes: gets a line if the file cannot be read; without a file there are no costs and no note.
    """
    try:
        measured = json.loads((study_dir / BENCH_FILE).read_bytes())
        found = _by_spec(measured["groups"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        notes.append(f"{BENCH_FILE}: damaged ({type(error).__name__}: {error}); costs are not shown")
        return {}
    return {
        (algorithm, arm.name): found[algorithm, arm.actor[0]]
        for algorithm in study.algorithms
        for arm in study.arms
        if len({*arm.actor, *arm.critic}) == 1 and (algorithm, arm.actor[0]) in found
    }


def _by_spec(groups: list[Mapping[str, Any]]) -> dict[tuple[str, str], Cost]:
    # It loads PyTorch, which reading a study without such a file does not need.
    from experiments.bench_arms import summary  # noqa: PLC0415 -- see above

    found: dict[tuple[str, str], Cost] = {}
    for form in reversed(_FORMS):
        for group in groups:
            if group["form"] == form:
                costs = {spec: Cost(form, *figures["step"]) for spec, figures in summary(group).items()}
                found |= {(group["algorithm"], spec): cost for spec, cost in costs.items()}
    return found
