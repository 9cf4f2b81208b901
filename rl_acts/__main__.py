"""``python -m rl_acts``: list the activations, show one, draw them, measure their cost."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import torch

from rl_acts._bench import bench, bench_table
from rl_acts._cli_plot import plot
from rl_acts._cli_text import list_text, show_text
from rl_acts._info import FAMILIES
from rl_acts._kernels import kernels
from rl_acts.errors import ActivationError
from rl_acts.machine import cpu_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after bad input."""
    given = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    try:
        sys.stdout.write(_answer(given))
    except ActivationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rl_acts", description="Activation functions for RL.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the registered activations")
    listing.add_argument("--family", choices=FAMILIES, help="only this class of the survey's taxonomy")
    listing.add_argument("--cost", action="store_true", help="with their cost relative to ReLU, measured now")
    showing = verbs.add_parser("show", help="what is known about one activation, and what it does to a normal input")
    showing.add_argument("spec", help="a name, or a call as in 'swim(k=0.7)'")
    showing.add_argument("--features", type=int, help="width of the layer (default: 64)")
    drawing = verbs.add_parser("plot", help="f and f' as a picture; needs matplotlib")
    drawing.add_argument("specs", nargs="*", help="names or calls")
    drawing.add_argument("--all", action="store_true", help="every registered activation, by family")
    drawing.add_argument("--out", help="FILE.png or FILE.svg (default: a PNG called after the names)")
    drawing.add_argument("--range", default="-4,4", help="interval of x (default: -4,4)")
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
        help="of eager (as shipped), composed (PyTorch's passes in place of native kernels), plain (expressions in "
        "place of both) and compiled, joined by commas",
    )
    measuring.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``--range -4,4`` as one: argparse takes an interval below 0 for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--range":
            joined[-1] = f"--range={argument}"
        else:
            joined.append(argument)
    return joined


def _answer(given: argparse.Namespace) -> str:
    if given.verb == "list":
        return list_text(given.family, cost=given.cost)
    if given.verb == "show":
        return show_text(given.spec, given.features)
    if given.verb == "plot":
        return plot(given.specs, everything=given.all, out=given.out, interval=given.range)
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
    where = {"processor": cpu_name(), "device": str(device), "torch": torch.__version__}
    how = {"native_kernels": kernels.instruction_set, "rounds": given.rounds, "results": results}
    return json.dumps({**where, **how}, indent=2) + "\n"


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


if __name__ == "__main__":
    sys.exit(main())
