"""Loss curves of a run, with its best epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.theme import (
    INK,
    LARGEST,
    LONGEST_TITLE,
    PART_COLOURS,
    QUIET,
    log_axis,
    plain,
    round_up,
)

CURVES = {"train/loss": "train", "val/loss": "validation"}
LEFT, BOTTOM, WIDTH, HEIGHT = 0.105, 0.105, 0.875, 0.755
HEADER = {"x": LEFT, "ha": "left", "va": "baseline"}
DECADES = 2  # of loss, from which on a logarithmic axis shows more
FINE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
FEW = 30  # points, each of which gets a dot


class Backdrop(NamedTuple):
    """Axes with round limits, so that many runs share them."""

    last: float
    low: float
    high: float
    log: bool
    label: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class LossCurve:
    """Training and validation loss over epochs.

    The loss axis is logarithmic if `log`, or by itself (null) where the loss falls by more than
    two decades.
    """

    log: bool | None = None

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return bool(_curves(result))

    def draw(self, result: RunResult, figure: Any) -> None:
        self.draw_backdrop(self.backdrop(result), figure)
        self.draw_over(result, figure)

    def backdrop(self, result: RunResult) -> Backdrop:
        """All that the still part depends on; harness.figures keeps one picture for each."""
        curves = _curves(result)
        values = np.concatenate([values for _, values in curves.values()])
        last = round_up(max(1.0, _last_epoch(result)), FINE)
        positive = values[values > 0]
        log = self.log
        if log is None:
            wide = math.log10(positive.max()) - math.log10(positive.min()) if len(positive) else 0
            log = len(positive) == len(values) and wide > DECADES
        log = log and len(positive) > 0
        low, high = _decades(positive) if log else _round_limits(values)
        loss = result.params.get("loss")
        label = f"loss ({plain(loss, 30)})" if loss else "loss"
        return Backdrop(last, low, high, log, label, tuple(curves))

    def draw_backdrop(self, backdrop: Backdrop, figure: Any) -> None:
        """Axes, ticks, grid and legend, at places that do not depend on their texts."""
        figure.set_layout_engine("none")
        axes = figure.add_axes((LEFT, BOTTOM, WIDTH, HEIGHT))
        axes.set(xlabel="epoch", ylabel=backdrop.label)
        if backdrop.log:
            log_axis(axes, backdrop.low, backdrop.high)
        else:
            axes.set_ylim(backdrop.low, backdrop.high)
        axes.set_xlim(-0.01 * backdrop.last, 1.01 * backdrop.last)
        axes.xaxis.get_major_locator().set_params(integer=True)
        for part in backdrop.parts:
            axes.plot([], [], color=PART_COLOURS[part], label=part)
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
        axes.legend(ncols=2, **place)

    def draw_over(self, result: RunResult, figure: Any) -> list[Any]:
        """Draw the curves, the best epoch and the run's name; return the new artists."""
        axes = figure.axes[0]
        curves = _curves(result)
        drawn = []
        for part, (steps, values) in curves.items():
            dots = "." if len(steps) <= FEW else None
            drawn += axes.plot(steps, values, color=PART_COLOURS[part], marker=dots, zorder=4)
        name = plain(result.name, LONGEST_TITLE)
        drawn.append(figure.text(y=0.945, s=name, size=12, weight="bold", color=INK, **HEADER))
        epoch, height, best = _best(result, curves)
        ring = {"marker": "o", "markersize": 8, "markeredgewidth": 1.6, "clip_on": False}
        drawn += axes.plot([epoch], [height], color=INK, markerfacecolor="none", zorder=5, **ring)
        outcome = "" if result.outcome == "ok" else plain(result.outcome)
        summary = ", ".join(filter(None, [outcome, best]))
        drawn.append(figure.text(y=0.885, s=summary, color=QUIET, **HEADER))
        return drawn


def _curves(result: RunResult) -> dict[str, tuple[Array, Array]]:
    """Return the finite points of each loss curve that has some, by part."""
    found = {}
    for key, part in CURVES.items():
        steps, values = (np.asarray(a, float) for a in result.curves.get(key, ((), ())))
        finite = np.isfinite(values)
        if finite.any():
            found[part] = steps[finite], values[finite]
    return found


def _last_epoch(result: RunResult) -> float:
    """Return the last epoch of which a loss is known, though it be infinite or NaN."""
    found = (np.asarray(result.curves[key][0], float) for key in CURVES if key in result.curves)
    return max((steps[-1] for steps in found if len(steps)), default=0.0)


def _best(result: RunResult, curves: dict[str, tuple[Array, Array]]) -> tuple[float, float, str]:
    """Epoch and height of the best point, and what to say of it."""
    part = "validation" if "validation" in curves else "train"
    steps, values = curves[part]
    epoch = float(result.best_epoch)
    if result.outcome == "diverged" or not steps[0] <= epoch <= steps[-1]:
        return math.nan, math.nan, ""
    height = float(np.interp(epoch, steps, values))
    # The curve is thinned; the recorded value is the exact one.
    recorded = "val/best_loss" if part == "validation" else "train/best_loss"
    loss = result.metrics.get(recorded, height)
    return epoch, height, f"○ best {loss:.4g} at epoch {epoch:.0f}"


def _decades(positive: Array) -> tuple[float, float]:
    """Limits of a logarithmic axis: a power of ten below; above, 1, 2 or 5 times one."""
    low = math.floor(math.log10(positive.min()))
    return float(f"1e{low}"), max(round_up(positive.max()), float(f"1e{low + 1}"))


def _round_limits(values: Array) -> tuple[float, float]:
    """Limits of a linear axis: whole steps, from 0 unless that would flatten the curve."""
    low, high = (float(v) for v in np.clip([values.min(), values.max()], -LARGEST, LARGEST))
    if 0 <= low < high / 2:
        low = 0.0
    step = round_up(max((high - low) / 5, 0.01 * max(abs(low), abs(high)), 1e-300))
    first = math.floor(low / step - 0.1 * (low != 0))  # no curve along the axis itself
    return first * step, math.ceil(high / step + 0.1) * step
