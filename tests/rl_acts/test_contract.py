"""Every registered activation keeps the contract."""

from collections.abc import Callable

import pytest

import rl_acts
from rl_acts import ActivationInfo
from tests.rl_acts.contract import CHECKS, check_compile

# One plain expression, one native kernel, one with learnt parameters; `make test-all` compiles every entry.
COMPILED_IN_EVERY_RUN = ("swim", "relu", "swim_learnable")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", rl_acts.names())
def test_contract(name: str, check: Callable[[ActivationInfo], None]) -> None:
    check(rl_acts.info(name))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in COMPILED_IN_EVERY_RUN else pytest.mark.exhaustive)
        for name in rl_acts.names()
    ],
)
def test_compiled_equals_eager(name: str) -> None:
    check_compile(rl_acts.info(name))
