"""The plain path: an empty figure, the plugin draws, the pixels are saved, the figure goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.contracts import Figure
from harness.figures.png import encode
from harness.figures.style import blank, style


def paint(plugin: Figure, result: Any) -> str | bytes:
    """PNG bytes, or the HTML page that the plugin returns."""
    with style():
        figure = blank()
        try:
            page = plugin.draw(result, figure)
            if isinstance(page, str):
                return page
            if page is not None:
                raise TypeError(f"draw returned {type(page).__name__}, not None or an HTML page")
            canvas: Any = figure.canvas
            canvas.draw()
            return encode(np.asarray(canvas.buffer_rgba()), figure.dpi)
        finally:
            figure.clear()  # breaks its cycles, so that it is freed now and not at some collection
