"""One self-contained page from a study's folder: `write_report(study_dir)`.

The data go one way, each step a pure function of the one before:

    study.json, run folders -> experiments.collect -> experiments.analysis -> figures.py, tables.py -> page.py

Read first: write.py (the steps), page.py (the page), outputs.py (which files are written).
Matplotlib is imported only when a report is made.
"""

from experiments.collect.errors import ReportError
from experiments.report.write import write_report

__all__ = ["ReportError", "write_report"]
