"""What arms cost, from the file that `bench arms --json` writes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.collect.bench import Cost, read_costs
from experiments.collect.plan import read_study
from tests.experiments.synthetic import SyntheticStudy


def turn(number: int, spec: str, seconds: float) -> dict[str, object]:
    process = {"updates": 100, "seconds": seconds, "parts": {"learn": seconds / 2}}
    return {"round": number, "contestant": spec, "processes": [process]}


def group(form: str, slow: float) -> dict[str, object]:
    turns = [turn(1, "relu", 2.0), turn(1, "swim", 2.0 * slow), turn(2, "relu", 4.0), turn(2, "swim", 4.0 * slow + 2)]
    return {"algorithm": "td3", "form": form, "activations": ["relu", "swim"], "turns": turns}


@pytest.fixture
def study(make_study: Callable[..., SyntheticStudy]) -> SyntheticStudy:
    arms = [
        {"name": "plain", "actor": "relu", "critic": ["relu", "relu"], "seeds": [0]},
        {"name": "swimmer", "actor": "swim", "critic": "swim", "seeds": [0]},
        {"name": "mixed", "actor": "swim", "critic": "relu", "seeds": [0]},
        {"name": "unknown", "actor": "tanh", "critic": "tanh", "seeds": [0]},
    ]
    made = make_study(changes={"arms": arms, "primary": [], "control": None})
    made.write_plan()
    return made


def test_arms_of_one_activation_get_its_cost_in_the_form_nearest_to_training(study: SyntheticStudy) -> None:
    groups = [group("compiled", 1.5), group("eager", 3.0)]
    (study.folder / "bench_arms.json").write_text(json.dumps({"groups": groups}))
    notes: list[str] = []
    assert read_costs(study.folder, read_study(study.folder), notes) == {
        ("td3", "plain"): Cost("compiled", 1.0, 1.0, 1.0),
        ("td3", "swimmer"): Cost("compiled", 1.75, 1.5, 2.0),
    }
    assert notes == []


def test_without_the_file_there_are_no_costs(study: SyntheticStudy) -> None:
    notes: list[str] = []
    assert read_costs(study.folder, read_study(study.folder), notes) == {}
    assert notes == []


@pytest.mark.parametrize("content", ["", "[1]", '{"groups": [{}]}', '{"groups": 3}', '{"groups": ["x"]}'])
def test_a_damaged_file_is_a_note(study: SyntheticStudy, content: str) -> None:
    path: Path = study.folder / "bench_arms.json"
    path.write_text(content)
    notes: list[str] = []
    assert read_costs(study.folder, read_study(study.folder), notes) == {}
    (note,) = notes
    assert note.startswith("bench_arms.json: damaged (")
