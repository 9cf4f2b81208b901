"""What an activation costs a whole training step: homogeneous populations in turns (ABCABC), relative to ReLU's.

Each activation trains alone, actor and critics alike, everything but evaluation included. Groups are small, so that few
processes wait at a time, and each has a ReLU of its own in the same rounds, to which its ratios are. Forms are
``eager``, ``compiled`` (losses through the compiler) and, on a GPU, ``captured`` (compiled, then replayed as CUDA
graphs); each activation in a form is compared with ReLU in the same form.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agents import resolve_device
from experiments.bench_contestants import MIXED, OURS, Job
from experiments.bench_processes import Processes, take_turns
from experiments.bench_updates import UpdateSettings, check_settings, collected, process_count
from experiments.problems import InputError
from rl_acts._table import table

REFERENCE = "relu"
_ARMS_PER_GROUP = 4
_COLUMNS = ("algo", "form", "activation", "updates/s", "step / relu", "range", "learn / relu", "range")


def bench_arms_table(
    settings: UpdateSettings,
    forms: Sequence[str],
    json_file: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Measure and return a table with the machine, the versions and the settings above it.

    Args:
        settings: How to measure; of `runs` there is one number.
        forms: ``"eager"``, ``"compiled"``, on a GPU also ``"captured"``.
        json_file: For everything that was measured, rewritten after each group.
        say: Told what is being done.

    Raises:
        InputError: A setting is not allowed, or the file's folder does not exist.
        BenchError: A process ended.
    """
    _check(settings, forms)
    return arms_table(collected(settings, bench_arms(settings, forms, say), json_file))


def _check(settings: UpdateSettings, forms: Sequence[str]) -> None:
    check_settings(settings)
    if len(settings.runs) != 1:
        raise InputError(f"--runs is {','.join(map(str, settings.runs))!r}; allowed is one number.")
    if MIXED in settings.activations:
        raise InputError(f"--activations: {MIXED!r} is no activation; each is measured alone here.")
    on_gpu = resolve_device(settings.device).type == "cuda"
    allowed = ("eager", "compiled", "captured") if on_gpu else ("eager", "compiled")
    for form in forms:
        if form not in allowed:
            raise InputError(f"--forms: {form!r} is not allowed; allowed here are {', '.join(allowed)}.")
    if not forms:
        raise InputError(f"--forms names none; allowed here are {', '.join(allowed)}.")


def bench_arms(
    settings: UpdateSettings, forms: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> Iterator[dict[str, Any]]:
    """Measure one group after the other.

    Args:
        settings: As checked by `bench_arms_table`.
        forms: Likewise.
        say: Told what is being done.

    Yields:
        Of each group ``algorithm``, ``form``, ``activations`` (ReLU first) and ``turns`` as `take_turns` returns them.

    Raises:
        BenchError: A process ended.
    """
    others = [spec for spec in settings.activations if spec != REFERENCE]
    for algorithm in settings.algorithms:
        for form in forms:
            for begin in range(0, max(1, len(others)), _ARMS_PER_GROUP):
                specs = (REFERENCE, *others[begin : begin + _ARMS_PER_GROUP])
                yield _group(settings, algorithm, form, specs, say)


def _group(
    settings: UpdateSettings, algorithm: str, form: str, specs: Sequence[str], say: Callable[[str], None]
) -> dict[str, Any]:
    def told(text: str) -> None:
        say(f"{algorithm} {form}: {text}")

    with ExitStack() as stack:
        ready: dict[str, Processes] = {}
        for spec in specs:
            told(f"warming up {spec}")
            jobs = [_job(settings, algorithm, form, spec, index) for index in range(process_count(settings))]
            processes = Processes(f"{spec} {form}", jobs, one_thread=True)
            stack.callback(processes.close)
            processes.wait_until_ready()
            ready[spec] = processes
        turns = take_turns(ready, settings.rounds, settings.seconds, told)
    return {"algorithm": algorithm, "form": form, "activations": list(specs), "turns": turns}


def _job(settings: UpdateSettings, algorithm: str, form: str, spec: str, index: int) -> Job:
    return Job(
        kind=OURS,
        hook="",
        algorithm=algorithm,
        task=settings.task,
        activation=spec,
        runs=settings.runs[0],
        width=settings.width,
        batch_size=settings.batch_size,
        rows=settings.rows,
        device=settings.device,
        index=index,
        form=form,
    )


def summary(group: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures of a group by activation.

    Args:
        group: As `bench_arms` yields it.

    Returns:
        ``updates_per_s`` (of single runs, summed over processes, median over rounds), and ``step`` and ``learn``: time
        of a whole step, and of its learning alone, relative to ReLU's in the same round, as (median, least, most).
    """
    turns = {
        spec: [turn["processes"] for turn in group["turns"] if turn["contestant"] == spec]
        for spec in group["activations"]
    }
    return {
        spec: {
            "updates_per_s": statistics.median(sum(one["updates"] / one["seconds"] for one in turn) for turn in own),
            "step": _relative([_per_update(turn, "seconds") for turn in own], turns[REFERENCE], "seconds"),
            "learn": _relative([_per_update(turn, "learn") for turn in own], turns[REFERENCE], "learn"),
        }
        for spec, own in turns.items()
    }


def _per_update(turn: Sequence[Mapping[str, Any]], part: str) -> float:
    spent = sum(one["seconds"] if part == "seconds" else one["parts"][part] for one in turn)
    return float(spent / sum(one["updates"] for one in turn))


def _relative(
    own: Sequence[float], reference: Sequence[Sequence[Mapping[str, Any]]], part: str
) -> tuple[float, float, float]:
    ratios = [mine / _per_update(turn, part) for mine, turn in zip(own, reference, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def arms_table(measured: Mapping[str, Any]) -> str:
    """Return a table of what was measured, with machine, versions, settings and meanings above it.

    Args:
        measured: As `bench_arms_table` writes it to a file.
    """
    rows = [
        (group["algorithm"], group["form"], spec, *_cells(figure, on_gpu=measured["on_gpu"]))
        for group in measured["groups"]
        for spec, figure in summary(group).items()
    ]
    return _head(measured) + table(_COLUMNS, rows)


def _cells(figure: Mapping[str, Any], *, on_gpu: bool) -> tuple[str, ...]:
    step, learn = figure["step"], figure["learn"]
    # On a GPU the parts of the clock say when work was handed over, not when it was done.
    parts = ("-", "-") if on_gpu else (f"{learn[0]:.2f}", f"{learn[1]:.2f}-{learn[2]:.2f}")
    return (f"{figure['updates_per_s']:.1f}", f"{step[0]:.2f}", f"{step[1]:.2f}-{step[2]:.2f}", *parts)


def _head(measured: Mapping[str, Any]) -> str:
    hardware, settings = measured["hardware"], measured["settings"]
    where = f"{hardware['cpu']}, {hardware['cores']} usable cores"
    where += f", {hardware['device']}" if measured["on_gpu"] else ""
    libraries = ", ".join(f"{name} {measured['versions'][name]}" for name in ("torch", "mujoco"))
    return (
        f"{where}, {libraries}, {measured['date']}\n"
        f"{settings['task']}, two hidden layers of {settings['width']}, batch {settings['batch_size']}, "
        f"{settings['runs'][0]} runs in each of {settings['processes']} processes of one thread\n"
        f"medians of {settings['rounds']} turns of {settings['seconds']:g} s; ratios: to {REFERENCE} of the same form "
        "in the same round; step: everything but evaluation; learn: the update alone\n"
    )
