"""Which differences of two texts count, and how they are told."""

import pytest

from experiments.verify.text_diff import first_difference


@pytest.mark.parametrize(
    ("published", "recomputed"),
    [
        ("a,0.30000000000000004\n", "a,0.3\n"),
        ("a,1234.5678901234567,b", "a,1234.5678901234560,b"),
        ("a,1.2345678901234567e-05", "a,1.2345678901234e-05"),
    ],
)
def test_the_last_digits_of_full_numbers_count_only_where_asked(published: str, recomputed: str) -> None:
    assert first_difference(published, recomputed, exact=False) is None
    assert first_difference(published, recomputed, exact=True) is not None


@pytest.mark.parametrize(
    ("published", "recomputed", "line", "shown", "now"),
    [
        ("x\nIQM 0.80 of\n", "x\nIQM 0.81 of\n", 2, "IQM 0.80 of", "IQM 0.81 of"),
        ("a,1.000000000000000", "a,1.000001000000000", 1, "a,1.000000000000000", "a,1.000001000000000"),
        ("swim is better", "swim is worse", 1, "swim is better", "swim is worse"),
        ("one\ntwo\n", "one\n", 2, "two", ""),
        ("one\n", "one\ntwo\n", 2, "", "two"),
        ("one\n\n", "one\n", 3, "an empty line", ""),
        ("4\u202f387", "4\u202f388", 1, "4\u202f387", "4\u202f388"),
        ("a 12", "a -12", 1, "a 12", "a -12"),
    ],
)
def test_everything_else_counts(published: str, recomputed: str, line: int, shown: str, now: str) -> None:
    found = first_difference(published, recomputed, exact=False)
    assert found is not None
    assert (found.line, found.published, found.recomputed) == (line, shown, now)


def test_equal_texts_have_none() -> None:
    assert first_difference("a 1\nb", "a 1\nb", exact=True) is None


def test_long_lines_are_shortened_around_the_place() -> None:
    found = first_difference("x" * 500 + "1.5" + "y" * 500, "x" * 500 + "2.5" + "y" * 500, exact=False)
    assert found is not None
    assert str(found) == (
        f"line 1: published {'x' * 20 + '1.5' + 'y' * 37!r}, recomputed {'x' * 20 + '2.5' + 'y' * 37!r}"
    )
