"""Names and contents of the files that a report writes; each appears whole or not at all."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

from agents.files import write_bytes_atomically


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is made if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, content)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as a CSV file's content; numbers in full precision, None as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def file_stem(*parts: str) -> str:
    """A file name from free text; names that had to be changed get a checksum, so two never collide.

    >>> file_stem("final_scores", "Hopper-v5", "td3")
    'final_scores-Hopper-v5-td3'
    >>> file_stem("a", "b/c")
    'a-b_c-bddcc9c2'
    """
    plain = "-".join(parts)
    safe = re.sub(r"[^A-Za-z0-9_.=-]", "_", plain)
    return safe if safe == plain else f"{safe}-{crc32(plain.encode()):08x}"
