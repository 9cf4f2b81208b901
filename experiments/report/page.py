"""The page: words, figures and tables put into one HTML file that needs nothing else."""

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from experiments.analysis.limits import shared_clock
from experiments.analysis.pairs import pairs
from experiments.analysis.results import Analysis, Group
from experiments.analysis.versions import differing, versions_text
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.collect.plan import Study
from experiments.report import markup
from experiments.report.catalogue import Section
from experiments.report.formulas import formula
from experiments.report.style import DARK, LIGHT, PART_COLOURS
from experiments.report.table import Table
from experiments.text import count, joined, seeds_text, whole

_TEMPLATE = Path(__file__).parent / "template"
_MOST_NOTES = 6


@dataclass(frozen=True)
class Made:
    """How the page is made: the command, where figures and tables lie relative to the page, and in which formats."""

    command: str
    figures: str
    tables: str
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """What the page shows beside the words of the analysis.

    Attributes:
        sections: figures by kind.
        data: what page.js draws, JSON (`embed.page_data`).
        arms: all arms in the order of the legend.
        crowded: whether only some of them are featured.
        tables: the tables of the page.
    """

    sections: Sequence[Section]
    data: str
    arms: Sequence[str]
    crowded: bool
    tables: Sequence[Table]


def build(analysis: Analysis, content: Content, made: Made) -> str:
    """The whole page as text; the same input gives the same bytes."""
    collection, groups = analysis.collection, analysis.groups
    study, verdict = collection.study, analysis.verdict
    drawn = [(section.kind, section.heading, _figures(section, made)) for section in content.sections]
    words = [
        _table_section(content.tables),
        _margin(study, groups),
        _arms(collection),
        _setup(collection),
        _failures(collection),
        _notes([*collection.notes, *(note for group in groups for note in group.notes)]),
    ]
    present = [(name, heading, text) for name, heading, text in [*drawn, *words] if text]
    figures = "\n".join(text for *_, text in drawn)
    css = Template(_part("page.css")).substitute(
        light=_variables(LIGHT),
        dark=_variables(DARK),
        arm_colours="\n".join(f".c{index} {{ --c: var(--arm-{index}); }}" for index in range(len(LIGHT))),
        part_colours="\n".join(f".part{index} {{ fill: {colour}; }}" for index, colour in enumerate(PART_COLOURS)),
    )
    script = f"{_part('figures.js')}\n\n{_part('page.js')}"
    return Template(_part("page.html")).substitute(
        title=escape(study.name),
        css=css,
        css_hash=_hash(css),
        script=script,
        script_hash=_hash(script),
        data=content.data,
        description=markup.paragraph(study.description, "lede") if study.description else "",
        facts=markup.facts(_facts(collection, groups)),
        headline=_headline(verdict.headline),
        findings=markup.bullets(verdict.findings, "findings"),
        limits=markup.bullets(verdict.limits, "limits"),
        contents="\n".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in present),
        sections="\n".join(
            [
                f"<div>\n{markup.legend(content.arms, crowded=content.crowded)}\n"
                f'<div class="sections">\n{figures}\n</div>\n</div>',
                *(text for *_, text in words if text),
            ]
        ),
        where=_where(made),
        page_command=escape(made.command),
    )


def _where(made: Made) -> str:
    """Where the files beside the page are."""
    figures = joined([form.upper() for form in made.formats])
    lie = (
        f"Figures are beside this page in <code>{escape(made.figures)}/</code> ({figures}), tables"
        if figures
        else "Tables"
    )
    return f"{lie} with every run in <code>{escape(made.tables)}/</code> (CSV, Markdown and LaTeX)."


def _headline(sentence: str) -> str:
    """The sentence with what it answers set apart from the numbers that follow where it happened, "(TD3): "."""
    answer, colon, numbers = sentence.partition("): ")
    return f'{escape(answer + colon)}<span class="numbers">{escape(numbers)}</span>' if colon else escape(sentence)


def page_command(study_dir: Path, out: Path | None) -> str:
    """The command that makes the page. Absolute folders are shortened to their name: the page is to be shared."""
    words = ["python", "-m", "experiments", "report", study_dir.name if study_dir.is_absolute() else str(study_dir)]
    if out is not None:
        words += ["--out", out.name if out.is_absolute() else str(out)]
    return shlex.join(words)


def _part(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """What the page's own policy allows: this text as script or style, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _variables(colours: Sequence[str]) -> str:
    return " ".join(f"--arm-{index}: {colour};" for index, colour in enumerate(colours))


def _facts(collection: Collection, groups: Sequence[Group]) -> dict[str, str]:
    study, runs = collection.study, collection.runs
    scored = [arm.finals.size for group in groups for arm in group.arms if arm.finals.size]
    bad = sum(run.state in ENDED_BADLY for run in runs)
    days = sorted(day[:10] for run in runs for day in (run.started, run.finished) if day)
    facts = {
        "Runs done": f"{sum(run.state == 'done' for run in runs)} of {study.planned}",
        "Failed or diverged": str(bad),
        "Evidence": seeds_text(scored) if scored else "no scored run",
        "Steps per run": whole(study.steps),
        "Evaluation": study.evaluation_text,
        "Tasks": ", ".join(study.tasks),
        "Algorithms": ", ".join(algorithm.upper() for algorithm in study.algorithms),
    }
    if days:
        facts["Run on"] = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return facts


def _figures(section: Section, made: Made) -> str:
    drawn = "\n".join(
        markup.figure(chart, f"{made.command} --figure {shlex.quote(chart.stem)}") for chart in section.charts
    )
    body = f'<div class="figures">\n{drawn}\n</div>' if drawn else ""
    half = len(section.charts) < 2 and not any(chart.wide for chart in section.charts)
    return markup.section(section.kind, section.heading, section.how, body, half=half)


def _table_section(tables: Sequence[Table]) -> tuple[str, str, str]:
    parts = [
        f"<h3>{escape(table.title)}</h3>\n{markup.paragraph(table.text, 'how')}\n{markup.table(table)}"
        for table in tables
        if table.rows
    ]
    how = "Press a heading to sort. What is saved or copied is as it is sorted; with every column it is in the files."
    return "tables", "Tables", markup.section("tables", "Tables", how, "\n".join(parts))


def _margin(study: Study, groups: Sequence[Group]) -> tuple[str, str, str]:
    """What the margin of equivalence is in return, or why no equivalence is stated."""
    if study.margin is None or not pairs(study):
        return "margin", "Margin", ""
    lines = [group.unit.sentence(group.name, study.margin) for group in groups if group.unit]
    lines += [
        f"{group.name}: no equivalence of {c.a} and {c.b} is stated, because their runs and those of the control "
        f"{group.unit.control} used different versions."
        for group in groups
        for c in group.comparisons
        if group.unit and group.unit.size is not None and c.margin is None
    ]
    if study.control is None:
        lines = ["No equivalence is stated, because the study names a margin and no control to measure it by."]
    how = (
        f"Two arms are called equal where the interval of their difference lies within ±{study.margin:g} in normalised "
        "score, (score − untrained) / (control − untrained): 0 is the control's mean return at step 0, 1 its final "
        "score."
    )
    return "margin", "Margin", markup.section("margin", "Margin", how, markup.bullets(lines, "notes"))


def _arms(collection: Collection) -> tuple[str, str, str]:
    rows = [
        (
            arm.name,
            "; ".join(arm.actor),
            "; ".join(arm.critic),
            "–" if arm.activation_lr is None else f"{arm.activation_lr:g}",
            "; ".join(dict.fromkeys(text for spec in (*arm.actor, *arm.critic) if (text := formula(spec)))) or "–",
            str(len(arm.seeds)),
        )
        for arm in collection.study.arms
    ]
    headings = ("Arm", "Actor", "Critic", "Learning rate of the activation", "Formula", "Seeds")
    body = markup.plain_table("Arms", headings, rows)
    how = "Activation of the hidden layers; several are given from the first layer to the last."
    return "arms", "Arms", markup.section("arms", "Arms", how, body)


def _setup(collection: Collection) -> tuple[str, str, str]:
    study = collection.study
    parts = []
    flat = _flat(study.hyperparameters)
    if flat:
        parts.append("<h3>Hyperparameters</h3>\n" + markup.plain_table("Hyperparameters", ("Name", "Value"), flat))
    parts.append("<h3>Machines and versions</h3>\n" + _machines(collection.runs))
    workers = Counter(run.workers for run in collection.runs if run.workers is not None)
    if workers:
        company = max((run.company or 1 for run in collection.runs), default=1)
        clock = f" {shared_clock(company)}" if company > 1 else ""
        parts.append(markup.paragraph(_sharing(workers) + clock))
    if study.command:
        parts.append(f"<h3>Command</h3>\n<p>The runs: <code>{escape(study.command)}</code></p>")
    return "setup", "Setup", markup.section("setup", "Setup", "", "\n".join(parts))


def _sharing(workers: Mapping[int, int]) -> str:
    """How many runs shared the machine, from the number of runs for each number of workers."""
    need = "A claim about an arm's cost needs runs measured in turn on one idle machine."
    if max(workers) <= 1:
        return f"The runs' processes were started one at a time. {need}"
    shared = "; ".join(f"{count(runs, 'run')} with {amount} at a time" for amount, runs in sorted(workers.items()))
    return f"Processes shared the machine: {shared}. Times of those that shared it are only indicative. {need}"


def _machines(runs: Sequence[Run]) -> str:
    kinds = Counter((tuple(sorted(run.hardware.items())), tuple(sorted(run.versions.items()))) for run in runs)
    kinds.pop(((), ()), None)
    if not kinds:
        return markup.paragraph("Not recorded.")
    rows = [
        (str(amount), ", ".join(f"{k} {v}" for k, v in hardware), ", ".join(f"{k} {v}" for k, v in versions))
        for (hardware, versions), amount in kinds.items()
    ]
    warning = ""
    if mixed := differing(runs):
        text = f"The runs used {versions_text(mixed)}: arms are not compared where their runs differ in these."
        warning = markup.paragraph(text)
    return markup.plain_table("Machines and versions", ("Runs", "Hardware", "Versions"), rows) + warning


def _flat(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows.extend(_flat(value, f"{prefix}{name}."))
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def _failures(collection: Collection) -> tuple[str, str, str]:
    bad = [run for run in collection.runs if run.state in ENDED_BADLY]
    if not bad:
        return "failed", "Failed runs", ""
    rows = [
        (
            run.task, run.algorithm, run.arm, str(run.seed), run.state,
            whole(run.evaluations.steps[-1]) if run.evaluations.steps.size else "none",
            " ".join((run.cause or "not recorded").split()),
        )
        for run in bad
    ]  # fmt: skip
    headings = ("Task", "Algorithm", "Arm", "Seed", "State", "Last evaluation (step)", "Cause")
    body = markup.plain_table("Failed runs", headings, rows)
    how = "These stay in every count; the study's command repeats those that failed for reasons outside of learning."
    return "failed", "Failed runs", markup.section("failed", "Failed runs", how, body)


def _notes(notes: Sequence[str]) -> tuple[str, str, str]:
    if not notes:
        return "notes", "Notes", ""
    body = markup.bullets(notes, "notes")
    if len(notes) > _MOST_NOTES:
        body = f"<details>\n<summary>{count(len(notes), 'note')}</summary>\n{body}\n</details>"
    how = "What was odd in the files, and what was done about it."
    return "notes", "Notes on the files", markup.section("notes", "Notes on the files", how, body)
