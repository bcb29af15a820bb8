"""Figures of a sweep's settings: what matters, all of them at once, and two hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, SweepResult
from harness_plugins.figures.sweep_axes import (
    BINS,
    ENOUGH,
    Axis,
    by_importance,
    importance,
    scaled,
    space,
)
from harness_plugins.figures.theme import INK, PALETTE, QUIET, plain

BAD = PALETTE[1]
VIRIDIS = (
    (0.27, 0.0, 0.33),
    (0.23, 0.32, 0.55),
    (0.13, 0.57, 0.55),
    (0.37, 0.79, 0.38),
    (0.86, 0.87, 0.15),
)


@dataclass(frozen=True)
class Importance:
    """How much worse a random forest predicts the objective when one hyperparameter is shuffled.

    After Breiman, 2001, Machine Learning 45; seeds are averaged first.
    """

    most: int = 12

    scope: ClassVar[str] = "sweep"

    def applies(self, result: SweepResult) -> bool:
        found = space(result)
        return len(found.axes) > 1 and found.well.sum() >= ENOUGH

    def draw(self, result: SweepResult, figure: Any) -> None:
        found = space(result)
        drop, spread, fit = importance(found)
        order = np.argsort(-drop, kind="stable")[: self.most][::-1]
        axes = figure.subplots()
        look = {"color": PALETTE[0], "ecolor": QUIET, "height": 0.6}
        axes.barh(range(len(order)), drop[order], xerr=spread[order], **look)
        axes.set_yticks(range(len(order)), [plain(found.axes[i].key) for i in order])
        axes.grid(visible=False, axis="y")
        axes.set_xlim(left=min(0.0, float(drop.min())))
        axes.set_xlabel(f"loss of R² in predicting {plain(result.objective[0])} when shuffled")
        doubt = "" if fit > 0.5 else ": little to go by" if fit > 0 else ": these mean nothing"
        title = f"importance over {found.well.sum()} settings; R² of unseen ones {fit:.2f}{doubt}"
        axes.set_title(title, loc="left", color=INK)


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line a setting, coloured by the objective, the best on top."""

    most: int = 300
    columns: int = 7

    scope: ClassVar[str] = "sweep"

    def applies(self, result: SweepResult) -> bool:
        found = space(result)
        return len(found.axes) > 1 and found.well.sum() > 2

    def draw(self, result: SweepResult, figure: Any) -> None:
        found = space(result)
        worth, wide = scaled(found.worth[found.well])
        sign = -1 if result.objective[1] == "maximize" else 1
        shown = by_importance(found)[: self.columns]
        order = np.argsort(-sign * worth, kind="stable")  # worst first, so that the best is seen
        order = order[np.linspace(0, len(order) - 1, min(self.most, len(order))).astype(int)]
        span = np.ptp(worth) or 1.0
        heights = [each.unit[0][found.well] for each in shown] + [(worth - worth.min()) / span]
        axes = figure.subplots()
        colours = shades(sign * worth)
        for i in order:
            best = i == order[-1]
            line = [h[i] for h in heights]
            axes.plot(line, color=colours[i], lw=3 if best else 1.2, alpha=1 if best else 0.6)
        for at, each in enumerate(shown):
            _rail(axes, at, each.labels, each.unit[1])
        ends = np.linspace(worth.min(), worth.max(), 5)
        labels = [f"{10**v if wide else v:.3g}" for v in ends]
        _rail(axes, len(shown), labels, np.linspace(0, 1, 5))
        names = [*(each.key.rpartition(".")[2] for each in shown), result.objective[0]]
        axes.set_xticks(range(len(names)), [plain(name, 20) for name in names])
        axes.set(xlim=(-0.1, len(shown) + 0.4), ylim=(-0.04, 1.04), yticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.grid(visible=False)
        few = "" if len(order) == len(worth) else f", {len(order)} shown"
        title = f"{len(worth)} settings, means over seeds{few}; dark is better, the best is thick"
        axes.set_title(title, loc="left", color=INK)


def _rail(axes: Any, at: int, labels: Any, places: Array) -> None:
    axes.axvline(at, color=QUIET, linewidth=1, zorder=0.9)
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for label, place in zip(labels, places, strict=True):
        axes.text(at + 0.03, place, label, fontsize=8, color=INK, va="center", zorder=4, bbox=box)


def shades(worth: Array) -> Array:
    """viridis, dark for the smallest; of ranks, for one outlier would make all others alike."""
    ranks = np.argsort(np.argsort(worth, kind="stable")) / max(1, len(worth) - 1)
    at = np.linspace(0, 1, len(VIRIDIS))
    return np.stack([np.interp(ranks, at, channel) for channel in zip(*VIRIDIS, strict=True)], 1)


@dataclass(frozen=True)
class HeatMap:
    """The objective over the two most important hyperparameters, a mean over all others."""

    scope: ClassVar[str] = "sweep"

    def applies(self, result: SweepResult) -> bool:
        found = space(result)
        return len(found.axes) > 1 and found.well.sum() > 3

    def draw(self, result: SweepResult, figure: Any) -> None:
        found = space(result)
        down, across = by_importance(found)[:2]
        (rows, heads), (columns, feet) = cells(down), cells(across)
        shape = len(heads), len(feet)
        total, count, lost = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        np.add.at(total, (rows[found.well], columns[found.well]), found.worth[found.well])
        np.add.at(count, (rows[found.well], columns[found.well]), 1)
        np.add.at(lost, (rows, columns), found.diverged)
        means = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
        height, _ = scaled(means[count > 0])
        picture = np.full(shape, np.nan)
        picture[count > 0] = height
        axes = figure.subplots()
        best = "viridis" if result.objective[1] != "maximize" else "viridis_r"
        axes.imshow(picture, cmap=best, aspect="auto", origin="lower")
        middle = (np.nanmin(picture) + np.nanmax(picture)) / 2
        for i, j in np.ndindex(shape):
            text = f"{means[i, j]:.3g}" if count[i, j] else ""
            text += f"\n× {lost[i, j]:.0f}" if lost[i, j] else ""
            dark = count[i, j] and ((picture[i, j] <= middle) == (best == "viridis"))
            look = {"color": "white" if dark else INK, "fontsize": 9}
            axes.text(j, i, text.strip(), ha="center", va="center", **look)
        axes.set_yticks(range(shape[0]), heads)
        axes.set_xticks(range(shape[1]), feet)
        axes.set(ylabel=plain(down.key), xlabel=plain(across.key))
        axes.grid(visible=False)
        title = f"mean {plain(result.objective[0])}, dark is better"
        title += "; × runs that diverged" if lost.any() else ""
        axes.set_title(title, loc="left", color=INK)


def cells(axis: Axis) -> tuple[Array, list[str]]:
    """In which cell each setting is, and what the cells are called; many values share cells."""
    distinct, place = np.unique(axis.at, return_inverse=True)
    if len(distinct) == len(axis.labels):
        return place, [*axis.labels]
    edges = np.linspace(distinct[0], distinct[-1], BINS + 1)
    place = np.clip(np.searchsorted(edges, axis.at, side="right") - 1, 0, BINS - 1)
    found = np.interp((edges[1:] + edges[:-1]) / 2, axis.places, np.arange(len(axis.places)))
    numbers = _values(axis, found)
    return place, numbers


def _values(axis: Axis, found: Array) -> list[str]:
    """Return the middle of each cell between numeric labels, else the label next to it."""
    near = [axis.labels[round(at)] for at in found]
    try:
        given = [float(label) for label in axis.labels]
    except ValueError:
        return near
    wide = not np.allclose(given, axis.places, rtol=0.01)
    middles = np.interp(found, np.arange(len(given)), axis.places)
    return [f"≈ {10**m if wide else m:.2g}" for m in middles]


@dataclass(frozen=True)
class Diverged:
    """Where in the space runs diverged: their share at each value of each hyperparameter."""

    most: int = 6

    scope: ClassVar[str] = "sweep"

    def applies(self, result: SweepResult) -> bool:
        return bool(space(result).axes) and any(r["outcome"] == "diverged" for r in result.rows)

    def draw(self, result: SweepResult, figure: Any) -> None:
        found = space(result)
        shares = []
        for each in found.axes:
            place, heads = cells(each)
            runs = np.bincount(place, found.runs, len(heads))
            lost = np.bincount(place, found.diverged, len(heads))
            shares.append((each, heads, runs, lost, lost / np.maximum(runs, 1)))
        shares.sort(key=lambda share: -float(np.ptp(share[-1])))
        shown = shares[: self.most]
        panels = figure.subplots(-(-len(shown) // 2), min(2, len(shown)), squeeze=False).ravel()
        for axes, (each, heads, runs, lost, share) in zip(panels, shown, strict=False):
            axes.barh(range(len(heads)), 100 * share, color=BAD, height=0.6)
            for at, value in enumerate(share):
                text = f"{lost[at]:.0f} of {runs[at]:.0f}"
                axes.text(100 * value + 1, at, text, va="center", fontsize=8, color=INK)
            axes.set_yticks(range(len(heads)), heads)
            axes.set(xlim=(0, 118), xticks=[0, 25, 50, 75, 100])
            axes.set_title(plain(each.key), loc="left", color=INK)
            axes.grid(visible=False, axis="y")
        for axes in panels[len(shown) :]:
            axes.axis("off")
        total = int(found.diverged.sum())
        figure.supxlabel(
            f"% of runs that diverged ({total} of {found.runs.sum()} in all)", size=10
        )
