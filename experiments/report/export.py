"""Tables as files: CSV with every column in full precision, Markdown and LaTeX as the page shows them."""

import re
from collections.abc import Callable, Mapping, Sequence

from experiments.report.files import csv_bytes
from experiments.report.table import Table, shown

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "\u202f": r"\,", "–": "--", "±": r"$\pm$",
    "τ": r"$\tau$",
}  # fmt: skip


def csv(table: Table) -> bytes:
    """All columns under their keys."""
    return csv_bytes([column.key for column in table.columns], table.rows)


def markdown(table: Table) -> bytes:
    """The columns of the page as a pipe table, numbers to the right."""
    head, right, rows = _seen(table)
    escaped = [[_one_line(text).replace("|", r"\|") for text in line] for line in (head, *rows)]
    rule = ["---:" if number else "---" for number in right]
    return "".join(f"| {' | '.join(line)} |\n" for line in (escaped[0], rule, *escaped[1:])).encode()


def latex(table: Table) -> bytes:
    """The columns of the page as a tabular with the rules of the package booktabs."""
    head, right, rows = _seen(table)
    first, *others = [" & ".join(_escaped(text) for text in line) + r" \\" + "\n" for line in (head, *rows)]
    columns = "".join("r" if number else "l" for number in right)
    body = f"\\toprule\n{first}\\midrule\n{''.join(others)}\\bottomrule\n"
    return f"\\begin{{tabular}}{{{columns}}}\n{body}\\end{{tabular}}\n".encode()


# What a report writes for each table, by the ending of the file.
FORMS: Mapping[str, Callable[[Table], bytes]] = {"csv": csv, "md": markdown, "tex": latex}


def _seen(table: Table) -> tuple[list[str], list[bool], Sequence[Sequence[str]]]:
    """Headings, which columns are numbers, and rows, of the columns that have a heading."""
    used = [(index, column) for index, column in enumerate(table.columns) if column.heading is not None]
    head = [column.heading or "" for _, column in used]
    rows = [[shown(row[index], column.show) for index, column in used] for row in table.rows]
    return head, [column.show != "text" for _, column in used], rows


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in _one_line(text))


def _one_line(text: str) -> str:
    # The thin spaces within numbers stay as they are.
    return re.sub(r"[ \t\r\n]+", " ", text).strip()
