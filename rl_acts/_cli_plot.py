"""``plot``: checks everything that was asked for, then draws, then writes one file or nothing."""

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rl_acts._curves import checked_interval, curves, fans
from rl_acts._info import FAMILIES
from rl_acts._registry import info, names, parse
from rl_acts._spec import ActivationSpec
from rl_acts.errors import ActivationError

if TYPE_CHECKING:
    from rl_acts._plot import Portrait

_FORMATS = ("png", "svg")


def plot(specs: Sequence[str], *, everything: bool, out: str | None, interval: str) -> str:
    """Draw activations into a file.

    Args:
        specs: Names or calls.
        everything: Whether to draw all families instead.
        out: The file, ``.png`` or ``.svg``; None for a PNG called after what it shows, in the current folder.
        interval: As in ``-4,4``.

    Returns:
        What to tell the user: the file, and what was left out and why.

    Raises:
        ActivationError: Bad input, matplotlib is missing, or the file cannot be written. Then nothing was written.
    """
    if everything == bool(specs):
        raise ActivationError("plot takes names, as in 'plot relu swim', or --all; give one of them.")
    ends = checked_interval(interval)
    wanted = list(dict.fromkeys(map(parse, specs)))
    path = Path(out if out is not None else f"{_stem(wanted)}.png")
    file_format = _checked_format(path)
    plotting = _plotting()
    if everything:
        drawing, told = _all_families(plotting, ends, file_format)
    else:
        drawing, told = _chosen(plotting, wanted, ends, file_format), ""
    _write(path, drawing)
    return f"{told}written: {path}\n"


def _stem(specs: Sequence[ActivationSpec]) -> str:
    parts = [re.sub(r"[^A-Za-z0-9_.]+", "-", str(spec)).strip("-") for spec in specs]
    return "-".join(parts)[:100] or "activations"


def _checked_format(path: Path) -> str:
    file_format = path.suffix.removeprefix(".").lower()
    if file_format not in _FORMATS:
        raise ActivationError(f"--out={str(path)!r} is not allowed; the file must end in .png or .svg.")
    if path.is_dir():
        raise ActivationError(f"--out={str(path)!r} cannot be written: it is a folder.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ActivationError(f"--out={str(path)!r} cannot be written: there is no folder {path.parent} to write to.")
    return file_format


def _plotting() -> ModuleType:
    try:
        from rl_acts import _plot  # noqa: PLC0415 - matplotlib is an extra
    except ImportError as error:
        raise ActivationError("plot needs matplotlib: pip install 'rl-acts[plot]'.") from error
    return _plot


def _chosen(
    plotting: ModuleType, specs: Sequence[ActivationSpec], interval: tuple[float, float], file_format: str
) -> bytes:
    opened = [fan for spec in specs for fan in fans(spec, interval)]
    drawn = []
    for spec in specs:
        try:
            drawn += curves(spec, interval)
        except ActivationError as error:
            raise ActivationError(f"{spec} cannot be drawn: {error}") from None
    # The fan of a single activation shows its initial form already.
    initial = [] if len(specs) == 1 and opened else drawn
    picture: bytes = plotting.comparison(initial, opened, file_format)
    return picture


def _all_families(plotting: ModuleType, interval: tuple[float, float], file_format: str) -> tuple[bytes, str]:
    groups: list[tuple[str, list[Portrait]]] = []
    told = []
    for family in FAMILIES:
        members = []
        for name in names(family):
            spec = ActivationSpec(info(name).name)
            try:
                opened = fans(spec, interval)
                members.append(plotting.Portrait(name, tuple(curves(spec, interval)), opened[0] if opened else None))
            except ActivationError as error:
                told.append(f"skipped {name}: {error}\n")
        if members:
            groups.append((family, members))
    return plotting.families(groups, interval, file_format), "".join(told)


def _write(path: Path, drawing: bytes) -> None:
    """Write the whole file or none: a full disk leaves no half of it."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(drawing)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise ActivationError(f"--out={str(path)!r} cannot be written: {error.strerror}.") from error
