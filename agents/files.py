"""Writing files so that a kill at any moment leaves the old file or the new one, never half of one."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content by way of a temporary file in the same folder.

    Args:
        path: Its folder exists.
        content: All of the new content.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp keeps others out; results are meant to be read by them, as files usually are.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json_atomically(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file's content.

    Args:
        path: Its folder exists.
        content: Plain values; NaN and infinity are refused, because JSON has none.

    Raises:
        ValueError: A value is NaN or infinite.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    write_bytes_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's top-level mapping.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no JSON, or no mapping.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not a mapping")
    return content
