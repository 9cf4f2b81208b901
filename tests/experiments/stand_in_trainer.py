"""In place of the population: obeys its interface in milliseconds, and fails where a test wants it to.

A test puts it into worker processes by the fixture `population`. The file that the variable ``STAND_IN`` names holds
what to do at which step:

``checkpoints``  steps at which a checkpoint is written
``wait_at``      a step at which it waits to be asked to stop
``diverge``      steps at which runs diverge, by "arm/seed"
``kill_at``      steps at which the process kills itself, one per start; none when they are used up
``fail_at``      a step at which it raises
``hold``         a file for whose removal it waits before a checkpoint that it was asked to write, or "unwritable"
"""

import fcntl
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents import RunConfig
from agents.control import Control
from agents.run_folder import write_progress

_SECONDS = {"wall_s": 2.0, "evaluate_s": 0.0}


def _wishes(told: Path) -> tuple[dict[str, Any], int | None]:
    """Return what is wished, and the step at which this process is to die, which no other process takes too."""
    with told.open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        wishes: dict[str, Any] = json.load(stream)
        kill_at = (wishes.get("kill_at") or [None]).pop(0)
        stream.seek(0)
        stream.truncate()
        json.dump(wishes, stream)
    return wishes, kill_at


def train_cohort(
    configs: Sequence[RunConfig], folders: Sequence[Path], checkpoint: Path | None, control: Control
) -> None:
    """Count to the runs' steps."""
    assert checkpoint is not None
    told = Path(os.environ["STAND_IN"])
    names = [f"{config.arm}/{config.seed}" for config in configs]
    begin, over = _resume(checkpoint, names, folders)
    control.resumed(begin)
    wishes, kill_at = _wishes(told)
    for step in range(begin, configs[0].steps + 1):
        if _asked_to_stop(wishes, step, control):
            _save(checkpoint, step, over, names)
            return
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if step == wishes.get("fail_at"):
            raise RuntimeError("no more of this")
        for index in [index for index, name in enumerate(names) if name not in over]:
            _one_step(configs[index], folders[index], step)
            if wishes.get("diverge", {}).get(names[index]) == step:
                over.append(names[index])
                control.diverged(index, f"critic_loss not finite (NaN) at step {step}", step)
        if step in wishes.get("checkpoints", []):
            _save(checkpoint, step + 1, over, names)
    for index in [index for index, name in enumerate(names) if name not in over]:
        for file in ("policy.json", "policy.safetensors"):
            (folders[index] / file).write_text("{}")
        control.done(index, 30.0)


def _asked_to_stop(wishes: dict[str, Any], step: int, control: Control) -> bool:
    tick = threading.Event()
    while wishes.get("wait_at") == step and not control.should_stop():
        tick.wait(0.01)
    asked = control.should_stop()
    if asked and wishes.get("hold") == "unwritable":
        raise OSError(28, "No space left on device")
    while asked and Path(wishes.get("hold", "/nowhere")).exists():
        tick.wait(0.01)
    return asked


def _one_step(config: RunConfig, folder: Path, step: int) -> None:
    path = folder / "evaluations.csv"
    if step % config.evaluation_every == 0:
        with path.open("a") as stream:
            stream.write("" if stream.tell() else "step,return_mean\n")
            stream.write(f"{step},{step + config.seed}.5\n")
    write_progress(folder, step, _SECONDS)


def _resume(checkpoint: Path, names: list[str], folders: Sequence[Path]) -> tuple[int, list[str]]:
    if not (checkpoint / "manifest.json").exists():
        assert [path for folder in folders for path in folder.glob("evaluations.csv")] == []
        return 0, []
    saved = json.loads((checkpoint / "manifest.json").read_text())
    assert saved["names"] == names
    for name, folder in zip(names, folders, strict=True):
        if name not in saved["over"]:
            header, *rows = (folder / "evaluations.csv").read_text().splitlines(keepends=True)
            rows = [row for row in rows if int(row.split(",")[0]) < saved["step"]]
            (folder / "evaluations.csv").write_text("".join([header, *rows]))
    return saved["step"], saved["over"]


def _save(checkpoint: Path, step: int, over: list[str], names: list[str]) -> None:
    checkpoint.mkdir(exist_ok=True)
    content = json.dumps({"step": step, "over": over, "names": names, "seconds": 0.25})
    (checkpoint / "new").write_text(content)
    (checkpoint / "new").replace(checkpoint / "manifest.json")
