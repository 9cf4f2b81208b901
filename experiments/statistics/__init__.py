"""Statistics over seeds: pure NumPy on arrays. Imports nothing of ours."""
