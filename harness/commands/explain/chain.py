"""The chain rule of a dense net, layer by layer, as it is written on a blackboard."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from harness.commands.explain.step import Step
from harness.contracts import Array
from harness.numerics import with_ones


class Layer(NamedTuple):
    """The forward and backward numbers of one layer; the last has no activation, so z is ŷ."""

    inputs: Array  # (B, fan_in), h of the layer below, or x
    weights: Array  # (fan_in + 1, width)
    z: Array  # (B, width)
    h: Array  # (B, width)
    slope: Array  # (B, width), the activation's derivative
    above: Array  # (B, width), dL/dh; of the last layer: dL/dŷ
    delta: Array  # (B, width), dL/dz
    gradient: Array  # (fan_in + 1, width)


def layer_chain(step: Step) -> list[Layer] | None:
    """Return the layers of a dense net, or None for any other net.

    A net is dense if z = [h 1] W in each layer gives its prediction and its gradient.
    """
    widths = [step.x.shape[1], *(w.shape[-1] for w in step.weights)]
    if [w.shape for w in step.weights] != [(a + 1, b) for a, b in pairwise(widths)]:
        return None
    layers = _backward(step, _forward(step))
    found = [layers[-1].z, *(layer.gradient for layer in layers)]
    wanted = [step.prediction, *step.raw]
    rtol = 1e-9 if step.x.dtype == np.float64 else 1e-3
    agree = (
        np.allclose(a, b, rtol, rtol * np.abs(b).max(initial=0), equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )
    return layers if all(agree) else None


def _forward(step: Step) -> list[tuple[Array, Array, Array, Array]]:
    """Return inputs, z, h and h' of each layer."""
    activation, h, found = step.stack.activation, step.x, []
    with np.errstate(all="ignore"):
        for weights in step.weights[:-1]:
            below, z = h, with_ones(h) @ weights
            h = activation(z[None])[0]
            found.append((below, z, h, activation.derivative(z[None], h[None])[0]))
        z = with_ones(h) @ step.weights[-1]
    return [*found, (h, z, z, np.ones_like(z))]


def _backward(step: Step, forward: list[tuple[Array, Array, Array, Array]]) -> list[Layer]:
    """Return the layers with δ and gradient, computed from the last layer to the first."""
    layers, above = list[Layer](), step.delta
    with np.errstate(all="ignore"):
        for (inputs, z, h, slope), w in zip(forward[::-1], step.weights[::-1], strict=True):
            delta = above * slope
            gradient = with_ones(inputs).T @ delta
            layers.append(Layer(inputs, w, z, h, slope, above, delta, gradient))
            above = delta @ w[:-1].T
    return layers[::-1]
