"""Runs from anybody's logs, put into one collection that can be compared."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.collect.collection import Collection, ReturnsKind, Run
from experiments.collect.common_end import shortened, spans
from experiments.collect.corrections import Correction, corrected, without
from experiments.collect.discover import TABLE_SUFFIXES, Found, discover
from experiments.collect.log import KINDS, Log, read_logs
from experiments.collect.naming import Named, named
from experiments.collect.plan import Arm, Evaluation, Study
from experiments.collect.table_file import TableChoice
from experiments.problems import InputError
from experiments.text import count, joined, whole

_NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Choices:
    """What a person says about logs before they are compared; each is an option of the command `compare`.

    Attributes:
        table: meanings of columns and wanted rows.
        corrections: names of runs that were guessed wrongly.
        seed_pattern: where in a run's place its seed is.
        exclude: patterns of runs to leave out.
        returns: which returns to compare; None takes those of evaluation if any run has them.
        until: last step to compare.
        interval: steps over which training episodes are averaged.
    """

    table: TableChoice
    corrections: Sequence[Correction] = ()
    seed_pattern: re.Pattern[str] | None = None
    exclude: Sequence[str] = ()
    returns: ReturnsKind | None = None
    until: int | None = None
    interval: int | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of the runs: without primary pairs every comparison is exploratory."""

    name: str
    primary: tuple[tuple[str, str], ...] = ()
    control: str | None = None
    margin: float | None = None
    final_evaluations: int | None = None


@dataclass(frozen=True)
class Survey:
    """Runs with the names that they are taken to have, and what was odd about their logs."""

    kind: ReturnsKind
    runs: tuple[Named, ...]
    left_out: tuple[Log, ...]
    notes: tuple[str, ...]


def read_kind(text: str | None) -> ReturnsKind | None:
    """The kind of returns that `--returns` names.

    Raises:
        InputError: it is neither.
    """
    for kind in KINDS:
        if text == kind:
            return kind
    if text is not None:
        raise InputError(f"--returns is {text!r}; allowed are {joined(KINDS)}.")
    return None


def survey(paths: Sequence[Path], choices: Choices) -> Survey:
    """Read all logs and name their runs.

    Raises:
        InputError: a path cannot be used, nothing holds a return of the wanted kind, or a choice fits nothing.
        ReportError: a study's plan or a table of collected runs is damaged.
    """
    notes: list[str] = []
    found = discover(paths, notes)
    logs = read_logs(found, choices.table, notes)
    if not any(log.scored for log in logs):
        raise InputError(_nothing(paths, found, logs, notes))
    logs = without(corrected(logs, choices.corrections, choices.seed_pattern), choices.exclude, notes)
    kind = choices.returns or (
        "evaluation" if any("evaluation" in log.kinds and log.scored for log in logs) else "training"
    )
    used = [log for log in logs if kind in log.kinds]
    left_out = [log for log in logs if kind not in log.kinds]
    if not any(log.scored for log in used):
        raise InputError(f"no run in {joined([str(path) for path in paths])} has {kind} returns.")
    notes.extend(
        f"{log.place}: only has {joined(log.kinds)} returns, which are not compared with those of {kind}; left out"
        for log in left_out
    )
    return Survey(kind, tuple(named(used, kind, notes)), tuple(left_out), tuple(notes))


def gather(seen: Survey, choices: Choices, question: Question) -> Collection:
    """The collection of a survey, with a plan that fits what was found.

    Raises:
        InputError: the question names an arm that is not there.
    """
    notes = list(seen.notes)
    ends = spans(seen.runs, seen.kind, choices.until, choices.interval)
    runs = shortened(seen.runs, seen.kind, ends, notes)
    order = {arm: index for index, arm in enumerate(dict.fromkeys(run.arm for run in runs))}
    runs.sort(key=lambda run: (run.task, run.algorithm, order[run.arm], run.seed))
    notes.extend(_first_steps(runs))
    notes.extend(_seed_gaps(runs))
    return Collection(_plan(seen, runs, question), tuple(runs), tuple(notes))


def _plan(seen: Survey, runs: Sequence[Run], question: Question) -> Study:
    specs: dict[str, tuple[str, str]] = {}
    for entry in seen.runs:
        if entry.log.guess.actor:
            specs.setdefault(entry.arm, (entry.log.guess.actor, entry.log.guess.critic))
    seeds: dict[str, set[int]] = defaultdict(set)
    for run in runs:
        seeds[run.arm].add(run.seed)
    asked = [*(arm for pair in question.primary for arm in pair), *([question.control] if question.control else [])]
    for arm in asked:
        if arm not in seeds:
            raise InputError(f"{arm!r} is to be compared but is no arm; there are {', '.join(seeds)}.")
    gaps = [float(np.median(np.diff(run.evaluations.steps))) for run in runs if run.evaluations.steps.size > 1]
    episodes = {entry.log.averaged for entry in seen.runs}
    arms = []
    for name in dict.fromkeys(entry.arm for entry in seen.runs):
        actor, critic = specs.get(name, (_NOT_RECORDED, _NOT_RECORDED))
        arms.append(Arm(name=name, actor=(actor,), critic=(critic,), seeds=tuple(sorted(seeds[name]))))
    steps = max(1, int(max(run.evaluations.steps[-1] for run in runs if run.evaluations.steps.size)))
    return Study(
        format=1,
        name=question.name,
        algorithms=tuple(sorted({run.algorithm for run in runs})),
        tasks=tuple(sorted({run.task for run in runs})),
        arms=tuple(arms),
        steps=steps,
        evaluation=Evaluation(
            every=max(1, round(float(np.median(gaps)))) if gaps else steps,
            episodes=next(iter(episodes)) if len(episodes) == 1 else None,
        ),
        primary=question.primary,
        margin=question.margin,
        control=question.control,
        final_evaluations=question.final_evaluations,
        inferred=True,
        found=len(runs),
        returns_kind=seen.kind,
    )


def _first_steps(runs: Sequence[Run]) -> list[str]:
    """Notes where runs of one task and algorithm begin at different steps."""
    found: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    for run in runs:
        if run.evaluations.steps.size:
            found[run.task, run.algorithm][float(run.evaluations.steps[0])] += 1
    return [
        f"{task}, {algorithm}: first returns are at step "
        + joined([f"{whole(step)} ({count(amount, 'run')})" for step, amount in sorted(firsts.items())[:4]])
        + ("" if len(firsts) <= 4 else " and others")
        + "; before it a run's first return is carried back"
        for (task, algorithm), firsts in found.items()
        if len(firsts) > 1
    ]


def _seed_gaps(runs: Sequence[Run]) -> list[str]:
    """Notes about seeds that are missing between the others of an arm."""
    seeds: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for run in runs:
        seeds[run.task, run.algorithm, run.arm].add(run.seed)
    notes = []
    for (task, algorithm, arm), there in seeds.items():
        # Seeds that were drawn at random have no gaps that mean anything.
        if len(there) > (max(there) - min(there)) / 2:
            missing = sorted(set(range(min(there), max(there))) - there)
            if missing:
                listed = joined([str(seed) for seed in missing])
                notes.append(f"{task}, {algorithm}, {arm}: seed {listed} missing between the others")
    return notes


def _nothing(paths: Sequence[Path], found: Found, logs: Sequence[Log], notes: Sequence[str]) -> str:
    where = joined([str(path) for path in paths])
    if logs:
        causes = [log for log in logs if log.run is not None and log.run.cause]
        text = f"no run in {where} has a return yet ({count(len(logs), 'run')})"
        if causes and causes[0].run is not None:
            text += f"; the first that ended badly: {causes[0].place}: {' '.join(str(causes[0].run.cause).split())}"
    else:
        text = f"no log in {where} that is known ({count(found.seen, 'file')} looked at)"
        if found.tables:
            text += f"; {joined([name for _, name in found.tables])} has no rows"
        elif not notes:
            tables = ", ".join(TABLE_SUFFIXES)
            text += f"; tables ({tables}) are read when they are named themselves"
    if notes:
        more = f", and {count(len(notes) - 3, 'more note')}" if len(notes) > 3 else ""
        text += f". Noted: {'; '.join(notes[:3])}{more}"
    return f"{text}."
