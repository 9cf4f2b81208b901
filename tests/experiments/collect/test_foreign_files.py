"""Single log files of other programs: literal numbers out, and a note for whatever is odd."""

import gzip
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.collect.monitor import read_monitors
from experiments.collect.sb3_files import read_evaluations_npz, read_progress_csv
from experiments.collect.series import Series, binned, cleaned, rows_text

HEADER = '#{"t_start": 100.0, "env_id": "Hopper-v4"}\nr,l,t\n'


def monitors(tmp_path: Path, *contents: str | bytes) -> tuple[Series | None, str | None, list[str]]:
    paths = []
    for index, content in enumerate(contents):
        paths.append(tmp_path / f"{index}.monitor.csv")
        paths[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    notes: list[str] = []
    series, task = read_monitors(paths, [path.name for path in paths], notes)
    return series, task, notes


def series(steps: list[float], returns: list[float], *, episodes: bool = False, in_time: bool = False) -> Series:
    size = len(steps)
    rows = np.arange(2, size + 2)
    seconds = np.arange(size, dtype=np.float64)
    return Series(
        np.array(steps), np.array(returns), seconds, rows, np.zeros(size, np.int64), ("a.csv",), episodes, in_time
    )


def test_an_episode_of_a_monitor_file_ends_at_the_sum_of_lengths(tmp_path: Path) -> None:
    found, task, notes = monitors(tmp_path, HEADER + "1.5,10,0.5\n2.5,20,0.9\n-3,30,2\n")
    assert found is not None
    assert task == "Hopper-v4"
    assert found.steps.tolist() == [10, 30, 60]
    assert found.returns.tolist() == [1.5, 2.5, -3.0]
    np.testing.assert_allclose(found.seconds, [0.5, 0.9, 2.0])
    assert found.rows.tolist() == [3, 4, 5]
    assert found.episodes
    assert notes == []


def test_files_of_environments_side_by_side_are_merged_by_their_absolute_times(tmp_path: Path) -> None:
    later = HEADER.replace("100.0", "101.0")
    found, _, notes = monitors(tmp_path, HEADER + "1,10,1\n2,10,4\n", later + "3,5,1\n4,5,2\n")
    assert found is not None
    assert found.returns.tolist() == [1, 3, 4, 2]
    assert found.steps.tolist() == [10, 15, 20, 30]
    assert found.seconds.tolist() == [1, 2, 3, 4]
    assert found.files.tolist() == [0, 1, 1, 0]
    assert notes == ["0.monitor.csv and 1 more: taken as environments of one run, stepped side by side"]


def test_a_resumed_monitor_file_is_counted_on(tmp_path: Path) -> None:
    found, _, notes = monitors(tmp_path, HEADER + "1,10,5\n2,10,9\n3,10,1\n4,10,2\n")
    assert found is not None
    assert found.steps.tolist() == [10, 20, 30, 40]
    assert found.seconds.tolist() == [5, 9, 10, 11]
    assert notes == ["0.monitor.csv: line 5 starts the clock anew: a resumed run; its episodes are counted on"]


def test_a_compressed_monitor_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    # Compressed at level 0, the text is in the file as it is, and the cut falls inside the second episode.
    content = gzip.compress((HEADER + "1,10,5\n2,10,9\n").encode(), compresslevel=0)
    found, _, notes = monitors(tmp_path, content)
    assert found is not None
    assert found.returns.tolist() == [1, 2]
    found, _, notes = monitors(tmp_path, content[:-11])
    assert found is not None
    assert found.returns.tolist() == [1]
    assert notes == [
        "0.monitor.csv: the compressed file ends early; what it holds until there is used",
        "0.monitor.csv: the last line is torn (no line end); it is left out",
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"", "0.monitor.csv: empty; no episode of this file"),
        (b"\x00\x01\x02\n", "0.monitor.csv: not a text file; no episode of this file"),
        (b"\xff\xfe\n", "0.monitor.csv: not a text file (byte 1 is not UTF-8); no episode of this file"),
        (b"#{}\n", "0.monitor.csv: no columns r, l and t; no episode of this file"),
        (b"a,b\n1,2\n", "0.monitor.csv: no columns r, l and t; no episode of this file"),
        (b"\x1f\x8bxxxxxxxxxx", "0.monitor.csv: not a gzip file that can be read; no episode of this file"),
        (b"torn", "0.monitor.csv: no complete line; no episode of this file"),
    ],
)
def test_what_is_no_monitor_file_is_noted(tmp_path: Path, content: bytes, note: str) -> None:
    found, _, notes = monitors(tmp_path, content)
    assert found is None
    assert notes[-1] == note


def test_odd_lines_of_a_monitor_file_are_named(tmp_path: Path) -> None:
    text = HEADER.replace('"t_start": 100.0, ', '"t_start": ') + "1,10,1\nx,10,2\n2,0,3\n3,10\nnan,10,4\n5,10,5"
    found, task, notes = monitors(tmp_path, text)
    assert found is not None
    assert found.steps.tolist() == [10, 20]
    assert np.isnan(found.returns[1])
    assert task is None
    assert notes == [
        "0.monitor.csv: the last line is torn (no line end); it is left out",
        "0.monitor.csv: line 1 is not JSON; the time of the start is not known",
        "0.monitor.csv: lines 4, 5, 6 left out: not a return, a length above 0 and a time",
    ]


def test_evaluations_npz_is_averaged_over_its_episodes(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.npz"
    np.savez(path, timesteps=[200, 400], results=[[1.0, 2.0], [3.0, 6.0]], ep_lengths=[[5, 5], [5, 5]])
    notes: list[str] = []
    found = read_evaluations_npz(path, "e", notes)
    assert found is not None
    assert (found.steps.tolist(), found.returns.tolist()) == ([200, 400], [1.5, 4.5])
    assert (found.rows.tolist(), found.averaged, found.episodes) == ([1, 2], 2, False)
    assert notes == []


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("something was unpickled",)


@pytest.mark.parametrize(
    ("arrays", "note"),
    [
        ({"timesteps": [1], "results": np.array([_Bomb()], dtype=object)}, r"e: cannot be read \(Object arrays cannot"),
        ({"timesteps": [1, 2], "results": [[1.0]]}, r"e: timesteps \[2\] and results \[1, 1\] do not belong together"),
        ({"results": [[1.0]]}, r"e: no array timesteps; no evaluation of this file"),
        ({"timesteps": [], "results": np.empty((0, 2))}, r"e: holds no evaluation"),
        ({"timesteps": [1], "results": ["x"]}, r"e: cannot be read \(could not convert"),
    ],
)
def test_what_is_no_evaluation_is_noted(tmp_path: Path, arrays: dict[str, object], note: str) -> None:
    path = tmp_path / "evaluations.npz"
    np.savez(path, allow_pickle=True, **arrays)  # type: ignore[arg-type]
    notes: list[str] = []
    assert read_evaluations_npz(path, "e", notes) is None
    assert len(notes) == 1
    assert re.match(note, notes[0])


def test_files_that_are_no_array_files_are_noted_and_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.npz"
    for content, reason in (
        (b"", "empty"),
        (b"rubbish", "pickled"),
        (pickle.dumps(_Bomb()), "pickled"),
        (b"PK\x03\x04cut", "zip"),
    ):
        path.write_bytes(content)
        notes: list[str] = []
        assert read_evaluations_npz(path, "e", notes) is None
        assert notes[0].startswith("e: cannot be read (")
        assert reason in notes[0]
    whole = tmp_path / "whole.npz"
    np.savez(whole, timesteps=[1, 2], results=[[1.0], [2.0]])
    path.write_bytes(whole.read_bytes()[:-40])
    notes = []
    assert read_evaluations_npz(path, "e", notes) is None
    assert len(notes) == 1


PROGRESS = "eval/mean_reward,rollout/ep_rew_mean,time/total_timesteps,time/time_elapsed\n"


def test_progress_csv_holds_both_kinds_apart(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    path.write_text(PROGRESS + "7.5,,200,\n,3.25,240,4\n8.5,,400,\n,4.25,480,9\n1,2\n,x,500,1\n9.5,,600")
    notes: list[str] = []
    found = read_progress_csv(path, "p", notes)
    assert found["evaluation"].steps.tolist() == [200, 400]
    assert found["evaluation"].returns.tolist() == [7.5, 8.5]
    assert found["evaluation"].rows.tolist() == [2, 4]
    assert found["training"].steps.tolist() == [240, 480]
    assert found["training"].returns.tolist() == [3.25, 4.25]
    assert found["training"].seconds.tolist() == [4, 9]
    assert not found["training"].episodes
    assert notes == [
        "p: the last line is torn (no line end); it is left out",
        "p: lines 6, 7 left out: not as many cells as columns, or no numbers",
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("", "p: empty; no return of this file"),
        (
            "a,b\n1,2\n",
            "p: no column time/total_timesteps with one of eval/mean_reward, rollout/ep_rew_mean; no return",
        ),
        (PROGRESS, "p: holds no return"),
    ],
)
def test_a_progress_csv_without_returns_is_noted(tmp_path: Path, content: str, note: str) -> None:
    path = tmp_path / "progress.csv"
    path.write_text(content)
    notes: list[str] = []
    assert read_progress_csv(path, "p", notes) == {}
    assert [line[: len(note)] for line in notes] == [note]


def test_points_are_sorted_and_the_last_of_a_step_is_kept() -> None:
    notes: list[str] = []
    found = cleaned(series([0, 200, 100, 100, np.nan, -1], [0, 2, 1, 5, 9, np.nan]), notes)
    assert (found.steps.tolist(), found.returns.tolist(), found.rows.tolist()) == ([0, 100, 200], [0, 5, 2], [2, 5, 3])
    assert notes == [
        "a.csv: lines 6, 7 left out: the step is missing, not finite or below 0",
        "a.csv: line 4: steps are not in order; sorted",
        "a.csv: line 4 left out: the same step is written again later, the last one is kept",
    ]


def test_where_the_order_is_that_of_time_a_step_back_is_a_resumed_run() -> None:
    notes: list[str] = []
    found = cleaned(series([0, 100, 200, 300, 150, 250], [0, 1, 2, 3, 7, 8], in_time=True), notes)
    assert (found.steps.tolist(), found.returns.tolist()) == ([0, 100, 150, 250], [0, 1, 7, 8])
    assert notes == ["a.csv: line 6 goes back to step 150: a resumed run; it replaces 2 earlier entries"]


def test_returns_that_are_not_finite_stay_and_are_noted() -> None:
    notes: list[str] = []
    found = cleaned(series([0, 100, 200], [0, np.nan, np.inf]), notes)
    assert found.steps.tolist() == [0, 100, 200]
    assert notes == ["a.csv: lines 3, 4: 2 of 3 returns are not finite"]


def test_training_episodes_are_averaged_between_grid_points() -> None:
    # Ends at 100 exactly belong to the first interval; 200 to 300 has no episode; 420 is before the middle of the last.
    given = series([40, 100, 101, 200, 390, 420], [1, 3, 5, 7, 9, 11], episodes=True)
    notes: list[str] = []
    found = binned(given, 100.0, notes)
    assert (found.steps.tolist(), found.returns.tolist()) == ([100, 200, 400], [2, 6, 9])
    assert (found.rows.tolist(), found.seconds.tolist(), found.episodes) == ([3, 5, 6], [1, 3, 4], False)
    assert notes == ["a.csv: line 7 left out: the interval of 100 steps is less than half full"]
    assert binned(series([40, 460], [1, 3], episodes=True), 100.0, []).steps.tolist() == [100, 500]


def test_episodes_that_end_at_one_step_are_all_kept() -> None:
    notes: list[str] = []
    found = cleaned(series([10, 10, 20], [1, 2, 3], episodes=True, in_time=True), notes)
    assert found.returns.tolist() == [1, 2, 3]
    assert notes == []


def test_many_rows_are_summed_up() -> None:
    assert rows_text([2, 3, 4, 5, 6, 7, 8], "record") == "records 2, 3, 4, 5, 6 and 2 more"
