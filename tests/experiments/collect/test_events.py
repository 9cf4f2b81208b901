"""TensorBoard's event files: returns by kind, resumed runs, damage."""

from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.summary.writer.record_writer import RecordWriter

from experiments.collect.events import read_events
from experiments.collect.series import cleaned

EPISODE, EVALUATION = "charts/episodic_return", "eval/mean_reward"


def write(path: Path, *values: tuple[str, int, float], start: float = 1000.0) -> Path:
    with path.open("wb") as stream:
        writer = RecordWriter(stream)
        for index, (tag, step, number) in enumerate(values):
            value = Summary.Value(tag=tag, simple_value=number)
            writer.write(Event(wall_time=start + index, step=step, summary=Summary(value=[value])).SerializeToString())
    return path


def test_tags_are_read_by_kind(tmp_path: Path) -> None:
    path = write(
        tmp_path / "events.out.tfevents.1.a",
        ("losses/qf1_loss", 0, 9.0),
        (EPISODE, 10, 1.5),
        (EPISODE, 10, 2.5),
        (EVALUATION, 100, 4.0),
        ("eval/episodic_return", 3, 99.0),
        ("rollout/ep_rew_mean", 100, 77.0),
    )
    notes: list[str] = []
    found, settings = read_events([path], ["e"], notes)
    training, evaluation = found["training"], found["evaluation"]
    # Single episodes are preferred to the logger's running mean; the steps of CleanRL's last evaluation count episodes.
    assert (training.steps.tolist(), training.returns.tolist(), training.rows.tolist()) == (
        [10, 10],
        [1.5, 2.5],
        [2, 3],
    )
    assert training.episodes
    assert (evaluation.steps.tolist(), evaluation.returns.tolist(), evaluation.seconds.tolist()) == (
        [100],
        [4.0],
        [3.0],
    )
    assert not evaluation.episodes
    assert (settings, notes) == ({}, [])


def test_scalars_stored_as_tensors_and_the_table_of_settings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.a"
    table = TensorProto(string_val=[b"|param|value|\n|-|-|\n|seed|7|\n|env_id|Hopper-v4|"])
    values = [
        Summary.Value(tag="hyperparameters/text_summary", tensor=table),
        Summary.Value(tag=EVALUATION, tensor=TensorProto(float_val=[1.5])),
        Summary.Value(tag=EVALUATION, tensor=TensorProto(tensor_content=b"\x00\x00\x20\x40")),
    ]
    with path.open("wb") as stream:
        writer = RecordWriter(stream)
        for step, value in enumerate(values):
            writer.write(Event(wall_time=1.0, step=step, summary=Summary(value=[value])).SerializeToString())
    found, settings = read_events([path], ["e"], [])
    assert found["evaluation"].returns.tolist() == [1.5, 2.5]
    assert settings == {"seed": "7", "env_id": "Hopper-v4"}


def test_a_second_file_goes_on_or_replaces_what_it_overlaps(tmp_path: Path) -> None:
    values = [(EVALUATION, step, float(step)) for step in (100, 200, 300)]
    first = write(tmp_path / "events.out.tfevents.1700000000.a", *values)
    # Names sort the other way round: it is the time in the name that orders them.
    second = write(
        tmp_path / "events.out.tfevents.999999999999.a", (EVALUATION, 250, -1.0), (EVALUATION, 350, -2.0), start=2000.0
    )
    found, _ = read_events([second, first], ["second", "first"], [])
    notes: list[str] = []
    evaluation = cleaned(found["evaluation"], notes)
    assert evaluation.steps.tolist() == [100, 200, 250, 350]
    assert evaluation.returns.tolist() == [100, 200, -1, -2]
    assert evaluation.sources == ("first", "second")
    assert evaluation.files.tolist() == [0, 0, 1, 1]
    assert evaluation.rows.tolist() == [1, 2, 1, 2]
    assert evaluation.seconds.tolist() == [0, 1, 1000, 1001]
    assert notes == ["second: record 1 goes back to step 250: a resumed run; it replaces 1 earlier entry"]


def test_damage_is_noted_with_its_record_and_what_stands_before_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "events.out.tfevents.1.a", *((EVALUATION, step, 1.0) for step in (200, 300, 400)))
    whole = path.read_bytes()
    size = len(whole) // 3
    path.write_bytes(whole[:-5])
    notes: list[str] = []
    found, _ = read_events([path], ["e"], notes)
    assert found["evaluation"].steps.tolist() == [200, 300]
    assert notes == [f"e: torn or damaged after record 2; {size - 5} bytes are left out"]
    path.write_bytes(whole[: size + 20] + b"\xff" + whole[size + 21 :])
    notes = []
    found, _ = read_events([path], ["e"], notes)
    assert found["evaluation"].steps.tolist() == [200]
    assert notes == [f"e: torn or damaged after record 1; {2 * size} bytes are left out"]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"", "e: empty; no event of this file"),
        (
            b"no events, but more than the sixteen bytes of a frame",
            "e: torn or damaged after record 0; 53 bytes are left out",
        ),
    ],
)
def test_a_file_without_events_is_noted(tmp_path: Path, content: bytes, note: str) -> None:
    path = tmp_path / "events.out.tfevents.1.a"
    path.write_bytes(content)
    notes: list[str] = []
    assert read_events([path], ["e"], notes) == ({}, {})
    assert notes == [
        note,
        "e: none of the tags eval/mean_reward, rollout/ep_rew_mean, charts/episodic_return; no return of these events",
    ]
    notes = []
    read_events([path], ["e"], notes, needed=False)
    assert notes == [note]


def test_a_record_that_is_no_event_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.a"
    with path.open("wb") as stream:
        writer = RecordWriter(stream)
        writer.write(
            Event(step=1, summary=Summary(value=[Summary.Value(tag=EVALUATION, simple_value=2.0)])).SerializeToString()
        )
        writer.write(b"\xff\xff\xff")
    notes: list[str] = []
    found, _ = read_events([path], ["e"], notes)
    assert found["evaluation"].returns.tolist() == [2.0]
    assert notes == ["e: record 2 is damaged; nothing after record 1 is used"]
