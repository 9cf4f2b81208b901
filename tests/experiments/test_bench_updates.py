"""The benchmark of training: real processes of tiny sizes, and the figures that follow from given turns."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import agents
from agents.network_size import flops_per_update
from experiments import bench_options, bench_peers, bench_processes, bench_updates, bench_worker, cli
from experiments.bench_contestants import Job, build
from experiments.bench_peers import Peers, choose_peers
from experiments.bench_processes import BenchError, Processes
from experiments.bench_updates import UpdateSettings, check_settings
from experiments.bench_updates_table import summary, updates_table
from experiments.problems import InputError

_ROOT = Path(__file__).parents[2]
_TASK = "InvertedPendulum-v5"
_MIXTURE = ["relu", "swish", "swim", "swim_learnable"]
# A module of peers as users would write it; what it is called with goes to a file.
_PEERS = """
import json, os, sys
from pathlib import Path

def recorded(*arguments):
    said = {"arguments": arguments, "threads": os.environ.get("OMP_NUM_THREADS"), "steps": []}
    def advance(steps):
        said["steps"].append(steps)
        sum(range(20_000))
        Path(f"called-{os.getpid()}.json").write_text(json.dumps(said))
    print("to standard output, which is for answers alone")
    return advance

def lacking(task, algorithm, width, batch_size, activation):
    raise NotImplementedError(f"no {algorithm} here")

def breaking(*_):
    turns = []
    def advance(steps):
        turns.append(steps)
        if len(turns) > 3:
            raise ValueError("the third call was too much")
    return advance

def dying(*_):
    os.kill(os.getpid(), 9)

def endless(*_):
    pipe = open("pipe", "w")
    def advance(steps):
        print("training", file=pipe, flush=True)
        while True:
            pass
    return advance
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench")
    (made / "my_peers.py").write_text(_PEERS)
    return made


@pytest.fixture
def _in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("my_peers", None)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiments", "bench", "updates", *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}


_TINY = ("--task", _TASK, "--width", "16", "--processes", "1", "--replay-rows", "1000")


@pytest.fixture(scope="module")
def ran(folder: Path) -> Any:
    given = ("--algo", "td3", "--runs", "2", "--activations", "relu", "--rounds", "2", "--seconds", "0.1")
    more = ("--peers", "sb3", "--json", "all.json")
    done = subprocess.run(
        _command(*given, *_TINY, *more), check=False, cwd=folder, env=_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(table=done.stdout, said=done.stderr, measured=json.loads((folder / "all.json").read_text()))


def test_the_table_has_the_machine_the_settings_and_a_row_for_each(ran: Any) -> None:
    machine, task, medians, _, head, *rows = ran.table.splitlines()
    assert "torch 2." in machine
    assert "stable-baselines3 2." in machine
    assert task == (
        f"{_TASK}, two hidden layers of 16, batch 256, full replay memories of 1,000 rows, MFLOP per update: td3 2.0"
    )
    assert medians.startswith("medians of 2 turns of 0.1 s;")
    assert head.split()[:4] == ["algo", "activation", "contestant", "processes"]
    assert [row.split()[:3] for row in rows] == [
        ["td3", "relu", "ours"],
        ["td3", "relu", "sb3"],
        ["td3", "relu", "sb3"],
    ]
    assert "round 2 of 2" in ran.said


def test_contestants_take_turns_and_all_of_each_is_kept(ran: Any) -> None:
    (group,) = ran.measured["groups"]
    assert [(turn["round"], turn["contestant"]) for turn in group["turns"]] == [
        (number, name) for number in (1, 2) for name in ("ours P=2", "sb3", "sb3 as is")
    ]
    assert [one["runs"] for one in group["contestants"]] == [2, 1, 1]
    assert [one["threads"] for one in group["contestants"]][:2] == [1, 1]
    for turn in group["turns"]:
        (one,) = turn["processes"]
        runs = {"ours P=2": 2, "sb3": 1, "sb3 as is": 1}[turn["contestant"]]
        assert one["updates"] == runs * one["steps"] > 0
        assert one["seconds"] >= 0.1
        assert one["peak_bytes"] > 50e6
        assert one["cpu_seconds"] > 0
        assert one["minor_faults"] >= 0
        assert len(one["gemm_flops_per_second"]) == 2
        assert (one["parts"] is not None) == (turn["contestant"] == "ours P=2")


def test_figures_of_a_real_group_are_within_their_bounds(ran: Any) -> None:
    figures = summary(ran.measured["groups"][0])
    ours = figures["ours P=2"]
    assert figures["sb3"]["ratio_of_medians"] == figures["sb3"]["median_ratio"] == 1.0
    assert 0 < ours["ratio_range"][0] <= ours["median_ratio"] <= ours["ratio_range"][1] < float("inf")
    assert sum(ours["shares"].values()) == pytest.approx(1.0, abs=0.02)
    assert 0 < ours["limit_share"] < 1
    assert figures["sb3"]["limit_share"] is figures["sb3"]["shares"] is None


@pytest.mark.usefixtures("_in_folder")
def test_a_peer_gets_its_arguments_its_threads_and_a_memory_to_fill(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    settings = UpdateSettings(_TASK, ("sac",), ("swish",), (2,), 24, 1, 0.05, 2, "cpu", 300, 32)
    hooks = {"mine": "my_peers:recorded", "other": "my_peers:lacking"}
    (group,) = bench_updates.bench_updates(settings, Peers(False, hooks, ("sbx",)))
    calls = [json.loads(file.read_text()) for file in folder.glob("called-*.json")]
    assert [call["arguments"] for call in calls] == [[_TASK, "sac", 24, 32, "swish"]] * 3
    assert sorted(str(call["threads"]) for call in calls) == ["1", "1", "None"]
    for call in calls:
        assert call["steps"][0] == 300
        assert all(steps % 2 == 0 for steps in call["steps"])
    assert group["absent"] == {"sbx": "not installed", "other": "no sac here"}
    assert [(turn["contestant"], len(turn["processes"])) for turn in group["turns"]] == [
        ("ours P=2", 2),
        ("mine", 2),
        ("mine as is", 1),
    ]


def _job(hook: str) -> Job:
    return Job("mine", hook, "td3", _TASK, "relu", 1, 8, 8, 10, "cpu", 0)


@pytest.mark.usefixtures("_in_folder")
def test_a_process_that_breaks_is_named_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: object) -> str:
        processes = Processes("mine", [_job("my_peers:breaking")], one_thread=True)
        try:
            processes.wait_until_ready()
            return str(processes.turn(0.01))
        finally:
            processes.close()

    monkeypatch.setattr(bench_updates, "bench_updates_table", measure)
    assert cli.main(["bench", "updates"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("error: mine: process 1 of 1 ended with exit code 1: ValueError: the third call was too much\n")


@pytest.mark.usefixtures("_in_folder")
def test_a_process_that_is_killed_is_named_with_the_signal() -> None:
    processes = Processes("mine", [_job("my_peers:dying")], one_thread=True)
    try:
        with pytest.raises(BenchError) as caught:
            processes.wait_until_ready()
    finally:
        processes.close()
    assert str(caught.value) == "mine: process 1 of 1 ended with signal SIGKILL, and left no message"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_processes_end_with_the_command_even_in_the_middle_of_work(folder: Path, number: int, code: int) -> None:
    pipe = folder / "pipe"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    given = ("--algo", "td3", "--runs", "1", "--activations", "relu", "--peers", "", "--peer", "mine=my_peers:endless")
    command = subprocess.Popen(_command(*given, *_TINY), cwd=folder, env=_environment(), stderr=subprocess.DEVNULL)
    with pipe.open() as stream:
        assert stream.readline() == "training\n"
        command.send_signal(number)
        # The pipe ends when nobody holds its other end any more.
        assert stream.read() == ""
    assert command.wait() == code


class _Trainee:
    """Makes a step in a hundredth of a second of its own clock."""

    updates_per_step = 3

    def __init__(self) -> None:
        self.clock, self.calls = 0.0, list[int]()

    def advance(self, steps: int) -> None:
        self.calls.append(steps)
        self.clock += 0.01 * steps

    def parts(self) -> dict[str, float]:
        return {"act": 0.25 * self.clock, "simulate": 0.25 * self.clock, "learn": 0.5 * self.clock}


def test_a_turn_ends_after_its_seconds_with_a_chunk_of_even_length() -> None:
    trainee = _Trainee()
    measure = bench_worker.Measure(_job(""), trainee, lambda: trainee.clock)
    turn = measure.turn(4.0)
    # Two calls of warm-up, then chunks of a twentieth of the turn.
    assert trainee.calls == [10, 10, *[20] * len(trainee.calls[2:])]
    assert turn["steps"] == 400
    assert turn["updates"] == 1200
    assert turn["seconds"] == pytest.approx(4.0)
    assert turn["parts"] == pytest.approx({"act": 1.0, "simulate": 1.0, "learn": 2.0})
    assert turn["gemm_flops_per_second"] is None


def _turn(number: int, name: str, *processes: tuple[float, float]) -> dict[str, Any]:
    """Return a turn in which each process made so many updates in so many seconds."""
    return {
        "round": number,
        "contestant": name,
        "processes": [
            {
                "seconds": seconds,
                "updates": updates,
                "parts": {"act": 0.1 * seconds, "simulate": 0.2 * seconds, "learn": 0.5 * seconds},
                "cpu_seconds": 0.9 * seconds,
                "minor_faults": 2 * updates,
                "peak_bytes": 100e6,
                "gemm_flops_per_second": [8e6, 12e6],
            }
            for updates, seconds in processes
        ],
    }


def _given_group() -> dict[str, Any]:
    ours = [(20, 2.0), (20, 1.0)], [(40, 1.0), (40, 1.0)], [(30, 1.0), (10, 1.0)]
    others = [(10, 1.0)], [(10, 0.5)], [(40, 1.0)]
    names = [("ours P=1", 2), ("sb3", 1)]
    turns = []
    for number in range(3):
        turns += [_turn(number + 1, "ours P=1", *ours[number]), _turn(number + 1, "sb3", *others[number])]
    return {
        "algorithm": "td3",
        "activation": "relu",
        "flops_per_update": 1e5,
        "contestants": [{"name": name, "processes": count} for name, count in names],
        "absent": {"sbx": "not installed"},
        "turns": turns,
    }


def test_figures_are_medians_over_rounds_and_ratios_within_them() -> None:
    figures = summary(_given_group())["ours P=1"]
    # 10 + 20, 40 + 40 and 30 + 10 updates per second against 10, 20 and 40.
    assert figures["updates_per_s"] == 40.0
    assert figures["ratio_of_medians"] == 2.0
    assert figures["median_ratio"] == 3.0
    assert figures["ratio_range"] == (1.0, 4.0)
    assert figures["cores"] == pytest.approx(1.8)
    assert figures["faults_per_update"] == 2.0
    assert figures["peak_mb"] == 200.0
    assert figures["shares"] == pytest.approx({"act": 0.1, "simulate": 0.2, "learn": 0.5, "other": 0.2})
    assert figures["gflops"] == 0.01
    # Six processes with 10, 20, 40, 40, 30 and 10 updates per second, half of the time in updates of a hundredth of
    # what products do in a second.
    assert figures["limit_share"] == pytest.approx(25 / 0.5 / 100)
    assert summary(_given_group(), on_gpu=True)["ours P=1"]["limit_share"] == pytest.approx(25 / 100)


def test_without_sb3_ratios_are_to_the_first() -> None:
    group = _given_group()
    group["contestants"].pop()
    assert summary(group)["ours P=1"]["median_ratio"] == 1.0


def test_the_table_names_a_gpu_its_precision_and_who_is_missing() -> None:
    measured = {
        "date": "2026-01-02 03:04 UTC",
        "hardware": {"cpu": "A CPU", "cores": 4, "device": "A GPU"},
        "on_gpu": True,
        "matmul_precision": "highest",
        "versions": {"torch": "2.8", "numpy": "2.2"},
        "settings": {"task": _TASK, "width": 8, "batch_size": 16, "rows": 2000, "rounds": 3, "seconds": 1.0},
        "groups": [_given_group()],
    }
    machine, _, _, _, _, ours, _, sbx = updates_table(measured).splitlines()
    assert machine == (
        "A CPU, 4 usable cores, A GPU, float32 products of precision 'highest', torch 2.8, 2026-01-02 03:04 UTC"
    )
    cells = "td3 relu ours P=1 2 40.0 2.00 3.00 1.00-4.00 1.80 2.0 200 10 20 50 20 0.0 25"
    assert ours.split() == cells.split()
    assert sbx.split()[2:6] == ["sbx", "-", "not", "installed"]


@pytest.mark.parametrize(("algorithm", "millions"), [("td3", 417), ("sac", 585)])
def test_the_operations_of_an_update_are_those_of_the_reference(algorithm: str, millions: float) -> None:
    config = agents.RunConfig("HalfCheetah-v5", algorithm, "relu", "relu", "relu", None, 0, 10, 10, 1, {})
    assert flops_per_update(config) / 1e6 == pytest.approx(millions, rel=0.01)


def test_lists_are_split_outside_parentheses() -> None:
    assert bench_options.names(" relu,swim(k=0.7, a=1) ,mixed,") == ("relu", "swim(k=0.7, a=1)", "mixed")
    assert bench_options.counts("--runs", "1,4") == (1, 4)
    with pytest.raises(InputError, match=r"--runs is '1,x'; allowed are whole numbers with commas between\."):
        bench_options.counts("--runs", "1,x")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"runs": (4, 0)}, "--runs is 0; allowed is a whole number of at least 1."),
        ({"runs": ()}, "--runs is ''; allowed is at least one, each once."),
        ({"runs": (4, 4)}, "--runs is '4,4'; allowed is at least one, each once."),
        ({"width": 0}, "--width is 0; allowed is a whole number of at least 1."),
        ({"width": 100_000}, "net_arch is [100000, 100000]; allowed is a list of widths from 1 to 65536"),
        ({"rounds": 0}, "--rounds is 0; allowed is a whole number of at least 1."),
        ({"processes": 0}, "--processes is 0; allowed is a whole number of at least 1."),
        ({"rows": 0}, "--replay-rows is 0; allowed is a whole number of at least 1."),
        ({"seconds": 0.0}, "--seconds is 0.0; allowed is a number above 0."),
        ({"seconds": float("nan")}, "--seconds is nan; allowed is a number above 0."),
        ({"algorithms": ("dqn",)}, "--algo is 'dqn'; allowed are td3, sac and both."),
        ({"activations": ("swin",)}, "Did you mean 'swim'"),
        ({"device": "cuda:99"}, "device 'cuda:99' does not exist here"),
    ],
)
def test_bad_settings_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_settings(UpdateSettings(**given))
    assert message in str(caught.value)


def test_the_folder_of_the_json_file_must_exist_before_anything_is_measured(tmp_path: Path) -> None:
    for file in (tmp_path / "none" / "all.json", tmp_path):
        with pytest.raises(InputError, match="allowed is a file in a folder that exists"):
            bench_updates.bench_updates_table(UpdateSettings(), Peers(True, {}, ()), file)


def test_one_process_per_core_is_the_default_and_one_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_updates, "usable_cores", lambda: 13)
    assert bench_updates.process_count(UpdateSettings(device="cpu")) == 13
    assert bench_updates.process_count(UpdateSettings(device="cpu", processes=3)) == 3
    monkeypatch.setattr(bench_updates, "resolve_device", lambda _: SimpleNamespace(type="cuda"))
    assert bench_updates.process_count(UpdateSettings()) == 1


@pytest.mark.usefixtures("_in_folder")
def test_peers_that_are_not_installed_are_an_error_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_peers, "find_spec", lambda name: None if name == "sbx" else object())
    assert choose_peers(None, ["mine=my_peers:recorded"]) == Peers(True, {"mine": "my_peers:recorded"}, ("sbx",))
    assert choose_peers([], []) == Peers(False, {}, ())
    with pytest.raises(InputError, match=r"--peers: sbx is not installed; `pip install sbx-rl` would do it\."):
        choose_peers(["sb3", "sbx"], [])
    monkeypatch.setattr(bench_peers, "find_spec", lambda _: object())
    assert choose_peers(None, []) == Peers(True, {"sbx": "experiments.bench_peers:sbx"}, ())


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (["sb4"], [], "--peers: 'sb4' is unknown; allowed are sb3, sbx, and others with --peer"),
        ([], ["mine"], "--peer mine: allowed is NAME=module:function"),
        ([], ["mine=module"], "--peer mine=module: allowed is NAME=module:function"),
        ([], ["sb3=my_peers:recorded"], "--peer sb3=my_peers:recorded: the name 'sb3' is taken."),
        ([], ["mine=no_such.module:make"], "there is no module 'no_such.module'"),
    ],
)
@pytest.mark.usefixtures("_in_folder")
def test_bad_peers_are_refused(names: list[str], given: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_peers(names, given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--activations", "relu,rational2"], "rational2"),
        (["--algo", "dqn"], "--algo is 'dqn'"),
        (["--task", "Hoper-v5"], "unknown environment 'Hoper-v5'. Did you mean 'Hopper-v5'"),
        (["--peers", "sb4"], "--peers: 'sb4' is unknown"),
        (["--runs", "4,0"], "--runs is 0"),
        (["--width", "0"], "'--width'"),
        (["--replay-rows", "999"], "'--replay-rows'"),
        (["--json", "none/all.json"], "--json none/all.json"),
    ],
)
def test_the_command_refuses_bad_input(given: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "updates", *given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert message in said.err


def test_a_population_too_small_for_the_mixture_is_left_out() -> None:
    settings = UpdateSettings(_TASK, ("td3",), ("mixed",), (3,), 8, 1, 0.1, 1, "cpu", 10, 8)
    (group,) = bench_updates.bench_updates(settings, Peers(False, {}, ()))
    assert group["absent"] == {"ours P=3": "fewer runs than the 4 activations"}
    assert group["turns"] == group["contestants"] == []


@pytest.mark.parametrize(("kind", "runs", "updates"), [("ours", 6, 6), ("sb3", 1, 4)])
def test_a_mixture_is_of_four_activations(kind: str, runs: int, updates: int) -> None:
    trainee: Any = build(Job(kind, "", "td3", _TASK, "mixed", runs, 8, 8, 20, "cpu", 2))
    assert trainee.updates_per_step == updates
    trainee.advance(4)
    if kind == "ours":
        members = trainee._population.members
        assert [member.actor for member in members] == [*_MIXTURE, "relu", "swish"]
        assert [member.seed for member in members] == [12, 13, 14, 15, 16, 17]
        assert trainee._population.updates == 4
        assert set(trainee.parts()) == {"act", "simulate", "learn"}
    else:
        networks = [str(model.actor.mu) for model in trainee._models]
        assert ["ReLU" in networks[0], "Swish" in networks[1], "SwimLearnable" in networks[3]] == [True] * 3
        assert [(model._n_updates, model.num_timesteps) for model in trainee._models] == [(4, 24)] * 4
        assert trainee._models[0].replay_buffer.full


def test_a_population_that_diverges_is_no_measurement() -> None:
    trainee: Any = build(Job("ours", "", "td3", _TASK, "relu", 1, 8, 8, 20, "cpu", 0))
    next(iter(trainee._population.learner.state().values())).fill_(float("nan"))
    with pytest.raises(RuntimeError, match="not every step had its update"):
        trainee.advance(4)


def test_threads_of_the_environment_are_taken_away_or_set_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
        assert bench_processes._environment(_job(""), one_thread=True)[name] == "1"
        assert name not in bench_processes._environment(_job(""), one_thread=False)
