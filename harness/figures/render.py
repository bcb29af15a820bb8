"""Draws a picture in one of two ways with the same pixels: all of it, or only what differs.

A figure that is drawn for every run of a sweep may divide its `draw` into two parts:

    def backdrop(self, result) -> Hashable            # what the still part depends on
    def draw_backdrop(self, backdrop, figure) -> None # axes, limits, ticks, grid, legend
    def draw_over(self, result, figure) -> list       # artists: curves, title; above the rest

`draw` is then the one after the other. Ticks and labels, which take most of the time, come from
a picture kept for each different backdrop.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.figures.png import encode_png
from harness.figures.style import blank_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEPT = 12  # backdrops, each with two buffers of pixels: 3 MB
PARTS = ("backdrop", "draw_backdrop", "draw_over")


class Stage(NamedTuple):
    """A figure whose backdrop is drawn, and the pixels of the backdrop."""

    figure: Figure
    canvas: Any
    pixels: Any


def paint_quickly(plugin: Any, result: Any) -> bytes | None:
    """Draw with a kept backdrop; return PNG bytes, or None if `paint` must draw the picture."""
    if not all(hasattr(plugin, part) for part in PARTS):
        return None
    try:
        with style():
            return _paint(plugin, result)
    except Exception:
        _stage.cache_clear()  # a figure half drawn on is not used again
        return None  # the plain path draws it, or fails with the reason


def _paint(plugin: Any, result: Any) -> bytes:
    figure, canvas, pixels = _stage(plugin, plugin.backdrop(result))
    canvas.restore_region(pixels)
    for artist in plugin.draw_over(result, figure):
        figure.draw_artist(artist)
        artist.remove()
    return encode_png(np.asarray(canvas.buffer_rgba()), figure.dpi)


@lru_cache(maxsize=KEPT)
def _stage(plugin: Any, backdrop: Hashable) -> Stage:
    figure = blank_figure()
    plugin.draw_backdrop(backdrop, figure)
    canvas: Any = figure.canvas
    canvas.draw()
    figure.set_layout_engine("none")
    return Stage(figure, canvas, canvas.copy_from_bbox(figure.bbox))


def paint(plugin: Any, result: Any) -> str | bytes:
    """Draw the whole picture; return PNG bytes, or the HTML page that the plugin returns."""
    with style():
        figure = blank_figure()
        try:
            page = plugin.draw(result, figure)
            if isinstance(page, str):
                return page
            if page is not None:
                raise TypeError(f"draw returned {type(page).__name__}, not None or an HTML page")
            canvas: Any = figure.canvas
            canvas.draw()
            return encode_png(np.asarray(canvas.buffer_rgba()), figure.dpi)
        finally:
            figure.clear()  # breaks its cycles, so that it is freed now
