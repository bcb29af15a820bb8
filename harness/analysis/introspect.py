"""A look inside a trained net: its first weights, its gradient, what its hidden units do."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Activation, Array, Arrays, Hidden, Inside
from harness.training.data import Prepared
from harness.training.loop import initial_weights, judge, penalised
from harness.training.stack import Member, Stack, make_stack
from harness.training.weights import Shapes, join_weights, split_weights

EXAMPLES = 2000  # that the hidden units are asked about, at most
REACH = 12.0  # of z, on both sides of zero, where an activation is expected to be steepest


class RecordingActivation:
    """An activation that remembers what it was asked; it writes into nobody's arrays."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.asked: list[tuple[Array, Array]] = []  # z and h of each call

    def __call__(self, z: Array) -> Array:
        h = self.activation(z)
        self.asked.append((z.copy(), h.copy()))
        return h

    def derivative(self, z: Array, h: Array) -> Array:
        return self.activation.derivative(z, h)


def inspect_net(member: Member, prepared: Prepared, weights: Sequence[Array]) -> Inside:
    """What is inside the net of a run that has these weights, layer by layer."""
    x, y = prepared.ready("train", member.loss.task, member.dtype)
    first, shapes, _ = initial_weights([member], prepared, x.shape[1], y.shape[1])
    own, rows = (
        make_stack([member]),
        join_weights([np.asarray(w, member.dtype)[None] for w in weights]),
    )
    with np.errstate(all="ignore"):
        gradient = gradient_of(own, rows, shapes, x, y)
        seen = hidden_activity(own, rows, shapes, spread_examples(x, shapes))
        z = np.linspace(-REACH, REACH, 4001, dtype=member.dtype).reshape(1, 1, -1)
        slopes = own.activation.derivative(z, own.activation(z))
    initial = [layer[0].copy() for layer in split_weights(first, shapes)]
    return Inside(initial, gradient, seen, float(np.nanmax(np.abs(slopes))))


def gradient_of(own: Stack, rows: Array, shapes: Shapes, x: Array, y: Array) -> Arrays:
    """dL/dw of one run, penalty included, of all these examples."""
    rows = rows.copy()
    rows.setflags(write=False)
    forward, backward = own.model.forward, own.model.backward
    prediction, cache = forward(split_weights(rows, shapes), x[None], own.activation)
    _, delta = judge(own, prediction, y[None], rows)
    gradient = penalised(own, join_weights(backward(cache, delta)), rows)
    return [layer[0] for layer in split_weights(gradient, shapes)]


def hidden_activity(own: Stack, rows: Array, shapes: Shapes, x: Array) -> list[Hidden]:
    """What each activation of a run is asked for these examples.

    Which axis holds the examples is told by its length, which is that of no layer.
    """
    spy = RecordingActivation(own.activation)
    own.model.forward(split_weights(rows, shapes), x[None], spy)
    found = []
    for z, h in spy.asked:
        axes = [axis for axis in range(1, z.ndim) if z.shape[axis] == len(x)]
        if h.shape == z.shape and axes:
            slope = np.broadcast_to(spy.derivative(z, h), z.shape)
            parts = (np.moveaxis(part, axes[-1], -1) for part in (z, h, slope))
            found.append(Hidden(*(part.reshape(-1, len(x)) for part in parts)))
    return found


def spread_examples(x: Array, shapes: Shapes) -> Array:
    """Examples at equal distances, not as many as a layer has units."""
    widths = {n + more for shape in shapes for n in shape for more in (-1, 0, 1)}
    count = next(n for n in range(min(len(x), EXAMPLES), -1, -1) if n not in widths or n < 2)
    picked: Array = x[np.linspace(0, len(x) - 1, max(count, 1)).round().astype(int)]
    return picked
