"""The page and the files beside it, made for real."""

import base64
import csv
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.dom.minidom import parseString

import pytest

from experiments.report import ReportError, write_figure, write_report
from experiments.report.page import _headline
from tests.experiments.synthetic import SyntheticStudy

Make = Callable[..., SyntheticStudy]
VOID = {"meta", "link", "br", "img", "input", "hr"}
# One task has no curves over all tasks; without a clock of its own for each run there is a cost to draw.
FIGURES = (
    "aggregate", "control", "cost", "final_scores", "improvement", "learning_curve", "profiles", "thresholds",
    "throughput", "time_shares", "wall_clock",
)  # fmt: skip
FORMATS = ("pdf", "png", "svg")


class Page(HTMLParser):
    """Checks that tags nest; collects texts, tags, ids and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)
        self.ids.extend(value or "" for name, value in attrs if name == "id")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def svg_root(path: Path) -> str:
    document = parseString(path.read_bytes())  # noqa: S318 -- a file that the test itself has had written
    return str(document.documentElement.tagName) if document.documentElement else ""


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fill(study: SyntheticStudy) -> SyntheticStudy:
    study.fill({"relu": [100, 110, 120, 130, 140], "swim": [200, 210, 220, 230, 240]})
    return study


@pytest.fixture
def finished(make_study: Make) -> SyntheticStudy:
    return fill(make_study(seeds=5))


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a study with its report, to be read only: drawing takes longer than all checks of it."""
    study = fill(SyntheticStudy(tmp_path_factory.mktemp("reported") / "study", seeds=5))
    assert write_report(study.folder) == study.folder / "report.html"
    return study.folder


def test_one_study_makes_page_figures_and_tables(reported: Path) -> None:
    names = {f"{kind}-Hopper-v5-td3.{ending}" for kind in FIGURES for ending in FORMATS}
    assert {entry.name for entry in (reported / "figures").iterdir()} == names
    for kind in FIGURES:
        assert (reported / "figures" / f"{kind}-Hopper-v5-td3.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert svg_root(reported / "figures" / f"{kind}-Hopper-v5-td3.svg") == "svg"
        assert (reported / "figures" / f"{kind}-Hopper-v5-td3.pdf").read_bytes()[:5] == b"%PDF-"
    scores = table(reported, "scores")
    assert [(row["arm"], row["seeds"], row["final_iqm"], row["auc_iqm"]) for row in scores] == [
        ("relu", "5", "120.0", "60.0"),
        ("swim", "5", "220.0", "110.0"),
    ]
    assert scores[0]["low_high"] == "95 % interval, covers 90 %"
    assert scores[0]["coverage"] == "0.9"
    assert float(scores[0]["final_sd"]) == pytest.approx(15.811388300841896)
    comparison, area = table(reported, "comparisons")
    assert (comparison["score"], area["score"]) == ("final", "area under curve")
    assert (comparison["difference"], comparison["probability_of_improvement"]) == ("100.0", "1.0")
    assert (comparison["correction"], comparison["family"]) == ("Holm", "2")
    assert float(comparison["p_corrected"]) == pytest.approx(2 / 126)
    assert comparison["result"] == "better"
    timing = table(reported, "timing")[0]
    assert float(timing["steps_per_s_median"]) == pytest.approx(4000 / 6.8)
    assert float(timing["training_s_median"]) == pytest.approx(6.8)
    assert [round(float(timing[f"{part}_share"]), 6) for part in ("act", "simulate", "learn", "evaluate", "other")] == [
        *(0.1, 0.25, 0.45, 0.15, 0.05)
    ]
    runs = table(reported, "runs")
    assert len(runs) == 10
    assert (runs[9]["arm"], runs[9]["seed"], runs[9]["state"], runs[9]["final_score"]) == ("swim", "4", "done", "240.0")
    curve = [row for row in table(reported, "curves") if row["arm"] == "relu"]
    assert [(row["step"], row["iqm"]) for row in curve][-1] == ("4000.0", "120.0")


def test_the_page_says_it_all_and_nests(reported: Path) -> None:
    page = Page((reported / "report.html").read_text())
    assert page.tags.count("h1") == 1
    assert page.tags.count("figure") == len(FIGURES)
    for words in (
        "swim is better than relu on Hopper-v5 (TD3): final score 220.0 against 120.0",
        "Does the activation matter?",
        "95 % bootstrap interval of the IQM (at 5 seeds it covers in about 90 %)",
        "swim(k=0.5)",
        "relu; tanh",
        "max(x, 0)",
        "x/2 * (1 + k*x / sqrt(1 + (k*x)^2)), k = 0.5",
        "td3.learning_rate",
        "cpu Synthetic CPU",
        "mujoco 3.17.0, torch 2.13.0",
        "The runs' processes were started one at a time.",
        "python -m experiments run synthetic.yaml",
        "python -m experiments report study",
        "2026-03-01",
        "10 of 10",
        "Figures are beside this page in figures/ (PNG, SVG and PDF), tables with every run in tables/ (CSV, Markdown",
        "python -m experiments report study --figure learning_curve-Hopper-v5-td3",
        "Holm: corrected for 2 comparisons, those that cannot be made included.",
        "Hopper-v5 (TD3): 6.00 in return, 0.05 of the way of the control relu from 0 untrained to 120.0.",
        "lies within ±0.05 in normalised score, (score − untrained) / (control − untrained)",
    ):
        assert words in page.text
    assert "Failed runs" not in page.text
    assert "Notes on the files" not in page.text


def test_the_page_loads_nothing_and_every_link_inside_it_leads_somewhere(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    page = Page(text)
    assert {"link", "img", "iframe", "object"}.isdisjoint(page.tags)
    assert len(page.ids) == len(set(page.ids))
    references = [value for name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith("#") and value[1:] in page.ids for value in references)
    assert {match[1] for match in re.finditer(r"url\(#([^)]+)\)", text)} <= set(page.ids)
    described = {value for name, value in page.attributes if name == "aria-describedby"}
    assert "final_scores-Hopper-v5-td3-text" in described
    assert described <= set(page.ids)
    assert (
        "Hopper-v5 (TD3): final score of every seed with the interquartile mean. swim 220.0 over 5 seeds" in page.text
    )


def test_only_the_pages_own_style_and_script_are_allowed(reported: Path) -> None:
    text = (reported / "report.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    for element, inside in (("style", "<style>(.*?)</style>"), ("script", "<script>(.*?)</script>")):
        (found,) = re.findall(inside, text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    assert " style=" not in text


def test_one_figure_alone_leaves_everything_else(finished: SyntheticStudy) -> None:
    write_report(finished.folder, formats=["svg"])
    before = {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}
    figures = finished.folder / "figures"
    assert write_figure(finished.folder, "profiles-Hopper-v5-td3", formats=["pdf", "svg"]) == (
        figures / "profiles-Hopper-v5-td3.pdf",
        figures / "profiles-Hopper-v5-td3.svg",
    )
    after = {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}
    assert set(after) - set(before) == {figures / "profiles-Hopper-v5-td3.pdf"}
    assert {path.name for path in before if before[path] != after[path]} == {"report_files.json"}
    assert write_figure(finished.folder, "time_shares", formats=["svg"]) == (figures / "time_shares-Hopper-v5-td3.svg",)


@pytest.mark.parametrize(
    ("figure", "formats", "message"),
    [
        (
            "profile",
            None,
            r"no figure 'profile' in this report: did you mean 'profiles'\? Kinds are aggregate, profiles",
        ),
        ("profiles", ["gif"], "format 'gif' of figures is not known: allowed are png, svg, pdf"),
    ],
)
def test_an_unknown_figure_or_format_is_one_clear_line(
    finished: SyntheticStudy, figure: str, formats: list[str] | None, message: str
) -> None:
    with pytest.raises(ReportError, match=message):
        write_figure(finished.folder, figure, formats=formats)
    assert not (finished.folder / "figures").exists()


def test_the_command_line_writes_one_figure_and_the_formats_asked_for(finished: SyntheticStudy) -> None:
    def report(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "experiments", "report", str(finished.folder), *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[3])

    figure = finished.folder / "figures" / "cost-Hopper-v5-td3"
    assert report("--figure", "cost", "--formats", "svg,pdf").stdout.splitlines() == [
        f"figure    {figure}.svg",
        f"figure    {figure}.pdf",
    ]
    done = report("--formats", "none")
    assert (done.returncode, done.stdout) == (0, f"page      {finished.folder / 'report.html'}\n")
    assert not (finished.folder / "figures" / "cost-Hopper-v5-td3.svg").exists()
    wrong = report("--formats", "jpg")
    assert wrong.returncode == 2
    assert "format 'jpg' of figures is not known: allowed are png, svg, pdf" in wrong.stderr


def test_the_same_runs_give_the_same_bytes(reported: Path, tmp_path: Path) -> None:
    again = fill(SyntheticStudy(tmp_path / "study", seeds=5)).folder
    write_report(again)
    names = [path.relative_to(reported) for path in reported.rglob("*") if path.is_file()]
    assert len([name for name in names if name.parts[0] == "figures"]) == len(FORMATS) * len(FIGURES)
    assert [name for name in names if (again / name).read_bytes() != (reported / name).read_bytes()] == []


def test_out_names_the_page_and_figures_and_tables_go_into_a_folder_of_its_name(
    finished: SyntheticStudy, tmp_path: Path
) -> None:
    path = write_report(finished.folder, tmp_path / "new" / "page.html", formats=["png"])
    assert path == tmp_path / "new" / "page.html"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["page.html", "page_files"]
    assert len(list((path.parent / "page_files" / "figures").iterdir())) == len(FIGURES)
    assert {file.suffix for file in (path.parent / "page_files" / "tables").iterdir()} == {".csv", ".md", ".tex"}
    assert not (finished.folder / "report.html").exists()
    text = Page(path.read_text()).text
    assert "python -m experiments report study --out page.html" in text
    assert "Figures are beside this page in page_files/figures/ (PNG)" in text
    assert "tables with every run in page_files/tables/ (CSV, Markdown and LaTeX)" in text
    with pytest.raises(ReportError, match=r"new is a folder: give the name of a file, such as .*report\.html"):
        write_report(finished.folder, tmp_path / "new")


def test_names_from_files_are_text_never_markup(make_study: Make) -> None:
    arm = "<script>alert(1)</script>"
    study = make_study(arms=(arm, "_$x$"), seeds=1, changes={"name": "<b>bold</b>", "description": 'a & b "c"'})
    study.write_plan()
    study.write_run(arm, 0, [0, 1, 2, 3, 4])
    study.write_run("_$x$", 0, [0, 1], state="failed", cause="<img src=x onerror=alert(1)>")
    text = write_report(study.folder, formats=["svg"]).read_text()
    page = Page(text)
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert "b" not in page.tags
    assert "alert(1)</script>" not in text
    for words in (arm, "_$x$", "<b>bold</b>", "<img src=x onerror=alert(1)>", 'a & b "c"'):
        assert words in page.text
    assert svg_root(study.folder / "figures" / "learning_curve-Hopper-v5-td3.svg") == "svg"


def test_failed_and_odd_runs_stay_on_the_page(make_study: Make) -> None:
    study = make_study(seeds=3)
    study.write_plan()
    for seed in range(3):
        study.write_run("relu", seed, [0, 10, 20, 30, 40], workers=2)
    study.write_run("swim", 0, [0, 20, float("nan")], state="diverged", cause="NaN in the critic")
    study.write_run("swim", 1, [], state="failed", cause="disk\nfull", attempt=3)
    page = Page(write_report(study.folder, formats=[]).read_text())
    for words in (
        "2 of 6 runs failed or diverged (2 of swim)",
        "NaN in the critic",
        "disk full",
        "1 of 3 returns are not finite",
        "Hopper-v5/td3/swim/seed-2: no such folder; the run has not started",
        "its last finite evaluation is carried forward to step 4 000",
        "Up to 2 processes shared the machine",
        "Processes shared the machine: 2 runs with 1 at a time; 3 runs with 2 at a time.",
    ):
        assert words in page.text
    attempts = [row["attempt"] for row in table(study.folder, "runs") if row["arm"] == "swim"]
    assert attempts == ["1", "3", "1"]
    (swim,) = (row for row in table(study.folder, "failures") if row["arm"] == "swim")
    assert (swim["planned"], swim["done"], swim["failed"], swim["unscored"]) == ("3", "0", "2", "2")


def test_one_evaluation_without_times_still_makes_a_page(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=1)
    study.write_plan()
    folder = study.write_run("relu", 0, [5.0], state="running")
    (folder / "evaluations.csv").write_text("step,return_mean\n0,5.0\n")
    page = Page(write_report(study.folder, formats=[]).read_text())
    assert page.tags.count("figure") == 2
    assert "times are missing or go back" in page.text
    assert table(study.folder, "timing")[0]["runs"] == "0"


def test_only_failed_runs_with_evaluations_make_a_page(make_study: Make) -> None:
    study = make_study(arms=("relu",), seeds=2)
    study.write_plan()
    study.write_run("relu", 0, [0, 10], state="failed", cause="killed")
    study.write_run("relu", 1, [0, 30], state="diverged", cause="NaN")
    page = Page(write_report(study.folder, formats=[]).read_text())
    assert "0 of 2" in page.text
    assert "relu has a final score of 20.0" in page.text
    assert "2 of 2 runs failed or diverged" in page.text


def test_arms_show_their_activation_and_its_learning_rate(make_study: Make) -> None:
    arm = {"name": "learnt", "actor": "swim_learnable(k=0.7)", "critic": ["relu", "mine(a=1)"], "seeds": [4]}
    study = make_study(changes={"arms": [{**arm, "activation_lr": 0.00125}], "primary": [], "control": None})
    study.write_plan()
    study.write_run("learnt", 4, [0, 1, 2, 3, 4])
    page = Page(write_report(study.folder, formats=[]).read_text())
    for words in ("swim_learnable(k=0.7)", "relu; mine(a=1)", "0.00125", "k learnt from 0.7"):
        assert words in page.text


def test_many_arms_have_a_few_in_colour_and_the_others_grey(make_study: Make) -> None:
    arms = tuple(f"arm-{index}" for index in range(9))
    study = make_study(arms=arms, seeds=2, steps=2000, changes={"primary": [["arm-0", "arm-1"]]})
    study.fill({arm: [1.0 + index, 2.0 + index] for index, arm in enumerate(arms)})
    text = write_report(study.folder, formats=[]).read_text()
    assert "With so many arms, the compared ones and the best have their colours" in text
    found = json.loads(re.findall('<script type="application/json" id="data">(.*?)</script>', text)[0])["arms"]
    assert [arm["name"] for arm in found] == [f"arm-{index}" for index in range(8, -1, -1)]
    assert [arm["name"] for arm in found if not arm["featured"]] == ["arm-2"]


def test_nothing_is_written_where_there_is_nothing_to_report(make_study: Make) -> None:
    study = make_study()
    study.write_plan()
    with pytest.raises(ReportError):
        write_report(study.folder)
    assert [entry.name for entry in study.folder.iterdir()] == ["study.json"]


def test_a_page_that_cannot_be_written_is_one_clear_line(finished: SyntheticStudy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match=r"file/page\.html cannot be written: Not a directory"):
        write_report(finished.folder, tmp_path / "file" / "page.html", formats=[])


def test_a_full_disk_leaves_the_old_page(finished: SyntheticStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    page = write_report(finished.folder, formats=[])
    page.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device", descriptor)

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ReportError, match=r"report\.html cannot be written: No space left on device"):
        write_report(finished.folder, formats=[])
    assert page.read_bytes() == b"old"
    assert list(finished.folder.rglob(".*")) == []


def test_the_headline_sets_the_numbers_apart_from_the_answer() -> None:
    assert _headline("a <b> is better on c (TD3): 1 against 2; 3.") == (
        'a &lt;b&gt; is better on c (TD3): <span class="numbers">1 against 2; 3.</span>'
    )
    assert _headline("No arm: none.") == "No arm: none."


def test_matplotlib_is_not_imported_before_a_report_is_made() -> None:
    code = "import sys, experiments.report; sys.exit('matplotlib' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=root).returncode == 0
