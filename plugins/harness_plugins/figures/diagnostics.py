"""Diagnose a training layer by layer: gradients, steps, weights, and dead units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, Inside, RunResult
from harness_plugins.figures.theme import INK, QUIET, drawable, matrix_name, plain

LAYERS = 7  # drawn at most, at equal distances
BINS = 30
SHADES = ("#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#d8a500")
STATES = {"learning": "#0072B2", "saturated": "#E69F00", "dead": "#555555"}
HEALTHY = (1e-4, 1e-1)  # of an update, relative to the weights
# Fixed places: to find them by the size of every text takes twice as long as all the rest.
PLACES = [(x, y, 0.36, 0.335) for y in (0.575, 0.085) for x in (0.08, 0.535)]


@dataclass(frozen=True)
class Diagnostics:
    """Four views of the layers: gradient and update norms, states of hidden units, weights."""

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return bool(result.norms) and bool(result.weights)

    def draw(self, result: RunResult, figure: Any) -> None:
        figure.set_layout_engine("none")
        figure.set_size_inches(9, 6.4)
        figure.text(0.02, 0.96, plain(result.name, 66), size=12, weight="bold", va="baseline")
        first, second, third, fourth = map(figure.add_axes, PLACES)
        norms, count = result.norms, result.norms["gradient"].shape[1]
        shown = evenly(count)
        names = [matrix_name(k) for k in shown]
        palette = shades(len(shown))
        with np.errstate(all="ignore"):
            steps = norms["change"] / norms["weights"]
        _lines(first, norms["epoch"], norms["gradient"][:, shown], names, palette)
        _title(first, "gradient: ‖∂L/∂W‖")
        _lines(second, norms["epoch"], steps[:, shown], names, palette)
        second.axhspan(*np.log10(HEALTHY), color="#009E73", alpha=0.08, linewidth=0, zorder=0)
        _title(second, "last step of an epoch: ‖ΔW‖ / ‖W‖")
        second.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        inside = result.inside
        _states(third, inside)
        _weights(fourth, result, inside, shown, palette)


def evenly(n: int) -> list[int]:
    """Return the numbers below n, or LAYERS of them at equal distances."""
    return [*dict.fromkeys(np.linspace(0, n - 1, min(n, LAYERS)).round().astype(int).tolist())]


def shades(n: int) -> list[str]:
    """n colours from dark to light, the first for the first layer."""
    return [SHADES[round(k * (LAYERS - 1) / max(1, n - 1))] for k in range(n)]


def _title(axes: Any, text: str) -> None:
    """As a text of its own: a title's place depends on all the rest, which takes its time."""
    axes.text(0, 1.035, text, transform=axes.transAxes, fontsize=12, color=INK)


def _lines(axes: Any, epochs: Array, values: Array, names: list[str], palette: list[str]) -> None:
    """Draw a line for each layer, by powers of ten, without values that are not positive."""
    known = np.log10(np.where((values > 0) & np.isfinite(values), values, np.nan))
    few = "." if len(epochs) < 10 else None
    for k, name in enumerate(names):
        axes.plot(epochs, known[:, k], color=palette[k], label=name, linewidth=1.6, marker=few)
    low, high = -1, 0
    if np.isfinite(known).any():
        low, high = int(np.floor(np.nanmin(known))), int(np.ceil(np.nanmax(known) + 1e-9))
    ticks = range(low, high + 1, -(-(high - low) // 6))
    axes.set_yticks(ticks, [f"1e{tick}" for tick in ticks])
    axes.set(ylim=(low, high), xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _states(axes: Any, inside: Inside | None) -> None:
    """Draw a bar for each hidden layer, the first on top."""
    layers = [] if inside is None else inside.hidden
    _title(axes, "hidden units" if layers else "")
    if not layers:
        axes.text(0.5, 0.5, "no unit has an activation", ha="center", color=QUIET)
        axes.axis("off")
        return
    assert inside is not None
    at, counted = evenly(len(layers)), inside.states()
    for row, k in enumerate(at):
        counts, left = counted[k], 0.0
        for state, count in counts.items():
            share = 100 * count / len(layers[k].slope)
            axes.barh(row, share, 0.62, left, color=STATES[state])
            if share > 6:
                look = {"ha": "center", "va": "center", "color": "white", "fontsize": 9}
                axes.text(left + share / 2, row, str(count), **look)
            left += share
    for state, colour in STATES.items():
        axes.barh(0, 0, color=colour, label=state)
    named = [f"layer {k + 1}" for k in at]
    axes.set_yticks(range(len(at)), named)
    axes.set(xlim=(0, 100), ylim=(max(len(at), 3) - 0.4, -0.6), xlabel="% of the layer's units")
    axes.grid(visible=False)
    place = {"loc": "lower right", "bbox_to_anchor": (1.02, -0.01 if len(at) < 3 else 1.06)}
    axes.legend(ncols=3, fontsize=8, handlelength=0.8, columnspacing=1, **place)


def _weights(
    axes: Any, result: RunResult, inside: Inside | None, shown: Sequence[int], palette: list[str]
) -> None:
    """Each layer's weights as a hill, one above the other; those before training as a line."""
    arrays = [drawable(result.weights[k]).ravel() for k in shown]
    before = [
        a if inside is None else drawable(inside.initial[k]).ravel()
        for k, a in zip(shown, arrays, strict=True)
    ]
    every = np.concatenate([*arrays, *before])
    every = every[np.isfinite(every)]
    reach = float(np.abs(every).max()) if len(every) and np.abs(every).max() > 0 else 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    for row, (now, then) in enumerate(zip(arrays, before, strict=True)):
        base = len(arrays) - 1 - row
        heights = [np.histogram(w[np.isfinite(w)], edges)[0] for w in (now, then)]
        after, earlier = (0.85 * h / max(1, h.max()) for h in heights)
        axes.stairs(base + after, edges, baseline=base, fill=True, color=palette[row], alpha=0.65)
        if inside is not None:
            axes.stairs(base + earlier, edges, baseline=base, color=INK, linewidth=1)
    axes.set_yticks(range(len(arrays)), [matrix_name(k) for k in reversed(shown)])
    axes.set(ylim=(-0.05, len(arrays)), xlabel="weight")
    title = "weights: filled, now; line, before" if inside is not None else "weights"
    _title(axes, title)
