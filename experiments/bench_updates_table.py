"""What the turns of `bench updates` come to: medians over the rounds, ratios within them, and a table."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rl_acts._table import table

_REFERENCE = "sb3"
_COLUMNS = (
    *("algo", "activation", "contestant", "processes", "updates/s", "ratio", "ratio in rounds", "range", "cores used"),
    *("faults/update", "peak MB", "act %", "simulate %", "learn %", "other %", "GFLOP/s", "of limit %"),
)
Turn = Mapping[str, Any]


def updates_table(measured: Mapping[str, Any]) -> str:
    """Return a table of what was measured, with machine, versions, settings and meanings above it.

    Args:
        measured: As `bench_updates_table` writes it to a file.
    """
    rows = [row for group in measured["groups"] for row in _rows(group, on_gpu=measured["on_gpu"])]
    return _head(measured) + table(_COLUMNS, rows)


def summary(group: Mapping[str, Any], *, on_gpu: bool = False) -> dict[str, dict[str, Any]]:
    """Return the figures of a group by contestant.

    Args:
        group: As `bench_updates` yields it.
        on_gpu: Whether the parts of the clock say when work was handed over, not when it was done; the share of the
            limit is then of the whole turn.

    Returns:
        ``updates_per_s`` (of single runs, summed over processes, median), ``ratio_of_medians``, ``median_ratio`` and
        ``ratio_range`` (within rounds) relative to Stable-Baselines3 or else the first contestant, ``cores``,
        ``faults_per_update``, ``peak_mb`` (summed over processes), ``shares`` of the turn, ``gflops`` of one process's
        matrix products, and ``limit_share``. What nobody measured is None.
    """
    names = [contestant["name"] for contestant in group["contestants"]]
    turns = {name: [turn["processes"] for turn in group["turns"] if turn["contestant"] == name] for name in names}
    speeds = {name: [_speed(turn) for turn in turns[name]] for name in names}
    if not names:
        return {}
    reference = speeds[_REFERENCE if _REFERENCE in names else names[0]]
    figures = {}
    for name in names:
        ratios = [own / other for own, other in zip(speeds[name], reference, strict=True)]
        figures[name] = {
            "updates_per_s": statistics.median(speeds[name]),
            "ratio_of_medians": statistics.median(speeds[name]) / statistics.median(reference),
            "median_ratio": statistics.median(ratios),
            "ratio_range": (min(ratios), max(ratios)),
            "cores": statistics.median(
                sum(one["cpu_seconds"] / one["seconds"] for one in turn) for turn in turns[name]
            ),
            "faults_per_update": statistics.median(
                _sum(turn, "minor_faults") / _sum(turn, "updates") for turn in turns[name]
            ),
            "peak_mb": max(_sum(turn, "peak_bytes") for turn in turns[name]) / 1e6,
            "shares": _shares(turns[name]),
            **_against_limit(turns[name], group["flops_per_update"], on_gpu=on_gpu),
        }
    return figures


def _speed(turn: Sequence[Turn]) -> float:
    return sum(float(one["updates"]) / float(one["seconds"]) for one in turn)


def _sum(turn: Sequence[Turn], name: str) -> float:
    return sum(float(one[name]) for one in turn)


def _shares(turns: Sequence[Sequence[Turn]]) -> dict[str, float] | None:
    if any(one["parts"] is None for turn in turns for one in turn):
        return None
    shares = {
        part: statistics.median(sum(one["parts"][part] for one in turn) / _sum(turn, "seconds") for turn in turns)
        for part in ("act", "simulate", "learn")
    }
    return {**shares, "other": max(0.0, 1.0 - sum(shares.values()))}


def _against_limit(turns: Sequence[Sequence[Turn]], flops: float, *, on_gpu: bool) -> dict[str, float | None]:
    """Compare with the matrix products that the same process made at the beginning and end of the same turn."""
    ones = [one for turn in turns for one in turn]
    if any(one["gemm_flops_per_second"] is None for one in ones):
        return {"gflops": None, "limit_share": None}
    rates = [statistics.mean(one["gemm_flops_per_second"]) for one in ones]
    counted = all(one["parts"] is not None for one in ones)
    shares = [
        one["updates"] * flops / (one["seconds"] if on_gpu else one["parts"]["learn"]) / rate
        for one, rate in zip(ones, rates, strict=True)
        if counted
    ]
    return {"gflops": statistics.median(rates) / 1e9, "limit_share": statistics.median(shares) if counted else None}


def _rows(group: Mapping[str, Any], *, on_gpu: bool) -> list[tuple[str, ...]]:
    figures = summary(group, on_gpu=on_gpu)
    counts = {one["name"]: one["processes"] for one in group["contestants"]}
    here = (group["algorithm"], group["activation"])
    rows = [(*here, name, str(counts[name]), *_cells(figure)) for name, figure in figures.items()]
    blank = ("-",) * (len(_COLUMNS) - 5)
    return [*rows, *((*here, name, "-", cause, *blank) for name, cause in group["absent"].items())]


def _cells(figure: Mapping[str, Any]) -> tuple[str, ...]:
    shares = figure["shares"] or {}
    low, high = figure["ratio_range"]
    return (
        f"{figure['updates_per_s']:.1f}",
        f"{figure['ratio_of_medians']:.2f}",
        f"{figure['median_ratio']:.2f}",
        f"{low:.2f}-{high:.2f}",
        f"{figure['cores']:.2f}",
        f"{figure['faults_per_update']:.1f}",
        f"{figure['peak_mb']:.0f}",
        *(f"{100 * shares[part]:.0f}" if shares else "-" for part in ("act", "simulate", "learn", "other")),
        "-" if figure["gflops"] is None else f"{figure['gflops']:.1f}",
        "-" if figure["limit_share"] is None else f"{100 * figure['limit_share']:.0f}",
    )


def _head(measured: Mapping[str, Any]) -> str:
    hardware, settings = measured["hardware"], measured["settings"]
    where = f"{hardware['cpu']}, {hardware['cores']} usable cores"
    limit = "matrix products beside it, time in learn alone"
    if measured["on_gpu"]:
        where += f", {hardware['device']}, float32 products of precision {measured['matmul_precision']!r}"
        limit = "matrix products beside it, whole turn; parts: when work was handed over"
    kept = ("torch", "stable-baselines3", "sbx-rl", "jax", "mujoco", "gymnasium")
    libraries = ", ".join(f"{name} {measured['versions'][name]}" for name in kept if name in measured["versions"])
    flops = ", ".join(
        f"{algorithm} {value / 1e6:.1f}"
        for algorithm, value in {one["algorithm"]: one["flops_per_update"] for one in measured["groups"]}.items()
    )
    return (
        f"{where}, {libraries}, {measured['date']}\n"
        f"{settings['task']}, two hidden layers of {settings['width']}, batch {settings['batch_size']}, full replay "
        f"memories of {settings['rows']:,} rows, MFLOP per update: {flops}\n"
        f"medians of {settings['rounds']} turns of {settings['seconds']:g} s; updates of single runs, summed over "
        f"processes of one thread; 'as is': one process with its libraries' own threads\n"
        f"ratios: to {_REFERENCE} in the same group, or else to the group's first; rows of different groups do not "
        f"compare; of limit: {limit}\n"
    )
