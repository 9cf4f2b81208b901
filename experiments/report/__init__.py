"""One self-contained page from a study's folder: `write_report(study_dir)`.

The data go one way, each step a pure function of the one before:

    study.json, run folders -> collect.py -> aggregate.py, compare.py -> verdict.py, figures.py, tables.py -> page.py

Read first: results.py (what is found), compare.py (one family of comparisons), statistics.py (how), margin.py (what
equal means), verdict.py (what is said about it), outputs.py (which files are written).
Matplotlib is imported only when a report is made.
"""

from experiments.report.errors import ReportError
from experiments.report.write import write_report

__all__ = ["ReportError", "write_report"]
