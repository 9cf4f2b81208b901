"""Names, aliases, registration by decorator and entry point, and making modules from every form of spec."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import rl_acts
from rl_acts import ActivationError


def test_names_filter_by_family_and_learnable() -> None:
    assert rl_acts.names("ELU-based") == ["elu", "selu"]
    assert set(rl_acts.names(learnable=True)) >= {"prelu", "swim_learnable", "swish_learnable", "dy_relu_b", "pwlu"}
    assert "swim" not in rl_acts.names(learnable=True)
    assert rl_acts.names("miscellaneous", learnable=True) == []
    assert set(rl_acts.names(learnable=False)) >= {"swim", "swiglu", "crelu"}


def test_the_first_members_are_all_there() -> None:
    assert set(rl_acts.names()) >= {
        *("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "softsign", "hardtanh"),
        *("hardswish", "relu_squared", "gelu", "gelu_tanh", "gelu_quick", "swish", "mish", "swim"),
        *("prelu", "swish_learnable", "swim_learnable"),
    }


def test_info_by_alias_and_spelling() -> None:
    assert rl_acts.info("silu") is rl_acts.info("Swish") is rl_acts.info("swish")
    assert rl_acts.info("Leaky-ReLU").name == "leaky_relu"
    assert dict(rl_acts.info("swim_learnable").defaults) == {"k": 0.5, "per": "layer"}
    assert rl_acts.info("swim_learnable").learnable
    assert not rl_acts.info("swim").learnable


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("swim", "Cannot register 'swim': the name belongs to Swim."),
        ("silu", "Cannot register 'silu': the name belongs to Swish."),
        ("My Act", "names are lower snake case"),
        ("2x", "names are lower snake case"),
    ],
)
def test_registration_refuses_taken_and_bad_names(name: str, part: str) -> None:
    with pytest.raises(ActivationError, match=part.replace("(", r"\(")):
        rl_acts.register(name)(nn.ReLU)
    assert rl_acts.info("swim").cls is rl_acts.Swim


def test_registration_refuses_an_unknown_family() -> None:
    with pytest.raises(ActivationError, match=r"family='parametrc' is not a class of the taxonomy.*'parametric'"):
        rl_acts.register("toy", family="parametrc")(nn.ReLU)  # type: ignore[arg-type]
    assert "toy" not in rl_acts.names()


@pytest.mark.parametrize(
    ("declared", "part"),
    [
        ({"smoothness": "C7"}, "smoothness='C7' is not allowed; allowed are 'discontinuous', 'C0', 'C1', 'Cinf'."),
        ({"width_factor": 0.0}, "width_factor=0.0 is not allowed; it must be above 0."),
        ({"range": (3.0, 1.0)}, "range=(3.0, 1.0) is not allowed; give (lower, upper)."),
        ({"derivative_range": (0.0, float("nan"))}, "derivative_range=(0.0, nan) is not allowed"),
    ],
)
def test_registration_refuses_impossible_declarations(declared: Any, part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        rl_acts.register("toy", **declared)(nn.ReLU)
    assert part in str(caught.value)


def test_a_class_that_declares_nothing_is_asked_whether_it_learns() -> None:
    rl_acts.register("toy_prelu")(nn.PReLU)
    rl_acts.register("toy_relu")(nn.ReLU)
    try:
        assert rl_acts.info("toy_prelu").learnable
        assert "toy_prelu" in rl_acts.names(learnable=True)
        assert not rl_acts.info("toy_relu").learnable
    finally:
        rl_acts.unregister("toy_prelu")
        rl_acts.unregister("toy_relu")


def test_names_refuses_an_unknown_family() -> None:
    with pytest.raises(ActivationError, match=r"Unknown family 'relu-based'\. Did you mean 'ReLU-based'"):
        rl_acts.names("relu-based")  # type: ignore[arg-type]


def test_a_third_party_class_takes_its_constructor_arguments_by_spec() -> None:
    @rl_acts.register("toy_cap", aliases=("toy_lid",))
    class Cap(nn.Module):
        def __init__(self, features: int | None, height: float = 1.0) -> None:
            super().__init__()
            self.features, self.height = features, height

    try:
        module = rl_acts.make("toy_lid(height=3)", 5)
        assert isinstance(module, Cap)
        assert (module.features, module.height) == (5, 3)
        with pytest.raises(ActivationError, match=r"toy_cap has no argument 'hight'.*Did you mean 'height'"):
            rl_acts.make("toy_cap(hight=3)")
    finally:
        rl_acts.unregister("toy_cap")
    with pytest.raises(ActivationError, match="Unknown activation 'toy_lid'"):
        rl_acts.info("toy_lid")


def test_make_takes_every_form() -> None:
    widths = []

    def custom(features: int | None) -> nn.Module:
        widths.append(features)
        return nn.Tanh()

    assert isinstance(rl_acts.make(nn.SiLU), nn.SiLU)
    assert isinstance(rl_acts.make(custom, 7), nn.Tanh)
    assert widths == [7]
    by_class = rl_acts.make(rl_acts.SwimLearnable, 7)
    assert isinstance(by_class, rl_acts.SwimLearnable)
    per_unit = rl_acts.make("swim_learnable(per=unit)", 7, dtype=torch.float64, device="cpu")
    assert [(tuple(p.shape), p.dtype) for p in per_unit.parameters()] == [((7,), torch.float64)]


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        (nn.ReLU(), "Got the module ReLU(); give its class, a name, or a callable"),
        (nn.Threshold, "Threshold cannot be built from the arguments {}: missing a required argument: 'threshold'"),
        (int, "The class int is no nn.Module."),
        (lambda features: features, "returned 8, which is no nn.Module"),
        (3, "A spec is a name, a call, a mapping, an nn.Module class or a callable; got 3."),
    ],
)
def test_make_refuses(spec: object, part: str) -> None:
    with pytest.raises(ActivationError) as caught:
        rl_acts.make(spec, 8)  # type: ignore[arg-type]
    assert part in str(caught.value)


def test_per_unit_without_a_width_names_the_policies() -> None:
    with pytest.raises(
        ActivationError, match=r"SwimLearnable: per='unit' needs the layer's width.*rl_acts\.sb3\.TD3Policy"
    ):
        rl_acts.make("swim_learnable(per=unit)")
    with pytest.raises(ActivationError, match="PReLU: features=0 is not allowed; it must be a whole number"):
        rl_acts.PReLU(per="unit", features=0)


def _plugin(folder: Path, body: str, point: str) -> None:
    (folder / "their_package.py").write_text(textwrap.dedent(body))
    meta = folder / "their_package-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[rl_acts.activations]\n{point}\n")


def _run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    script = f"import sys; sys.path.insert(0, {str(folder)!r})\n{textwrap.dedent(code)}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_an_installed_package_adds_activations_by_entry_point(tmp_path: Path) -> None:
    _plugin(
        tmp_path,
        """
        from torch import nn
        class Cube(nn.Module):
            def forward(self, x):
                return x**3
        """,
        "their_cube = their_package:Cube",
    )
    result = _run(
        tmp_path,
        """
        import rl_acts, torch
        assert "their_package" not in sys.modules
        rl_acts.make("swim")
        assert "their_package" not in sys.modules, "a known name must not load foreign code"
        print(rl_acts.make("their_cube")(torch.tensor(2.0)).item(), "their_cube" in rl_acts.names())
        """,
    )
    assert (result.stdout, result.stderr) == ("8.0 True\n", "")


def test_a_broken_package_is_named_and_harms_nobody_else(tmp_path: Path) -> None:
    _plugin(tmp_path, "raise OSError('disk on fire')", "their_cube = their_package:Cube")
    result = _run(
        tmp_path,
        """
        import rl_acts
        print(len(rl_acts.names()) > 20)
        try:
            rl_acts.make("their_cube")
        except rl_acts.ActivationError as error:
            print(error)
        """,
    )
    assert result.stdout == (
        "True\nThe package that provides 'their_cube' could not be loaded: OSError('disk on fire').\n"
    )
    assert "the entry point their_cube = 'their_package:Cube' could not be loaded" in result.stderr


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("swim = their_package:Cube", "the name belongs to Swim already"),
        ("their_call = their_package:call", "is no nn.Module class"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_named(tmp_path: Path, point: str, reason: str) -> None:
    body = "from torch import nn\nclass Cube(nn.Module):\n    pass\ndef call(features):\n    pass\n"
    _plugin(tmp_path, body, point)
    result = _run(tmp_path, "import rl_acts\nrl_acts.names()\nprint(rl_acts.make('swim'))")
    assert result.stdout == "Swim(k=0.5)\n"
    assert f"the entry point {point.replace('= ', '= ' + chr(39), 1)}' could not be loaded" in result.stderr
    assert reason in result.stderr


def test_an_entry_point_whose_class_registers_itself_is_entered_once(tmp_path: Path) -> None:
    body = """
        import rl_acts
        from torch import nn
        @rl_acts.register("their_cube", formula="x^3")
        class Cube(nn.Module):
            def forward(self, x):
                return x**3
        """
    _plugin(tmp_path, body, "their_cube = their_package:Cube")
    result = _run(tmp_path, "import rl_acts\nprint(rl_acts.info('their_cube').formula)")
    assert (result.stdout, result.stderr) == ("x^3\n", "")
