"""A dense net's step, layer by layer: the chain rule as it is written on a blackboard."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from harness.commands.explain.step import Step
from harness.contracts import Array
from harness.numerics import with_ones


class Layer(NamedTuple):
    """One layer on its way forward and back; the last one has no activation: its z is ŷ."""

    inputs: Array  # (B, fan_in), the layer's h below it, or x
    weights: Array  # (fan_in + 1, width)
    z: Array  # (B, width)
    h: Array  # (B, width)
    slope: Array  # (B, width), the activation's derivative
    above: Array  # (B, width), dL/dh; of the last layer: dL/dŷ
    delta: Array  # (B, width), dL/dz
    gradient: Array  # (fan_in + 1, width)


def layer_chain(step: Step) -> list[Layer] | None:
    """The layers of a net that is z = [h 1] W all the way; None if it is another kind of net.

    Which it is shows in its numbers: the formulas give its prediction and its gradient, or not.
    """
    widths = [step.x.shape[1], *(w.shape[-1] for w in step.weights)]
    if [w.shape for w in step.weights] != [(a + 1, b) for a, b in pairwise(widths)]:
        return None
    layers = _back(step, _forward(step))
    found = [layers[-1].z, *(layer.gradient for layer in layers)]
    wanted = [step.prediction, *step.raw]
    rtol = 1e-9 if step.x.dtype == np.float64 else 1e-3
    agree = (
        np.allclose(a, b, rtol, rtol * np.abs(b).max(initial=0), equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )
    return layers if all(agree) else None


def _forward(step: Step) -> list[tuple[Array, Array, Array, Array]]:
    """Inputs, z, h and h' of each layer."""
    activation, h, found = step.stack.activation, step.x, []
    with np.errstate(all="ignore"):
        for weights in step.weights[:-1]:
            below, z = h, with_ones(h) @ weights
            h = activation(z[None])[0]
            found.append((below, z, h, activation.derivative(z[None], h[None])[0]))
        z = with_ones(h) @ step.weights[-1]
    return [*found, (h, z, z, np.ones_like(z))]


def _back(step: Step, forward: list[tuple[Array, Array, Array, Array]]) -> list[Layer]:
    layers, above = list[Layer](), step.delta
    with np.errstate(all="ignore"):
        for (inputs, z, h, slope), w in zip(forward[::-1], step.weights[::-1], strict=True):
            delta = above * slope
            gradient = with_ones(inputs).T @ delta
            layers.append(Layer(inputs, w, z, h, slope, above, delta, gradient))
            above = delta @ w[:-1].T
    return layers[::-1]
