"""Pictures of runs and sweeps: figure plugins say what to draw, this room owns the figure.

It is the only importer of matplotlib, and imports it when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contracts import Figure
from harness.errors import is_interruption

__all__ = ["draw", "draw_all"]


def draw(plugin: Figure, name: str, result: Any) -> tuple[str, bytes]:
    """("loss.png", PNG bytes) or ("surface3d.html", HTML bytes) of a RunResult or SweepResult.

    `name` is the plugin's; what the plugin raises comes out as it is.
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
    """Contents by file name of all that apply, and what went wrong by plugin name.

    A figure that fails is no reason to lose the others, or the run.
    """
    files: dict[str, bytes] = {}
    failed: dict[str, BaseException] = {}
    for name, plugin in figures.items():
        try:
            if plugin.applies(result):
                file, content = draw(plugin, name, result)
                files[file] = content
        except BaseException as error:  # a plugin's SystemExit, too
            if is_interruption(error):
                raise
            failed[name] = error
    return files, failed
