"""The processes of `bench updates`, seen from the one that gives the turns."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import agents
from experiments.bench_contestants import Job
from experiments.bench_peers import ROWS_VARIABLE

_ROOT = Path(agents.__file__).resolve().parents[1]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# How XLA, whom the peers in JAX compute with, is kept to one thread.
_XLA = {"NPROC": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}


class BenchError(RuntimeError):
    """A process ended that should have measured; the message has the last line that it left."""


class UnavailableError(Exception):
    """A peer does not have what was asked for; the message says what."""


class Processes:
    """The processes of one contestant, which measure at the same time and wait while others have their turn.

    Each is in a process group of its own, so that Ctrl-C reaches the one process that ends them all, and ends itself
    when the pipe breaks through which it is told to measure.

    Args:
        name: Of the contestant, for messages.
        jobs: One for each process.
        one_thread: Whether each has one thread; otherwise what its libraries take by default.
    """

    def __init__(self, name: str, jobs: Sequence[Job], *, one_thread: bool) -> None:
        self._name = name
        self._children: list[subprocess.Popen[str]] = []
        self._errors: list[IO[str]] = []
        self.threads: int | None = None
        for job in jobs:
            self._errors.append(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))  # noqa: SIM115 - closed with the process
            self._children.append(
                subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", "experiments.bench_worker", json.dumps(asdict(job))],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors[-1],
                    env=_environment(job, one_thread=one_thread),
                    start_new_session=True,
                    text=True,
                )
            )

    @property
    def numbers(self) -> list[int]:
        """The processes' numbers."""
        return [child.pid for child in self._children]

    def wait_until_ready(self) -> None:
        """Wait until all have built and warmed up what they measure.

        Raises:
            UnavailableError: A peer lacks it.
            BenchError: A process ended.
        """
        for index in range(len(self._children)):
            said = self._answer(index)
            if "unavailable" in said:
                raise UnavailableError(said["unavailable"])
            self.threads = said["threads"]

    def turn(self, seconds: float) -> list[dict[str, Any]]:
        """Let all measure at the same time.

        Args:
            seconds: About how long.

        Returns:
            What `bench_worker.Measure.turn` returned in each.

        Raises:
            BenchError: A process ended.
        """
        for index, child in enumerate(self._children):
            try:
                stream = child.stdin
                if stream is not None:
                    stream.write(f"{seconds!r}\n")
                    stream.flush()
            except BrokenPipeError:
                raise self._ended(index) from None
        return [self._answer(index) for index in range(len(self._children))]

    def _answer(self, index: int) -> dict[str, Any]:
        stream = self._children[index].stdout
        line = stream.readline() if stream is not None else ""
        if not line.endswith("\n"):
            raise self._ended(index)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self, index: int) -> BenchError:
        code = self._children[index].wait()
        self._errors[index].seek(0)
        lines = [line.strip() for line in self._errors[index] if line.strip()]
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = f": {lines[-1]}" if lines else ", and left no message"
        return BenchError(f"{self._name}: process {index + 1} of {len(self._children)} ended with {how}{last}")

    def close(self) -> None:
        """End all at once."""
        for child in self._children:
            # One that was waited for has given its number back.
            if child.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
        for child, errors in zip(self._children, self._errors, strict=True):
            child.wait()
            errors.close()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()


def take_turns(
    ready: Mapping[str, Processes], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Let contestants measure in turns (ABCABC).

    Args:
        ready: By name, warmed up.
        rounds: Turns of each.
        seconds: Of a turn, about.
        say: Told which round it is.

    Returns:
        Of each turn ``round``, ``contestant`` and ``processes``, what each process measured.

    Raises:
        BenchError: A process ended.
    """
    turns = []
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}")
        for name, processes in ready.items():
            turns.append({"round": number, "contestant": name, "processes": processes.turn(seconds)})
    return turns


def _environment(job: Job, *, one_thread: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _THREAD_VARIABLES}
    path = os.pathsep.join(filter(None, (str(_ROOT), kept.get("PYTHONPATH"))))
    limits = {**dict.fromkeys(_THREAD_VARIABLES, "1"), **_XLA} if one_thread else {}
    return {**kept, **limits, "PYTHONPATH": path, ROWS_VARIABLE: str(job.rows)}
