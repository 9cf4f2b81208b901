"""A matplotlib figure as PNG, as SVG file, and as SVG inside the page; the same figure gives the same bytes."""

import io
import re
from html import escape

from matplotlib.figure import Figure

from experiments.report.style import GRID, INK, LIGHT

_DPI = 180


def png(figure: Figure) -> bytes:
    """The figure as PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as a free-standing SVG file on white, without a date."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def inline(drawing: str, prefix: str, label: str) -> str:
    """An SVG file's text made part of an HTML page.

    The page's own colours (`--ink`, `--grid`, `--arm-0` ...) and font replace the figure's, so it follows light and
    dark; identifiers get a prefix, because a page holds many drawings; the background becomes transparent.
    """
    text = drawing[drawing.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r' id="([^"]+)"', rf' id="{prefix}-\1"', text)
    text = text.replace('href="#', f'href="#{prefix}-').replace("url(#", f"url(#{prefix}-")
    text = re.sub(r"font-family: [^;\"]+", "font-family: var(--font)", text)
    text = re.sub(r"font: ([0-9. a-z]*?)([0-9.]+px) [^;\"]+", r"font: \1\2 var(--font)", text)
    # A hundredth of a point is finer than any screen, and halves the page.
    text = re.sub(r"([0-9]\.[0-9]{2})[0-9]+", r"\1", text)
    text = text.replace("fill: #ffffff", "fill: none", 2)
    for index, colour in enumerate(LIGHT):
        text = text.replace(colour, f"var(--arm-{index})")
    text = text.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    box = re.search(r'viewBox="[^"]+"', text)
    opening = f'<svg {box.group() if box else ""} role="img" aria-label="{escape(label)}">'
    text = re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)
    return re.sub(r"\s*\n\s*", "\n", text).strip()
