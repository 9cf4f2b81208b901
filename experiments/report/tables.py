"""Which tables a report has."""

from experiments.analysis.results import Analysis
from experiments.report import tables_overall, tables_runs, tables_scores
from experiments.report.table import Table


def page_tables(analysis: Analysis) -> list[Table]:
    """Tables of the page, those without a row left out; scores, times and failures are always there."""
    groups = analysis.groups
    pairs = [pair for group in groups for pair in group.comparisons]
    pairs += [pair for aggregate in analysis.aggregates for pair in aggregate.comparisons]
    always = [tables_scores.scores(groups), tables_runs.timing(groups), tables_runs.failures(groups)]
    found = [
        tables_overall.aggregates(analysis.aggregates),
        always[0],
        tables_scores.comparisons(pairs),
        tables_scores.thresholds(groups),
        tables_scores.budgets(groups),
        *always[1:],
        tables_overall.controls(analysis.controls),
        tables_overall.plans(analysis.plans),
    ]
    return [table for table in found if table.rows or table in always]


def file_tables(analysis: Analysis) -> list[Table]:
    """Tables of many rows, for files alone."""
    diagnostics = tables_runs.diagnostics(analysis.groups)
    measured = [diagnostics] if diagnostics.rows else []
    return [tables_runs.runs(analysis.collection, analysis.groups), tables_runs.curves(analysis.groups), *measured]
