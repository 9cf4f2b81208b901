"""``python -m rl_acts``: list the activations, show one, measure their cost."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import torch

from rl_acts._bench import bench, bench_table
from rl_acts._info import FAMILIES, ActivationInfo, Interval
from rl_acts._registry import info, names, parse
from rl_acts._table import table
from rl_acts.errors import ActivationError
from rl_acts.machine import cpu_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after bad input."""
    parser = argparse.ArgumentParser(prog="python -m rl_acts", description="Activation functions for RL.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the registered activations")
    listing.add_argument("--family", choices=FAMILIES, help="only this class of the survey's taxonomy")
    showing = verbs.add_parser("show", help="what is known about one activation")
    showing.add_argument("name", help="a name, or a call whose name counts")
    measuring = verbs.add_parser("bench", help="cost relative to torch.nn.ReLU and torch.nn.SiLU, measured in turns")
    measuring.add_argument("specs", nargs="*", help="names or calls; all registered ones if none is given")
    measuring.add_argument(
        "--shape", action="append", help="shape of the pre-activations; can be given again (default: 256,256)"
    )
    measuring.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    measuring.add_argument("--rounds", type=int, default=50, help="turns of each activation (default: 50)")
    measuring.add_argument(
        "--modes",
        default="eager",
        help="of eager (as shipped), plain (expressions in place of fused forms) and compiled, joined by commas",
    )
    measuring.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args(arguments)
    try:
        sys.stdout.write(_answer(given))
    except ActivationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _answer(given: argparse.Namespace) -> str:
    if given.verb == "list":
        return _list(given.family)
    if given.verb == "show":
        return _show(info(parse(given.name).name))
    return _bench(given)


def _bench(given: argparse.Namespace) -> str:
    shapes = [_shape(text) for text in given.shape or ["256,256"]]
    device, specs = _device(given.device), given.specs or None
    modes = given.modes.split(",")
    if not given.json:
        show = partial(bench_table, specs, rounds=given.rounds, device=device, modes=modes)
        return "\n".join(show(shape) for shape in shapes)
    measure = partial(bench, specs, rounds=given.rounds, device=device, modes=modes)
    results = [{"shape": shape, "rows": [asdict(row) for row in measure(shape)]} for shape in shapes]
    where = {"processor": cpu_name(), "device": str(device), "torch": torch.__version__, "rounds": given.rounds}
    return json.dumps({**where, "results": results}, indent=2) + "\n"


def _device(text: str) -> torch.device:
    here = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    name = {"auto": here[1] if len(here) > 1 else "cpu", "cuda": "cuda:0"}.get(text, text)
    if name not in here:
        raise ActivationError(f"--device={text!r} is not allowed; allowed are auto and, here, {', '.join(here)}.")
    return torch.device(name)


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise ActivationError(f"--shape={text!r} is not allowed; give whole numbers above 0, as in 256,256.")
    return tuple(map(int, sizes))


def _interval(interval: Interval | None) -> str:
    return "not declared" if interval is None else f"[{interval[0]:g}, {interval[1]:g}]"


def _list(family: str | None) -> str:
    rows = [
        (entry.name, entry.family, "yes" if entry.learnable else "", ", ".join(entry.aliases), entry.formula)
        for entry in map(info, names())
        if family in (None, entry.family)
    ]
    return table(("name", "family", "learnt", "aliases", "formula"), rows)


def _show(entry: ActivationInfo) -> str:
    lines = [f"{entry.name}: {entry.formula or 'formula not declared'}"]
    if entry.aliases:
        lines.append(f"  also called        {', '.join(entry.aliases)}")
    lines.append(f"  family             {entry.family}")
    for parameter in entry.parameters:
        learnt = ", initial value of a learnt parameter" if parameter.shape is not None else ""
        default = f"{parameter.name} = {parameter.default}"
        lines.append(f"  {default:<18} {parameter.meaning}; {parameter.constraint}{learnt}")
    lines += [
        f"  range              {_interval(entry.range)}",
        f"  range of f'        {_interval(entry.derivative_range)}",
        f"  smoothness         {entry.smoothness}",
        f"  source             {entry.source or 'not declared'}",
    ]
    if entry.unverified:
        lines.append(f"  not verified       {entry.unverified}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
