"""Small pieces of HTML. Everything that comes from a file passes through `escape` here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from experiments.report.chart import Chart
from experiments.report.files import file_stem
from experiments.report.table import Column, Table, Value, shown

_WIDE = 40


def paragraph(text: str, kind: str | None = None) -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def bullets(texts: Sequence[str], kind: str) -> str:
    """A list of plain texts; nothing if there are none."""
    if not texts:
        return ""
    items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="{kind}">\n{items}\n</ul>'


def section(name: str, heading: str, how: str, body: str, *, half: bool = False) -> str:
    """A section of the page with its heading and a sentence on how to read it; half as wide where two fit."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"{_class("half" if half else "")}>\n'
        f'<h2 id="{name}-title">{escape(heading)}</h2>\n{paragraph(how, "how") if how else ""}\n{body}\n</section>'
    )


def table(content: Table) -> str:
    """A sortable table that scrolls inside its own box, with buttons that export it as it is sorted."""
    used = [(index, column) for index, column in enumerate(content.columns) if column.heading is not None]
    head = "".join(
        f'<th scope="col"{_number_class(column)} data-key="{escape(column.key)}"><button type="button">'
        f"{escape(column.heading or '')}</button></th>"
        for _, column in used
    )
    rows = "\n".join(
        "<tr>" + "".join(_cell(row[index], column) for index, column in used) + "</tr>" for row in content.rows
    )
    title = escape(content.title)
    exports = "\n".join(
        f'<button type="button" data-export="{form}" aria-label="{verb} {form}: {title}">{verb} {form}</button>'
        for form, verb in (("CSV", "Save"), ("Markdown", "Copy"), ("LaTeX", "Copy"))
    )
    return (
        f'<div class="table">\n<div class="exports">\n{exports}\n</div>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {title}">\n'
        f'<table data-stem="{escape(content.stem)}">\n<caption>{title}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n</div>"
    )


def facts(entries: Mapping[str, str]) -> str:
    """Name and value pairs for a definition list."""
    return "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in entries.items())


def legend(arms: Sequence[str], *, crowded: bool) -> str:
    """All arms as buttons that make them stand out in every figure; page.js draws their lines."""
    items = "\n".join(
        f'<li><button type="button" data-choose="{place}" aria-pressed="false">'
        f'<svg viewBox="0 0 40 10" aria-hidden="true"></svg>{escape(arm)}</button></li>'
        for place, arm in enumerate(arms)
    )
    everything = '\n<li><button type="button" class="all">All in colour</button></li>' if crowded else ""
    return (
        '<div class="legend" tabindex="0" role="group" aria-label="Arms, best first: press to make them stand out">\n'
        f"<ul>\n{items}{everything}\n</ul>\n</div>"
    )


def figure(chart: Chart, command: str) -> str:
    """A figure's place, which page.js fills, and the command that makes its files."""
    text = f"{chart.stem}-text"
    three = " three" if len(chart.panels) % 3 == 0 else ""
    return (
        f'<figure data-chart="{escape(chart.stem)}" aria-describedby="{escape(text)}"'
        f"{_class('wide' if chart.wide else '')}>\n"
        f'<figcaption>{escape(chart.caption)}</figcaption>\n<div class="panels{three}"></div>\n'
        f'<p class="unseen" id="{escape(text)}">{escape(chart.text)}</p>\n'
        '<details class="files"><summary>Command for the files of this figure</summary>\n'
        f"<code>{escape(command)}</code></details>\n"
        "</figure>"
    )


def plain_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    columns = tuple(Column(heading, heading) for heading in headings)
    return table(Table(file_stem(title.lower()), title, "", columns, tuple(tuple(row) for row in rows)))


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _number_class(column: Column) -> str:
    return "" if column.show == "text" else ' class="number"'


def _cell(value: Value, column: Column) -> str:
    if column.show == "text":
        text = shown(value, "text")
        kind = ' class="wide"' if len(text) > _WIDE else ""
        return f"<td{kind}>{escape(text)}</td>"
    # An empty value sorts last; NaN means the same as a missing one.
    key = "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
    return f'<td class="number" data-value="{escape(key)}">{escape(shown(value, column.show))}</td>'
