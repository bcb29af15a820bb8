"""A page on which the data and the learned surface over two features can be turned by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.grid import moving_features, plane
from harness_plugins.figures.regression import columns
from harness_plugins.figures.theme import drawable, few, left_a_net, parts

SIZE = 41  # ticks along each side of the surface
POINTS = 1000  # drawn at most
TARGETS = 8  # to choose from at most
DIGITS = 4


@dataclass(frozen=True)
class Surface3D:
    """Two 3-D views beside each other: the data alone, and the learned surface through it.

    Of a classification the surface is the probability of a class, to be chosen; of two classes,
    that of the second.

    The page is whole in itself: it asks no server for anything, and takes some tens of kilobytes.
    """

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        both = result.data.x.shape[1] == 2 and left_a_net(result)
        return both and len(moving_features(result)) == 2

    def draw(self, result: RunResult, figure: Any) -> str:
        text = json.dumps(_content(result), allow_nan=False, separators=(",", ":"))
        # The one way out of a script element is "</", so that no "<" stays in it.
        safe = text.replace("<", "\\u003c")
        page = files("harness_plugins.figures").joinpath("surface3d.html").read_text("utf-8")
        return page.replace("{{content}}", safe)


def _content(result: RunResult) -> dict[str, Any]:
    """All that the page shows, as JSON has it."""
    named = parts(result)
    x = np.concatenate([np.asarray(result.x[part], float) for part in named])
    names, y, heights = _targets(result, np.concatenate([result.y[part] for part in named]))
    part_of = np.repeat(np.arange(len(named)), [len(result.x[part]) for part in named])
    at = few(len(x), POINTS)
    response = plane(result, (0, 1), SIZE)
    targets = [
        {
            "name": names[k] if k < len(names) else f"target {k}",
            "heights": _numbers(response.answers[:, :, heights[k]]),
            "truth": _numbers(y[at, k]),
        }
        for k in range(min(TARGETS, y.shape[1]))
    ]
    points = zip(_numbers(x[at, 0]), _numbers(x[at, 1]), part_of[at].tolist(), strict=True)
    return {
        "name": result.name,
        "legend": _legend(named, len(x[at]), len(x)),
        "features": [str(name) for name in result.data.feature_names],
        "a": _numbers(response.a),
        "b": _numbers(response.b),
        "points": list(points),
        "targets": targets,
    }


def _targets(result: RunResult, y: Array) -> tuple[list[str], Array, list[int]]:
    """Return names, true values (N, targets) and columns of the answers to choose from."""
    if result.data.task == "regression":
        values = columns(y)
        return [*map(str, result.data.target_names)], values, [*range(values.shape[1])]
    known = [f"p({name})" for name in result.data.class_names]
    shown = [1] if len(known) == 2 else [*range(len(known))]
    codes = np.asarray(y).astype(int).reshape(-1, 1)
    return [known[k] for k in shown], (codes == np.array(shown)).astype(float), shown


def _legend(named: list[str], shown: int, total: int) -> str:
    rest = " and ".join(named[1:])
    caption = f"Dots are examples: round, {named[0]}" + (f"; square, {rest}." if rest else ".")
    return caption if shown == total else f"{caption} {shown} of {total} are shown."


def _numbers(values: Array) -> Any:
    """Nested lists, four digits of the range that they span; None for what is not finite."""
    values = drawable(values)
    finite = values[np.isfinite(values)]
    spread = float(np.ptp(finite)) if len(finite) else 0.0
    digits = DIGITS - 1 - math.floor(math.log10(spread)) if spread > 0 else None
    rounded = values if digits is None else np.round(values, digits)
    nested = rounded.astype(object)
    nested[~np.isfinite(values)] = None
    return nested.tolist()
