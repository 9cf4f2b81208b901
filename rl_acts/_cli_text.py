"""What the command line prints of the registry: the list, and all that is known of one activation."""

import math

from rl_acts._bench import bench, bench_conditions
from rl_acts._character import DEAD_BAND_END, DEAD_SLOPE, Character, character
from rl_acts._extremes import Extreme
from rl_acts._info import ActivationInfo, Interval
from rl_acts._registry import info, names, parse
from rl_acts._spec import ActivationSpec
from rl_acts._table import table

_COST_SHAPE = (256, 256)
_COST_ROUNDS = 10


def list_text(family: str | None, *, cost: bool) -> str:
    """Return the table of the registered activations, with their cost as measured now if that is asked for."""
    entries = [entry for entry in map(info, names()) if family in (None, entry.family)]
    rows = [
        [entry.name, entry.family, "yes" if entry.learnable else "", ", ".join(entry.aliases), entry.formula]
        for entry in entries
    ]
    head = ["name", "family", "learnt", "aliases", "formula"]
    conditions = ""
    if cost:
        measured = bench([entry.name for entry in entries], _COST_SHAPE, rounds=_COST_ROUNDS)
        conditions = bench_conditions(_COST_SHAPE, _COST_ROUNDS)
        head[3:3] = ["forward / ReLU", "fwd+bwd / ReLU"]
        for row, found in zip(rows, measured, strict=True):
            row[3:3] = [f"{found.forward_ratio:.1f}", f"{found.both_ratio:.1f}"]
    return conditions + table(head, rows)


def show_text(spec: str, features: int | None) -> str:
    """Return what is declared of an activation, and what its initial form does at a layer's width."""
    parsed = parse(spec)
    entry = info(parsed.name)
    computed = _computed(character(parsed, features))
    lines = [f"{entry.name}: {entry.formula or 'formula not declared'}"]
    if entry.aliases:
        lines.append(f"  also called        {', '.join(entry.aliases)}")
    lines.append(f"  family             {entry.family}")
    lines += _parameters(entry, parsed)
    lines += [
        f"  range              {_interval(entry.range)}",
        f"  range of f'        {_interval(entry.derivative_range)}",
        f"  smoothness         {entry.smoothness}",
        *([f"  width              {entry.width_factor:g} times the input's"] if entry.changes_width else []),
    ]
    lines += [f"  {label:<18} {text}" for label, text in computed]
    lines.append(f"  source             {entry.source or 'not declared'}")
    if entry.unverified:
        lines.append(f"  not verified       {entry.unverified}")
    return "\n".join(lines) + "\n"


def _parameters(entry: ActivationInfo, spec: ActivationSpec) -> list[str]:
    lines = []
    for parameter in entry.parameters:
        learnt = ", initial value of a learnt parameter" if parameter.shape is not None else ""
        default = f"{parameter.name} = {parameter.default}"
        lines.append(f"  {default:<18} {parameter.meaning}; {parameter.constraint}{learnt}")
    if spec.arguments:
        lines.append(f"  computed for       {spec}")
    return lines


def _interval(interval: Interval | None) -> str:
    return "not declared" if interval is None else f"[{interval[0]:g}, {interval[1]:g}]"


def _computed(found: Character) -> list[tuple[str, str]]:
    """Return the computed figures as labels and texts, in the order in which they are shown."""
    rows = [
        ("E[f(z)]", f"{_estimate(found.mean, found.mean_error)}, z ~ N(0, 1)"),
        ("E[f(z)^2]", _estimate(found.second_moment, found.second_moment_error)),
        ("gain", f"{_estimate(found.gain, found.gain_error)}: weights N(0, gain^2 / fan_in) keep the variance"),
    ]
    if found.negative_slope is not None:
        rows.append(
            ("negative slope", f"{_estimate(found.negative_slope, found.negative_slope_error)}, E[f'(z) | z < 0]")
        )
    if found.dead_band is not None:
        end = f"[-{DEAD_BAND_END:g}, {DEAD_BAND_END:g}]"
        rows.append(("dead band", f"{100 * found.dead_band:.3g} % of {end} with |f'| < {DEAD_SLOPE:g}"))
    rows.append(("Lipschitz bound", _lipschitz(found)))
    for label, extreme in (("lowest f", found.lowest), ("highest f", found.highest)):
        if extreme is not None:
            rows.append((label, _extreme(extreme)))
    for label, extreme in (("lowest f'", found.slope_lowest), ("highest f'", found.slope_highest)):
        if extreme is not None:
            rows.append((label, _extreme(extreme)))
    if found.monotone is not None:
        rows.append(("monotone", "yes" if found.monotone else "no"))
    rows.append(("extra parameters", f"{found.parameters} per layer of {found.features} units"))
    if found.surrogate:
        rows.append(("surrogate", "slopes, dead band and Lipschitz bound are those of the surrogate gradient"))
    if found.sampled:
        rows.append(("sampled", f"averages over normal vectors of {found.features} numbers, ± standard error"))
    return rows


def _lipschitz(found: Character) -> str:
    if found.sampled:
        return f"at least {found.lipschitz:.6g}, the largest norm of the Jacobian among the sampled vectors"
    if math.isinf(found.lipschitz):
        return "none: f jumps, or f' still grows at |x| = 1e6"
    return f"{found.lipschitz:.6g}"


def _estimate(value: float, error: float | None) -> str:
    # Quadrature leaves 1e-17 where the expectation is 0.
    text = f"{0.0 if abs(value) < 1e-12 else value:.7g}"
    return text if error is None else f"{value:.4f} ± {error:.4f}"


def _extreme(extreme: Extreme) -> str:
    if math.isinf(extreme.value):
        return "unbounded"
    where = f"x -> {extreme.at:g}" if math.isinf(extreme.at) else f"x = {round(extreme.at, 6) + 0.0:g}"
    return f"{extreme.value:.10g} at {where}"
