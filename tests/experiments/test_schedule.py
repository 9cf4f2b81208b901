"""What is left of a study as cohorts, and about how much time, memory and disk it takes."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import RunConfig, memory
from agents.network_size import flops_per_update, layers, parameters
from agents.run_folder import checkpoint_file, locked
from experiments import preview, schedule
from experiments.budget import Budget, read_budget
from experiments.cli import main
from experiments.cohorts import (
    Sizes,
    checkpoint_folder,
    checkpoint_mark,
    cohort_sizes,
    group_of,
    has_checkpoint,
    new_cohorts,
    remove_useless_checkpoints,
    seconds_to_save,
    standing,
)
from experiments.estimate import (
    EFFICIENCY,
    Work,
    checkpoint_bytes,
    cohort_seconds,
    measured_rates,
    product_speed,
    result_bytes,
    total_seconds,
)
from experiments.planned_gpu import Gpu, seconds_on
from experiments.problems import InputError
from experiments.registry import Entry, Key, Registry, Standing, run_key
from experiments.schedule import Limits, make_schedule

_CPU = torch.device("cpu")
_GROUP = ("HalfCheetah-v5", "td3")
_WAITING = {"state": "pending", "attempt": 1, "cohort": "c", "member": 0}


def _config(seed: int = 0, **changes: Any) -> RunConfig:
    plain: dict[str, Any] = {
        "task": "HalfCheetah-v5",
        "algorithm": "td3",
        "arm": "relu",
        "actor_activation": "relu",
        "critic_activation": "relu",
        "activation_lr": None,
        "steps": 1_000_000,
        "evaluation_every": 10_000,
        "evaluation_episodes": 10,
        "hyperparameters": {},
        "device": "cpu",
    }
    return RunConfig(seed=seed, **{**plain, **changes})


def _configs(count: int, **changes: Any) -> dict[Key, RunConfig]:
    return {run_key(config): config for config in (_config(seed, **changes) for seed in range(count))}


def _entry(key: Key, **changes: Any) -> Entry:
    plain: dict[str, Any] = dict.fromkeys(("pid", "host", "owner", "heartbeat", "started", "finished", "cause"))
    task, algorithm, arm, seed = key
    own = {"task": task, "algorithm": algorithm, "arm": arm, "seed": seed, "state": "pending", "attempt": 0}
    return Entry(**{**plain, **own, **changes})


def _keys(**counts: int) -> list[Key]:
    return [(task, "td3", "relu", seed) for task, count in counts.items() for seed in range(count)]


@pytest.mark.parametrize(
    ("counts", "going_on", "workers", "most", "sizes"),
    [
        ({"A": 5}, 0, 2, 10, {"A": [3, 2]}),
        ({"A": 5}, 0, 1, 10, {"A": [5]}),
        ({"A": 5}, 1, 2, 10, {"A": [5]}),
        ({"A": 5}, 0, 1, 2, {"A": [2, 2, 1]}),
        ({"A": 5}, 0, 4, 10, {"A": [2, 1, 1, 1]}),
        ({"A": 11}, 0, 2, 10, {"A": [6, 5]}),
        ({"A": 25}, 0, 2, 10, {"A": [7, 6, 6, 6]}),
        ({"A": 3}, 0, 8, 10, {"A": [1, 1, 1]}),
        ({"A": 5, "B": 5}, 0, 2, 10, {"A": [5], "B": [5]}),
        ({"A": 9, "B": 3}, 0, 4, 10, {"A": [3, 3, 3], "B": [3]}),
        ({"A": 100}, 0, 1, 20, {"A": [20] * 5}),
        ({}, 2, 2, 10, {}),
    ],
)
def test_cohorts_are_large_but_keep_every_worker_busy(
    counts: Mapping[str, int], going_on: int, workers: int, most: int, sizes: Mapping[str, list[int]]
) -> None:
    found = cohort_sizes(_keys(**counts), going_on, workers, lambda _group: most)
    assert found == {(task, "td3"): size for task, size in sizes.items()}


def test_new_cohorts_are_in_the_order_in_which_they_are_claimed() -> None:
    a, b = _keys(A=3), _keys(B=2)
    mixed = [a[0], b[0], a[1], b[1], a[2]]
    assert new_cohorts(mixed, {("A", "td3"): [2, 5], ("B", "td3"): [5]}) == [[a[0], a[1]], b, [a[2]]]


def test_arms_of_other_widths_have_cohorts_of_their_own(tmp_path: Path) -> None:
    arms = {"relu": ("relu", "relu"), "glu": ("glu", "relu"), "crelu": ("crelu", "crelu"), "swiglu": ("swiglu", "relu")}
    configs = {
        run_key(config): config
        for arm, (actor, critic) in arms.items()
        for config in (_config(seed, arm=arm, actor_activation=actor, critic_activation=critic) for seed in range(2))
    }
    relu, glu, crelu, swiglu = ([key for key in configs if key[2] == arm] for arm in ("relu", "glu", "crelu", "swiglu"))
    assert group_of(configs[relu[0]]) == _GROUP
    assert group_of(configs[glu[0]]) == (*_GROUP, "1x512,256x512,256x1/")
    assert group_of(configs[crelu[0]]) == (*_GROUP, "1x128,256x128,256x1/1x128,256x128,256x1")
    found = make_schedule(tmp_path, [], configs, Limits(_CPU, workers=1))
    assert found.beginning == [relu, [*glu, *swiglu], crelu]
    registry = Registry(tmp_path / "study.sqlite")
    registry.add(configs.values())
    size = Sizes(found.sizes, lambda key: group_of(configs[key]))
    claims = [registry.claim(configs, size, group=lambda key: group_of(configs[key])) for _ in range(4)]
    assert [claim and [entry.key for entry in claim.entries] for claim in claims] == [*found.beginning, None]


def test_what_an_activation_does_not_fit_is_left_to_the_run() -> None:
    assert group_of(_config(actor_activation=("relu", "relu", "relu"))) == _GROUP


def test_sizes_count_the_layers_that_are_built() -> None:
    hyperparameters = {"net_arch": [64, 32]}
    plain, gated = (_config(actor_activation=name, hyperparameters=hyperparameters) for name in ("relu", "glu"))
    # 17 observations and 6 actions: 17 x 64, 64 x 32, 32 x 6, or twice as wide before each gate.
    assert layers(plain)[0] == ((17, 64), (64, 32), (32, 6))
    assert layers(gated)[0] == ((17, 128), (64, 64), (32, 6))
    assert layers(gated)[1] == layers(plain)[1] == ((23, 64), (64, 32), (32, 1))
    assert parameters(gated) - parameters(plain) == 18 * 64 + 65 * 32
    state = torch.get_rng_state()
    assert flops_per_update(gated) > flops_per_update(plain)
    assert torch.equal(torch.get_rng_state(), state)


def _plant(folder: Path, entry: Entry, **manifest: float) -> Path:
    run = folder / "HalfCheetah-v5/td3/relu" / f"seed-{entry.seed}"
    run.mkdir(parents=True, exist_ok=True)
    (run / "evaluations.csv").write_text("step\n0\n")
    checkpoint = checkpoint_folder(folder, entry.cohort or "")
    checkpoint.mkdir(parents=True, exist_ok=True)
    checkpoint_file(checkpoint).write_text(json.dumps(manifest))
    return run


def test_how_a_cohort_stands(tmp_path: Path) -> None:
    one, two = (_entry(key, **{**_WAITING, "member": place}) for place, key in enumerate(_configs(2)))
    over = _entry(one.key, **{**_WAITING, "state": "done"})
    for entry in (one, two):
        run = _plant(tmp_path, entry)
    assert standing(tmp_path, [one, two]) is standing(tmp_path, [over, two]) is Standing.RESUMABLE
    assert [has_checkpoint(tmp_path, entry) for entry in (one, over, _entry(one.key))] == [True, False, False]
    with locked([run]) as held:
        assert held
        assert standing(tmp_path, [one, two]) is Standing.BUSY
    # A checkpoint alone cannot bring back what the run had written before it.
    (run / "evaluations.csv").unlink()
    assert standing(tmp_path, [one, two]) is Standing.LOST
    (run / "evaluations.csv").touch()
    (tmp_path / "cohorts/c/checkpoint/manifest.json").unlink()
    assert standing(tmp_path, [one, two]) is Standing.LOST
    assert not has_checkpoint(tmp_path, one)


def test_a_checkpoint_says_how_long_it_took_and_differs_from_the_next(tmp_path: Path) -> None:
    entry = _entry(next(iter(_configs(1))), **_WAITING)
    assert (seconds_to_save(tmp_path, "c"), checkpoint_mark(tmp_path, "c")) == (None, None)
    _plant(tmp_path, entry)
    first = checkpoint_mark(tmp_path, "c")
    assert seconds_to_save(tmp_path, "c") is None
    path = tmp_path / "cohorts/c/checkpoint/manifest.json"
    path.write_text('{"seconds": 0.0}')
    assert seconds_to_save(tmp_path, "c") is None
    path.with_name("new").write_text('{"seconds": 4.5}')
    path.with_name("new").replace(path)
    assert seconds_to_save(tmp_path, "c") == 4.5
    assert checkpoint_mark(tmp_path, "c") not in {None, first}


def test_checkpoints_that_nobody_needs_are_removed_and_logs_stay(tmp_path: Path) -> None:
    keys = list(_configs(3))
    entries = [
        _entry(keys[0], **{**_WAITING, "cohort": "over", "state": "done"}),
        _entry(keys[1], **{**_WAITING, "cohort": "half", "state": "diverged"}),
        _entry(keys[2], **{**_WAITING, "cohort": "half", "state": "failed"}),
    ]
    for entry in entries:
        _plant(tmp_path, entry)
    (tmp_path / "cohorts/over/log.txt").touch()

    def read() -> Sequence[Entry]:
        # A cohort that begins while the runs are being read is nobody's business.
        (tmp_path / "cohorts/new/checkpoint").mkdir(parents=True)
        return entries

    remove_useless_checkpoints(tmp_path, read)
    found = sorted(str(path.relative_to(tmp_path / "cohorts")) for path in (tmp_path / "cohorts").glob("*/*"))
    assert found == ["half/checkpoint", "new/checkpoint", "over/log.txt"]


def test_what_is_left_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 10**10)
    configs = _configs(8)
    keys = list(configs)
    entries = [_entry(key, **{**_WAITING, "member": place}) for place, key in enumerate(keys[:2])]
    entries += [_entry(keys[2], **{**_WAITING, "cohort": "gone"}), _entry(keys[3], state="failed", attempt=1)]
    _plant(tmp_path, entries[0])
    found = make_schedule(tmp_path, entries, configs, Limits(_CPU, 2))
    assert found.going_on == [keys[:2]]
    assert found.beginning == [keys[2:]]
    assert (found.at_once, found.available, found.memory) == (2, 10**10, 8 * 121_844_992)
    assert found.say() == "2 processes at once, each with up to 6 runs"
    # One worker trains the larger of the two at a time.
    assert make_schedule(tmp_path, entries, configs, Limits(_CPU, 1)).memory == 6 * 121_844_992
    assert make_schedule(tmp_path, entries, configs, Limits(_CPU, 2, cohort=4)).beginning == [keys[2:6], keys[6:]]
    assert make_schedule(tmp_path, [], {keys[0]: configs[keys[0]]}, Limits(_CPU, 2)).say() == "1 run at once"


@pytest.mark.parametrize(
    ("available", "workers", "sizes"),
    [(10**10, 1, [6, 6]), (10**10, 2, [6, 6]), (10**9, 1, [6, 6]), (10**9, 2, [3] * 4)],
)
def test_a_cohort_fits_the_memory_of_its_process(
    available: int, workers: int, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: available)
    found = make_schedule(tmp_path, [], _configs(12), Limits(_CPU, workers))
    assert [len(cohort) for cohort in found.beginning] == sizes


def test_too_little_memory_is_refused_with_what_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 10**8)
    with pytest.raises(InputError) as caught:
        make_schedule(tmp_path, [], _configs(1), Limits(_CPU, 4))
    # 80 % of 100 MB, less 64 bytes for each of 216,328 parameters, at 108 bytes a step.
    assert str(caught.value) == (
        "one run of td3 on HalfCheetah-v5 needs about 121.8 MB of memory, most for 1,000,000 steps of replay, and this "
        "machine has 80.0 MB; give at most --set hyperparameters.td3.buffer_size=612546."
    )
    make_schedule(tmp_path, [], _configs(1, hyperparameters={"buffer_size": 612_546}), Limits(_CPU, 4))
    with pytest.raises(InputError, match="buffer_size=612546"):
        make_schedule(tmp_path, [], _configs(1, hyperparameters={"buffer_size": 612_547}), Limits(_CPU, 4))
    with pytest.raises(InputError, match=r"has 40\.0 MB for each of 2 processes; .*buffer_size=242176, or fewer --w"):
        make_schedule(tmp_path, [], _configs(2), Limits(_CPU, 2))
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 10**9)
    with pytest.raises(InputError, match=r"a cohort of 7 runs .* 852\.9 MB .* 800\.0 MB; .*, or --cohort 6\."):
        make_schedule(tmp_path, [], _configs(9), Limits(_CPU, 1, cohort=7))
    # What is done needs no memory any more.
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 0)
    monkeypatch.setattr(schedule, "lost", lambda *_arguments: None)
    done = [_entry(key, state="done", attempt=1) for key in _configs(2)]
    assert make_schedule(tmp_path, done, _configs(2), Limits(_CPU, 1)).cohorts == []


def test_too_little_memory_is_bad_input_and_nothing_is_written(
    study_file: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 4000)
    assert main(["run", str(study_file()), "--device", "cpu", "--workers", "1"]) == 2
    assert capsys.readouterr().err.startswith("error: one run of td3 on InvertedPendulum-v5 needs about ")
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_a_machine_and_a_container_say_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:       4000 kB\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    group = (tmp_path, "memory.max", "memory.current", "inactive_file")
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", (group,))
    assert memory.available_bytes(_CPU) == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes(_CPU) == 4_096_000
    (tmp_path / "meminfo").unlink()
    assert memory.available_bytes(_CPU) == 2**62
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(device.index) + 7, 100))
    assert memory.available_bytes(torch.device("cuda:1")) == 8


def test_stable_baselines_keeps_both_observations_in_double_precision() -> None:
    assert (memory.bytes_per_row(_config()), memory.bytes_per_row(_config(engine="sb3"))) == (108, 308)
    assert memory.bytes_per_run(_config(steps=1000)) == 1000 * 108 + 64 * 216_328


def test_the_time_of_a_cohort_is_that_of_its_products_and_steps() -> None:
    # One update takes 414.6 million operations, half a second at this speed and efficiency.
    speed = 414_580_736 / EFFICIENCY["population", "cpu"] * 2

    def seconds(*configs: RunConfig, done: int = 0) -> float:
        return cohort_seconds(configs, done, speed, _CPU)

    one = _config(steps=30_000)
    assert seconds(one) == pytest.approx(30_000 * 0.002 + 5_000 * 0.5)
    assert seconds(one, done=27_000) == pytest.approx(3_000 * 0.002 + 3_000 * 0.5)
    # Three runs have three updates, but two arms' operations are started.
    three = [one, _config(1, steps=30_000), _config(steps=30_000, arm="other")]
    assert seconds(*three) == pytest.approx(30_000 * 2 * 0.002 + 5_000 * 3 * 0.5)
    often = _config(steps=30_000, hyperparameters={"gradient_steps": 4, "train_freq": 2})
    assert seconds(often) == pytest.approx(30_000 * 0.002 + 5_000 * 1.0)
    each = _config(steps=30_000, hyperparameters={"gradient_steps": -1, "train_freq": 2})
    assert seconds(each) == pytest.approx(30_000 * 0.002 + 5_000 * 0.5)
    assert seconds(_config(steps=20_000, engine="sb3")) == pytest.approx(20_000 * 0.003)


def test_the_time_on_a_gpu_is_that_of_kernels_products_arms_processor_and_simulation() -> None:
    # 29 million operations each second: an update of one run takes 0.42 GFLOP / 0.029 GFLOP/s = 14.296 s.
    gpu = Gpu("a slow one", 29e6, 3.0, 2.0, 0.5, 4)

    def seconds(*configs: RunConfig, gpu: Gpu = gpu) -> float:
        by_key = {(one.task, one.algorithm, one.arm, one.seed): one for one in configs}
        return seconds_on(gpu, by_key, list(by_key))

    update, simulated = 414_580_736 / 29e6, 42e-6
    one = _config(steps=30_000, evaluation_every=10_000, evaluation_episodes=2)
    evaluated = 4 * 2 * 1000 * simulated / 4
    steps = 30_000 * (0.5 + simulated)
    assert seconds(one) == pytest.approx(5_000 * (3 + update) + steps + evaluated)
    # Of another arm: its kernels are more, and the chain of kernels is one.
    other = dataclasses.replace(one, arm="other")
    assert seconds(one, other) == pytest.approx(5_000 * (3 + 2 + 2 * update) + steps + 2 * evaluated)
    # Five runs simulate in two rounds of four cores.
    five = [dataclasses.replace(one, seed=seed) for seed in range(5)]
    two_rounds = 30_000 * (0.5 + 2 * simulated)
    assert seconds(*five) == pytest.approx(5_000 * (3 + 5 * update) + two_rounds + 5 * evaluated)
    # More than 20 runs are two cohorts, one after the other.
    many = [dataclasses.replace(one, seed=seed) for seed in range(21)]
    waiting = 5_000 * 2 * 3 + 30_000 * (2 * 0.5 + 6 * simulated)
    assert seconds(*many) == pytest.approx(waiting + 21 * (5_000 * update + evaluated))
    often = dataclasses.replace(one, hyperparameters={**one.hyperparameters, "gradient_steps": 4, "train_freq": 2})
    assert seconds(often) == pytest.approx(10_000 * (3 + update) + steps + evaluated)
    slower = dataclasses.replace(one, task="Humanoid-v5", hyperparameters=one.hyperparameters)
    assert seconds(slower, gpu=dataclasses.replace(gpu, flops_per_s=1e30)) == pytest.approx(
        5_000 * 3 + 30_000 * (0.5 + 286e-6) + 4 * 2 * 1000 * 286e-6 / 4
    )


def test_what_was_measured_in_the_folder_wins(tmp_path: Path) -> None:
    configs = _configs(6)
    keys = list(configs)
    entries = [_entry(key, state=state, attempt=1) for key, state in zip(keys, ["done"] * 3 + ["failed"], strict=False)]
    records: list[dict[str, Any]] = [
        {"steps_per_s": 50.0, "cohort": {"size": 4}},
        {"steps_per_s": 100.0},
        {"steps_per_s": None},
        {"steps_per_s": 9.0},
    ]
    for entry, record in zip(entries, records, strict=True):
        (_plant(tmp_path, entry) / "run.json").write_text(json.dumps(record))
    rates = measured_rates(tmp_path, entries)
    assert rates == {_GROUP: 150.0}
    work = Work(configs, [keys[:3], keys[3:5]], dict.fromkeys(keys[:3], 200_000), 2)
    # 2.4 million steps in the one process, 2 million in the other.
    assert total_seconds(work, rates, 1.0, _CPU) == pytest.approx(2_400_000 / 150)
    three = Work(configs, [keys[:2], keys[2:4], keys[4:]], {}, 2)
    assert total_seconds(three, rates, 1.0, _CPU) == pytest.approx(3_000_000 / 150)


def test_the_disk_holds_results_and_while_they_are_needed_checkpoints() -> None:
    config = _config(steps=100_000)
    assert result_bytes(config) == 12 * (20 * 23 + 110) + 4 * 216_328
    often = dataclasses.replace(config, diagnostics_every=config.steps // 4)
    assert result_bytes(often) == result_bytes(config) + 4 * 70_000
    assert result_bytes(dataclasses.replace(config, diagnostics_every="auto")) > result_bytes(config)
    configs = _configs(3, steps=100_000)
    keys = list(configs)
    one = 100_000 * 108 + 16 * 216_328
    assert checkpoint_bytes(Work(configs, [keys[:1], keys[1:]], {}, 1)) == 2 * 2 * one
    assert checkpoint_bytes(Work(configs, [keys[:1], keys[1:]], {}, 2)) == 2 * 3 * one
    alone = _configs(1, engine="sb3")
    assert checkpoint_bytes(Work(alone, [list(alone)], {}, 1)) == 0


def test_the_speed_of_products_is_measured_with_the_threads_of_a_run() -> None:
    before = torch.get_num_threads()
    assert 1e8 < product_speed(_CPU, 1) < 1e14
    assert torch.get_num_threads() == before


def test_a_dry_run_says_about_how_much_it_takes(
    study_file: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study_file()
    monkeypatch.setattr(schedule, "available_bytes", lambda _device: 10**9)
    monkeypatch.setattr(preview, "product_speed", lambda *_arguments: 7e10)
    options = [
        "--activation",
        "relu",
        "--env",
        "HalfCheetah-v5",
        "--steps",
        "50_000",
        "--device",
        "cpu",
        "--workers",
        "2",
    ]
    assert main(["train", *options, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("), 2 processes at once, each with up to 3 runs")
    # 25,000 updates of 414.6 million operations at 60 % of 70 GFLOP/s are 247 s for each of three runs; steps 100 s.
    # There: 25,000 updates of 57 us and 14.3 us for each run, 50,000 steps of 45 us and 42 us, 550 episodes.
    assert lines[-6:] == [
        "cohorts   2: 1 of 3 + 1 of 2 runs",
        "time      about 14 min 00 s without evaluations (from the networks' products at 60% of the 70 GFLOP/s "
        "measured here)",
        "elsewhere about 9 s on one H200 with 16 cores, evaluations included (planned from published figures)",
        "disk      about 5.1 MB of results, checkpoints up to 88.6 MB while it runs",
        "memory    about 96.2 MB at once, of 1.0 GB available",
        "dry run: nothing was started or written",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("9m", 540),
        ("90s", 90),
        ("1h30m", 5400),
        ("2h", 7200),
        ("1h1m1s", 3661),
        (" 600 ", 600),
        ("60", 60),
        ("2H", 7200),
    ],
)
def test_times_as_people_write_them(text: str, seconds: int) -> None:
    assert read_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "9", "59s", "0", "soon", "9 m", "1.5h", "-9m", "30m1h", "h", "9d", "1e3", "nan"])
def test_other_times_are_named(text: str) -> None:
    with pytest.raises(
        InputError, match=rf"^--time-budget {text}: .*; allowed is a time of at least 1 min, such as 9m"
    ):
        read_budget(text)


def test_a_budget_keeps_time_to_save() -> None:
    clock = [50.0]
    budget = Budget(600.0, lambda: clock[0])
    assert (budget.left(), budget.reserve(), budget.reserve(40.0)) == (600.0, 30.0, 85.0)
    assert Budget(100.0, lambda: 0.0).reserve() == 10.0
    clock[0] = 619.0
    assert (budget.left(), budget.too_late_to_start()) == (31.0, False)
    assert budget.too_late_to_start(saving=14.0)
    clock[0] = 621.0
    assert budget.too_late_to_start(saving=0.0)
