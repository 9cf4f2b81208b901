"""``python -m rl_acts``: the real command line."""

import json
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

import rl_acts
from rl_acts.__main__ import main


def test_list_in_a_subprocess() -> None:
    result = subprocess.run([sys.executable, "-m", "rl_acts", "list"], capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "family", "learnt", "aliases", "formula"]
    assert [line.split()[0] for line in lines[1:]] == rl_acts.names()
    assert "k = softplus(raw_k) learnt" in result.stdout


def test_list_one_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--family", "ELU-based"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["elu", "selu"]


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
        "  source             Ramachandran et al., arXiv 1710.05941; as SiLU for RL: Elfwing et al., arXiv 1702.03118\n"
    )


def test_show_takes_a_call_too_and_says_what_was_not_declared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "swim(k=0.7)"]) == 0
    assert capsys.readouterr().out.startswith("swim: x/2 * (1 + k*x / sqrt(1 + (k*x)^2))\n")
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
    with pytest.raises(rl_acts.ActivationError, match=r"The mode 'jitted' is not allowed; allowed are eager, plain"):
        rl_acts.bench(["relu"], (2, 2), modes=["jitted"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "swimm"], "error: Unknown activation 'swimm'. Did you mean 'swim' or 'swish'? Known are elu, "),
        (["bench", "swim(k=0)"], "error: swim: k=0 is not allowed; k must be a finite number above 0.\n"),
        (["bench", "--modes", "fast"], "error: The mode 'fast' is not allowed; allowed are eager, plain, compiled.\n"),
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
