"""Study files: what they mean, and every problem in one error with its place."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import experiments
from agents import RunConfig
from experiments.arms import arm_name, check_name, folder_name
from experiments.problems import StudyError
from experiments.seeds import read_seeds
from experiments.study import Study, config_hash, read_study
from experiments.yaml_file import override, read_yaml

StudyFile = Callable[..., Path]


def _study(path: Path, *settings: str) -> Study:
    document = read_yaml(path)
    override(document, list(settings))
    return read_study(document)


def _problems(path: Path, *settings: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        _study(path, *settings)
    lines = str(caught.value).split("\n  ")
    return lines if len(lines) == 1 else lines[1:]


def test_the_study_file_of_the_design_is_read_in_full(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        """\
name: swim-td3
description: all of it
algorithms: [td3, sac]
tasks: [HalfCheetah-v5, Hopper-v5]
arms:
  - relu
  - {arm: swim, activation: swim, seeds: 30}
  - {arm: swim-critic, actor: silu, critic: {name: swim, k: 0.7}}
  - {arm: swim-learnt, activation: "swim_learnable(per=unit)", activation_lr: 1e-3}
  - [relu, swish]
  - swim(k=0.7)
seeds: 10
steps: 1_000_000
evaluation: {every: 5_000, episodes: 7}
diagnostics: {every: 50_000, probe: 512}
hyperparameters: {td3: {learning_rate: 1e-3, net_arch: [64, 64]}}
primary: [[swim, relu], [swim, swim-critic]]
margin: 0.1
final_evaluations: 10
thresholds: {Hopper-v5: [2000, 3e3]}
budgets: [20m, 300]
control: relu
device: cpu
"""
    )
    study = _study(path)
    content = study.to_json("the command")
    td3, sac = content["hyperparameters"].pop("td3"), content["hyperparameters"].pop("sac")
    assert (td3["learning_rate"], td3["net_arch"], td3["policy_delay"]) == (1e-3, [64, 64], 2)
    assert (sac["learning_rate"], sac["net_arch"], sac["ent_coef"]) == (3e-4, [256, 256], "auto")
    ten = list(range(10))
    swim = str(content["arms"][1]["actor"])
    assert content == {
        "format": 1,
        "name": "swim-td3",
        "description": "all of it",
        "algorithms": ["td3", "sac"],
        "tasks": ["HalfCheetah-v5", "Hopper-v5"],
        "arms": [
            {"name": "relu", "actor": "relu", "critic": "relu", "activation_lr": None, "seeds": ten},
            {"name": "swim", "actor": swim, "critic": swim, "activation_lr": None, "seeds": list(range(30))},
            {"name": "swim-critic", "actor": "swish", "critic": "swim(k=0.7)", "activation_lr": None, "seeds": ten},
            {
                "name": "swim-learnt",
                "actor": "swim_learnable(per=unit)",
                "critic": "swim_learnable(per=unit)",
                "activation_lr": 1e-3,
                "seeds": ten,
            },
            {
                "name": "relu.then.swish",
                "actor": ["relu", "swish"],
                "critic": ["relu", "swish"],
                "activation_lr": None,
                "seeds": ten,
            },
            {"name": "swim-k0.7", "actor": "swim(k=0.7)", "critic": "swim(k=0.7)", "activation_lr": None, "seeds": ten},
        ],
        "steps": 1_000_000,
        "evaluation": {"every": 5_000, "episodes": 7},
        "diagnostics": {"every": 50_000, "probe": 512},
        "hyperparameters": {},
        "primary": [["swim", "relu"], ["swim", "swim-critic"]],
        "margin": 0.1,
        "control": "relu",
        "final_evaluations": 10,
        "thresholds": {"Hopper-v5": [2000.0, 3000.0]},
        "budgets": [300.0, 1200.0],
        "device": "cpu",
        "engine": "population",
        "command": "the command",
    }


def test_the_quickstart_compares_three_seeds_of_five_arms_on_two_tasks() -> None:
    study = _study(Path(experiments.__file__).parent / "studies" / "quickstart.yaml")
    assert len(list(study.runs())) == 30
    assert [arm.name for arm in study.arms] == ["relu", "swish", "swim", "swim-learnt", "swim-actor-relu-critic"]


def test_defaults(study_file: StudyFile) -> None:
    study = _study(study_file(("evaluation: {every: 60, episodes: 2}\n", "")))
    assert study.evaluation == {"every": 12, "episodes": 10}
    assert (study.final_evaluations, study.thresholds, study.budgets) == (None, {}, [])
    assert (study.margin, study.control, study.primary, study.device, study.description) == (
        0.05,
        None,
        [],
        "auto",
        None,
    )
    assert _study(study_file(), "evaluation={}", "steps=1_000_000").evaluation["every"] == 10_000


def test_what_is_measured_changes_no_run(study_file: StudyFile) -> None:
    plain = _study(study_file())
    measured = _study(
        study_file(), "final_evaluations=2", "thresholds={InvertedPendulum-v5: 9}", "budgets=[90s, 1h, 90]"
    )
    assert (measured.final_evaluations, measured.thresholds) == (2, {"InvertedPendulum-v5": [9.0]})
    assert measured.budgets == [90.0, 3600.0]
    assert [config_hash(run) for run in measured.runs()] == [config_hash(run) for run in plain.runs()]


def test_runs_are_every_combination_seeds_outermost(study_file: StudyFile) -> None:
    study = _study(study_file(("- relu", "- {activation: relu, seeds: [5, 0]}"), ("seeds: 1\n", "seeds: 2\n")))
    runs = [(config.arm, config.seed) for config in study.runs()]
    assert runs == [("relu", 0), ("mix", 0), ("mix", 1), ("relu", 5)]
    config = next(study.runs())
    assert (config.steps, config.evaluation_every, config.evaluation_episodes) == (120, 60, 2)
    assert config.hyperparameters["net_arch"] == [8]
    mix = list(study.runs())[1]
    assert (mix.actor_activation, mix.critic_activation) == ("swim_learnable(per=unit)", "swish")


def test_a_hash_is_of_what_defines_a_run_and_not_of_where_it_computes(study_file: StudyFile) -> None:
    def digest(*settings: str) -> str:
        return config_hash(next(_study(study_file(), *settings).runs()))

    assert digest() == digest("device=cpu") == digest("seeds=3")
    assert digest() == digest("diagnostics.every=50", "diagnostics.probe=9") == digest("diagnostics.every=never")
    changed = [digest(setting) for setting in ("steps=240", "evaluation.episodes=3", "hyperparameters.td3.gamma=0.9")]
    assert len({digest(), *changed, digest("engine=population")}) == 5


def test_a_hash_of_the_sb3_engine_is_that_of_folders_from_before_there_was_a_choice(study_file: StudyFile) -> None:
    config = next(_study(study_file()).runs())
    plain = config.to_json()
    for place in ("device", "threads", "engine", "diagnostics_every", "diagnostics_probe"):
        del plain[place]
    assert config_hash(config) == hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    assert RunConfig.from_json({**plain, "device": "auto", "diagnostics_every": "auto"}) == config


@pytest.mark.parametrize(
    ("settings", "every", "probe"),
    [
        ((), "auto", None),
        (("diagnostics.every=auto",), "auto", None),
        (("diagnostics.every=never",), None, None),
        (("diagnostics.every=1e3", "diagnostics.probe=64"), 1000, 64),
    ],
)
def test_when_networks_are_measured(
    settings: tuple[str, ...], every: int | str | None, probe: int | None, study_file: StudyFile
) -> None:
    config = next(_study(study_file(), *settings).runs())
    assert (config.diagnostics_every, config.diagnostics_probe) == (every, probe)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("diagnostics.every=often", "'often' is not allowed; allowed is auto, never, or a whole number of at least 1"),
        ("diagnostics.every=0", "0 is not allowed; allowed is auto, never, or"),
        ("diagnostics.probe=0", "0 is not allowed; allowed is a whole number"),
        ("diagnostics.rows=3", "rows"),
    ],
)
def test_bad_diagnostics_keys_are_named(setting: str, message: str, study_file: StudyFile) -> None:
    (problem,) = _problems(study_file(), setting)
    assert setting.partition("=")[0] in problem
    assert message in problem


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("- relu", "- rleu", "line 5, arms[0].activation: Unknown activation 'rleu'. Did you mean 'relu'"),
        ("- relu", "- swim(k=-1)", "line 5, arms[0].activation: swim: k=-1 is not allowed"),
        (
            "- relu",
            "- {}",
            "line 5, arms[0]: an arm has either activation (for both networks) or both actor and critic",
        ),
        ("- relu", "- {actor: relu}", "line 5, arms[0]: an arm has either activation"),
        ("- relu", "- {actor: relu, activation: relu}", "line 5, arms[0]: an arm has either activation"),
        (
            "- relu",
            "- {activation: relu, activation_lr: 1e-3}",
            "line 5, arms[0].activation_lr: activation_lr is 0.001, but",
        ),
        ("- relu", "- {activation: prelu, activation_lr: 0}", "line 5, arms[0].activation_lr: 0 is not allowed"),
        ("- relu", "- {activation: relu, sede: 1}", "line 5, arms[0].sede: unknown key 'sede'. Did you mean 'seeds'?"),
        ("- relu", "- {activation: relu, arm: a/b}", "line 5, arms[0].arm: 'a/b' is no name for a folder"),
        (
            "- relu",
            "- {activation: relu, arm: Mix}",
            "line 6, arms[1]: two arms are called 'mix': arms[0] ('relu', 'relu')",
        ),
        ("- relu", "- [relu, swim]", "line 5, arms[0].actor: td3: Got 2 activations for 1 hidden layers"),
        ("- relu", "- 3", "line 5, arms[0]: 3 is no arm"),
        (
            "[td3]",
            "[td3, td4]",
            "line 2, algorithms[1]: unknown algorithm 'td4'. Did you mean 'td3'? Allowed: td3, sac, ddpg.",
        ),
        ("[td3]", "td3", "line 2, algorithms: 'td3' is no list; write it in brackets, as in [td3]"),
        ("[td3]", "[]", "line 2, algorithms: the list is empty"),
        ("[td3]", "[td3, td3]", "line 2, algorithms[1]: td3 is listed twice"),
        (
            "Pendulum-v5",
            "Pendulm-v5",
            "line 3, tasks[0]: unknown environment 'InvertedPendulm-v5'. Did you mean 'InvertedPe",
        ),
        ("InvertedPendulum-v5", "CartPole-v1", "line 3, tasks[0]: CartPole-v1: actions are Discrete(2)"),
        ("seeds: 1", "seeds: -1", "line 7, seeds: -1 is no number of seeds"),
        ("seeds: 1", "seeds: [1, -2]", "line 7, seeds: -2 is no seed"),
        ("steps: 120", "steps: 0", "line 8, steps: 0 is not allowed; allowed is a whole number of at least 1"),
        ("steps: 120", "steps: true", "line 8, steps: True is not allowed"),
        ("steps: 120", "steps: many", "line 8, steps: 'many' is not allowed"),
        ("steps: 120", "stesp: 120", "line 8, stesp: unknown key 'stesp'. Did you mean 'steps'"),
        (
            "steps: 120",
            "steps: 60",
            "line 11, hyperparameters.td3.learning_starts: learning_starts of td3 is 60, but steps is 60",
        ),
        (
            "learning_starts: 60, ",
            "",
            "line 8, steps: learning_starts of td3 is 25000 by default, but steps is 120: nothing would be learnt; set "
            "hyperparameters.td3.learning_starts to less",
        ),
        ("every: 60", "every: 0", "line 9, evaluation.every: 0 is not allowed"),
        ("every: 60", "every: 121", "line 9, evaluation.every: 121 is more than steps, 120"),
        (
            "every: 60",
            "evry: 60",
            "line 9, evaluation.evry: unknown key 'evry'. Did you mean 'every'? Allowed: every, episodes",
        ),
        ("td3: {l", "sac: {l", "line 11, hyperparameters.sac: the study has no sac; its algorithms are ['td3']."),
        ("td3: {l", "tdd: {l", "line 11, hyperparameters.tdd: unknown algorithm 'tdd'. Did you mean 'td3'?"),
        (
            "batch_size: 8",
            "batchsize: 8",
            "line 11, hyperparameters.td3.batchsize: batchsize is no hyperparameter of td3",
        ),
        ("batch_size: 8", "batch_size: 0", "line 11, hyperparameters.td3.batch_size: batch_size is 0"),
        ("batch_size: 8", "train_freq: 7", "line 11, hyperparameters.td3.train_freq: 7 does not divide steps, 120"),
        ("name: tiny", "name: a b", "line 1, name: 'a b' is no name for a folder"),
        (
            "name: tiny",
            "control: rleu\nname: tiny",
            "line 1, control: unknown arm 'rleu'. Did you mean 'relu'? The arms are",
        ),
        ("name: tiny", "primary: [[mix, rleu]]\nname: tiny", "line 1, primary[0][1]: unknown arm 'rleu'"),
        ("name: tiny", "primary: [[mix, mix]]\nname: tiny", "line 1, primary[0]: the pair compares 'mix' with itself"),
        (
            "name: tiny",
            "primary: [[mix, relu], [mix, relu]]\nname: tiny",
            "line 1, primary[1]: the pair ['mix', 'relu'] is primary[0], ['mix', 'relu'], once more",
        ),
        (
            "name: tiny",
            "primary: [[mix, relu], [relu, mix]]\nname: tiny",
            "line 1, primary[1]: the pair ['relu', 'mix'] is primary[0], ['mix', 'relu'], once more",
        ),
        ("name: tiny", "primary: [mix, relu]\nname: tiny", "line 1, primary: ['mix', 'relu'] is no list of pairs"),
        ("name: tiny", "margin: -1\nname: tiny", "line 1, margin: -1 is not allowed; allowed is a number above 0"),
        (
            "name: tiny",
            "final_evaluations: 0\nname: tiny",
            "line 1, final_evaluations: 0 is not allowed; allowed is a whole number of at least 1",
        ),
        (
            "name: tiny",
            "final_evaluations: 4\nname: tiny",
            "line 1, final_evaluations: 4 is more than the 3 evaluations that a run has",
        ),
        (
            "name: tiny",
            "thresholds: 9\nname: tiny",
            "line 1, thresholds: 9 is not allowed; write the task first, as in {",
        ),
        (
            "name: tiny",
            "thresholds: {InvertedPendulum-v5: [much]}\nname: tiny",
            "line 1, thresholds: 'much' is no return that runs on InvertedPendulum-v5 could reach",
        ),
        (
            "name: tiny",
            "thresholds: {InvertedPendulum-v5: []}\nname: tiny",
            "line 1, thresholds: '[]' is no return that runs on InvertedPendulum-v5 could reach",
        ),
        (
            "name: tiny",
            "thresholds: {Hopper-v5: 9}\nname: tiny",
            "thresholds.Hopper-v5: the study has no task 'Hopper-v5'. Its tasks are InvertedPendulum-v5.",
        ),
        ("name: tiny", "budgets: 5m\nname: tiny", "line 1, budgets: '5m' is no list; write it in brackets"),
        (
            "name: tiny",
            "budgets: [soon]\nname: tiny",
            "line 1, budgets: 'soon' is no time; allowed are seconds above 0",
        ),
        ("name: tiny", "budgets: [0]\nname: tiny", "line 1, budgets: 0 is no time; allowed are seconds above 0"),
        ("name: tiny", "device: gpu\nname: tiny", "line 1, device: unknown device 'gpu'. Did you mean 'cpu'?"),
        (
            "name: tiny",
            "steps: 5\nname: tiny",
            "line 9, steps (again): the key 'steps' is given twice (first in line 1)",
        ),
    ],
)
def test_each_mistake_is_named_with_line_key_value_and_what_is_allowed(
    old: str, new: str, expected: str, study_file: StudyFile
) -> None:
    assert any(expected in line for line in _problems(study_file((old, new))))


def test_missing_keys_are_all_named(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("name: x\n")
    missing = [f"line 1: the key '{key}' is missing" for key in ("algorithms", "tasks", "arms", "seeds", "steps")]
    assert _problems(path) == missing


def test_all_problems_come_in_one_error_in_the_order_of_the_file(study_file: StudyFile) -> None:
    problems = _problems(
        study_file(
            ("[td3]", "[td4]"), ("- relu", "- swimm"), ("steps: 120", "steps: 0"), ("batch_size: 8", "batchsize: 8")
        ),
        "control=nobody",
        "seeds=-1",
    )
    assert [line.split(":")[0] for line in problems] == [
        "line 2, algorithms[0]",
        "line 5, arms[0].activation",
        "line 8, steps",
        "line 11, hyperparameters.td3.batchsize",
        "--set control=nobody",
        "--set seeds=-1",
    ]


def test_a_call_that_yaml_has_cut_in_two_comes_with_the_hint_to_quote_it(study_file: StudyFile) -> None:
    cut = "{arm: mix, actor: swim_learnable(k=0.5, per=unit), critic: swish}"
    problems = _problems(study_file(('{arm: mix, actor: "swim_learnable(per=unit)", critic: swish}', cut)))
    assert len(problems) == 2
    assert all("quoted" in problem and "line 6" in problem for problem in problems)


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (3, [0, 1, 2]),
        ("3", [0, 1, 2]),
        (2.0, [0, 1]),
        ([7, 3], [7, 3]),
        ("3,7", [3, 7]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1, 9", [0, 1, 9]),
    ],
)
def test_seeds(given: Any, seeds: list[int]) -> None:
    assert read_seeds(given) == seeds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0, "0 is no number of seeds from 1 to 10,000"),
        (10_001, "is no number of seeds"),
        (True, "True is no number of seeds"),
        (1.5, "1.5 is no number of seeds"),
        ("-1", "'-1' is no list of seeds"),
        ("3-1", "the range '3-1' must go upwards"),
        ("1,,2", "is no list of seeds"),
        ([], "there are no seeds"),
        ([1, 1, 2, 2], "seeds given twice: 1, 2"),
        ([2**32], "4294967296 is no seed; a seed is a whole number from 0 to 4294967295"),
        ([None], "None is no seed"),
    ],
)
def test_bad_seeds(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_seeds(given)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("relu", "relu"),
        ("swim(k=0.7)", "swim-k0.7"),
        ("swim_learnable(per=unit)", "swim_learnable-per-unit"),
        ("elu(alpha=-1.5)", "elu-alpha-minus1.5"),
        ("act(x=[1, 2], y=true)", "act-x-1-2-y-true"),
        ("act(x='a/b')", "act-x-_a_b_"),
    ],
)
def test_arms_are_called_by_their_spec(activation: str, name: str) -> None:
    assert folder_name(activation) == name
    assert check_name(name) == name


def test_arms_of_two_activations_name_both() -> None:
    assert arm_name("swim", ["relu", "tanh"]) == "actor-swim-critic-relu.then.tanh"


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a b", "é", "x" * 101, 3])
def test_names_that_are_no_folders(name: Any) -> None:
    with pytest.raises(ValueError, match="is no name for a folder"):
        check_name(name)
