"""Draws pictures of runs and sweeps with figure plugins.

Only this package imports matplotlib, which takes 0.9 s, and only when a picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contracts import Figure
from harness.errors import is_interruption

__all__ = ["draw", "draw_all"]


def draw(plugin: Figure, name: str, result: Any) -> tuple[str, bytes]:
    """Draw a RunResult or SweepResult with the figure plugin called `name`.

    Returns a file name and content: ("loss.png", PNG bytes) or ("surface3d.html", HTML bytes).
    Raises what the plugin raises.
    """
    from harness.figures import render

    quick = render.paint_quickly(plugin, result)
    picture = render.paint(plugin, result) if quick is None else quick
    if isinstance(picture, str):
        return f"{name}.html", picture.encode("utf-8", errors="replace")
    return f"{name}.png", picture


def draw_all(
    figures: Mapping[str, Figure], result: Any
) -> tuple[dict[str, bytes], dict[str, BaseException]]:
    """Draw all figures that apply to a RunResult or SweepResult.

    Returns contents by file name, and by plugin name the error of each figure that failed.
    """
    files: dict[str, bytes] = {}
    failed: dict[str, BaseException] = {}
    for name, plugin in figures.items():
        try:
            if plugin.applies(result):
                file, content = draw(plugin, name, result)
                files[file] = content
        except BaseException as error:  # even a plugin's SystemExit: the other figures are drawn
            if is_interruption(error):
                raise
            failed[name] = error
    return files, failed
