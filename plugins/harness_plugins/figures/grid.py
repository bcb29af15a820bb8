"""A net's answers over a plane of two features, the other features held still."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.contracts import Array, RunResult
from harness_plugins.figures.theme import drawable, parts

MARGIN = 0.06  # of the data's range, on each side


class Plane(NamedTuple):
    """Ticks along two features, and the net's answer at each crossing."""

    columns: tuple[int, int]
    a: Array  # (size,) of the first feature
    b: Array  # (size,) of the second
    answers: Array  # (size, size, outputs), b down and a across


def moving_features(result: RunResult) -> list[int]:
    """Columns that are quantities, not codes, and differ between examples."""
    x = _examples(result)
    codes = set(result.data.categorical)
    return [k for k in range(x.shape[1]) if k not in codes and np.ptp(x[:, k]) > 0]


def plane(result: RunResult, columns: tuple[int, int], size: int) -> Plane:
    """Return the net's answers over two columns; see `typical` for the other columns."""
    x = _examples(result)
    a, b = (_ticks(x[:, k], size) for k in columns)
    points = np.tile(typical(result), (size * size, 1))
    points[:, columns[0]], points[:, columns[1]] = (m.ravel() for m in np.meshgrid(a, b))
    answers = drawable(result.predict(points)).reshape(size, size, -1)
    return Plane(columns, a, b, answers)


def typical(result: RunResult) -> Array:
    """(features,) the mean of each quantity; of the 0/1 codes, the commonest combination."""
    x = _examples(result)
    row: Array = x.mean(axis=0)
    codes = list(result.data.categorical)
    if codes:
        rows, counts = np.unique(x[:, codes], axis=0, return_counts=True)
        row[codes] = rows[counts.argmax()]
    return row


def _examples(result: RunResult) -> Array:
    """Training examples, or whatever there is."""
    named = parts(result)
    part = "train" if "train" in named else named[0]
    return drawable(result.x[part])


def _ticks(values: Array, size: int) -> Array:
    low, high = values.min(), values.max()
    margin = MARGIN * (high - low or 1.0)
    return np.linspace(low - margin, high + margin, size)
