"""How arms look, the same in every figure and on the page: colour, line style and marker, never colour alone."""

from dataclasses import dataclass

# Okabe and Ito's hues, darkened or lightened until they read on white and on near-black; told apart by all common
# kinds of colour vision.
LIGHT = ("#0072b2", "#d55e00", "#00855f", "#b0508a", "#b57800", "#3192c9", "#5a5f66")
DARK = ("#5aa9f0", "#ff8f4d", "#3ccb9b", "#e79ac6", "#f0b93a", "#a3dcff", "#b9bec6")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MARKER_SIGNS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")

# What stands in the figures for "ink" and "grid line"; on the page these become the page's own colours.
INK = "#23262b"
GRID = "#dcdfe4"

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
        return MARKERS[self.index % len(MARKERS)]

    @property
    def sign(self) -> str:
        """The marker as a character, for the page's text."""
        return MARKER_SIGNS[self.index % len(MARKER_SIGNS)]
