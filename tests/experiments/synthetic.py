"""Synthetic studies on disk, in the layout that the runner writes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLOCK = (2.0, 0.2, 0.5, 0.9, 0.3)
EPISODES = 2


@dataclass
class SyntheticStudy:
    """A study's folder to be filled run by run; every number on disk is given by the test."""

    folder: Path
    arms: Sequence[str] = ("relu", "swim")
    seeds: int = 3
    tasks: Sequence[str] = ("Hopper-v5",)
    algorithms: Sequence[str] = ("td3",)
    steps: int = 4000
    every: int = 1000
    changes: dict[str, Any] = field(default_factory=dict)

    def write_plan(self) -> None:
        arms = [
            {
                "name": arm,
                "actor": {"swim": "swim(k=0.5)"}.get(arm, "relu"),
                "critic": ["relu", "tanh"],
                "activation_lr": None,
                "seeds": list(range(self.seeds)),
            }
            for arm in self.arms
        ]
        plan = {
            "format": 1,
            "name": "synthetic",
            "description": "Does the activation matter?",
            "algorithms": list(self.algorithms),
            "tasks": list(self.tasks),
            "arms": arms,
            "steps": self.steps,
            "evaluation": {"every": self.every, "episodes": EPISODES},
            "hyperparameters": {"td3": {"learning_rate": 0.0003, "net_arch": [256, 256]}},
            "primary": [["swim", "relu"]] if {"swim", "relu"} <= set(self.arms) else [],
            "margin": 0.05,
            "control": "relu" if "relu" in self.arms else None,
            "command": "python -m experiments run synthetic.yaml",
            **self.changes,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "study.json").write_text(json.dumps(plan))

    def run_folder(self, arm: str, seed: int, task: str | None = None, algorithm: str | None = None) -> Path:
        place = (task or self.tasks[0]).replace("/", "__")
        return self.folder / place / (algorithm or self.algorithms[0]) / arm / f"seed-{seed}"

    def write_run(
        self,
        arm: str,
        seed: int,
        returns: Sequence[float],
        *,
        state: str = "done",
        seconds_per_step: float = 0.002,
        task: str | None = None,
        algorithm: str | None = None,
        **record: Any,
    ) -> Path:
        """One run with evaluations at 0, every, 2 every, ...; its clock runs `seconds_per_step` in all."""
        folder = self.run_folder(arm, seed, task, algorithm)
        folder.mkdir(parents=True, exist_ok=True)
        header = [
            "step",
            *(f"episode_return_{index}" for index in range(EPISODES)),
            *(f"episode_length_{index}" for index in range(EPISODES)),
            *("return_mean", "return_std", "length_mean", "wall_s", "act_s", "simulate_s", "learn_s", "evaluate_s"),
        ]
        lines = [",".join(header)]
        for index, value in enumerate(returns):
            step = index * self.every
            wall = seconds_per_step * step
            clock = [wall * part / CLOCK[0] for part in CLOCK]
            lines.append(",".join(str(entry) for entry in [step, value, value, 10, 10, value, 0.0, 10.0, *clock]))
        (folder / "evaluations.csv").write_text("\n".join(lines) + "\n")
        content = {
            "format": 1,
            "config": {"arm": arm, "seed": seed},
            "state": state,
            "cause": None,
            "attempt": 1,
            "steps_done": (len(returns) - 1) * self.every,
            "started": "2026-03-01T10:00:00+00:00",
            "finished": "2026-03-01T11:00:00+00:00" if state == "done" else None,
            "versions": {"torch": "2.13.0", "mujoco": "3.17.0"},
            "hardware": {"cpu": "Synthetic CPU", "cores": 2, "threads": 1, "device": "cpu"},
            "command": "python -m experiments run synthetic.yaml",
            "workers": 1,
            **record,
        }
        (folder / "run.json").write_text(json.dumps(content))
        return folder

    def fill(self, ends: Mapping[str, Sequence[float]]) -> None:
        """Plan and runs: each arm's runs rise in a straight line from 0 to the end that is given for each seed."""
        self.write_plan()
        points = self.steps // self.every
        for arm, values in ends.items():
            for seed, end in enumerate(values):
                self.write_run(arm, seed, [end * index / points for index in range(points + 1)])
