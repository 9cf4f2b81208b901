"""Which process is which: what tells one from a later one with the same number."""

import os
import socket
from pathlib import Path


def this_process() -> tuple[int, str, str | None]:
    """Return number, host and start of this process, which together name it.

    The number alone is no name: another machine, or this one later, may have a process of the same number.
    """
    return os.getpid(), socket.gethostname(), process_start(os.getpid())


def process_start(pid: int) -> str | None:
    """Return a text that tells a living process from every other with the same number, or None if there is none.

    Without ``/proc`` the text only says that a process with this number lives.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return "alive" if not Path("/proc/self").exists() and _exists(pid) else None
    # The second field is the program's name in parentheses and may hold spaces; the first of what follows is the state.
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] == "Z" else after_name[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
