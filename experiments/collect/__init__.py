"""What was planned and what came out, read from folders, logs and tables. Nothing that is read is run.

Read first: collection.py (the structure, and studies of ours), gather.py (anybody's logs), series.py (what becomes of
one run's numbers), tidy.py (the table of everything).
"""
