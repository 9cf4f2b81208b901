"""`verify`: every published number recomputed from the raw files.

`report` leaves a record of what it read and wrote (provenance.py). `verify` compares the raw files with the record, the
rows with the published table, and every published text with the one that the raw files give today (verify.py).

Read first: verify.py (the steps), provenance.py (the record), text_diff.py (how two texts are compared).
"""
