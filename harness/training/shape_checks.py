"""Whether what plugins return has the shape and dtype that the contract asks for."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Activation, Array, Initializer
from harness.training.stack import Stack


def check_returned(what: str, array: Array, like: Array) -> None:
    """TypeError if a plugin returned another shape or dtype than the contract asks for."""
    try:
        good = array.shape == like.shape and array.dtype == like.dtype
    except AttributeError:
        good = False
    if not good:
        came = f"{array.dtype} {array.shape}" if hasattr(array, "dtype") else type(array).__name__
        raise TypeError(f"{what} returned {came}, and {like.dtype} {like.shape} is expected")


class CheckedInitializer:
    """An initializer all of whose layers have the shape that they are asked for."""

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        layer = self.initializer(rng, fan_in, fan_out)
        dtype = getattr(layer, "dtype", float)  # any: it becomes the run's
        check_returned("initializer.__call__", layer, np.empty((fan_in + 1, fan_out), dtype))
        return layer


class CheckedActivation:
    """An activation all of whose answers are as large as what it was asked."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def __call__(self, z: Array) -> Array:
        h = self.activation(z)
        check_returned("activation.__call__", h, z)
        return h

    def derivative(self, z: Array, h: Array) -> Array:
        slope = self.activation.derivative(z, h)
        check_returned("activation.derivative", slope, z)
        return slope


def try_once(stack: Stack, layers: Sequence[Array], x: Array, y: Array) -> None:
    """One pass of a few examples there and back, with a stack's first weights.

    NumPy broadcasts what is too small, and training would go on with a wrong gradient. The loop
    itself looks at whole rows only: here every array is looked at, once. Raises TypeError.
    """
    seen, truth = (np.broadcast_to(a[:3], (len(layers[0]), *a[:3].shape)) for a in (x, y))
    with np.errstate(all="ignore"):
        prediction, cache = stack.model.forward(
            [*layers], seen, CheckedActivation(stack.activation)
        )
        check_returned("model.forward", prediction, truth)
        delta = np.ones_like(truth)
        for array, layer in zip(stack.model.backward(cache, delta), layers, strict=True):
            check_returned("model.backward", array, layer)
