"""``python -m rl_acts``: the real command line."""

import json
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts.__main__ import main
from rl_acts.machine import cpu_name


class _Normalised(nn.Module):
    """Every vector gets mean square 1."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.square().mean(-1, keepdim=True).sqrt()


class _Pair(nn.Module):
    """Doubles the width, and has a parameter without a part in the value."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x.relu(), (-x).relu()), dim=-1)


def test_list_in_a_subprocess() -> None:
    result = subprocess.run([sys.executable, "-m", "rl_acts", "list"], capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "family", "learnt", "aliases", "formula"]
    assert [line.split()[0] for line in lines[1:]] == rl_acts.names()
    assert "k = softplus(raw_k) learnt" in result.stdout


def test_list_one_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--family", "ELU-based"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["elu", "selu"]


def _columns(head: str, *names: str) -> list[tuple[int, int]]:
    """Return where the numbers below these heads stand."""
    return [(head.index(name), head.index(name) + len(name)) for name in names]


def test_list_with_costs_names_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--cost", "--family", "ELU-based"]) == 0
    conditions, head, *rows = capsys.readouterr().out.splitlines()
    assert conditions.startswith(cpu_name())
    assert conditions.endswith("one thread, eager, float32, shape (256, 256), median of 10 turns")
    assert head.split()[:9] == ["name", "family", "learnt", "forward", "/", "ReLU", "fwd+bwd", "/", "ReLU"]
    assert [row.split()[0] for row in rows] == rl_acts.names("ELU-based")
    assert all(float(row[slice(*columns)]) > 0 for row in rows for columns in _columns(head, "forward", "fwd+bwd"))


def test_costs_of_changed_widths_and_idle_parameters_are_measured() -> None:
    (pair,) = rl_acts.bench([_Pair], (4, 8), rounds=2)
    assert pair.both_us > 0


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "silu"]) == 0
    assert capsys.readouterr().out == (
        "swish: x * sigmoid(beta * x)\n"
        "  also called        silu\n"
        "  family             miscellaneous\n"
        "  beta = 1.0         sharpness; 1 is SiLU, negative values mirror the function; a finite number\n"
        "  range              [-0.278465, inf]\n"
        "  range of f'        [-0.0998393, 1.09984]\n"
        "  smoothness         Cinf\n"
        "  E[f(z)]            0.206621, z ~ N(0, 1)\n"
        "  E[f(z)^2]          0.3557755\n"
        "  gain               1.676532: weights N(0, gain^2 / fan_in) keep the variance\n"
        "  negative slope     0.1878802, E[f'(z) | z < 0]\n"
        "  dead band          5.12 % of [-10, 10] with |f'| < 0.001\n"
        "  Lipschitz bound    1.09984\n"
        "  lowest f           -0.2784645428 at x = -1.27846\n"
        "  highest f          unbounded\n"
        "  lowest f'          -0.09983932013 at x = -2.39936\n"
        "  highest f'         1.09983932 at x = 2.39936\n"
        "  monotone           no\n"
        "  extra parameters   0 per layer of 64 units\n"
        "  source             Ramachandran et al., arXiv 1710.05941; as SiLU for RL: Elfwing et al., arXiv 1702.03118\n"
    )


def test_show_computes_for_the_call_and_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "swim_learnable(k=1, per=unit)", "--features", "12"]) == 0
    shown = capsys.readouterr().out
    assert "  computed for       swim_learnable(k=1.0, per=unit)\n" in shown
    assert "  gain               1.554325: " in shown
    assert "  extra parameters   12 per layer of 12 units\n" in shown
    assert "  not verified       The printed equation was not seen." in shown


def test_show_says_what_was_sampled_and_what_is_a_surrogate(capsys: pytest.CaptureFixture[str]) -> None:
    rl_acts.register("toy_norm", elementwise=False, surrogate=True)(_Normalised)
    try:
        assert main(["show", "toy_norm"]) == 0
    finally:
        rl_acts.unregister("toy_norm")
    shown = capsys.readouterr().out
    assert "  E[f(z)^2]          1.0000 ± 0.0000\n" in shown
    assert "  Lipschitz bound    at least " in shown
    assert "  sampled            averages over normal vectors of 64 numbers, ± standard error\n" in shown
    assert "those of the surrogate gradient\n" in shown
    assert "dead band   " not in shown


def test_show_says_what_changes_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "swiglu"]) == 0
    assert "\n  width              0.5 times the input's\n" in capsys.readouterr().out


def test_bench_measures_what_changes_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "swiglu", "crelu", "dy_relu_b", "--shape", "4,8", "--rounds", "1"]) == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()[2:]] == ["swiglu", "crelu", "dy_relu_b"]


def test_show_says_what_was_not_declared(capsys: pytest.CaptureFixture[str]) -> None:
    rl_acts.register("toy_bare")(nn.ReLU)
    try:
        assert main(["show", "toy_bare"]) == 0
    finally:
        rl_acts.unregister("toy_bare")
    shown = capsys.readouterr().out
    assert shown.startswith("toy_bare: formula not declared\n")
    assert shown.count("not declared") == 4


def test_bench_measures_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "swim(k=0.7)", "relu", "--shape", "4,8", "--rounds", "2", "--device", "auto"]) == 0
    head, columns, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith("one thread, eager, float32, shape (4, 8), median of 2 turns")
    assert columns.split()[:2] == ["name", "forward"]
    assert [row.split()[0] for row in rows] == ["swim(k=0.7)", "relu"]
    assert all(float(number) > 0 for row in rows for number in row.split()[1:])


def test_bench_compares_modes_and_shapes_and_shows_what_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "swim", "relu", "--shape", "4,8", "--shape", "2,4,8", "--rounds", "1", "--device", "cpu"]
    assert main([*command, "--modes", "eager,plain"]) == 0
    tables = [block.splitlines() for block in capsys.readouterr().out.split("\n\n")]
    heads = [table[0].split("one thread, ")[1].split(", median")[0] for table in tables]
    assert heads == [
        f"{mode}, float32, shape {shape}" for shape in ("(4, 8)", "(2, 4, 8)") for mode in ("eager", "plain")
    ]
    # ReLU has no fused form, so there is nothing plain to compare it with.
    assert [table[3].split() for table in tables[1::2]] == [["relu", *"------"]] * 2
    assert all("-" not in table[2].split() for table in tables)


def test_bench_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "swim(k=0.7)", "identity", "--shape", "4,8", "--rounds", "3", "--device", "cpu", "--json"]
    assert main([*command, "--modes", "plain,eager"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rounds"] == 3
    (result,) = report["results"]
    assert result["shape"] == [4, 8]
    rows = result["rows"]
    assert [(row["name"], row["mode"]) for row in rows] == [
        ("swim(k=0.7)", "plain"),
        ("swim(k=0.7)", "eager"),
        ("identity", "eager"),
    ]
    assert all(row[key] > 0 for row in rows for key in row if key not in {"name", "mode"})


def test_bench_leaves_out_what_cannot_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * float(x.sum())  # a number out of a tensor breaks the graph

    # No compiler is needed: the one that stands in for it takes ReLU and its like, and refuses that module.
    def compiled(module: nn.Module, **options: object) -> nn.Module:
        assert options == {"fullgraph": True, "dynamic": False}
        if isinstance(module, Refused):
            raise TypeError("graph break")
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    rows = rl_acts.bench([lambda _: nn.Tanh(), lambda _: Refused()], (2, 2), rounds=1, modes=["compiled"])
    assert [row.mode for row in rows] == ["compiled"]
    with pytest.raises(rl_acts.ActivationError, match=r"The mode 'jitted' is not allowed; allowed are eager, composed"):
        rl_acts.bench(["relu"], (2, 2), modes=["jitted"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "swimm"], "error: Unknown activation 'swimm'. Did you mean 'swim' "),
        (
            ["show", "relu", "--features", "0"],
            "error: features=0 is not allowed; it must be a whole number from 1 on.\n",
        ),
        (["bench", "swim(k=0)"], "error: swim: k=0 is not allowed; k must be a finite number above 0.\n"),
        (
            ["bench", "--modes", "fast"],
            "error: The mode 'fast' is not allowed; allowed are eager, composed, plain, compiled.\n",
        ),
        (["bench", "--rounds", "0"], "error: rounds=0 is not allowed; it must be a whole number from 1 on.\n"),
        (["bench", "--device", "meta"], "error: --device='meta' is not allowed"),
        (["bench", "--device", "cuda:99"], "error: --device='cuda:99' is not allowed"),
        (["bench", "--device", "tpu"], "error: --device='tpu' is not allowed; allowed are auto and, here, cpu"),
        (
            ["bench", "--shape", "4,x"],
            "error: --shape='4,x' is not allowed; give whole numbers above 0, as in 256,256.",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(message)
