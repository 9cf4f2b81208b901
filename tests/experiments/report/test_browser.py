"""The page as people meet it: in a browser, on a screen and a phone, light and dark, by pointer and by keys."""

import csv
import io
from typing import TYPE_CHECKING

import pytest

from experiments.analysis.results import Analysis
from experiments.report.export import latex, markdown
from experiments.report.tables import page_tables
from experiments.text import number, whole
from tests.experiments.report.conftest import Open, Watched, Written

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `make setup` does that")
expect = sync_api.expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser
VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def readout(watched: Watched) -> str:
    texts = watched.page.locator("#readout p, #readout li").all_inner_texts()
    return " ".join(" ".join(texts).split())


def figure(watched: Watched, name: str) -> "Locator":
    return watched.page.locator(f'[data-chart="{name}"] .panels svg').first


def curve_line(found: Analysis, index: int, point: int) -> str:
    """An arm's name and its values at a point of the first task's learning curve, as the page shows them."""
    arm = found.groups[0].arms[index]
    assert arm.curve
    centre, low, high = (number(float(values[point])) for values in (arm.curve.centre, arm.curve.low, arm.curve.high))
    return f"{arm.arm} {centre} [{low}, {high}]"


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_nothing_is_asked_for_and_nothing_goes_wrong(open_page: Open, crowd: Written, width: int, scheme: str) -> None:
    watched = open_page(crowd, width=width, scheme=scheme)
    assert watched.asked == [crowd.path.as_uri()]
    assert watched.said == []
    assert watched.page.locator("figure").count() == watched.page.locator("figure:has(.panels svg path)").count() == 20


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_no_accessibility_violation(open_page: Open, small: Written, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only where there is a browser

    watched = open_page(small, width=width, scheme=scheme)
    watched.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    figure(watched, "learning_curve-Task0-v5-td3").hover()
    found = Axe().run(watched.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@pytest.mark.parametrize("name", ["small", "crowd"])
def test_a_phone_does_not_scroll_sideways(open_page: Open, name: str, request: pytest.FixtureRequest) -> None:
    watched = open_page(request.getfixturevalue(name), width=390)
    assert watched.page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_figure_is_drawn_anew_when_the_window_becomes_narrower(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    before = figure(watched, "learning_curve-Task0-v5-td3").get_attribute("viewBox")
    watched.page.set_viewport_size({"width": 390, "height": 800})
    expect(figure(watched, "learning_curve-Task0-v5-td3")).not_to_have_attribute("viewBox", before or "")
    assert watched.page.evaluate("document.documentElement.scrollWidth") == 390


def test_hovering_a_curve_shows_the_values_of_every_arm_there_best_first(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    place = figure(watched, "learning_curve-Task0-v5-td3")
    box = place.bounding_box()
    assert box
    place.hover(position={"x": box["width"] - 14, "y": 120})
    arms = small.found.groups[0].arms
    ends = [arm.curve.centre[-1] if arm.curve else 0.0 for arm in arms]
    best = sorted(range(3), key=lambda index: -ends[index])
    lines = " ".join(curve_line(small.found, index, -1) for index in best)
    assert readout(watched) == f"environment steps: {whole(1_000_000)} {lines}".replace("\u202f", " ")
    watched.page.mouse.move(5, 5)
    assert not watched.page.locator("#readout").is_visible()


def test_keys_read_a_curve_point_by_point(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    figure(watched, "learning_curve-Task0-v5-td3").focus()
    for key, point in (("End", 20), ("ArrowLeft", 19), ("Home", 0), ("ArrowRight", 1), ("ArrowLeft", 0)):
        watched.page.keyboard.press(key)
        text = readout(watched)
        assert f"environment steps: {whole(50_000 * point)}".replace("\u202f", " ") in text
        assert curve_line(small.found, 0, point).replace("\u202f", " ") in text
    watched.page.keyboard.press("Escape")
    assert not watched.page.locator("#readout").is_visible()


def test_rows_cells_points_and_parts_show_their_values(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    final = small.found.groups[0].arms[2].final
    matrix = small.found.aggregates[0].improvement
    speed = small.found.groups[0].arms[2].throughput
    assert final
    assert speed
    expected = {
        # The best arm comes first: swish, of which one run has diverged.
        "final_scores-Task0-v5-td3": f"swish {number(final.value)} [{number(final.low)}, {number(final.high)}] "
        "5 seeds, 1 failed or diverged",
        "improvement-td3": f"swish against swim swish {matrix.value[2, 1]:.3f} "
        f"[{matrix.low[2, 1]:.3f}, {matrix.high[2, 1]:.3f}]",
        "cost-Task0-v5-td3": f"environment steps per second of training {number(speed.steps_per_s)} ",
        "time_shares-Task0-v5-td3": "swish act 10 % simulate 25 % learn 45 % evaluate 15 % other 5 %",
        "profiles-td3": "normalised final score τ: 0 ",
    }
    for name, text in expected.items():
        figure(watched, name).focus()
        watched.page.keyboard.press("Home")
        assert text.replace("\u202f", " ") in readout(watched), name


def test_a_run_that_diverged_is_marked(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    for kind in ("learning_curve", "final_scores"):
        assert figure(watched, f"{kind}-Task0-v5-td3").locator("path.bad").count() == 1
        assert figure(watched, f"{kind}-Task1-v5-td3").locator("path.bad").count() == 0
    assert "NaN in the critic" in watched.page.locator("#failed").inner_text()


def test_choosing_arms_makes_the_others_grey_in_every_figure(open_page: Open, small: Written) -> None:
    watched = open_page(small)
    page = watched.page
    assert page.locator(".dim").count() == 0
    swim = page.get_by_role("button", name="swim", exact=True)
    swim.click()
    assert swim.get_attribute("aria-pressed") == "true"
    page.mouse.move(5, 5)
    place = page.locator('[data-chart="sample_efficiency-td3"] svg')
    assert place.locator("path.line:not(.dim)").count() == 1
    assert place.locator("path.line.dim").count() == 2
    figure(watched, "learning_curve-Task0-v5-td3").focus()
    page.keyboard.press("End")
    assert "swim" in readout(watched)
    assert "relu" not in readout(watched)
    swim.click()
    page.mouse.move(5, 5)
    assert page.locator(".dim").count() == 0


def test_hovering_a_name_shows_it_alone_for_that_while(open_page: Open, small: Written) -> None:
    page = open_page(small).page
    page.get_by_role("button", name="swim", exact=True).hover()
    assert page.locator('[data-chart="sample_efficiency-td3"] path.line.dim').count() == 2
    page.mouse.move(5, 5)
    assert page.locator(".dim").count() == 0


def test_in_a_crowd_a_few_stand_out_until_all_are_asked_for(open_page: Open, crowd: Written) -> None:
    page = open_page(crowd).page
    lines = page.locator('[data-chart="sample_efficiency-td3"] path.line')
    assert lines.count() == 26
    assert page.locator('.legend [aria-pressed="true"]').count() == 8
    assert page.locator('[data-chart="sample_efficiency-td3"] path.line:not(.dim)').count() == 8
    for name in ("relu", "swim"):
        assert page.get_by_role("button", name=name, exact=True).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="All in colour").click()
    assert page.locator('[data-chart="sample_efficiency-td3"] path.line.dim').count() == 0


def test_a_press_on_a_heading_sorts_by_value_and_a_second_turns_it_round(open_page: Open, small: Written) -> None:
    page = open_page(small).page
    table = page.locator('table[data-stem="scores"]')
    heading = table.locator('th[data-key="final_iqm"]')
    values = [arm.final.value for group in small.found.groups for arm in group.arms if arm.final]
    for press, ordered in (("ascending", sorted(values)), ("descending", sorted(values, reverse=True))):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == press
        column = heading.evaluate("cell => cell.cellIndex")
        shown = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
        assert shown == [number(value) for value in ordered]


def test_a_missing_value_stays_last_whichever_way_it_is_sorted(open_page: Open, small: Written) -> None:
    page = open_page(small).page
    table = page.locator('table[data-stem="comparisons"]')
    body = table.locator("tbody")
    body.evaluate("body => body.rows[0].querySelector('[data-value]').dataset.value = ''")
    column = body.evaluate("body => body.rows[0].querySelector('[data-value]').cellIndex")
    for _ in range(2):
        table.locator("thead button").nth(column).click()
        found = body.evaluate(f"body => [...body.rows].map(row => row.cells[{column}].dataset.value)")
        assert found[-1] == ""
        assert "" not in found[:-1]


def test_the_saved_csv_is_the_table_as_sorted_with_every_digit(open_page: Open, small: Written) -> None:
    page = open_page(small).page
    page.locator('table[data-stem="scores"] th[data-key="final_iqm"] button').click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV: Scores").click()
    assert download.value.suggested_filename == "scores.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    on_disk = list(csv.DictReader(io.StringIO((small.path.parent / "tables" / "scores.csv").read_text())))
    on_disk.sort(key=lambda row: float(row["final_iqm"]))
    assert rows == [{key: row[key] for key in rows[0]} for row in on_disk]


@pytest.mark.parametrize(("form", "ending"), [("Markdown", "md"), ("LaTeX", "tex")])
def test_copied_tables_equal_the_files(open_page: Open, small: Written, form: str, ending: str) -> None:
    page = open_page(small).page
    make = {"md": markdown, "tex": latex}[ending]
    for table in page_tables(small.found):
        button = page.get_by_role("button", name=f"Copy {form}: {table.title}", exact=True)
        button.click()
        expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == make(table).decode()
        assert (small.path.parent / "tables" / f"{table.stem}.{ending}").read_bytes() == make(table)


def test_the_tab_key_reaches_everything_that_can_be_used(open_page: Open, small: Written) -> None:
    page = open_page(small).page
    selector = "a[href], button, summary, [tabindex='0']"
    usable = page.locator(selector).count()
    reached = set()
    for _ in range(usable):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f'[...document.querySelectorAll("{selector}")].indexOf(document.activeElement)'))
    assert reached == set(range(usable))


def test_print_shows_all_in_light_colours_without_controls(open_page: Open, small: Written) -> None:
    page = open_page(small, scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for hidden in ("nav", ".exports", "details.files", "#readout"):
        assert not page.locator(hidden).first.is_visible(), hidden
    for box in page.locator(".scroll").all():
        assert box.evaluate("box => getComputedStyle(box).overflow") == "visible"
    assert figure(Watched(page), "learning_curve-Task0-v5-td3").is_visible()
    # An A4 sheet at 96 dots to the inch, less its margins.
    page.set_viewport_size({"width": 718, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") == 718
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_without_its_script_the_page_still_answers_and_says_where_the_figures_are(
    open_page: Open, small: Written
) -> None:
    page = open_page(small, script=False).page
    assert page.locator(".headline").inner_text() == "swim is better than relu on everything."
    assert page.locator("noscript p").is_visible()
    assert "drawn by this page's own script, which is switched off here" in page.locator("noscript p").inner_text()
    assert page.locator('table[data-stem="scores"] tbody tr').count() == 6
