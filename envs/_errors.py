"""The one error of the package."""


class TaskError(ValueError):
    """An unknown task, or one that cannot be trained on; the message names the id, what is allowed and the nearest."""
