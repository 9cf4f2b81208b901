"""The command line: ``python -m experiments train | run | status | report | compare | bench``.

``report`` writes a page, by default ``report.html`` in the study's folder with ``figures/`` and ``tables/`` there; with
``--out PAGE.html`` figures and tables go into ``PAGE_files/`` beside it.
"""

import shlex
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from envs import TaskError
from experiments.bench_commands import benchmarks
from experiments.budget import Budget, read_budget
from experiments.commands import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    Settings,
    run_study,
    show_status,
)
from experiments.compare_command import compare
from experiments.problems import InputError, StoppedError
from experiments.report_command import report
from experiments.train_options import study_from_options
from experiments.yaml_file import override, read_yaml

app = typer.Typer(
    help="Run studies of activation functions in reinforcement learning and report on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results. Default: runs/NAME.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Replace a key of the study: key=value with dots between keys, as in evaluation.every=1000. Repeatable.",
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:N. Default: the study's, or auto.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Most processes at once. Default: one per usable core; on a GPU at most 4."),
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", help="population (several runs train in one process) or sb3. Default: the study's."),
]
Cohort = Annotated[
    int | None,
    typer.Option(
        "--cohort",
        min=1,
        help="Most runs that train in one process. Default: as many as keep all workers busy and fit the memory, at "
        "most 10, on a GPU 20.",
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option("--time-budget", help="End within this time, saved, as in 9m or 1h30m; the same command goes on."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List the runs, estimate time, disk and memory, and start nothing.")
]
Activation = "a name, a call such as swim(k=0.7), or a list [relu, swish] with one per hidden layer"


@app.command()
def train(  # noqa: PLR0913 - each is an option of the command
    context: typer.Context,
    *,
    env: Annotated[str, typer.Option("--env", help="Gymnasium id, such as Hopper-v5.")],
    algo: Annotated[str, typer.Option("--algo", help="td3, sac or ddpg.")] = "td3",
    activation: Annotated[
        str | None, typer.Option("--activation", help=f"For actor and critics alike: {Activation}.")
    ] = None,
    actor_activation: Annotated[
        str | None, typer.Option("--actor-activation", help=f"For the actor: {Activation}.")
    ] = None,
    critic_activation: Annotated[
        str | None, typer.Option("--critic-activation", help=f"For the critics: {Activation}.")
    ] = None,
    activation_lr: Annotated[
        str | None,
        typer.Option("--activation-lr", help="Learning rate of learnable activations. Default: the network's."),
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="A count (5), a list (3,7) or a range (0-9).")] = "5",
    steps: Annotated[
        str, typer.Option("--steps", help="Environment steps of each run, such as 100_000 or 1e5.")
    ] = "1_000_000",
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the study. Default: made from the choices.")
    ] = None,
    eval_every: Annotated[
        str | None, typer.Option("--eval-every", help="Steps between evaluations. Default: steps / 10, at most 10,000.")
    ] = None,
    eval_episodes: Annotated[
        str | None, typer.Option("--eval-episodes", help="Episodes per evaluation. Default: 10.")
    ] = None,
    diagnostics_every: Annotated[
        str | None,
        typer.Option(
            "--diagnostics-every",
            help="Steps between measurements of the networks: a number, never, or auto. Default: auto, 25,000 on a CPU "
            "and never on a GPU.",
        ),
    ] = None,
    net_arch: Annotated[
        str | None, typer.Option("--net-arch", help="Widths of the hidden layers, as in 256,256.")
    ] = None,
    settings: Set = None,
    out: Out = None,
    device: Device = None,
    engine: Engine = None,
    workers: Workers = None,
    cohort: Cohort = None,
    time_budget: TimeBudget = None,
    dry_run: DryRun = False,
) -> None:
    """Train one choice of activations on one task, without a study file."""
    budget = _budget(time_budget)
    document = study_from_options(
        {
            "--algo": algo,
            "--env": env,
            "--activation": activation,
            "--actor-activation": actor_activation,
            "--critic-activation": critic_activation,
            "--activation-lr": activation_lr,
            "--seeds": seeds,
            "--steps": steps,
            "--name": name,
            "--eval-every": eval_every,
            "--eval-episodes": eval_episodes,
            "--diagnostics-every": diagnostics_every,
            "--net-arch": net_arch,
        }
    )
    override(document, settings or [], {"engine": engine})
    raise typer.Exit(run_study(document, Settings(context.obj, out, device, workers, cohort, budget, dry_run)))


@app.command()
def run(  # noqa: PLR0913 - each is an option of the command
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    *,
    settings: Set = None,
    out: Out = None,
    device: Device = None,
    engine: Engine = None,
    workers: Workers = None,
    cohort: Cohort = None,
    time_budget: TimeBudget = None,
    dry_run: DryRun = False,
) -> None:
    """Run a study; the same command again does only what is not done."""
    budget = _budget(time_budget)
    document = read_yaml(study)
    override(document, settings or [], {"engine": engine})
    raise typer.Exit(run_study(document, Settings(context.obj, out, device, workers, cohort, budget, dry_run)))


def _budget(text: str | None) -> Budget | None:
    return None if text is None else Budget(read_budget(text))


@app.command()
def status(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")]) -> None:
    """Show how a study stands, while it runs or afterwards."""
    raise typer.Exit(show_status(folder))


app.command()(report)
app.command()(compare)


@app.command(name="verify")
def verify_report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder, or NAME_files/ of another page.")],
) -> None:
    """Recompute every published number from the raw files, and name what differs."""
    from experiments.collect.errors import ReportError  # noqa: PLC0415 - with the next
    from experiments.verify import verify  # noqa: PLC0415 - it loads what no other command needs

    try:
        found = verify(folder)
    except ReportError as error:
        raise InputError(str(error)) from error
    for problem in found.problems:
        typer.echo(f"differs   {problem}")
    for note in found.notes:
        typer.echo(f"note      {note}")
    counted = f"{found.raw_files} raw files, {found.rows} evaluations, {found.published} published files"
    typer.echo(f"{'differs' if found.problems else 'verified':9} {folder}: {counted}")
    raise typer.Exit(EXIT_FAILED if found.problems else EXIT_DONE)


app.add_typer(benchmarks, name="bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: In place of those of the process.

    Returns:
        The exit code: 0 done, 1 some runs failed or diverged or the study stopped, 2 bad input, 130 interrupted or
        out of time.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    command = shlex.join(["python", "-m", "experiments", *words])
    try:
        code = app(args=words, prog_name="python -m experiments", standalone_mode=False, obj=command)
    except (InputError, TaskError) as error:
        return _fail(str(error))
    except TyperException as error:
        return _fail(error.format_message())
    except sqlite3.DatabaseError as error:
        return _fail(f"the study's registry cannot be used: {error}. Its file is study.sqlite in the study's folder.")
    except (StoppedError, OSError) as error:
        return _fail(str(error), EXIT_FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else EXIT_DONE


def _fail(message: str, code: int = EXIT_BAD_INPUT) -> int:
    # A command without arguments is answered by its usage, which is no error of its own.
    sys.stderr.write(f"{message}\n" if message.startswith("Usage:") else f"error: {message}\n")
    return code
