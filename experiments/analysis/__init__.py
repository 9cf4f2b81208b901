"""From runs to findings: curves, scores, comparisons and what may be said of them.

Read first: results.py (what is found), analyse.py (in which order), compare.py (families of comparisons), verdict.py
(what is said).
"""

from experiments.analysis.analyse import analyse

__all__ = ["analyse"]
