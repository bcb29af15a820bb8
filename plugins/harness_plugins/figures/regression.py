"""Figures of a regression: predictions beside the truth, and the response to two features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.grid import Plane, moving_features, plane
from harness_plugins.figures.theme import (
    INK,
    PART_COLOURS,
    PART_MARKERS,
    QUIET,
    drawable,
    few,
    headline,
    left_a_net,
    parts,
    plain,
    round_up,
)

TARGETS = 4  # drawn at most
LEVELS = 16  # at most about this many


@dataclass(frozen=True)
class Prediction:
    """Prediction against truth, and the residuals, a row a target and a colour a part."""

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return left_a_net(result, "regression")

    def draw(self, result: RunResult, figure: Any) -> None:
        names = target_names(result)[:TARGETS]
        figure.set_size_inches(8, 3.6 * len(names) + 0.7)
        headline(figure, result)
        rows = figure.subplots(len(names), 2, squeeze=False)
        for target, (name, (left, right)) in enumerate(zip(names, rows, strict=True)):
            for part in parts(result):
                _scatter(left, right, part, *_pairs(result, part, target))
            _frame(left, right, name)


def _pairs(result: RunResult, part: str, target: int) -> tuple[Array, Array]:
    """Truth and prediction of one target, the finite ones."""
    truth = columns(result.y[part])[:, target]
    prediction = columns(result.prediction[part])[:, target]
    finite = np.isfinite(truth) & np.isfinite(prediction)
    return truth[finite], prediction[finite]


def _scatter(left: Any, right: Any, part: str, truth: Array, prediction: Array) -> None:
    residual = truth - prediction
    largest = np.abs(truth - truth.mean()).max(initial=0.0) if len(truth) else 0.0
    label = part
    if largest > 0:  # divided by the largest first, for squares may overflow
        spread = (((truth - truth.mean()) / largest) ** 2).sum()
        fit = 1 - ((residual / largest) ** 2).sum() / spread
        label = f"{part}, R² {fit:.3f}" if abs(fit) < 1000 else f"{part}, R² {fit:.0e}"
    shown = few(len(truth))
    look = {"s": 20, "color": PART_COLOURS[part], "marker": PART_MARKERS[part], "alpha": 0.65}
    left.scatter(truth[shown], prediction[shown], linewidths=0, label=label, **look)
    right.scatter(prediction[shown], residual[shown], linewidths=0, **look)


def _frame(left: Any, right: Any, name: str) -> None:
    """Where a perfect net would lie, and what the axes are."""
    low, high = np.array([left.get_xlim(), left.get_ylim()]).T
    limits = low.min(), high.max()
    dashes: dict[str, Any] = {"color": QUIET, "linewidth": 1, "linestyle": "--", "zorder": 0.8}
    left.plot(limits, limits, **dashes)
    left.set(xlim=limits, ylim=limits, box_aspect=1)
    left.set(xlabel=f"{name}, true", ylabel=f"{name}, predicted")
    veil = {"frameon": True, "framealpha": 0.8, "edgecolor": "none"}
    left.legend(loc="upper left", fontsize=9, handletextpad=0.2, borderaxespad=0.2, **veil)
    right.axhline(0, **dashes)
    right.set(xlabel=f"{name}, predicted", ylabel="residual (true − predicted)", box_aspect=1)


@dataclass(frozen=True)
class ResponseSurface:
    """The response to two features as filled contours, the training examples over it.

    The two are the first that are neither 0/1 codes nor constant. Of more features, the others
    stay at their training mean, codes at their commonest combination.
    """

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return left_a_net(result, "regression") and len(moving_features(result)) >= 2

    def draw(self, result: RunResult, figure: Any) -> None:
        first, second = moving_features(result)[:2]
        response = plane(result, (first, second), 61)
        names = target_names(result)[:TARGETS]
        headline(figure, result)
        rows = -(-len(names) // 2)
        if rows > 1:
            figure.set_size_inches(8, 7)
        panels = figure.subplots(rows, min(2, len(names)), squeeze=False).ravel()
        for target, (name, axes) in enumerate(zip(names, panels, strict=False)):
            _contours(figure, axes, result, response, target, name)
        for axes in panels[len(names) :]:
            axes.axis("off")
        if result.data.x.shape[1] > 2:
            figure.supxlabel("all other features at their training mean", fontsize=9, color=QUIET)


def _contours(
    figure: Any, axes: Any, result: RunResult, response: Plane, target: int, name: str
) -> None:
    height = np.ma.masked_invalid(response.answers[:, :, target])
    steady = plane(result.timeline[-1], response.columns, 61) if result.timeline else response
    part = "train" if "train" in parts(result) else parts(result)[0]
    truth = columns(result.y[part])[:, target]
    answers = steady.answers[:, :, target]
    levels = _levels(np.append(answers[np.isfinite(answers)], truth))
    look: dict[str, Any] = {"cmap": "viridis", "vmin": levels[0], "vmax": levels[-1]}
    beyond = "both" if result.timeline else "neither"  # the same colours in every picture
    filled = axes.contourf(response.a, response.b, height, levels=levels, extend=beyond, **look)
    first, second = (drawable(result.x[part])[:, k] for k in response.columns)
    shown = few(len(truth))
    edge = {"edgecolors": "white", "linewidths": 0.7, "s": 26}
    axes.scatter(first[shown], second[shown], c=truth[shown], **edge, **look)
    features = [plain(result.data.feature_names[k]) for k in response.columns]
    axes.set(xlabel=features[0], ylabel=features[1])
    axes.grid(visible=False)
    axes.set_title(f"{name}: learned (area), {part} (dots)", color=INK, loc="left")
    figure.colorbar(filled, ax=axes, label=name)


@dataclass(frozen=True)
class ResponseCurve:
    """The response to the one feature as a line, and the examples."""

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return left_a_net(result, "regression") and result.data.x.shape[1] == 1

    def draw(self, result: RunResult, figure: Any) -> None:
        headline(figure, result)
        names = target_names(result)[:TARGETS]
        figure.set_size_inches(8, max(4.5, 2.6 * len(names)))
        x = np.concatenate([drawable(result.x[part]) for part in parts(result)])
        margin = 0.04 * (float(np.ptp(x)) or 1.0)
        along = np.linspace(x.min() - margin, x.max() + margin, 301)
        answers = columns(result.predict(along[:, None]))
        panels = figure.subplots(len(names), 1, squeeze=False, sharex=True).ravel()
        for target, (name, axes) in enumerate(zip(names, panels, strict=True)):
            for part in parts(result):
                truth = columns(result.y[part])[:, target]
                shown = few(len(truth))
                look = {"s": 20, "color": PART_COLOURS[part], "marker": PART_MARKERS[part]}
                at = drawable(result.x[part])[shown, 0]
                axes.scatter(at, truth[shown], alpha=0.5, linewidths=0, label=part, **look)
            limits = axes.get_ylim()
            axes.plot(along, answers[:, target], color=INK, linewidth=2, label="learned")
            if result.timeline:  # the same axes in every picture
                axes.set_ylim(limits)
            axes.set_ylabel(name)
        panels[-1].set_xlabel(plain(result.data.feature_names[0]))
        panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=9)


def _levels(values: Array) -> Array:
    """Round levels, in round steps, that enclose all finite values."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    step = round_up(max((high - low) / LEVELS, 1e-6 * abs(high), 1e-300))
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.arange(first, max(last, first + 1) + 1) * step


def columns(values: Array) -> Array:
    """Return (N, targets) numbers that can be drawn, of (N, targets) or (N,)."""
    return drawable(values).reshape(len(values), -1)


def target_names(result: RunResult) -> list[str]:
    """One printable name a target, whether or not the data has one."""
    targets = columns(result.data.y).shape[1]
    given = [plain(name, 24) for name in result.data.target_names]
    return [given[k] if k < len(given) else f"target {k}" for k in range(targets)]
