"""The spec parser: what it reads, what it refuses, and that it never evaluates."""

import contextlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rl_acts
from rl_acts import ActivationError, ActivationSpec
from rl_acts._spec import Value, parse_text


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("swim", "swim", {}),
        ("  swim ( ) ", "swim", {}),
        ("swim(k=0.7)", "swim", {"k": 0.7}),
        ("swim(k=7e-1)", "swim", {"k": 0.7}),
        ("swim(k=.5)", "swim", {"k": 0.5}),
        ("swim(k=1_000)", "swim", {"k": 1000}),
        ("f(a=-2, b=+3.5)", "f", {"a": -2, "b": 3.5}),
        ("f(a=true, b=False, c=none)", "f", {"a": True, "b": False, "c": None}),
        ("f(a=unit, b='two words')", "f", {"a": "unit", "b": "two words"}),
        ("f(degrees=[5, 4], empty=[])", "f", {"degrees": (5, 4), "empty": ()}),
        ("f(base=swim(k=1), n=2)", "f", {"base": ActivationSpec("swim", {"k": 1}), "n": 2}),
        ("f(a=1,)", "f", {"a": 1}),
    ],
)
def test_reads(text: str, name: str, arguments: dict[str, Value]) -> None:
    spec = parse_text(text)
    assert (spec.name, dict(spec.arguments)) == (name, arguments)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it ends too early"),
        ("swim(k=0.7", "Unbalanced parentheses in 'swim(k=0.7': a call with a comma must be quoted"),
        ("per=unit)", "Unbalanced parentheses"),
        ("swim(0.7)", "arguments are written by name, as in swim(parameter=value); found '0.7'"),
        ("swim(k=)", "a value is missing before ')'"),
        ("swim(k=1, k=2)", "argument 'k' is given twice"),
        ("swim(k=1 2)", "expected ',' or ')' before '2'"),
        ("swim() relu", "nothing may follow the closing parenthesis, found 'relu'"),
        ("swim(k=__import__('os'))", "arguments are written by name"),
        ("swim; relu", "cannot read from '; relu' on"),
        ("7", "it must start with a name"),
        ("f(a=" + "[" * 20 + "]" * 20 + ")", "nested at most 8 deep"),
        ("f(a=" * 20 + "1" + ")" * 20, "nested at most 8 deep"),
        ("x" * 1001, "at most 1000 characters; got 1001"),
    ],
)
def test_refuses(text: str, part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        parse_text(text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ({"k": 0.7}, "needs a 'name' (text); got {'k': 0.7}"),
        ({"name": "swim(k=1)"}, "the name stands alone"),
        ({"name": "swim", "k": object}, "k=<class 'object'> has type type"),
        ({"name": "swim", 3: 1}, "Argument names are text; got 3"),
        (0.7, "A spec is a name, a call, a mapping, an nn.Module class or a callable; got 0.7"),
        (None, "A spec is a name"),
        ("swimm", "Unknown activation 'swimm'. Did you mean 'swim'"),
        ("swim(kk=1)", "swim has no argument 'kk' (got kk=1); allowed are k. Did you mean 'k'?"),
        ("relu(k=1)", "relu has no argument 'k' (got k=1); it takes none."),
        ("swim(k=-1)", "swim: k=-1 is not allowed; k must be a finite number above 0."),
        ("swim(k=nan)", "swim: k=nan is not allowed"),
        ("swim(k=+inf)", "swim: k=inf is not allowed"),
        ("swim(k=true)", "swim: k=True is not allowed"),
        ("prelu(per=units)", "prelu: per='units' is not allowed; per must be one of 'net', 'layer', 'unit'."),
        ("swish_learnable(positive=1)", "positive=1 is not allowed; positive must be true or false."),
    ],
)
def test_parse_refuses(spec: Any, part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        rl_acts.parse(spec)
    assert part in str(caught.value)


def test_forms_of_one_spec_are_equal() -> None:
    forms: list[Any] = ["silu", "SiLU", "swish", "swish()", {"name": "Swish"}, ActivationSpec("silu")]
    assert {rl_acts.parse(form) for form in forms} == {ActivationSpec("swish")}
    assert rl_acts.parse("swim(k=1)") == rl_acts.parse({"name": "swim", "k": 1.0})


def test_specs_are_frozen_hashable_and_picklable() -> None:
    spec = rl_acts.parse("swim_learnable(k=0.7, per=unit)")
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301  (our own bytes)
    assert hash(spec) == hash(rl_acts.parse("swim_learnable(per=unit, k=0.7)"))
    with pytest.raises(TypeError):
        spec.arguments["k"] = 1  # type: ignore[index]
    assert spec != "swim_learnable(k=0.7, per=unit)"


_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"true", "false", "none", "null", "inf", "nan"}
)
_VALUES = st.recursive(
    st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | _NAMES
    | st.text(st.characters(exclude_characters="'\"", exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.builds(ActivationSpec, _NAMES, st.dictionaries(_NAMES, inner, min_size=1, max_size=2))
    ),
    max_leaves=6,
)


@given(st.builds(ActivationSpec, _NAMES, st.dictionaries(_NAMES, _VALUES, max_size=3)))
def test_text_form_parses_to_an_equal_spec(spec: ActivationSpec) -> None:
    assert parse_text(str(spec)) == spec


@given(st.text(max_size=40) | st.text("swim(k=0.5,[])'\" ", max_size=20))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    with contextlib.suppress(ActivationError):
        parse_text(text)
