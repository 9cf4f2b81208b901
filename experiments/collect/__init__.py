"""What was planned and what came out, read from folders into one typed structure.

Read first: collection.py (the structure), evaluations.py (one run's numbers), plan.py (`study.json`).
"""
