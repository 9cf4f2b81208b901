"""How arms look, the same in every figure and on the page: colour, line style and marker, never colour alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Okabe and Ito's hues, darkened or lightened until they read on white and on near-black; told apart by all common
# kinds of colour vision.
LIGHT = ("#0072b2", "#d55e00", "#00855f", "#b0508a", "#b57800", "#3192c9", "#5a5f66")
DARK = ("#5aa9f0", "#ff8f4d", "#3ccb9b", "#e79ac6", "#f0b93a", "#a3dcff", "#b9bec6")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
# The same lines in SVG, in widths of a thin line.
DASHES = ("", "7 4", "8 3 2 3", "2 3", "8 2 2 2 2 2")

# Of the files; the page has its own (page.css).
INK = "#23262b"
SOFT = "#8a919c"
GRID = "#dcdfe4"
# With more arms than this, colours and bands cover one another: a few are featured and the others grey.
MOST_FEATURED = 8

# Parts of a run's time, in the order act, simulate, learn, evaluate, other.
PART_COLOURS = ("#1f4e79", "#3f7fb5", "#8db9dc", "#c9b27c", "#b8b8b4")


@dataclass(frozen=True)
class ArmStyle:
    """Look of one arm; `index` is its place in the study."""

    index: int

    @property
    def colour_index(self) -> int:
        """Place in LIGHT and DARK."""
        return self.index % len(LIGHT)

    @property
    def colour(self) -> str:
        """Hexadecimal colour on white."""
        return LIGHT[self.colour_index]

    @property
    def line(self) -> str | tuple[int, tuple[int, ...]]:
        """Matplotlib line style: differs between arms of one colour, and between neighbours."""
        return LINE_STYLES[(self.index + self.index // len(LIGHT)) % len(LINE_STYLES)]

    @property
    def marker(self) -> str:
        """Matplotlib marker."""
        return MARKERS[self.marker_index]

    @property
    def marker_index(self) -> int:
        """Place in MARKERS; page.js has the same shapes in the same order."""
        return self.index % len(MARKERS)

    @property
    def dashes(self) -> str:
        """The line style as SVG's stroke-dasharray; empty for a solid line."""
        return DASHES[LINE_STYLES.index(self.line)]


class Looks(Mapping[str, ArmStyle]):
    """How each arm looks, by name, and which of them are featured.

    Args:
        arms: all arms, in the order of the study: it gives an arm its colour, whatever its score. In a crowd the
            featured ones come first, so that no two of them share a colour before all colours are used.
        first: names of those to feature where there are more than MOST_FEATURED, most important first.
    """

    def __init__(self, arms: Sequence[str], first: Sequence[str]) -> None:
        kept = arms if len(arms) <= MOST_FEATURED else tuple(dict.fromkeys(first))[:MOST_FEATURED]
        self._featured = frozenset(kept)
        self._looks = {arm: ArmStyle(index) for index, arm in enumerate(dict.fromkeys([*kept, *arms]))}

    def __getitem__(self, arm: str) -> ArmStyle:
        return self._looks[arm]

    def __iter__(self) -> Iterator[str]:
        return iter(self._looks)

    def __len__(self) -> int:
        return len(self._looks)

    def featured(self, arm: str) -> bool:
        """Whether the arm has its colour from the start."""
        return arm in self._featured

    @property
    def crowded(self) -> bool:
        """Whether some arms are grey."""
        return len(self._featured) < len(self._looks)
