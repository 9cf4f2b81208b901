"""Reading YAML: YAML 1.2 values with their lines, and nothing that a study must not have."""

from pathlib import Path

import pytest

from experiments.problems import InputError, StudyError
from experiments.yaml_file import override, parse_value, parse_yaml, read_yaml


def test_values_are_those_of_yaml_1_2() -> None:
    text = "a: 1_000\nb: 1e5\nc: yes\nd: 010\ne: 0x10\nf: 0-9\ng: true\nh: ~\ni: -.inf\nj: 2020-01-01\nk: [3e-4, x]\n"
    expected = {
        "a": 1000, "b": 1e5, "c": "yes", "d": 10, "e": 16, "f": "0-9", "g": True, "h": None, "i": float("-inf"),
        "j": "2020-01-01", "k": [3e-4, "x"],
    }  # fmt: skip
    assert parse_yaml(text, "x").content == expected


def test_every_value_has_a_place() -> None:
    places = parse_yaml("a:\n  - x\n  - b: 1\n\n    c: 2\n", "x").places
    assert places.say(("a", 1, "c")) == "line 5, a[1].c"
    # A key that is missing is placed where its mapping begins.
    assert places.say(("a", 1, "missing")) == "line 3, a[1].missing"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is given twice (first in line 1)"),
        (
            "a:\n  b: !!python/object/apply:os.system [echo]\n",
            2,
            "the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: !secret x\n", 1, "the tag '!secret' is not allowed"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key must be a plain word"),
    ],
)
def test_what_a_study_must_not_have_is_named_with_its_line(text: str, line: int, message: str) -> None:
    document = parse_yaml(text, "study.yaml")
    assert len(document.problems) == 1
    assert message in document.problems[0].message
    assert document.places.say(document.problems[0].location).startswith(f"line {line}, ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", r"study.yaml: line \d: this is no YAML: .*expected ',' or ']'"),
        ("a: 'x\n", "study.yaml: line 2: this is no YAML"),
        ("- 1\n", "study.yaml: the study: a study is a mapping of keys"),
        ("", "a study is a mapping of keys"),
        ("a: *x\n", "line 1: this is no YAML: found undefined alias"),
    ],
)
def test_what_is_no_study_at_all_is_refused(text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        parse_yaml(text, "study.yaml")


def test_a_small_text_that_stands_for_a_huge_one_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    problems = parse_yaml("\n".join(lines), "x").problems
    assert [problem.message[:32] for problem in problems] == ["this is too large for a study: a"]
    assert parse_yaml("a: &a [*a]", "x").problems[0].message.startswith("this is too large")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    for name, message in [
        ("missing.yaml", r"cannot read .*missing\.yaml: No such file"),
        (".", "is a folder; give the study's YAML file"),
        ("large.yaml", "has 1,000,001 bytes; a study file has at most 1,000,000"),
        ("latin.yaml", r"is no UTF-8 text \(byte 9\)"),
    ]:
        with pytest.raises(InputError, match=message):
            read_yaml(tmp_path / name)


def test_settings_replace_values_and_take_their_place() -> None:
    document = parse_yaml("a: {b: 1}\nc: [x, y]\n", "x")
    override(document, ["a.b=1e-3", "a.d.e=[1, 2]", "c.1=z=0", "f=~"])
    assert document.content == {"a": {"b": 1e-3, "d": {"e": [1, 2]}}, "c": ["x", "z=0"], "f": None}
    assert document.places.say(("a", "b")) == "--set a.b=1e-3"
    assert document.places.say(("a", "d", "e", 0)) == "--set a.d.e=[1, 2] ([0])"
    assert document.places.say(("c", 0)) == "line 2, c[0]"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps", "--set steps: write key=value"),
        ("=1", "--set =1: write key=value"),
        ("a.b.c=1", "--set a.b.c=1: a.b is 1, which has no 'c' inside; allowed is nothing"),
        ("c.2=1", "--set c.2=1: c is .*, which has no '2' inside; allowed is numbers from 0 to 1"),
        ("a=[1", "--set a=.1: this is no YAML"),
        ("a={x: 1, x: 2}", "--set a={x: 1, x: 2}: the key 'x' is given twice"),
    ],
)
def test_bad_settings_are_named(setting: str, message: str) -> None:
    document = parse_yaml("a: {b: 1}\nc: [x, y]\n", "x")
    with pytest.raises(InputError, match=message):
        override(document, [setting])


def test_an_empty_value_is_nothing() -> None:
    assert parse_value("", "--set a=") is None
