"""The one error of this package."""

from pydantic import ValidationError


class ReportError(ValueError):
    """A study's folder cannot be turned into a page; the message is one line that says what to do."""


def first_problem(error: ValidationError) -> str:
    """What is wrong first with a file's content, and where in it."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
