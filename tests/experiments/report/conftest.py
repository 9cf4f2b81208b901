"""Pages of made-up studies, and a browser that looks at them; without a Chromium those tests are skipped and say so."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from experiments.analysis.results import Analysis
from experiments.report.outputs import outputs
from experiments.report.write import write_analysis
from tests.experiments.report.made_up import Shape, analysis

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Written:
    """A page on disk and the analysis behind it."""

    found: Analysis
    path: Path


@dataclass
class Watched:
    """A page in the browser; `asked` are addresses that it asked for, `said` what went to its console."""

    page: "Page"
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


Open = Callable[..., Watched]


def _written(folder: Path, shape: Shape) -> Written:
    found = analysis(shape)
    return Written(found, write_analysis(found, outputs(folder, None), "python -m experiments report study", []))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Three arms on two tasks; a run of the last arm on the first task has diverged."""
    return _written(tmp_path_factory.mktemp("small"), Shape())


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Twenty-six arms: most of them are grey."""
    return _written(tmp_path_factory.mktemp("crowd"), Shape(arms=26, seeds=3, points=9))


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's own Chromium."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (`make setup` does that)")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium here ({', '.join(BROWSERS)}): `make browser-test` installs it")
    with driver.sync_playwright() as playwright:
        # The sandbox needs rights that containers lack; the page is our own.
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Open]:
    """Return a function that opens a page and waits until every figure is drawn."""
    contexts = []

    def opened(written: Written, *, width: int = 1280, scheme: str = "light", script: bool = True) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.on("request", lambda request: watched.asked.append(request.url))
        watched.page.on("console", lambda message: watched.said.append(message.text))
        watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
        watched.page.goto(written.path.as_uri())
        if script:
            watched.page.wait_for_selector("html[data-ready]", state="attached")
        return watched

    yield opened
    for context in contexts:
        context.close()
