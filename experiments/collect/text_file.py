"""Lines of a text file that may be compressed, torn or no text at all."""

import gzip
import zlib
from pathlib import Path


class TextFileError(ValueError):
    """A file holds no lines that can be read; the message is a clause that says why."""


def read_lines(path: Path, source: str, notes: list[str]) -> list[str]:
    """Lines without their ends; a last line without one is left out, because it may be cut inside a number.

    Args:
        path: plain or gzip.
        source: what the notes call it.
        notes: gets a line where the last line is torn or a compressed file ends early.

    Raises:
        TextFileError: the file cannot be opened, is empty, or is not text.
    """
    text = read_text(path, source, notes)
    lines = text.split("\n")
    if lines.pop():
        notes.append(f"{source}: the last line is torn (no line end); it is left out")
    if not lines:
        raise TextFileError("no complete line")
    return [line.removesuffix("\r") for line in lines]


def read_text(path: Path, source: str, notes: list[str]) -> str:
    """The whole text of a file, plain or gzip.

    Raises:
        TextFileError: as `read_lines`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TextFileError(f"cannot be read ({error.strerror})") from error
    if content.startswith(b"\x1f\x8b"):
        content = _unzipped(content, source, notes)
    if not content:
        raise TextFileError("empty")
    if b"\0" in content:
        raise TextFileError("not a text file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextFileError(f"not a text file (byte {error.start + 1} is not UTF-8)") from error


def _unzipped(content: bytes, source: str, notes: list[str]) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        # What was compressed before the cut is still good.
        stream = zlib.decompressobj(wbits=31)
        try:
            found = stream.decompress(content)
        except zlib.error as error:
            raise TextFileError("not a gzip file that can be read") from error
        notes.append(f"{source}: the compressed file ends early; what it holds until there is used")
        return found
