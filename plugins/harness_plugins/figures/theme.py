"""Colours, markers and printable names that the built-in figures share."""

from __future__ import annotations

import colorsys
import math
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.contracts import Array, RunResult

# The harness's own cycle of colours, here as numbers that a picture can blend.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#555555")
PART_COLOURS = {"train": "#0072B2", "validation": "#D55E00", "test": "#009E73"}
PART_MARKERS = {"train": "o", "validation": "s", "test": "^"}
INK, QUIET = "#111827", "#6b7280"
LONGEST_TITLE = 62  # columns, of a figure eight inches wide
LARGEST = 1e300  # on a linear axis: matplotlib adds margins, which must not overflow
SMALL, GREAT = 1e-100, 1e100  # between them matplotlib's own ticks of a logarithmic axis are good
MARKS = 7  # on a logarithmic axis that needs ticks of its own
POINTS = 2000  # of a part, drawn at most
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def colours(n: int) -> list[str]:
    """n different colours: the palette first, then hues a golden angle apart."""
    hues = [(0.13 + 0.618034 * k) % 1 for k in range(max(0, n - len(PALETTE)))]
    more = [colorsys.hls_to_rgb(hue, (0.35, 0.5, 0.65)[k % 3], 0.6) for k, hue in enumerate(hues)]
    rest = ["#" + "".join(f"{round(255 * c):02x}" for c in rgb) for rgb in more]
    return [*PALETTE[:n], *rest]


def plain(text: object, longest: int = 40) -> str:
    """One line of at most that many columns, with nothing that matplotlib takes for a formula."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return shorten(line, longest).replace("$", r"\$")


def shorten(line: str, longest: int) -> str:
    """Shorten a line that is too long in its middle: the end of a name distinguishes runs, too."""
    if _columns(line) <= longest:
        return line
    head, tail = line, line
    while _columns(head) > (longest - 1) * 2 // 3:
        head = head[:-1]
    while _columns(tail) > longest - 1 - _columns(head):
        tail = tail[1:]
    return f"{head}…{tail}"


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def headline(figure: Any, result: RunResult) -> None:
    """Write the run's name above everything, on the left."""
    name = plain(result.name, int(figure.get_figwidth() * LONGEST_TITLE / 8))
    if name:
        figure.suptitle(name, x=0.012, ha="left", fontsize=12, fontweight="bold")


def parts(result: RunResult) -> list[str]:
    """Return the parts that have examples, training first."""
    return [part for part in PART_COLOURS if part in result.x and len(result.x[part])]


def left_a_net(result: RunResult, task: str = "") -> bool:
    """Whether there is a net, with examples to ask it about; of this task, if one is named."""
    fits = task in ("", result.data.task)
    return fits and bool(result.weights) and bool(parts(result))


def few(count: int, most: int = POINTS) -> slice:
    """So many of `count` examples as can be drawn, at equal distances."""
    return slice(None, None, -(-count // most) or 1)


def matrix_name(k: int) -> str:
    """W₁ of the first."""
    return f"W{k + 1}".translate(SUBSCRIPTS)


def drawable(values: Array) -> Array:
    """Return the values as floats, finite ones cut off at ±1e300, where a linear axis ends."""
    array = np.asarray(values, float)
    return np.where(np.isfinite(array), np.clip(array, -LARGEST, LARGEST), array)


def log_axis(axes: Any, low: float, high: float) -> None:
    """Make the y axis logarithmic from `low` to `high`, two positive numbers of any size.

    matplotlib looks for ticks some steps beyond the limits. Beyond 1e308 they are infinite, and
    it raises OverflowError: an axis that reaches so far gets ticks of its own.
    """
    low, high = max(low, 5e-324), min(high, sys.float_info.max)
    axes.set_autoscaley_on(False)
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylim(low, high)
    if low > SMALL and high < GREAT:
        return
    first, last = math.log10(low), math.log10(high)
    step = max(1, int(round_up((last - first) / MARKS)))
    powers = range(step * math.ceil(first / step), math.floor(last) + 1, step)
    axes.set_yticks([float(f"1e{power}") for power in powers])
    axes.minorticks_off()


def round_up(value: float, digits: Sequence[float] = (1, 2, 5, 10, 20)) -> float:
    """Round up to the next of 1, 2, 5, 10, 20, …, and of 0.1, 0.2, …; or to other digits."""
    exponent = math.floor(math.log10(value))
    rounded = (float(f"{digit}e{exponent}") for digit in digits)
    return next(candidate for candidate in rounded if candidate >= value)
