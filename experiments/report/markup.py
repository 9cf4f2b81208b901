"""Small pieces of HTML. Everything that comes from a file passes through `escape` here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from experiments.report.style import ArmStyle
from experiments.report.tables import Column, Table, Value, shown

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


def section(name: str, heading: str, how: str, body: str) -> str:
    """A section of the page with its heading and a sentence on how to read it."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{escape(heading)}</h2>\n'
        f"{paragraph(how, 'how') if how else ''}\n{body}\n</section>"
    )


def table(content: Table) -> str:
    """A sortable table that scrolls inside its own box."""
    used = [(index, column) for index, column in enumerate(content.columns) if column.heading is not None]
    head = "".join(
        f'<th scope="col"{_number_class(column)}><button type="button">{escape(column.heading or "")}</button></th>'
        for _, column in used
    )
    rows = "\n".join(
        "<tr>" + "".join(_cell(row[index], column) for index, column in used) + "</tr>" for row in content.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(content.title)}">\n<table>\n'
        f"<caption>{escape(content.title)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>"
    )


def facts(entries: Mapping[str, str]) -> str:
    """Name and value pairs for a definition list."""
    return "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in entries.items())


def swatch(look: ArmStyle) -> str:
    """How an arm's line looks: a short piece of it with its marker."""
    dashes = {"-": "", "--": "7 4", "-.": "8 3 2 3", ":": "2 3"}.get(str(look.line), "7 2 2 2 2 2")
    colour = f"var(--arm-{look.colour_index})"
    return (
        f'<svg viewBox="0 0 40 12" aria-hidden="true"><path d="M0 6H40" style="stroke: {colour}; stroke-width: 2.4; '
        f'stroke-dasharray: {dashes or "none"}"/><text x="20" y="10" text-anchor="middle" '
        f'style="fill: {colour}; font-size: 11px">{look.sign}</text></svg>'
    )


def plain_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    columns = tuple(Column(heading, heading) for heading in headings)
    return table(Table("", title, "", columns, tuple(tuple(row) for row in rows)))


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
