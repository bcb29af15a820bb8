"""The style of pictures: one for built-in and foreign figures, independent of matplotlibrc."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INCHES, DPI = (8.0, 5.0), 100
# Okabe and Ito's colours, which people with any colour vision can tell apart; brown and grey
# in place of their yellow and black, which are poor on white and for dots.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#555555"]
INK, TEXT, LINE = "#111827", "#374151", "#9ca3af"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": TEXT,
    "axes.titlesize": 11,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.dpi": DPI,
    "figure.figsize": INCHES,
    "grid.color": "#e5e7eb",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "text.color": INK,
    "text.hinting": "none",  # as legible at this size, in two thirds of the time
    "xtick.color": TEXT,
    "xtick.major.size": 0,
    "ytick.color": TEXT,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}
_one_at_a_time = RLock()  # matplotlib's settings belong to the process


@contextmanager
def style() -> Iterator[None]:
    """Context manager: our settings for one picture, then the user's again."""
    from matplotlib import rc_context, rcParams

    quiet = np.errstate(all="ignore")  # numbers of a run that exploded overflow
    with _one_at_a_time, warnings.catch_warnings(), quiet, rc_context():
        # Setting validates, which takes longer than comparing.
        differ = {key: value for key, value in _settings().items() if rcParams[key] != value}
        rcParams.update(differ)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


@lru_cache(maxsize=1)
def _settings() -> dict[Any, Any]:
    """Return matplotlib's own defaults, overridden by ours, without the backend."""
    from cycler import cycler
    from matplotlib import rcParamsDefault

    own = {key: value for key, value in rcParamsDefault.items() if key != "backend"}
    return {**own, **STYLE, "axes.prop_cycle": cycler(color=COLOURS)}


def blank_figure() -> Figure:
    """Return an empty figure on a canvas of its own; pyplot would keep it alive."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    return figure
