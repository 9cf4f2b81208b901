"""Learnt activations as a picture, for TensorBoard."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rl_acts.diagnostics._learnt import Shape

_INCHES, _DOTS_PER_INCH = 3.0, 80


def picture(shapes: Mapping[str, Mapping[str, Shape]]) -> Tensor:
    """Draw learnt curves: a panel for each network, a line for each layer and a band over its units.

    Needs matplotlib (extra ``plot``).

    Args:
        shapes: By network and layer, at least one.

    Returns:
        Colours as bytes, shape ``(height, width, 3)``.
    """
    # They take half a second, for which nobody without learnt activations waits.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_INCHES * len(shapes), _INCHES), dpi=_DOTS_PER_INCH)
    # matplotlib leaves the methods of its canvas without types.
    canvas: Any = FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(shapes), squeeze=False)[0]
    for axes, (network, layers) in zip(panels, shapes.items(), strict=True):
        for layer, shape in layers.items():
            x, y, low, high = (values.tolist() for values in (shape.x, shape.y, shape.low, shape.high))
            axes.plot(x, y, label=layer)
            axes.fill_between(x, low, high, alpha=0.25)
        axes.set_title(network)
        axes.legend(loc="upper left")
    canvas.draw()
    width, height = canvas.get_width_height()
    return torch.frombuffer(bytearray(canvas.buffer_rgba()), dtype=torch.uint8).view(height, width, 4)[..., :3].clone()
