"""Plugins that check the shape of each array, for one trial pass before training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.contracts import Activation, Array, Initializer
from harness.training.plugin_calls import calls_plugin, check_returned, forward
from harness.training.stack import Stack


class CheckedInitializer:
    """An initializer that checks the shape of each layer that it returns."""

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    @calls_plugin("initializer", "__call__")
    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        layer = self.initializer(rng, fan_in, fan_out)
        dtype = getattr(layer, "dtype", float)  # any: it becomes the run's
        check_returned("initializer.__call__", layer, np.empty((fan_in + 1, fan_out), dtype))
        return layer


class CheckedActivation:
    """An activation that checks the shape of each array that it returns."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    @calls_plugin("activation", "__call__")
    def __call__(self, z: Array) -> Array:
        h = self.activation(z)
        check_returned("activation.__call__", h, z)
        return h

    @calls_plugin("activation", "derivative")
    def derivative(self, z: Array, h: Array) -> Array:
        slope = self.activation.derivative(z, h)
        check_returned("activation.derivative", slope, z)
        return slope


def try_once(stack: Stack, layers: Sequence[Array], x: Array, y: Array) -> None:
    """Pass a few examples through the net and back, with the stack's first weights.

    NumPy broadcasts an array that is too small, and training would go on with a wrong gradient.
    The loop itself checks whole rows only; here each array is checked, once. Raises TypeError.
    """
    seen, truth = (np.broadcast_to(a[:3], (len(layers[0]), *a[:3].shape)) for a in (x, y))
    stack = stack._replace(activation=CheckedActivation(stack.activation))
    with np.errstate(all="ignore"):
        prediction, cache = forward(stack, [*layers], seen)
        check_returned("model.forward", prediction, truth)
        _try_backward(stack, cache, layers, np.ones_like(truth))


@calls_plugin("model", "backward")
def _try_backward(stack: Stack, cache: Any, layers: Sequence[Array], delta: Array) -> None:
    for gradient, layer in zip(stack.model.backward(cache, delta), layers, strict=True):
        check_returned("model.backward", gradient, layer)
