"""What ``--dry-run`` says: each run, the cohorts, and about how much time, disk and memory they need."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from agents import RunConfig
from agents.run_folder import read_progress, run_path
from experiments.cohorts import has_checkpoint
from experiments.estimate import (
    EFFICIENCY,
    Work,
    checkpoint_bytes,
    measured_rates,
    product_speed,
    result_bytes,
    say_bytes,
    total_seconds,
)
from experiments.finished_runs import lost
from experiments.overview import duration
from experiments.planned_gpu import H200, seconds_on
from experiments.registry import Entry, Key, say
from experiments.schedule import Schedule


def preview(
    folder: Path,
    entries: Sequence[Entry],
    configs: Mapping[Key, RunConfig],
    schedule: Schedule,
    device: torch.device,
) -> Iterator[str]:
    """Yield the lines of a dry run.

    Args:
        folder: Of the study.
        entries: Its runs in the registry.
        configs: All its runs by key.
        schedule: What is left of it.
        device: Where it will train.
    """
    known = {entry.key: entry for entry in entries}
    done: dict[Key, int] = {}
    for key in configs:
        entry = known.get(key)
        reason = None if entry is None else lost(folder, entry)
        state = "pending" if entry is None or reason is not None else entry.state
        if entry is not None and reason is None and has_checkpoint(folder, entry):
            done[key] = read_progress(folder / run_path(*key))[0]
            state = f"{state}, at step {done[key]:,} "
        yield f"{state:<9} {say(key)}{'' if reason is None else f' again: {reason}'}"
    if schedule.cohorts:
        yield from _estimates(
            folder, entries, Work(configs, schedule.cohorts, done, schedule.at_once), schedule, device
        )
    yield "dry run: nothing was started or written"


def _estimates(
    folder: Path, entries: Sequence[Entry], work: Work, schedule: Schedule, device: torch.device
) -> Iterator[str]:
    some = next(iter(work.configs.values()))
    rates, speed = measured_rates(folder, entries), product_speed(device, some.threads)
    groups = {key[:2] for cohort in work.cohorts for key in cohort}
    model = (
        f"the networks' products at {EFFICIENCY[some.engine, device.type]:.0%} of the {speed / 1e9:,.0f} GFLOP/s "
        "measured here"
    )
    measured = "the runs done here"
    basis = measured if groups <= set(rates) else model if not groups & set(rates) else f"{measured}, else {model}"
    sizes = Counter(map(len, work.cohorts))
    words = " + ".join(f"{count} of {size}" for size, count in sorted(sizes.items(), reverse=True))
    new = [key for cohort in work.cohorts for key in cohort]
    results = sum(result_bytes(work.configs[key]) for key in new)
    checkpoints = checkpoint_bytes(work)
    later = f", checkpoints up to {say_bytes(checkpoints)} while it runs" if checkpoints else ", no checkpoints"
    yield f"cohorts   {len(work.cohorts)}: {words} runs"
    yield f"time      about {duration(total_seconds(work, rates, speed, device))} without evaluations (from {basis})"
    if device.type == "cpu" and some.engine == "population":
        elsewhere = duration(seconds_on(H200, work.configs, [key for cohort in work.cohorts for key in cohort]))
        yield f"elsewhere about {elsewhere} on {H200.name}, evaluations included (planned from published figures)"
    yield f"disk      about {say_bytes(results)} of results{later}"
    yield f"memory    about {say_bytes(schedule.memory)} at once, of {say_bytes(schedule.available)} available"
