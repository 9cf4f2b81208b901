"""From runs to findings: curves, scores, comparisons and what may be said of them.

Read first: results.py (what is found), aggregate.py (how), compare.py (one family of comparisons), verdict.py (what is
said).
"""
