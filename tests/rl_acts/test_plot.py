"""``python -m rl_acts plot``: what is drawn, as data and as files; bad input writes nothing."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts import _curves
from rl_acts.__main__ import main

INTERVAL = (-4.0, 4.0)


class Softmaxed(nn.Module):
    """Context-dependent: x weighted by its softmax."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.softmax(x, -1)


class Pair(nn.Module):
    """Doubles the width, as CReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.relu(), (-x).relu()), dim=-1)


class OnlyThree(nn.Module):
    """Takes vectors of three numbers and no others."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(3, 3, dtype=x.dtype)


class Wave(nn.Module):
    """Learnt, without a parameter that the constructor would take."""

    def __init__(self) -> None:
        super().__init__()
        self.height = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.height * x.sin()


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    rl_acts.register("toy_softmaxed", elementwise=False, family="context-dependent")(Softmaxed)
    rl_acts.register("toy_pair", elementwise=False)(Pair)
    rl_acts.register("toy_three", elementwise=False)(OnlyThree)
    rl_acts.register("toy_wave", family="adaptive")(Wave)
    yield
    for name in ("toy_softmaxed", "toy_pair", "toy_three", "toy_wave"):
        rl_acts.unregister(name)


def _texts(path: Path) -> list[str]:
    """Return the texts of an SVG file in order."""
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314  (our own file)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_of_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two.svg"
    assert main(["plot", "relu", "swim(k=0.7)", "--out", str(path), "--range", "-2,6"]) == 0
    assert capsys.readouterr().out == f"written: {path}\n"
    texts = _texts(path)
    assert {"relu", "swim(k=0.7)", "f(x)", "f′(x)", "x", "−2", "6"} <= set(texts)
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in ("png", "svg"):
        for name in ("one", "other"):
            assert main(["plot", "swim_learnable", "--out", str(tmp_path / f"{name}.{kind}")]) == 0
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"other.{kind}").read_bytes()


def test_the_default_file_is_called_after_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "relu", "swim(k=0.7)"]) == 0
    (made,) = tmp_path.iterdir()
    assert made.name == "relu-swim-k-0.7.png"
    assert made.read_bytes().startswith(b"\x89PNG")


def test_a_learnable_one_is_a_fan_from_low_to_high(tmp_path: Path) -> None:
    path = tmp_path / "fan.svg"
    assert main(["plot", "swim_learnable", "--out", str(path)]) == 0
    texts = _texts(path)
    legend = texts[texts.index("swim_learnable: k") + 1 :]
    assert legend[:5] == ["0.125", "0.25", "0.5, initial", "1", "2"]


def test_fans_hold_the_values_that_are_allowed() -> None:
    (fan,) = _curves.fans(rl_acts.parse("prelu"), INTERVAL)
    assert [curve.label for curve in fan.curves] == ["−0.25", "0", "0.25", "0.5", "0.75"]
    assert [curve.initial for curve in fan.curves] == [False, False, True, False, False]
    assert fan.curves[0].slope[0] == -0.25
    # Zero and below are refused where beta is kept positive.
    (fan,) = _curves.fans(rl_acts.parse("swish_learnable(beta=0.5, positive=true)"), INTERVAL)
    assert [curve.label for curve in fan.curves] == ["0.25", "0.5", "0.75", "1"]
    (fan,) = _curves.fans(rl_acts.parse("toy_wave"), INTERVAL)
    assert fan.title == "toy_wave: all learnt values"
    assert [curve.label for curve in fan.curves] == ["× 0.5", "× 0.75", "× 1", "× 1.25", "× 1.5"]
    assert torch.allclose(fan.curves[4].value, 1.5 * fan.curves[4].x.sin(), equal_nan=True)
    assert _curves.fans(rl_acts.parse("swim"), INTERVAL) == []


def test_curves_are_those_of_the_function() -> None:
    (curve,) = _curves.curves(rl_acts.parse("tanh"), INTERVAL)
    assert torch.allclose(curve.value, curve.x.tanh(), rtol=1e-14)
    assert torch.allclose(curve.slope, 1 - curve.x.tanh().square(), rtol=1e-12)
    assert (float(curve.x[0]), float(curve.x[-1])) == INTERVAL


def test_jumps_leave_a_gap_and_steep_curves_none() -> None:
    (relu,) = _curves.curves(rl_acts.parse("relu"), INTERVAL)
    assert relu.slope.isnan().sum() == 1
    assert not relu.value.isnan().any()
    (steep,) = _curves.curves(rl_acts.parse("swish(beta=50)"), INTERVAL)
    assert not steep.slope.isnan().any()


def test_context_is_drawn_along_a_line_that_the_axis_names(tmp_path: Path) -> None:
    (curve,) = _curves.curves(rl_acts.parse("toy_softmaxed"), INTERVAL)
    x = curve.x.requires_grad_()
    others = torch.randn(63, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    share = x.exp() / (x.exp() + others.exp().sum())
    assert torch.allclose(curve.value, x * share, rtol=1e-12)
    (slope,) = torch.autograd.grad((x * share).sum(), x)
    assert torch.allclose(curve.slope, slope, rtol=1e-10)
    path = tmp_path / "context.svg"
    assert main(["plot", "toy_softmaxed", "--out", str(path)]) == 0
    assert _texts(path).count("x of one unit, others at fixed normal numbers") == 2


def test_changed_widths_are_drawn_with_all_units_alike() -> None:
    up, down = _curves.curves(rl_acts.parse("toy_pair"), INTERVAL)
    assert (up.label, down.label) == ("toy_pair, output 1", "toy_pair, output 2")
    assert up.axis == down.axis == "x, the same in all units"
    assert torch.equal(down.value, (-down.x).relu())


def test_all_families(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "all.svg"
    assert main(["plot", "--all", "--out", str(path)]) == 0
    *told, last = capsys.readouterr().out.splitlines()
    assert last == f"written: {path}"
    skipped = {line.removeprefix("skipped ").split(":")[0]: line for line in told}
    assert "it does not take vectors of 64 numbers: " in skipped["toy_three"]
    texts = _texts(path)
    assert {"sigmoid-based", "parametric", "context-dependent", "toy_softmaxed †", "toy_pair ‡"} <= set(texts)
    drawn = [text.split(" ")[0] for text in texts]
    assert drawn.index("sigmoid") < drawn.index("relu") < drawn.index("elu") < drawn.index("swim")
    assert set(rl_acts.names()) - set(skipped) <= set(drawn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swimm"], "Unknown activation 'swimm'. Did you mean 'swim'"),
        (["swim(k=0)"], "swim: k=0 is not allowed"),
        ([], "plot takes names, as in 'plot relu swim', or --all"),
        (["swim", "--all"], "plot takes names"),
        (["toy_three"], "toy_three cannot be drawn: it does not take vectors of 64 numbers"),
        (
            ["swim", "--range", "4,-4"],
            "--range='4,-4' is not allowed; give two numbers, the smaller first, as in -4,4.",
        ),
        (["swim", "--range", "1,1"], "--range='1,1' is not allowed"),
        (["swim", "--range", "0,inf"], "--range='0,inf' is not allowed"),
        (["swim", "--range", "3"], "--range='3' is not allowed"),
        (["swim", "--out", "swim.pdf"], "--out='swim.pdf' is not allowed; the file must end in .png or .svg."),
        (["swim", "--out", "swim"], "--out='swim' is not allowed"),
        (
            ["swim", "--out", "nowhere/swim.png"],
            "--out='nowhere/swim.png' cannot be written: there is no folder nowhere",
        ),
        (["swim", "--out", "folder.png"], "--out='folder.png' cannot be written: it is a folder."),
        (["swim", "--out", "taken.svg"], "--out='taken.svg' cannot be written: Is a directory."),
    ],
)
def test_bad_input_is_one_line_exit_code_2_and_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "folder.png").mkdir()
    # The file is written beside its place first; here that place is taken.
    (tmp_path / "taken.svg.partial").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["plot", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "taken.svg.partial"]


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "rl_acts._plot", raising=False)
    monkeypatch.delattr(rl_acts, "_plot", raising=False)
    assert main(["plot", "swim", "--out", str(tmp_path / "swim.png")]) == 2
    assert capsys.readouterr().err == "error: plot needs matplotlib: pip install 'rl-acts[plot]'.\n"
    assert list(tmp_path.iterdir()) == []


def test_the_rest_of_the_command_line_does_without_matplotlib() -> None:
    program = (
        "import sys, rl_acts.__main__; rl_acts.__main__.main(['show', 'swim']); sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
