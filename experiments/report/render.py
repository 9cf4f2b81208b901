"""A matplotlib figure as PNG, SVG and PDF; the same figure gives the same bytes."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from experiments.report.paper import RC

FORMATS = ("png", "svg", "pdf")
_DPI = 250
# What a program would otherwise write about itself and the time.
_METADATA: Mapping[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with our settings alone: the user's own matplotlibrc must not change files that are the same everywhere."""
    rc: dict[Any, Any] = dict(RC)
    with mpl.rc_context():
        mpl.rcParams.update(mpl.rcParamsDefault)
        mpl.rcParams.update(rc)
        yield


def rendered(figure: Figure, form: str) -> bytes:
    """The figure on white, in one of FORMATS; fonts are embedded."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=_DPI, metadata=_METADATA[form])
    return buffer.getvalue()
