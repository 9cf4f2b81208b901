"""One self-contained page from a study's folder: `write_report(study_dir)`.

The data go one way, each step a pure function of the one before:

    study.json, run folders -> experiments.collect -> experiments.analysis -> charts and tables -> page and files

Read first: write.py (the steps), chart.py (what a figure is), catalogue.py (which there are).
Matplotlib is imported only when a report is made.
"""

from experiments.collect.errors import ReportError
from experiments.report.write import write_figure, write_report

__all__ = ["ReportError", "write_figure", "write_report"]
