"""A run's weights: one row for the optimizer, one array a layer for the model."""

import math
from collections.abc import Sequence

import numpy as np

from harness.contracts import Array, Arrays

Shapes = Sequence[tuple[int, ...]]  # of one run's arrays, in the model's order


def split(rows: Array, shapes: Shapes) -> Arrays:
    """(R, P) rows as one (R, ...) view a layer; nothing is copied."""
    layers, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        layers.append(rows[:, start:stop].reshape(len(rows), *shape))
        start = stop
    return layers


def join(layers: Arrays) -> Array:
    """The inverse of split: (R, P) rows from arrays whose first axis is R."""
    return np.concatenate([layer.reshape(len(layer), -1) for layer in layers], axis=1)
