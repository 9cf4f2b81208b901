"""`verify`: every published number recomputed from the raw files.

`report` leaves a record of what it read and wrote (`experiments.report.provenance`). `verify` compares the raw files
with the record, their rows with the published table, and every published text with what the raw files give today.

Read first: verify.py (the steps), text_diff.py and row_diff.py (how two texts and two tables are compared).
"""

from experiments.verify.verify import Verification, verify

__all__ = ["Verification", "verify"]
