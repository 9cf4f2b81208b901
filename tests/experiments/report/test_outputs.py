"""Which files a report writes, replaces and removes; nobody else's is touched."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from experiments.collect.errors import ReportError
from experiments.report.outputs import MANIFEST, Outputs, outputs, write_outputs

FIRST = {"figures/a.svg": b"a", "figures/a.png": b"a", "tables/scores.csv": b"1"}
SECOND = {"figures/b.svg": b"b", "tables/scores.csv": b"2"}


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def places(tmp_path: Path) -> Outputs:
    return outputs(tmp_path / "study", tmp_path / "shared" / "page.html")


def test_the_studys_own_page_has_plain_folders(tmp_path: Path) -> None:
    for out in (None, tmp_path / "report.html", tmp_path / "sub" / ".." / "report.html"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        assert outputs(tmp_path, out).folder.resolve() == tmp_path
        assert outputs(tmp_path, out).prefix == ""


@pytest.mark.parametrize(
    ("out", "folder"), [("page.html", "page_files"), ("v1.2.html", "v1.2_files"), ("page", "page_files")]
)
def test_another_page_has_a_folder_of_its_name(tmp_path: Path, out: str, folder: str) -> None:
    found = outputs(tmp_path / "study", tmp_path / out)
    assert found == Outputs(tmp_path / out, tmp_path / folder)
    assert found.prefix == f"{folder}/"


def test_a_page_called_report_elsewhere_is_another_page(tmp_path: Path) -> None:
    assert outputs(tmp_path / "study", tmp_path / "report.html").folder == tmp_path / "report_files"


def test_an_earlier_report_is_replaced_and_what_it_alone_had_goes(places: Outputs) -> None:
    write_outputs(places, b"one", FIRST)
    write_outputs(places, b"two", SECOND)
    assert listing(places.folder) == ["figures/b.svg", MANIFEST, "tables/scores.csv"]
    assert places.page.read_bytes() == b"two"
    assert (places.folder / "tables" / "scores.csv").read_bytes() == b"2"


def test_neighbours_stay(places: Outputs) -> None:
    for name in ("figures/mine.svg", "tables/scores.csv", "page_files/figures/mine.svg", "page_files/notes.txt"):
        path = places.page.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    write_outputs(places, b"one", FIRST)
    write_outputs(places, b"two", SECOND)
    kept = ["figures/mine.svg", "page_files/figures/mine.svg", "page_files/notes.txt", "tables/scores.csv"]
    assert [name for name in listing(places.page.parent) if (places.page.parent / name).read_bytes() == b"mine"] == kept


@pytest.mark.parametrize("name", ["page.html", "page_files/figures/a.svg", "page_files/tables/scores.csv"])
@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_a_foreign_file_in_the_way_is_named_and_nothing_is_written(
    places: Outputs, name: str, make: Callable[[Path], None]
) -> None:
    path = places.page.parent / name
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(ReportError) as caught:
        write_outputs(places, b"one", FIRST)
    assert str(caught.value) == (
        f"{path} exists and was not written by this report: move it away, or name another page with --out"
    )
    assert [entry for entry in places.page.parent.rglob("*") if not entry.is_dir()] == [path]


def test_a_figure_that_is_new_does_not_replace_a_foreign_one(places: Outputs) -> None:
    write_outputs(places, b"one", FIRST)
    (places.folder / "figures" / "b.svg").write_text("mine")
    with pytest.raises(ReportError, match=r"figures/b\.svg exists and was not written by this report"):
        write_outputs(places, b"two", SECOND)
    assert places.page.read_bytes() == b"one"


def test_two_pages_of_one_stem_do_not_share_a_folder(places: Outputs) -> None:
    write_outputs(places, b"one", FIRST)
    with pytest.raises(ReportError, match="exists and was not written by this report"):
        write_outputs(Outputs(places.page.with_suffix(".htm"), places.folder), b"two", SECOND)
    assert places.page.read_bytes() == b"one"
    assert (places.folder / "tables" / "scores.csv").read_bytes() == b"1"


@pytest.mark.parametrize(
    "names", [["../precious.csv"], ["figures/../../precious.csv"], ["notes.txt"], [7], "notes.txt"]
)
def test_a_manifest_cannot_have_other_files_removed(places: Outputs, names: Sequence[object]) -> None:
    places.folder.mkdir(parents=True)
    precious, notes = places.page.parent / "precious.csv", places.folder / "notes.txt"
    precious.write_text("mine")
    notes.write_text("mine")
    (places.folder / "figures").mkdir()
    if not isinstance(names, str):
        (places.folder / MANIFEST).write_text(json.dumps({"format": 1, "page": "page.html", "files": names}))
    write_outputs(places, b"one", FIRST)
    assert precious.read_text() == "mine"
    assert notes.read_text() == "mine"


def test_after_a_kill_between_two_files_the_report_can_be_made_again(
    places: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def killed(path: Path, content: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr("experiments.report.outputs.write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            write_outputs(places, b"one", FIRST)
    assert not places.page.exists()
    write_outputs(places, b"two", SECOND)
    assert listing(places.folder) == ["figures/b.svg", MANIFEST, "tables/scores.csv"]
    assert places.page.read_bytes() == b"two"
