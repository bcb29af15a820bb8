"""Figures of a classification: where each class is expected, and which are taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.grid import plane
from harness_plugins.figures.theme import (
    INK,
    PART_MARKERS,
    colours,
    drawable,
    few,
    headline,
    left_a_net,
    parts,
    plain,
)

COUNTED = 20  # classes, up to which every cell shows its count
NAMED = 36  # classes, up to which every one has its name on the axes
LISTED = 12  # classes in a legend


@dataclass(frozen=True)
class DecisionMap:
    """Class probabilities over two features as blended colours, the examples over them."""

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return left_a_net(result, "classification") and result.data.x.shape[1] == 2

    def draw(self, result: RunResult, figure: Any) -> None:
        headline(figure, result)
        axes = figure.subplots()
        _, a, b, answers = plane(result, (0, 1), 141)
        probabilities = np.nan_to_num(answers)
        classes = probabilities.shape[2]
        palette = colours(classes)
        _regions(axes, a, b, probabilities, palette)
        for part in parts(result):
            _examples(axes, result, part, palette)
        names = class_names(result, classes)[:LISTED]
        for k, colour in enumerate(palette[: len(names)]):
            axes.scatter([], [], color=colour, marker="s", s=60, label=f"class {k}")
        first, second = (plain(name) for name in result.data.feature_names)
        axes.set(xlabel=first, ylabel=second, xlim=(a[0], a[-1]), ylim=(b[0], b[-1]))
        axes.grid(visible=False)
        legend = figure.legend(loc="outside right center", fontsize=9)
        # matplotlib leaves out what is labelled "" or "_…": the names come in afterwards.
        for text, name in zip(legend.get_texts()[-len(names) :], names, strict=True):
            text.set_text(name)


def _regions(axes: Any, a: Array, b: Array, probabilities: Array, palette: list[str]) -> None:
    """Each class's colour by its probability, paled; a line where another class takes over."""
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in palette])
    pale = 1 - 0.5 * (1 - np.clip(probabilities @ rgb, 0, 1))
    extent = (a[0], a[-1], b[0], b[-1])
    look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
    axes.imshow(pale, extent=extent, zorder=0, **look)
    for k in range(probabilities.shape[2] if probabilities.shape[2] > 2 else 1):
        others = np.delete(probabilities, k, axis=2).max(axis=2, initial=0)
        lead = probabilities[:, :, k] - others
        if lead.min() < 0 < lead.max():
            axes.contour(a, b, lead, levels=[0], colors=[INK], linewidths=0.9, zorder=1)


def _examples(axes: Any, result: RunResult, part: str, palette: list[str]) -> None:
    """Dots in their class's colour; those the net takes for another have a dark edge."""
    shown = few(len(result.x[part]))
    x, codes = (
        drawable(result.x[part])[shown],
        np.asarray(result.y[part]).astype(int).ravel()[shown],
    )
    wrong = np.asarray(result.prediction[part])[shown].argmax(axis=1) != codes
    marker = PART_MARKERS[part]
    own = np.array(palette)[codes]
    look: dict[str, Any] = {"marker": marker, "s": 30, "zorder": 2}
    axes.scatter(*x[~wrong].T, c=own[~wrong], edgecolors="white", linewidths=0.7, **look)
    edge = {"edgecolors": INK, "linewidths": 1.6}
    axes.scatter(*x[wrong].T, c=own[wrong], **edge, **{**look, "zorder": 3})
    hollow: dict[str, Any] = {"marker": marker, "s": 30, "facecolors": "none"}
    axes.scatter([], [], edgecolors="#6b7280", label=f"{part} ({wrong.sum()} wrong)", **hollow)


@dataclass(frozen=True)
class Confusion:
    """Counts of true against predicted class, of the held-out examples if there are any."""

    scope: ClassVar[str] = "run"

    def applies(self, result: RunResult) -> bool:
        return left_a_net(result, "classification")

    def draw(self, result: RunResult, figure: Any) -> None:
        part = next(p for p in ("validation", "test", "train") if p in parts(result))
        prediction = np.asarray(result.prediction[part])
        truth = np.asarray(result.y[part]).astype(int).ravel()
        classes = prediction.shape[1]
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (truth, np.nan_to_num(prediction).argmax(axis=1)), 1)
        side = min(12.0, max(5.0, 3.0 + 0.32 * classes))
        figure.set_size_inches(side + 1.6, side)
        headline(figure, result)
        _matrix(figure, counts, class_names(result, classes), part)


def _matrix(figure: Any, counts: Array, names: list[str], part: str) -> None:
    axes = figure.subplots()
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    classes = len(names)
    size = max(8, 11 - classes // 4)
    if classes <= COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.55 else INK
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=size)
    tilt = 0 if max(map(len, names)) * classes < 36 else 90
    every = -(-classes // NAMED)
    axes.set_xticks(range(0, classes, every), names[::every], rotation=tilt, fontsize=size)
    axes.set_yticks(range(0, classes, every), names[::every], fontsize=size)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    right = counts.trace()
    title = f"{part}: {right} of {counts.sum()} right ({right / counts.sum():.1%})"
    axes.set_title(title, loc="left")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)


def class_names(result: RunResult, classes: int) -> list[str]:
    """One printable name a class, whether or not the data has one."""
    given = [plain(name, 16) for name in result.data.class_names]
    return [given[k] if k < len(given) else str(k) for k in range(classes)]
