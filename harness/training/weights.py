"""Convert a run's weights: one row for the optimizer, one array a layer for the model."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import accumulate

import numpy as np

from harness.contracts import Array, Arrays

Shapes = Sequence[tuple[int, ...]]  # of one run's arrays, in the model's order


def split_weights(rows: Array, shapes: Shapes) -> Arrays:
    """Return (R, P) rows as one (R, ...) view a layer; nothing is copied."""
    runs = len(rows)
    return [rows[:, start:stop].reshape(runs, *shape) for start, stop, shape in _places(*shapes)]


@cache
def _places(*shapes: tuple[int, ...]) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return where each layer starts and stops in a row, and its shape."""
    stops = [*accumulate(map(math.prod, shapes))]
    return [*zip([0, *stops[:-1]], stops, shapes, strict=True)]


def join_weights(layers: Arrays) -> Array:
    """Return (R, P) rows from arrays whose first axis is R: the inverse of split_weights."""
    return np.concatenate([layer.reshape(len(layer), -1) for layer in layers], axis=1)
