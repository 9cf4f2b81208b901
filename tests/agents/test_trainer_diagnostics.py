"""Diagnostics in the folders of runs: what is there, how it goes on, and that the runs stay what they are."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from agents import RunConfig
from agents.checkpoint import CheckpointError
from agents.config import ConfigError
from agents.control import Control
from agents.diagnostics_files import interval, keep_until
from agents.engine import check_cohort, train
from agents.files import write_json_atomically
from agents.trainer import train_cohort

ARMS = [("relu", "relu"), ("swim_learnable(per=unit)", "tanh")]


class Quiet:
    """A control that stops after so many questions."""

    def __init__(self, questions: int = 10**9) -> None:
        self.questions = questions

    def should_stop(self) -> bool:
        self.questions -= 1
        return self.questions < 0

    def resumed(self, step: int) -> None: ...

    def done(self, index: int, steps_per_s: float) -> None: ...

    def diverged(self, index: int, cause: str, step: int) -> None: ...


def cohort(
    small: Callable[..., RunConfig], root: Path, every: int | str | None = 50, **changes: Any
) -> tuple[list[RunConfig], list[Path]]:
    configs, folders = [], []
    for seed, (actor, critic) in enumerate(ARMS):
        given: dict[str, Any] = {
            "actor_activation": actor,
            "critic_activation": critic,
            "engine": "population",
            "seed": seed,
            "diagnostics_every": every,
            "diagnostics_probe": 40,
            **changes,
        }
        configs.append(small(**given))
        folders.append(root / f"run-{seed}")
        folders[-1].mkdir(parents=True)
        write_json_atomically(folders[-1] / "run.json", {"config": configs[-1].to_json()})
    return configs, folders


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "diagnostics.csv").open() as stream:
        return list(csv.DictReader(stream))


def shapes_of(folder: Path) -> dict[str, list[Any]]:
    with np.load(folder / "shapes.npz", allow_pickle=False) as stored:
        return {name: stored[name].tolist() for name in stored}


def events_of(folder: Path) -> Any:
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0, "images": 0})
    events.Reload()
    return events


def test_what_a_measured_run_leaves_and_that_training_is_the_same(
    small: Callable[..., RunConfig], tmp_path: Path
) -> None:
    configs, folders = cohort(small, tmp_path / "with")
    train_cohort(configs, folders, None, Quiet())
    plain, others = cohort(small, tmp_path / "without", every=None)
    train_cohort(plain, others, None, Quiet())
    for one, other in zip(folders, others, strict=True):
        assert (one / "policy.safetensors").read_bytes() == (other / "policy.safetensors").read_bytes()
        assert not (other / "diagnostics.csv").exists()
    assert (folders[0] / "diagnostics.csv").read_text().startswith("step,network,layer,name,value\n50,actor,layer1,")
    for folder in folders:
        rows = rows_of(folder)
        assert sorted({int(row["step"]) for row in rows}) == [50, 100, 120]
        assert {row["network"] for row in rows} == {"actor", "q1", "q2"}
        places = [(row["step"], row["network"], row["layer"], row["name"]) for row in rows]
        assert len(set(places)) == len(places)
        assert all(np.isfinite(float(row["value"])) for row in rows)
    names = {row["name"] for row in rows_of(folders[1]) if row["step"] == "120"}
    assert {"dormant_share", "srank", "policy_saturation", "gradient_norm", "learnt_k_mean"} <= names
    assert not (folders[0] / "shapes.npz").exists()
    shapes = shapes_of(folders[1])
    assert shapes["step"] == [50, 50, 100, 100, 120, 120]
    assert (set(shapes["network"]), shapes["layer"][:2]) == ({"actor"}, ["layer1", "layer2"])
    assert np.shape(shapes["x"]) == np.shape(shapes["y"]) == (6, 121)
    assert np.all(np.array(shapes["low"]) <= np.array(shapes["high"]))


def test_tensorboard_shows_them(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path, every=100)
    train_cohort(configs, folders, None, Quiet())
    events = events_of(folders[1])
    scalars = events.Scalars("diagnostics/actor/layer1/dormant_share")
    assert [event.step for event in scalars] == [100, 120]
    wanted = [float(row["value"]) for row in rows_of(folders[1]) if row["name"] == "srank" and row["network"] == "q2"]
    assert [event.value for event in events.Scalars("diagnostics/q2/layer1/srank")] == wanted[::2]
    assert [event.step for event in events.Histograms("diagnostics/q1/layer2/pre_activations")] == [100, 120]
    (first, _) = events.Images("diagnostics/learnt_shapes")
    assert (first.step, first.width) == (100, 240)
    assert not events_of(folders[0]).Tags()["images"]
    plugins = events.SummaryMetadata("_hparams_/experiment").plugin_data
    assert plugins.plugin_name == "hparams"
    assert len(list(folders[1].glob("events.out.tfevents.*"))) == 1
    assert [path for path in folders[1].iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("questions", [75, 128, 150])
def test_a_stopped_cohort_leaves_the_same_files_in_the_end(
    questions: int, small: Callable[..., RunConfig], tmp_path: Path
) -> None:
    configs, straight = cohort(small, tmp_path / "straight")
    train_cohort(configs, straight, None, Quiet())
    _, folders = cohort(small, tmp_path / "stopped")
    checkpoint = tmp_path / "stopped" / "checkpoint"
    train_cohort(configs, folders, checkpoint, Quiet(questions))
    # What came after the checkpoint, and a line torn by a kill, is made again.
    with (folders[1] / "diagnostics.csv").open("a") as stream:
        stream.write("".join(f"120,actor,layer1,dormant_share,{value}\n" for value in range(3)) + "120,act")
    train_cohort(configs, folders, checkpoint, Quiet())
    for one, other in zip(straight, folders, strict=True):
        assert (one / "diagnostics.csv").read_bytes() == (other / "diagnostics.csv").read_bytes()
        assert (one / "policy.safetensors").read_bytes() == (other / "policy.safetensors").read_bytes()
        tag = "diagnostics/actor/layer1/srank"
        # Sorted, because of two attempts within a second TensorBoard reads the file called 10 before the one called 9.
        values = [
            sorted((event.step, event.value) for event in events_of(folder).Scalars(tag)) for folder in (one, other)
        ]
        assert values[0] == values[1]
    assert shapes_of(straight[1]) == shapes_of(folders[1])


def test_measuring_can_begin_and_end_when_a_cohort_goes_on(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    for begin, then in ((None, 20), (20, None)):
        configs, folders = cohort(small, tmp_path / str(begin), every=begin)
        checkpoint = tmp_path / str(begin) / "checkpoint"
        train_cohort(configs, folders, checkpoint, Quiet(110))
        before = {int(row["step"]) for row in rows_of(folders[0])} if begin else set()
        others = [small(**{**config.to_json(), "diagnostics_every": then}) for config in configs]
        train_cohort(others, folders, checkpoint, Quiet())
        after = {int(row["step"]) for row in rows_of(folders[0])}
        assert (after == before and 0 < len(before) < 6) if begin else after < set(range(20, 121, 20))
        assert after


def test_a_checkpoint_knows_that_files_are_missing_or_damaged(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    configs, folders = cohort(small, tmp_path)
    train_cohort(configs, folders, None, Quiet())
    with pytest.raises(CheckpointError, match="no numbers of step 70"):
        keep_until(folders[1], 70)
    (folders[1] / "shapes.npz").write_bytes(b"PK torn")
    with pytest.raises(CheckpointError, match=r"shapes\.npz cannot be read"):
        keep_until(folders[1], 50)
    (folders[0] / "diagnostics.csv").unlink()
    with pytest.raises(CheckpointError, match="no numbers of step 50"):
        keep_until(folders[0], 50)
    keep_until(folders[1], 0)
    assert not (folders[1] / "shapes.npz").exists()
    assert not (folders[1] / "diagnostics.csv").exists()


def test_by_default_it_depends_on_the_device() -> None:
    assert interval("auto", torch.device("cpu")) == 25_000
    assert interval("auto", torch.device("cuda")) is None
    assert interval(70, torch.device("cuda")) == 70
    assert interval(None, torch.device("cpu")) is None


def test_stable_baselines3_is_measured_too(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    (_, config), (_, folder) = cohort(small, tmp_path, every=100, engine="sb3")
    control: Control = Quiet()
    train("sb3", [config], [folder], None, control)
    assert {(row["step"], row["network"]) for row in rows_of(folder)} == {
        ("100", "actor"),
        ("100", "q1"),
        ("100", "q2"),
    }
    assert len([row for row in rows_of(folder) if row["name"] == "effective_learning_rate"]) == 3
    assert shapes_of(folder)["step"] == [100, 100]


@pytest.mark.parametrize(
    ("name", "value"), [("diagnostics_every", "often"), ("diagnostics_every", 0), ("diagnostics_probe", 0)]
)
def test_bad_settings_are_refused(name: str, value: Any, small: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value!r}"):
        small(**{name: value})


def test_a_cohort_shares_them(small: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match="share their diagnostics_probe"):
        check_cohort([small(engine="population"), small(engine="population", seed=4, diagnostics_probe=3)])
    assert RunConfig.from_json(small(diagnostics_every="auto").to_json()).diagnostics_every == "auto"
