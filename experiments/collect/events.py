"""Returns from TensorBoard's event files, read by tensorboard's own reader; TensorFlow is not needed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.collect.collection import ReturnsKind
from experiments.collect.sb3_files import LOGGER_TAGS
from experiments.collect.series import Series

PATTERN = "events.out.tfevents."
# CleanRL's and others' tag of single training episodes. CleanRL's `eval/episodic_return` is none of ours: its step
# counts episodes of one evaluation after training, not environment steps.
EPISODE_TAG = "charts/episodic_return"
_HYPERPARAMETERS = "hyperparameters/text_summary"
# A record is framed by its length, a checksum of that, and a checksum of the data.
_FRAME_BYTES = 16


def read_events(
    paths: Sequence[Path], sources: Sequence[str], notes: list[str], *, needed: bool = True
) -> tuple[dict[ReturnsKind, Series], dict[str, str]]:
    """Read the event files of one run, in the order in which they were begun.

    A later file goes on where an earlier one ended or, after a restart, from an earlier step: then it replaces what
    the earlier ones hold from there on. Rows are records, counted from 1 in each file. Seconds are counted from the
    first record; they include what the process did besides training. The curve of single episodes is preferred to the
    logger's mean over the last 100.

    Args:
        paths: the files.
        sources: what the notes call them.
        notes: gets one line for whatever is odd.
        needed: whether it is odd that no tag of a return is there; it is not where other files hold the returns.

    Returns:
        Series by kind; and the hyperparameters that CleanRL writes as a table, by name.
    """
    order = sorted(range(len(paths)), key=lambda index: (_begun(paths[index]), sources[index]))
    entries: dict[str, list[tuple[float, float, float, int, int]]] = {}
    settings: dict[str, str] = {}
    first: float | None = None
    for position, index in enumerate(order):
        for number, wall_time, step, values in _records(paths[index], sources[index], notes):
            first = wall_time if first is None else first
            for tag, value in values:
                if isinstance(value, str):
                    settings.update(_table(value))
                else:
                    entries.setdefault(tag, []).append((step, value, wall_time - first, number, position))
    names = tuple(sources[index] for index in order)
    found: dict[ReturnsKind, Series] = {}
    for tag, kind in {**LOGGER_TAGS, EPISODE_TAG: "training"}.items():
        if tag in entries:
            found[kind] = _series(entries[tag], names, episodes=tag == EPISODE_TAG)
    if not found and needed:
        wanted = ", ".join([*LOGGER_TAGS, EPISODE_TAG])
        notes.append(f"{'; '.join(names)}: none of the tags {wanted}; no return of these events")
    return found, settings


def _series(entries: list[tuple[float, float, float, int, int]], sources: tuple[str, ...], *, episodes: bool) -> Series:
    steps, returns, seconds, records, files = (np.array(column) for column in zip(*entries, strict=True))
    return Series(
        steps.astype(np.float64), returns, seconds, records, files, sources, episodes, in_time=True, row_word="record"
    )


def _begun(path: Path) -> float:
    """The second in which the file was begun, which its name states."""
    stamp = path.name.removeprefix(PATTERN).split(".")[0]
    return float(stamp) if stamp.isdecimal() else math.inf


def _records(
    path: Path, source: str, notes: list[str]
) -> Iterator[tuple[int, float, int, list[tuple[str, float | str]]]]:
    """Number, wall time, step and values of each record that holds a return or a table of hyperparameters."""
    # It takes a sixth of a second to import, which every other command would pay for.
    from google.protobuf.message import DecodeError  # noqa: PLC0415 -- see above
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader  # noqa: PLC0415 -- see above
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 -- see above

    number, used = 0, 0
    try:
        size = path.stat().st_size
        for record in RawEventFileLoader(str(path)).Load():
            number += 1
            used += len(record) + _FRAME_BYTES
            event = Event.FromString(record)
            values = [found for value in event.summary.value if (found := _value(value))]
            if values or number == 1:
                yield number, event.wall_time, event.step, values
    except DecodeError:
        notes.append(f"{source}: record {number} is damaged; nothing after record {number - 1} is used")
    except (OSError, ValueError) as error:
        notes.append(f"{source}: cannot be read after record {number} ({error})")
    else:
        if not size:
            notes.append(f"{source}: empty; no event of this file")
        elif used < size:
            notes.append(f"{source}: torn or damaged after record {number}; {size - used} bytes are left out")


def _value(value: Any) -> tuple[str, float | str] | None:
    """Tag and number of a scalar, tag and text of CleanRL's hyperparameters, None for any other summary."""
    tag = value.tag
    if tag == _HYPERPARAMETERS and value.tensor.string_val:
        return tag, value.tensor.string_val[0].decode("utf-8", errors="replace")
    if tag not in LOGGER_TAGS and tag != EPISODE_TAG:
        return None
    if value.WhichOneof("value") == "simple_value":
        return tag, value.simple_value
    if value.WhichOneof("value") != "tensor":
        return None
    tensor = value.tensor
    for numbers in (tensor.float_val, tensor.double_val):
        if len(numbers):
            return tag, float(numbers[0])
    content = tensor.tensor_content
    return (tag, float(np.frombuffer(content, "<f4")[0])) if len(content) == 4 else None


def _table(text: str) -> Mapping[str, str]:
    r"""Names and values of a table in Markdown, as CleanRL writes it.

    >>> _table("|param|value|\n|-|-|\n|seed|3|\n|env_id|Hopper-v4|")
    {'seed': '3', 'env_id': 'Hopper-v4'}
    """
    rows = [line.strip().strip("|").split("|", 1) for line in text.splitlines()[2:]]
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
