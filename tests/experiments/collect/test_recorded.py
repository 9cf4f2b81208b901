"""What configurations record is found without running any of it."""

import json
import zipfile
from pathlib import Path

import pytest

from experiments.collect.guess import Guess
from experiments.collect.recorded import from_cleanrl, from_model, from_zoo


def model(path: Path, data: object, system: str = "- PyTorch: 2.8.0\n- OS: x\n") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", data if isinstance(data, str) else json.dumps(data))
        archive.writestr("system_info.txt", system)
    return path


def policy(**kwargs: object) -> dict[str, object]:
    return {
        "policy_class": {"__module__": "stable_baselines3.sac.policies", ":serialized:": "never read"},
        "seed": 4,
        "policy_kwargs": kwargs,
    }


@pytest.mark.parametrize(
    ("kwargs", "arm", "actor", "critic"),
    [
        ({"activation_fn": "<class 'torch.nn.modules.activation.ELU'>"}, "elu", "elu", "elu"),
        ({"activation_fn": "<class 'theirs.MyOwn'>"}, "myown", "myown", "myown"),
        ({"actor_activation": "swim", "critic_activation": "swim"}, "swim", "swim", "swim"),
        ({"critic_activation": {"name": "swim", "k": 0.7}}, "relu-actor_swim(k=0.7)-critic", "relu", "swim(k=0.7)"),
        ({}, "relu", "relu", "relu"),
    ],
)
def test_a_saved_model_tells_its_activations(
    tmp_path: Path, kwargs: dict[str, object], arm: str, actor: str, critic: str
) -> None:
    notes: list[str] = []
    guess, versions = from_model(model(tmp_path / "m.zip", policy(**kwargs)), "m", notes)
    assert (guess.algorithm, guess.seed, guess.arm, guess.actor, guess.critic) == ("sac", 4, arm, actor, critic)
    assert versions == {"torch": "2.8.0"}
    assert notes == []


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": "x"}'])
def test_a_model_that_tells_nothing_is_no_guess(tmp_path: Path, content: str) -> None:
    guess, _ = from_model(model(tmp_path / "m.zip", content), "m", [])
    assert (guess.algorithm, guess.seed, guess.arm) == (None, None, None)


def test_what_is_no_model_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(b"rubbish")
    notes: list[str] = []
    assert from_model(path, "m", notes) == (Guess(), {})
    assert notes == ["m: no model of Stable-Baselines3 that can be read (File is not a zip file); not used"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", " " * 16_000_001)
    notes = []
    assert from_model(path, "m", notes) == (Guess(), {})
    assert notes == ["m: no model of Stable-Baselines3 that can be read (data is larger than 16000000 bytes); not used"]


@pytest.mark.parametrize(
    ("kwargs", "arm"),
    [
        ("dict(net_arch=[8, 8], activation_fn=nn.ELU)", "elu"),
        ("dict(activation_fn=th.nn.LeakyReLU)", "leaky_relu"),
        ("dict(actor_activation='swim(k=0.7)', critic_activation='relu')", "swim(k=0.7)-actor_relu-critic"),
        ("__import__('os').abort()", "relu"),
        ("dict(net_arch=[400, 300])", "relu"),
    ],
)
def test_rl_zoo3s_settings_are_searched_and_not_evaluated(tmp_path: Path, kwargs: str, arm: str) -> None:
    head = "!!python/object/apply:collections.OrderedDict\n"
    (tmp_path / "args.yml").write_text(f"{head}- - - algo\n    - td3\n  - - env\n    - Ant-v4\n  - - seed\n    - 9\n")
    (tmp_path / "config.yml").write_text(f'{head}- - - policy_kwargs\n    - "{kwargs}"\n')
    notes: list[str] = []
    guess = from_zoo(tmp_path, "z", notes)
    assert (guess.task, guess.algorithm, guess.seed, guess.arm) == ("Ant-v4", "td3", 9, arm)
    assert notes == []


def test_settings_that_would_run_code_or_are_damaged_are_only_text(tmp_path: Path) -> None:
    (tmp_path / "args.yml").write_text("!!python/object/apply:os.abort []\n")
    (tmp_path / "config.yml").write_text("a: [\n")
    notes: list[str] = []
    guess = from_zoo(tmp_path, "z", notes)
    assert (guess.task, guess.arm) == (None, None)
    assert notes[-1].startswith("z/config.yml: cannot be read (")


def test_cleanrls_hyperparameters_name_the_run() -> None:
    guess = from_cleanrl({"exp_name": "sac_continuous_action", "env_id": "Ant-v4", "seed": "3", "activation": "SiLU"})
    assert (guess.task, guess.algorithm, guess.seed, guess.arm, guess.actor) == ("Ant-v4", "sac", 3, "swish", "swish")
    assert from_cleanrl({"exp_name": "td3_swim"}).arm == "swim"
    assert from_cleanrl({}).how == {}
