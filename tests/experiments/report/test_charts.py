"""Charts as data, how arms look, what goes into the page, and what the files hold."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from experiments.analysis.results import Analysis
from experiments.collect.bench import Cost
from experiments.report import catalogue
from experiments.report.chart import Axis, Chart, Line, Lines, Points
from experiments.report.embed import page_data
from experiments.report.export import latex, markdown
from experiments.report.paper import draw
from experiments.report.render import house_style, rendered
from experiments.report.style import DASHES, LIGHT, LINE_STYLES, MARKERS, Looks
from experiments.report.table import Column, Table
from experiments.report.tables import file_tables
from tests.experiments.report.made_up import Shape, analysis


@pytest.fixture(scope="module")
def measured() -> Analysis:
    return analysis(Shape(measured=True))


def drawn(found: Analysis) -> dict[str, Chart]:
    return {chart.stem: chart for chart in catalogue.charts(found, catalogue.ranking(found))}


def test_every_kind_of_figure_has_its_charts(measured: Analysis) -> None:
    found = drawn(measured)
    assert list(dict.fromkeys(chart.kind for chart in found.values())) == list(catalogue.HEADINGS)
    for kind in ("learning_curve", "wall_clock", "final_scores", "thresholds", "cost", "throughput", "time_shares"):
        assert {f"{kind}-Task0-v5-td3", f"{kind}-Task1-v5-td3"} <= set(found)
    for kind in ("aggregate", "sample_efficiency", "time_efficiency", "profiles", "improvement", "control"):
        assert f"{kind}-td3" in found
    assert [panel.title for panel in found["aggregate-td3"].panels] == ["IQM", "mean", "median", "optimality gap"]
    assert {f"diagnostics-Task0-v5-td3-{network}" for network in ("actor", "q1")} <= set(found)
    assert "shapes-Task0-v5-td3-actor" in found
    # No arm has learnt a shape in a critic.
    assert "shapes-Task0-v5-td3-q1" not in found


def test_arms_stand_in_the_order_of_their_score_everywhere(measured: Analysis) -> None:
    assert catalogue.ranking(measured) == ("swish", "swim", "relu")
    assert all(chart.arms in (("swish", "swim", "relu"), ("swim",), ("relu",)) for chart in drawn(measured).values())


def test_without_aggregates_arms_rank_by_their_places_on_the_tasks(measured: Analysis) -> None:
    low, high = measured.groups[0].arms[0], measured.groups[0].arms[2]
    assert low.final
    assert high.final
    lone = replace(measured.groups[0], arms=(high, replace(low, final=None), measured.groups[0].arms[1]))
    assert catalogue.ranking(replace(measured, aggregates=(), groups=(lone,)))[-1] == "relu"


def test_a_missing_figure_says_why(measured: Analysis) -> None:
    bare = replace(measured, aggregates=(), controls=())
    found = {section.kind: section for section in catalogue.sections(bare, list(drawn(bare).values()), crowded=False)}
    assert found["aggregate"].charts == ()
    assert found["aggregate"].how.startswith("Not drawn: ")
    assert found["control"].how == "Not drawn: two halves of the control need at least four runs of it."
    assert "profiles" not in found
    shared = analysis(Shape(), company=5)
    found = {
        section.kind: section for section in catalogue.sections(shared, list(drawn(shared).values()), crowded=False)
    }
    assert found["cost"].how.startswith("Not drawn: runs of different arms shared one clock")


def test_a_measured_cost_takes_the_place_of_throughput(measured: Analysis) -> None:
    costs = {("td3", "swim"): Cost("compiled", 1.2, 1.1, 1.3), ("td3", "relu"): Cost("compiled", 1.0, 1.0, 1.0)}
    found = drawn(replace(measured, collection=replace(measured.collection, costs=costs)))
    (panel,) = found["cost-Task0-v5-td3"].panels
    assert isinstance(panel, Points)
    assert panel.x.label == "time of a training step relative to ReLU's (compiled)"
    assert [(point.arm, point.x) for point in panel.points] == [("swim", (1.2, 1.1, 1.3)), ("relu", (1.0, 1.0, 1.0))]


def test_diagnostics_are_medians_over_seeds_of_means_over_layers(measured: Analysis) -> None:
    panel = drawn(measured)["diagnostics-Task0-v5-td3-actor"].panels[0]
    assert isinstance(panel, Lines)
    assert panel.title == "dormant units"
    runs = measured.groups[0].arms[0].runs
    values = [
        np.mean([run.diagnostics.values["actor", layer, "dormant_share"][1] for layer in ("layer1", "layer2")], axis=0)
        for run in runs
        if run.diagnostics
    ]
    line = panel.lines[-1]
    assert line.arm == "relu"
    assert line.low is not None
    np.testing.assert_allclose(line.y, np.median(values, axis=0), rtol=1e-12)
    np.testing.assert_allclose(line.low, np.min(values, axis=0), rtol=1e-12)
    (table,) = [table for table in file_tables(measured) if table.stem == "diagnostics"]
    row = next(row for row in table.rows if row[:6] == ("Task0-v5", "td3", "relu", "q1", "layer2", "dead_share"))
    first = [run.diagnostics.values["q1", "layer2", "dead_share"][1][0] for run in runs if run.diagnostics]
    assert row[6:] == (0.0, float(np.median(first)), min(first), max(first), 5)


def test_no_two_of_fifty_arms_look_alike() -> None:
    looks = Looks([f"arm-{index}" for index in range(50)], [])
    assert len({(look.colour, look.marker) for look in looks.values()}) == 50
    # Neighbours differ in colour, line and marker, so that none of the three is needed alone.
    kept = list(looks.values())
    for one, other in pairwise(kept):
        assert one.colour != other.colour
        assert one.line != other.line
        assert one.marker != other.marker
    assert len(DASHES) == len(LINE_STYLES)
    assert len(LIGHT) < len(MARKERS)


def test_in_a_crowd_the_featured_arms_have_the_first_looks() -> None:
    looks = Looks([f"arm-{index}" for index in range(12)], ["arm-9", "arm-3", "arm-9"])
    assert [arm for arm in looks if looks.featured(arm)] == ["arm-9", "arm-3"]
    assert (looks["arm-9"].index, looks["arm-3"].index, looks["arm-0"].index) == (0, 1, 2)
    assert looks.crowded
    assert not Looks(["a", "b"], []).crowded


def test_the_page_keeps_ends_and_gaps_of_long_lines_and_five_digits() -> None:
    x = np.arange(1000.0)
    y = np.where(x == 999, 1234.5678, 1 / 3)
    y[0] = np.nan
    line = Line("a", x, y, runs=((x, y),) * 3)
    chart = Chart("learning_curve", "a", "a", "text", (Lines("</script>", Axis("x"), Axis("y"), (line,)),))
    text = page_data([chart], Looks(["a"], []), ["a"])
    assert "</script>" not in text
    panel = json.loads(text)["charts"]["a"][0]
    assert panel["title"] == "</script>"
    (kept,) = panel["lines"]
    assert (kept["x"][0], kept["x"][-1], len(kept["x"])) == (0, 999, 240)
    assert (kept["y"][0], kept["y"][1], kept["y"][-1]) == (None, 0.33333, 1234.6)
    assert len(kept["runs"]) == 3


def test_a_page_of_ten_thousand_runs_stays_below_five_megabytes_of_data() -> None:
    x = np.linspace(0, 1e6, 200)
    rng = np.random.default_rng(0)
    arms = [f"arm-{index}" for index in range(50)]
    noise = rng.normal(1000, 300, (4, 200))
    runs = tuple((x, noise[index % 4]) for index in range(20))
    panels = [
        Lines("t", Axis("x"), Axis("y"), tuple(Line(arm, x, noise[0], noise[1], noise[2], runs=runs) for arm in arms))
        for _ in range(40)
    ]
    found = [Chart("learning_curve", f"c{index}", "t", "t", (panel,)) for index, panel in enumerate(panels)]
    assert len(page_data(found, Looks(arms, arms), arms).encode()) < 4_000_000


def test_tables_as_markdown_and_latex() -> None:
    columns = (Column("a", "Arm_1"), Column("hidden", None), Column("v", "Value", "number"), Column("s", "%", "share"))
    table = Table("t", "T", "", columns, (("x|y & z\nw", 1, -1234.5, 0.5), ("#~", 2, None, float("nan"))))
    assert markdown(table).decode() == (
        "| Arm_1 | Value | % |\n| --- | ---: | ---: |\n| x\\|y & z w | −1\u202f234 | 50 % |\n| #~ | – | – |\n"
    )
    assert latex(table).decode() == (
        "\\begin{tabular}{lrr}\n\\toprule\nArm\\_1 & Value & \\% \\\\\n\\midrule\n"
        "x|y \\& z w & $-$1\\,234 & 50 \\% \\\\\n\\#\\textasciitilde{} & -- & -- \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_a_pdf_embeds_truetype_fonts_and_a_column_is_as_wide_as_a_column(measured: Analysis) -> None:
    chart = drawn(measured)["learning_curve-Task0-v5-td3"]
    looks = catalogue.looks(measured, catalogue.ranking(measured))
    with house_style():
        pdf = rendered(draw(chart, looks), "pdf")
        again = rendered(draw(chart, looks), "pdf")
        wide = draw(drawn(measured)["aggregate-td3"], looks)
    assert pdf == again
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", pdf)
    assert box
    assert float(box[1]) == pytest.approx(3.35 * 72)
    assert wide.get_figwidth() == 6.9
