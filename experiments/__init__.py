"""Studies: what to run, running it, what came out and what it means. See `python -m experiments --help`."""
