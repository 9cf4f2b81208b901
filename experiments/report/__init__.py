"""One self-contained page from a study's folder: `write_report(study_dir)`.

The data go one way, each step a pure function of the one before:

    study.json, run folders -> collect.py -> aggregate.py -> verdict.py, figures.py, tables.py -> page.py

Read first: aggregate.py (what is computed), statistics.py (how), verdict.py (what is said about it).
Matplotlib is imported only when a report is made.
"""

from experiments.report.errors import ReportError
from experiments.report.write import write_report

__all__ = ["ReportError", "write_report"]
