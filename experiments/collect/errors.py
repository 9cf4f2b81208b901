"""The one error of this package."""


class ReportError(ValueError):
    """A study's folder cannot be turned into a page; the message is one line that says what to do."""
