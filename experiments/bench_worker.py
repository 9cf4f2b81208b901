"""A process of `bench updates`: builds what it measures, says so, then takes its turns.

``python -m experiments.bench_worker JOB`` reads seconds from standard input, one turn per line, and answers each with a
line of JSON. In between it waits for input, and ends at once when that closes, whatever it is doing.
"""

import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from agents import resolve_device
from experiments.bench_contestants import OURS, SB3, Job, Trainee, build

_GEMM_ROWS, _GEMM_BATCH = 256, 2
# Part of a turn's seconds for which matrix products run before it, and again after it.
_GEMM_SHARE = 0.1
_CHUNKS_PER_TURN = 20
_WARM_UP_STEPS = 10


class Measure:
    """Takes turns.

    Args:
        job: What is trained.
        trainee: That is advanced.
        now: Source of seconds.
    """

    def __init__(self, job: Job, trainee: Trainee, now: Callable[[], float] = perf_counter) -> None:
        self._trainee, self._now, self._width = trainee, now, job.width
        self._device = resolve_device(job.device)
        # A peer's process may have no use for PyTorch, and need not warm it up.
        self._products = job.kind in {OURS, SB3}
        self._steps_per_second = 0.0
        for _ in range(2):
            # The second time without compilations and first allocations.
            self._advance(_WARM_UP_STEPS)

    def turn(self, seconds: float) -> dict[str, Any]:
        """Train for some seconds, to the end of a chunk of steps.

        Returns:
            Seconds, updates, environment steps, the parts' seconds, CPU seconds and minor page faults of the process;
            peak memory in bytes since its start; and floating-point operations per second of matrix products before and
            after.
        """
        rates = [self._gemm(seconds * _GEMM_SHARE)]
        before = self._trainee.parts()
        usage, begin = resource.getrusage(resource.RUSAGE_SELF), self._now()
        steps, spent = 0, 0.0
        while spent < seconds:
            steps += self._advance(self._chunk(seconds))
            spent = self._now() - begin
        used = resource.getrusage(resource.RUSAGE_SELF)
        after = self._trainee.parts()
        rates.append(self._gemm(seconds * _GEMM_SHARE))
        return {
            "seconds": spent,
            "steps": steps,
            "updates": steps * self._trainee.updates_per_step,
            "parts": None if before is None or after is None else {name: after[name] - before[name] for name in after},
            "cpu_seconds": used.ru_utime + used.ru_stime - usage.ru_utime - usage.ru_stime,
            "minor_faults": used.ru_minflt - usage.ru_minflt,
            "peak_bytes": _peak_bytes(),
            "peak_device_bytes": torch.cuda.max_memory_allocated(self._device) if self._on_gpu else None,
            "gemm_flops_per_second": rates if self._products else None,
        }

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def _synchronise(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize(self._device)

    def _chunk(self, seconds: float) -> int:
        # Even, so that delayed updates of TD3 have their share; long, so that calls cost nothing.
        return max(2, 2 * round(self._steps_per_second * seconds / _CHUNKS_PER_TURN / 2))

    def _advance(self, steps: int) -> int:
        begin = self._now()
        self._trainee.advance(steps)
        self._synchronise()
        self._steps_per_second = steps / max(self._now() - begin, 1e-9)
        return steps

    def _gemm(self, seconds: float) -> float:
        """Return the operations per second of the products that dominate an update, made for some seconds."""
        if not self._products:
            return 0.0
        rows = torch.randn(_GEMM_BATCH, _GEMM_ROWS, self._width, device=self._device)
        weights = torch.randn(_GEMM_BATCH, self._width, self._width, device=self._device)
        result = torch.bmm(rows, weights)
        self._synchronise()
        begin, spent, count = self._now(), 0.0, 0
        while spent < seconds or not count:
            for _ in range(10):
                torch.bmm(rows, weights, out=result)
            self._synchronise()
            count += 10
            spent = self._now() - begin
        return 2.0 * _GEMM_BATCH * _GEMM_ROWS * self._width**2 * count / spent


def _peak_bytes() -> int:
    # getrusage's own figure begins with that of whoever started the process.
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read_input(turns: "queue.Queue[float]") -> None:
    for line in sys.stdin:
        turns.put(float(line))
    # Whoever asks is gone, in the middle of a turn or not.
    os._exit(0)


def main() -> None:
    """Build, say so, and answer until standard input closes."""
    # Standard output is for answers alone; whatever a library prints there goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    turns: queue.Queue[float] = queue.Queue()
    threading.Thread(target=_read_input, args=(turns,), daemon=True).start()
    job = Job(**json.loads(sys.argv[1]))
    try:
        measure = Measure(job, build(job))
    # A peer's word for what it does not have, as `bench_peers` describes hooks: left out, not a failure.
    except NotImplementedError as error:
        answer({"unavailable": str(error) or "not available"})
        return
    answer({"ready": True, "threads": torch.get_num_threads()})
    while True:
        answer(measure.turn(turns.get()))


if __name__ == "__main__":
    main()
