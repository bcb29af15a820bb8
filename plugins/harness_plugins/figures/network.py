"""A schematic of the net: its layers, its weights and their gradient by sign and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.theme import INK, QUIET, matrix_name, plain

SHOWN = 8  # units of a layer; of a wider one, some at both ends
ENDS = (4, 2)
NEGATIVE, POSITIVE = "#D55E00", "#0072B2"
BIAS = -1


class Layer(NamedTuple):
    """A column of units: which are shown, and how high each is drawn."""

    width: int
    heights: dict[int, float]  # by index; BIAS is the unit that is always one


@dataclass(frozen=True)
class Network:
    """Units and weights of a net of dense layers, with the shapes of its weight matrices.

    Drawn twice where it is known how the loss depends on them: the second time edges show that.
    The bias is the row that a unit fixed at one feeds. A wide layer shows units at both ends.
    """

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return bool(_dense(result, result.weights))

    def draw(self, result: RunResult, figure: Any) -> None:
        inside, dense = result.inside, _dense(result, result.weights)
        panels = {"": dense}
        if inside is not None:
            gradient = _dense(result, inside.gradient)
            panels = {"weights": dense, "gradient of the training loss: ∂L/∂W": gradient}
        figure.set_layout_engine("none")
        height = 4.2 * len(panels) + 0.8
        figure.set_size_inches(max(8.0, 1.9 * (len(dense) + 1)), height)
        for k, (title, arrays) in enumerate(panels.items()):
            axes = figure.add_axes((0, (4.2 * (len(panels) - 1 - k)) / height, 1, 4.1 / height))
            _panel(axes, result, arrays, title)
        name, top = plain(result.name, 62), 1 - 0.3 / height
        figure.text(0.02, top, name, size=12, weight="bold", va="baseline")
        count = sum(w.size for w in dense)
        caption = f"{count:,} weights; blue positive, orange negative, stronger is darker"
        figure.text(0.02, top - 0.25 / height, caption, size=9, color=QUIET, va="baseline")


def _panel(axes: Any, result: RunResult, dense: list[Array], title: str) -> None:
    """Draw the net once, its edges coloured by these matrices."""
    widths = [len(dense[0]) - 1, *(w.shape[1] for w in dense)]
    layers = [_layer(width, bias=k < len(dense)) for k, width in enumerate(widths)]
    axes.axis("off")
    axes.set(xlim=(-0.75, len(layers) - 0.25), ylim=(-1.32, 1.12))
    axes.text(0.02, 0.965, title, transform=axes.transAxes, va="center", color=INK)
    for place, (weights, near, far) in enumerate(zip(dense, layers, layers[1:], strict=False)):
        _edges(axes, weights, place, near, far)
        shape = f"{matrix_name(place)}  {len(weights)} × {far.width}"
        axes.text(place + 0.5, -1.1, shape, ha="center", va="center", color=INK)
    last = len(layers) - 1
    for place, layer in enumerate(layers):
        _units(axes, place, layer, _titles(result, place, layer, last))
        axes.text(place, -1.24, _kind(result, place, layer.width, last), **_centred())


def _dense(result: RunResult, arrays: Sequence[Array]) -> list[Array]:
    """Return the weight matrices if each fits the one before with a bias row, else none.

    The gains and biases of a layer normalisation, (2, width), are passed over.
    """
    dense: list[Array] = []
    width = result.data.x.shape[1]
    for weights in map(np.asarray, arrays):
        if weights.ndim == 2 and len(weights) == width + 1:
            dense.append(weights)
            width = weights.shape[1]
        elif weights.shape != (2, width):
            return []
    return dense


def _layer(width: int, bias: bool) -> Layer:
    shown = list(range(width))
    if width > SHOWN:
        shown = [*range(ENDS[0]), *range(width - ENDS[1], width)]
    slots: list[int | None] = [*shown]
    if width > SHOWN:
        slots.insert(ENDS[0], None)  # the gap
    if bias:
        slots.append(BIAS)
    ys = np.linspace(1, -1, 2 * len(slots) + 1)[1::2]
    return Layer(width, {k: float(y) for k, y in zip(slots, ys, strict=True) if k is not None})


def _edges(axes: Any, weights: Array, place: int, near: Layer, far: Layer) -> None:
    """Draw a line for each shown weight, darker and thicker for larger weights of the matrix."""
    finite = np.abs(weights[np.isfinite(weights)])
    largest = float(finite.max()) if len(finite) and finite.max() > 0 else 1.0
    for i, start in near.heights.items():
        for j, end in far.heights.items():
            weight = weights[i, j]
            if j == BIAS or not np.isfinite(weight):
                continue
            strength = abs(float(weight)) / largest
            colour = POSITIVE if weight > 0 else NEGATIVE
            look = {"alpha": 0.08 + 0.82 * strength, "linewidth": 0.5 + 2 * strength}
            axes.plot([place, place + 1], [start, end], color=colour, zorder=1, **look)


def _units(axes: Any, place: int, layer: Layer, titles: dict[int, str]) -> None:
    for k, y in layer.heights.items():
        look = {"markersize": 15, "markeredgecolor": INK, "markeredgewidth": 1.2, "zorder": 2}
        face, marker = ("#e5e7eb", "s") if k == BIAS else ("white", "o")
        axes.plot([place], [y], marker=marker, markerfacecolor=face, linestyle="none", **look)
        if k == BIAS:
            axes.text(place, y, "1", zorder=3, **_centred(INK))
        elif k in titles:
            side, shift = ("right", -14) if place == 0 else ("left", 14)
            beside = {"xytext": (shift, 0), "textcoords": "offset points", "ha": side}
            axes.annotate(titles[k], (place, y), va="center", fontsize=9, color=INK, **beside)
    if layer.width > SHOWN:
        ys = [layer.heights[ENDS[0] - 1], layer.heights[layer.width - ENDS[1]]]
        axes.text(place, sum(ys) / 2, "⋮", size=16, zorder=3, ha="center", va="center")


def _titles(result: RunResult, place: int, layer: Layer, last: int) -> dict[int, str]:
    """Return the names of the shown units of the first and last layer."""
    data = result.data
    names: tuple[str, ...] = ()
    if place == 0:
        names = data.feature_names
    elif place == last:
        names = data.target_names if data.task == "regression" else data.class_names
        if data.task == "classification" and layer.width == 1:
            names = tuple(data.class_names[1:])  # its probability is the one output
    return {k: plain(name, 14) for k, name in enumerate(names) if k in layer.heights}


def _kind(result: RunResult, place: int, width: int, last: int) -> str:
    """Return the line below a layer: its width, and its activation or task."""
    if 0 < place < last:
        return f"{width} {plain(result.params.get('activation', 'hidden'), 20)}"
    what = "feature" if place == 0 else "output"
    return f"{width} {what}" if width == 1 else f"{width} {what}s"


def _centred(colour: str = QUIET) -> dict[str, Any]:
    return {"ha": "center", "va": "center", "color": colour, "fontsize": 9}
