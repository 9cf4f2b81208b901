"""The commands of ``python -m experiments bench``: each prints a table of what was measured in one sitting."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import rl_acts
from agents import DeviceError, resolve_device
from agents.allocator import keep_freed_memory
from experiments.commands import EXIT_FAILED
from experiments.problems import InputError

benchmarks = typer.Typer(help="Measure cost, in turns within one sitting.", no_args_is_help=True, rich_markup_mode=None)


@benchmarks.command()
def activations(
    specs: Annotated[
        list[str] | None,
        typer.Argument(help="Activations, such as relu 'swim(k=0.7)'. Default: all.", metavar="SPEC..."),
    ] = None,
    *,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of the pre-activations.")] = 256,
    width: Annotated[int, typer.Option("--width", min=1, help="Features of the pre-activations.")] = 256,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns that each activation has.")] = 50,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    mode: Annotated[
        list[str] | None,
        typer.Option(
            "--mode", help="eager (default), composed, plain or compiled; can be given again.", metavar="MODE"
        ),
    ] = None,
) -> None:
    """Measure forward and backward of activations, relative to torch.nn.ReLU and torch.nn.SiLU."""
    # As in the processes that train.
    keep_freed_memory()
    try:
        where = resolve_device(device)
        table = rl_acts.bench_table(specs, (batch, width), rounds=rounds, device=where, modes=mode or ["eager"])
        typer.echo(table, nl=False)
    except (rl_acts.ActivationError, DeviceError) as error:
        raise InputError(str(error)) from error


@benchmarks.command("envs")
def environments(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Gymnasium ids. Default: the five large robots.", metavar="TASK...")
    ] = None,
    *,
    num_envs: Annotated[int, typer.Option("--num-envs", min=1, help="Environments of each contestant.")] = 10,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Stepping threads.")] = 2,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns that each contestant has.")] = 5,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of all environments in one turn.")] = 500,
) -> None:
    """Measure stepping, relative to a loop over Gymnasium's environments and to EnvPool where it is installed."""
    from experiments.bench_envs import BenchSettings, bench_envs_table  # noqa: PLC0415 - it loads the simulator

    typer.echo(bench_envs_table(tasks, BenchSettings(num_envs, threads, rounds, steps)), nl=False)


@benchmarks.command()
def updates(  # noqa: PLR0913 - each is an option of the command
    *,
    algo: Annotated[str, typer.Option("--algo", help="td3, sac or both.")] = "both",
    task: Annotated[str, typer.Option("--task", help="Gymnasium id.")] = "HalfCheetah-v5",
    runs: Annotated[str, typer.Option("--runs", help="Runs per process of ours, one contestant each.")] = "1,4,10,20",
    width: Annotated[int, typer.Option("--width", min=1, help="Of both hidden layers.")] = 256,
    activations: Annotated[
        str,
        typer.Option(
            "--activations", help="Such as relu,'swim(k=0.7)'; mixed is relu, swish, swim, swim_learnable at once."
        ),
    ] = "relu,swish,swim,swim_learnable,mixed",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns that each contestant has.")] = 7,
    seconds: Annotated[float, typer.Option("--seconds", help="Of one turn.")] = 3.0,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="At once. Default: one per usable core; on a GPU 1.")
    ] = None,
    rows: Annotated[int, typer.Option("--replay-rows", min=1_000, help="Of each replay memory.")] = 2_000,
    peers: Annotated[
        str | None, typer.Option("--peers", help="Of sb3, sbx. Default: those that are installed.")
    ] = None,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", help="NAME=module:function, another peer. Repeatable.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for every turn, rewritten after each activation.")
    ] = None,
) -> None:
    """Measure training, relative to Stable-Baselines3 and others, in turns of processes that otherwise wait."""
    from experiments import bench_options, bench_peers, bench_updates  # noqa: PLC0415 - they load the simulator

    try:
        settings = bench_updates.UpdateSettings(
            task=task,
            algorithms=bench_options.algorithms(algo),
            activations=bench_options.names(activations),
            runs=bench_options.counts("--runs", runs),
            width=width,
            rounds=rounds,
            seconds=seconds,
            processes=processes,
            device=device,
            rows=rows,
        )
        chosen = bench_peers.choose_peers(None if peers is None else bench_options.names(peers), peer or [])
        say = partial(typer.echo, err=True)
        typer.echo(bench_updates.bench_updates_table(settings, chosen, json_file, say), nl=False)
    except bench_updates.BenchError as error:
        raise _failed(error) from error


@benchmarks.command()
def arms(  # noqa: PLR0913 - each is an option of the command
    *,
    activations: Annotated[
        str, typer.Option("--activations", help="Such as relu,'swim(k=0.7)'.")
    ] = "relu,swish,swim,swim_learnable",
    algo: Annotated[str, typer.Option("--algo", help="td3, sac or both.")] = "td3",
    task: Annotated[str, typer.Option("--task", help="Gymnasium id.")] = "HalfCheetah-v5",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs per process.")] = 5,
    width: Annotated[int, typer.Option("--width", min=1, help="Of both hidden layers.")] = 256,
    forms: Annotated[str, typer.Option("--forms", help="Of eager, compiled and, on a GPU, captured.")] = "eager",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns that each activation has.")] = 7,
    seconds: Annotated[float, typer.Option("--seconds", help="Of one turn.")] = 2.0,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="At once. Default: one per usable core; on a GPU 1.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for every turn, rewritten after each group.")
    ] = None,
) -> None:
    """Measure what each activation costs a training step, relative to relu, in turns of homogeneous populations."""
    from experiments import bench_arms, bench_options, bench_updates  # noqa: PLC0415 - they load the simulator

    try:
        settings = bench_updates.UpdateSettings(
            task=task,
            algorithms=bench_options.algorithms(algo),
            activations=bench_options.names(activations),
            runs=(runs,),
            width=width,
            rounds=rounds,
            seconds=seconds,
            processes=processes,
            device=device,
        )
        say = partial(typer.echo, err=True)
        typer.echo(bench_arms.bench_arms_table(settings, bench_options.names(forms), json_file, say), nl=False)
    except bench_updates.BenchError as error:
        raise _failed(error) from error


@benchmarks.command()
def diagnostics(  # noqa: PLR0913 - each is an option of the command
    *,
    algo: Annotated[str, typer.Option("--algo", help="td3, sac or both.")] = "both",
    task: Annotated[str, typer.Option("--task", help="Gymnasium id.")] = "HalfCheetah-v5",
    activations: Annotated[
        str, typer.Option("--activations", help="Such as relu,'swim(k=0.7)'; one group for each.")
    ] = "relu,swim_learnable",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs in the process.")] = 5,
    width: Annotated[int, typer.Option("--width", min=1, help="Of both hidden layers.")] = 256,
    every: Annotated[int, typer.Option("--every", min=1, help="Steps between measurements.")] = 25_000,
    probe: Annotated[int | None, typer.Option("--probe", min=1, help="Rows. Default: four per unit.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Turns of training, watching and measuring.")] = 5,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Measure what the networks' diagnostics cost, as a share of training between two measurements."""
    from experiments import bench_diagnostics, bench_options  # noqa: PLC0415 - they load the simulator

    settings = bench_diagnostics.DiagnosticsSettings(
        task,
        bench_options.algorithms(algo),
        bench_options.names(activations),
        runs,
        width,
        every,
        probe,
        rounds,
        device,
    )
    typer.echo(bench_diagnostics.bench_diagnostics_table(settings, partial(typer.echo, err=True)), nl=False)


@benchmarks.command("statistics")
def statistics_(
    *,
    runs: Annotated[int, typer.Option("--runs", help="Of each task.")] = 10,
    tasks: Annotated[int, typer.Option("--tasks", help="That are pooled.")] = 5,
    points: Annotated[int, typer.Option("--points", help="Of the curve.")] = 200,
    replicates: Annotated[int, typer.Option("--replicates", help="Bootstrap resamples.")] = 2000,
    rounds: Annotated[int, typer.Option("--rounds", help="Turns that each contestant has.")] = 5,
) -> None:
    """Measure the intervals, curves and profiles of a page, beside rliable's where it is installed."""
    from experiments import bench_statistics  # noqa: PLC0415 - NumPy, which most commands do without

    settings = bench_statistics.StatisticsSettings(runs, tasks, points, replicates, rounds)
    say = partial(typer.echo, err=True)
    typer.echo(bench_statistics.bench_statistics_table(settings, say), nl=False)


def _failed(error: Exception) -> typer.Exit:
    """Say what went wrong while measuring, and return the way out."""
    typer.echo(f"error: {error}", err=True)
    return typer.Exit(EXIT_FAILED)
