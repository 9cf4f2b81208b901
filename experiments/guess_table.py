"""What logs were taken for, as a table that a person reads before believing a page."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from experiments.collect.gather import Survey
from experiments.collect.log import Log
from experiments.collect.naming import Named
from experiments.text import count, joined

_MOST_NOTES = 12


def guess_lines(seen: Survey, *, each_run: bool) -> Iterator[str]:
    """Lines of the table: a line per run, or per task, algorithm, arm and format.

    Args:
        seen: the survey.
        each_run: whether every run has a line of its own.
    """
    rows = [("task", "algorithm", "arm", "seeds", "format", "from", "guessed by")]
    groups: dict[tuple[object, ...], list[Named]] = defaultdict(list)
    for index, entry in enumerate(seen.runs):
        groups[(*entry.key[:3], entry.log.format, index if each_run else None)].append(entry)
    for members in groups.values():
        first = members[0]
        seeds = ranges(sorted(entry.seed for entry in members))
        place = _common([entry.log.place for entry in members])
        rows.append((first.task, first.algorithm, first.arm, seeds, first.log.format, place, _how(members)))
    yield from aligned(rows)
    yield f"{count(len(seen.runs), 'run')} with {seen.kind} returns"
    if seen.left_out:
        yield f"left out: {_left_out(seen.left_out)}"


def note_lines(notes: Sequence[str], *, every: bool) -> Iterator[str]:
    """The notes, all or the first of them."""
    shown = notes if every else notes[:_MOST_NOTES]
    yield from (f"note: {note}" for note in shown)
    if len(notes) > len(shown):
        yield f"and {count(len(notes) - len(shown), 'more note')}: they are on the page, and --dry-run lists them"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines with columns below one another.

    >>> list(aligned([("a", "b"), ("long", "c")]))
    ['a     b', 'long  c']
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers in short.

    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7,8'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    texts = [f"{part[0]}-{part[-1]}" if len(part) > 2 else ",".join(map(str, part)) for part in parts]
    return ",".join(texts[:6]) + (",…" if len(texts) > 6 else "")


def _common(places: Sequence[str]) -> str:
    """One place for all, with a star from where they differ.

    >>> _common(["logs/swim/seed_0", "logs/swim/seed_1"])
    'logs/swim/seed_*'
    """
    first, last = min(places), max(places)
    same = next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first if first == last else f"{first[:same]}*"


def _how(members: Sequence[Named]) -> str:
    found: dict[str, list[str]] = defaultdict(list)
    for name in ("task", "algorithm", "arm", "seed"):
        origins = dict.fromkeys(entry.log.guess.how.get(name, "nothing, so made up") for entry in members)
        found[" or ".join(origins)].append(name)
    return "; ".join(f"{', '.join(names)}: {origin}" for origin, names in found.items())


def _left_out(logs: Sequence[Log]) -> str:
    kinds = joined(sorted({kind for log in logs for kind in log.kinds}))
    listed = ", ".join(log.place for log in logs[:5])
    more = f" and {len(logs) - 5} more" if len(logs) > 5 else ""
    return f"{count(len(logs), 'run')} with {kinds} returns alone: {listed}{more}"
