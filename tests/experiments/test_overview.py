"""How a study stands, in numbers and on a terminal."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from experiments.display import PlainLines, make_display, summary
from experiments.overview import RunView, counts, last_return, time_left, view
from experiments.registry import Entry
from experiments.table import runs_table

_HEADER = "step,episode_return_0,return_mean,return_std\n"


def _row(state: str = "running", step: int = 0, **more: Any) -> RunView:
    plain: dict[str, Any] = {
        "key": ("Hopper-v5", "td3", "swim", 0),
        "steps_per_s": None,
        "last_return": None,
        "elapsed_s": None,
        "cause": None,
    }
    return RunView(state=state, step=step, steps=100, **{**plain, **more})


def _entry(**changes: Any) -> Entry:
    plain: dict[str, Any] = dict.fromkeys(("pid", "host", "owner", "heartbeat", "started", "finished", "cause"))
    key = {"task": "Hopper-v5", "algorithm": "td3", "arm": "swim", "seed": 0}
    return Entry(**{**plain, **key, "state": "pending", "attempt": 0, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_HEADER + "0,1.0,2.5,0.0\n10,3.0,4.5,0.0\n", 4.5),
        (_HEADER + "0,1.0,2.5,0.0\n10,3.0,4", 2.5),
        (_HEADER + "0,1.0,2", None),
        (_HEADER, None),
        ("step,epis", None),
        ("", None),
        (None, None),
        (_HEADER + "0,1.0,nonsense,0.0\n", None),
        (_HEADER + f"0,1.0,2.5,{'0' * 70_000}\n10,3.0,4.5,0.0\n", 4.5),
    ],
)
def test_the_last_complete_row_counts(text: str | None, expected: float | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "evaluations.csv").write_text(text)
    assert last_return(tmp_path) == expected


def test_a_run_is_seen_from_its_registry_entry_and_its_files(tmp_path: Path) -> None:
    run = tmp_path / "Hopper-v5/td3/swim/seed-0"
    run.mkdir(parents=True)
    (run / "evaluations.csv").write_text(_HEADER + "0,1.0,2.5,0.0\n")
    (run / "progress.json").write_text('{"step": 40, "steps_per_s": 8.0}')
    times = {"started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:01:30+00:00"}
    failed = view(tmp_path, _entry(state="failed", attempt=1, cause="killed by SIGKILL", **times), 100)
    expected = _row("failed", 40, steps_per_s=8.0, last_return=2.5, elapsed_s=90.0, cause="killed by SIGKILL")
    assert failed == expected
    # An earlier attempt's files are nothing to a run that waits.
    assert view(tmp_path, _entry(attempt=1), 100) == _row("pending")
    (run / "progress.json").unlink()
    (run / "run.json").write_text('{"steps_done": 100, "steps_per_s": null}')
    assert view(tmp_path, _entry(state="done", attempt=1, **times), 100).step == 100
    assert view(tmp_path, _entry(state="running", attempt=1), 100).state == "interrupted"


def test_time_left_is_from_the_speed_so_far() -> None:
    rows = [_row("done", 100, elapsed_s=50.0), _row("running", 50, elapsed_s=25.0), _row("pending"), _row("failed", 10)]
    # Half a second per step, 150 steps to go, two at once.
    assert time_left(rows, 2) == pytest.approx(37.5)
    assert time_left(rows, 1) == pytest.approx(75.0)
    assert rows[1].left_s == pytest.approx(25.0)
    assert time_left([_row("pending")], 2) is None
    assert time_left([_row("done", 100, elapsed_s=50.0)], 2) == 0.0


def test_a_run_that_waits_with_a_checkpoint_is_seen_where_it_stands(tmp_path: Path) -> None:
    run = tmp_path / "Hopper-v5/td3/swim/seed-0"
    run.mkdir(parents=True)
    (run / "evaluations.csv").write_text(_HEADER + "0,1.0,2.5,0.0\n")
    (run / "progress.json").write_text('{"step": 40, "steps_per_s": 8.0}')
    (run / "run.json").write_text('{"steps_done": 40, "resumed_from": 30}')
    waiting = _entry(attempt=2, cohort="c", member=0)
    assert view(tmp_path, waiting, 100) == _row("pending", cohort="c")
    (tmp_path / "cohorts/c/checkpoint").mkdir(parents=True)
    assert view(tmp_path, waiting, 100) == _row("pending", cohort="c")
    (tmp_path / "cohorts/c/checkpoint/manifest.json").touch()
    seen = view(tmp_path, waiting, 100)
    assert seen == _row("pending", 40, cohort="c", steps_per_s=8.0, last_return=2.5, resumed_from=30)
    assert seen.made == 10


def test_the_runs_of_a_cohort_share_the_time_of_their_process() -> None:
    four = [_row("running", 50, elapsed_s=25.0, cohort="a") for _ in range(4)]
    # Two hundred steps in 25 seconds, and two hundred to go.
    assert time_left(four, 2) == pytest.approx(25.0)
    # Four more to be divided: 600 steps to go, in two processes.
    assert time_left([*four, *(_row("pending") for _ in range(4))], 2) == pytest.approx(37.5)
    # Only what this attempt has made was made in its time.
    late = [_row("running", 50, elapsed_s=25.0, cohort="a", resumed_from=40) for _ in range(4)]
    assert time_left(late, 2) == pytest.approx(125.0)
    assert late[0].left_s == pytest.approx(125.0)
    assert time_left([_row("running", 40, elapsed_s=25.0, cohort="a", resumed_from=40)], 2) is None


def test_counts_and_the_summary_are_one_line() -> None:
    entries = [_entry(), _entry(state="done"), _entry(state="done"), _entry(state="failed")]
    assert counts(entries) == "2 done, 1 failed, 1 pending"
    rows = [_row("done", 100, elapsed_s=50.0), _row("pending")]
    assert summary(rows, 2) == "progress  1 of 2 runs over, 50% of all steps, about 50 s left"


def _text(rows: Sequence[RunView], most: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(runs_table(rows, most))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_the_table_fits_eighty_columns_and_shows_everything() -> None:
    key = ("InvertedDoublePendulum-v5", "td3", "actor-swim-critic-relu", 12)
    running = _row("running", 50, key=key, steps_per_s=8.4, last_return=-12.34, elapsed_s=100.0)
    failed = _row("failed", 10, cause="[red]no markup[/red]")
    lines = _text([running, failed]).splitlines()
    assert lines[1].rstrip() == "InvertedDoublePendulum-v5 td3"
    assert lines[2].split() == [
        *("actor-swim-critic-relu", "seed", "12", "running", "50/100", "8", "1", "min", "40", "s", "-12.3")
    ]
    assert "[red]no markup[/red]" in lines[5]


def test_where_not_all_fit_the_urgent_ones_are_shown() -> None:
    rows = [_row("pending", key=("A", "td3", "x", seed)) for seed in range(20)]
    rows += [_row("failed", key=("A", "td3", "x", 98), cause="why"), _row("running", key=("A", "td3", "x", 99))]
    text = _text(rows, most=6)
    assert "seed 98" in text
    assert "seed 99" in text
    assert "and 18 more" in text


def test_lines_are_plain_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    display = make_display(Console(file=stream), workers=2)
    assert isinstance(display, PlainLines)
    with display:
        display.started([("Hopper-v5", "td3", "swim", 0)], 1)
        display.started([("Hopper-v5", "td3", "swim", 0)], 2)
        display.ended(_row("diverged", 40, steps_per_s=8.0, last_return=2.5, elapsed_s=90.0, cause="loss [NaN]"))
        display.refresh(lambda: pytest.fail("it is not time for a summary yet"))
        display.started([("Hopper-v5", "sac", arm, seed) for arm in ("relu", "[x]") for seed in (0, 1, 4)], 1)
        display.resumed([("Hopper-v5", "sac", "relu", seed) for seed in (7, 8, 9)], 12_000)
        display.stopping(2)
        display.saving(41.2)
    assert stream.getvalue() == (
        "start     Hopper-v5 td3 swim seed 0\n"
        "start     Hopper-v5 td3 swim seed 0 (attempt 2)\n"
        "diverged  Hopper-v5 td3 swim seed 0: in 1 min 30 s, 8 steps/s, last return 2.5, loss [NaN]\n"
        "start     Hopper-v5 sac: 6 runs (relu seeds 0-1,4, [x] seeds 0-1,4)\n"
        "resume    Hopper-v5 sac: 3 runs (relu seeds 7-9) from step 12,000\n"
        "stopping  2 processes save what can go on later\n"
        "stopping  still saving; what is not saved within 41 s is given up\n"
    )


def test_a_terminal_gets_a_live_table_that_is_drawn_when_something_happens() -> None:
    stream = io.StringIO()
    with make_display(Console(file=stream, force_terminal=True, width=100, height=40), workers=2) as display:
        display.refresh(lambda: [_row("pending")])
        display.refresh(lambda: pytest.fail("the table is fresh"))
        display.ended(_row("done", 100))
        display.refresh(lambda: [_row("done", 100)])
        display.stopping(1)
        display.saving(9.0)
    assert "stopping  a process saves what can go on later" in stream.getvalue()
    assert "still saving; what is not saved within 9 s is given up" in stream.getvalue()
    assert "pending" in stream.getvalue()
    assert "1 of 1 runs over" in stream.getvalue()
