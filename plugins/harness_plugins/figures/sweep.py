"""A sweep in one picture: the curves of all its runs, the best and the median highlighted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.contracts import Array, RunResult, SweepResult
from harness_plugins.figures.sweep_axes import space
from harness_plugins.figures.theme import INK, PALETTE, QUIET, drawable, log_axis, plain
from harness_plugins.ranges import at_least


@dataclass(frozen=True)
class Curves:
    """Validation loss (training loss where nothing is held out) of up to `most` runs, by rank."""

    most: int = 100

    scope: ClassVar[str] = "sweep"

    def __post_init__(self) -> None:
        at_least(2, most=self.most)

    def applies(self, result: SweepResult) -> bool:
        return result.best is not None

    def draw(self, result: SweepResult, figure: Any) -> None:
        well = [i for i, row in enumerate(result.rows) if row["outcome"] == "ok"]
        shown = sorted({well[int(at)] for at in np.linspace(0, len(well) - 1, self.most)})
        best, median = well[0], median_setting(result)
        axes = figure.subplots()
        for i in shown:
            axes.plot(*curve(result.runs[i]), color=QUIET, alpha=0.35, linewidth=0.8)
        if median != best:
            self._emphasise(axes, result.runs[median], "median setting", PALETTE[1])
        self._emphasise(axes, result.runs[best], "best run", PALETTE[0])
        _limit(axes, np.concatenate([line.get_ydata() for line in axes.lines]))
        count = "all" if len(shown) == len(well) else f"{len(shown)} of"
        axes.set_title(f"{count} {len(well)} runs that ended well", loc="left", color=INK)
        held_out = "val/loss" in result.runs[best].curves
        axes.set(xlabel="epoch", ylabel=f"{'validation' if held_out else 'training'} loss")
        figure.legend(loc="outside lower left", fontsize=9)

    @staticmethod
    def _emphasise(axes: Any, run: RunResult, what: str, colour: str) -> None:
        steps, values = curve(run)
        label = f"{what}: {plain(run.name, 60)}"
        axes.plot(steps, values, color=colour, linewidth=2.2, label=label)


def median_setting(result: SweepResult) -> int:
    """Return the best run of the median setting, by the means over seeds."""
    found = space(result)
    middle = np.argsort(found.worth)[(int(found.well.sum()) - 1) // 2]
    return int(found.first[middle])


def curve(run: RunResult) -> tuple[Array, Array]:
    """Return epochs and finite losses, of the validation part if there is one."""
    steps, values = run.curves.get("val/loss", run.curves["train/loss"])
    finite = np.isfinite(values)
    return np.asarray(steps)[finite], np.asarray(values, float)[finite]


def _limit(axes: Any, values: Array) -> None:
    """Set a logarithmic axis around positive values, else a linear one."""
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if low > 0:
        margin = 0.05 * (math.log10(high) - math.log10(low)) or 0.1
        log_axis(axes, low * 10**-margin, high * 10**margin)
        return
    low, high = drawable(np.array([low, high]))
    margin = 0.05 * (high - low) or 0.1
    axes.set_ylim(low - margin, high + margin)
