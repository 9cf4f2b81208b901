"""The page: words, figures and tables put into one HTML file that needs nothing else."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from experiments.analysis.compare import pairs
from experiments.analysis.results import Group
from experiments.analysis.verdict import Verdict, shared_clock, sharing
from experiments.analysis.versions import differing, versions_text
from experiments.collect.collection import ENDED_BADLY, Collection, Run
from experiments.collect.plan import Study
from experiments.report import figures, markup
from experiments.report.figures import Panel
from experiments.report.formulas import formula
from experiments.report.style import DARK, LIGHT, ArmStyle
from experiments.report.tables import Table
from experiments.text import count, seeds_text, whole

_TEMPLATE = Path(__file__).parent / "template"
_MOST_NOTES = 6
_HEADINGS = {
    "learning_curve": ("curves", "Learning curves"),
    "wall_clock": ("wall-clock", "Return against time"),
    "final_scores": ("final", "Final scores"),
    "throughput": ("throughput", "Throughput"),
    "time_shares": ("shares", "Where the time goes"),
}


@dataclass(frozen=True)
class Made:
    """How the page is made: the command, and where figures and tables lie, relative to the page."""

    command: str
    figures: str
    tables: str


def build(
    collection: Collection,
    groups: Sequence[Group],
    verdict: Verdict,
    panels: Sequence[Panel],
    tables: Sequence[Table],
    styles: Mapping[str, ArmStyle],
    made: Made,
) -> str:
    """The whole page as text; the same input gives the same bytes."""
    study = collection.study
    sections = [
        _table_section(tables),
        _margin(collection.study, groups),
        _arms(collection),
        _setup(collection),
        _failures(collection),
        _notes([*collection.notes, *(note for group in groups for note in group.notes)]),
    ]
    drawn = _figure_sections(panels, groups)
    present = [(name, heading, text) for name, heading, text in [*drawn, *sections] if text]
    legend = "\n".join(f"<li>{markup.swatch(look)}{escape(arm)}</li>" for arm, look in styles.items())
    # With one task and algorithm each section holds one figure: two sections fit side by side.
    layout = "columns" if len(groups) == 1 else "rows"
    sections_text = "\n".join(
        [
            f'<div>\n<ul class="legend" aria-label="Arms and how they are drawn">\n{legend}\n</ul>',
            f'<div class="{layout}">',
            *(text for *_, text in drawn),
            "</div>\n</div>",
            *(text for *_, text in sections if text),
        ]
    )
    return Template(_part("page.html")).substitute(
        title=escape(study.name),
        css=Template(_part("page.css")).substitute(light=_variables(LIGHT), dark=_variables(DARK)),
        script=_part("page.js"),
        description=markup.paragraph(study.description, "lede") if study.description else "",
        facts=markup.facts(_facts(collection, groups)),
        headline=escape(verdict.headline),
        findings=markup.bullets(verdict.findings, "findings"),
        limits=markup.bullets(verdict.limits, "limits"),
        contents="\n".join(f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in present),
        sections=sections_text,
        figures_folder=escape(made.figures),
        tables_folder=escape(made.tables),
        page_command=escape(made.command),
    )


def page_command(study_dir: Path, out: Path | None) -> str:
    """The command that makes the page. Absolute folders are shortened to their name: the page is to be shared."""
    words = ["python", "-m", "experiments", "report", study_dir.name if study_dir.is_absolute() else str(study_dir)]
    if out is not None:
        words += ["--out", out.name if out.is_absolute() else str(out)]
    return shlex.join(words)


def _part(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8").strip()


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


def _figure_sections(panels: Sequence[Panel], groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    band = figures.band_text([arm for group in groups for arm in group.arms])
    hint = "".join(
        f" {sentence}" for sentence in sharing([r for group in groups for arm in group.arms for r in arm.runs])
    )
    order = "" if hint else " Runs of different arms were not measured in turn, so small differences mean nothing."
    detail = f"Band: {band}. Thin lines: single seeds."
    if max(len(group.arms) for group in groups) > figures.MOST_BANDS:
        detail = "So many arms are drawn without bands and single seeds: see the final scores."
    how = {
        "learning_curve": f"Line: interquartile mean over seeds. {detail} Not smoothed.",
        "wall_clock": f"The same against training time, evaluation left out, up to where the first run ends.{hint}",
        "final_scores": f"Every dot is a seed; a cross is one that failed or diverged. Tall bar: interquartile mean. "
        f"Line: {band}.",
        "throughput": f"Every dot is a seed. Tall bar: median. Line: slowest to fastest.{hint}{order}",
        "time_shares": f"Mean over the runs of an arm.{hint}",
    }
    found = []
    for kind, (name, heading) in _HEADINGS.items():
        mine = [panel for panel in panels if panel.kind == kind]
        if mine:
            drawn = "\n".join(f"<figure>\n{panel.inline}\n</figure>" for panel in mine)
            body = f'<div class="figures">\n{drawn}\n</div>'
            found.append((name, heading, markup.section(name, heading, how[kind], body)))
    return found


def _table_section(tables: Sequence[Table]) -> tuple[str, str, str]:
    parts = [
        f"<h3>{escape(table.title)}</h3>\n{markup.paragraph(table.text, 'how')}\n{markup.table(table)}"
        for table in tables
        if table.rows
    ]
    how = "Press a heading to sort."
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
