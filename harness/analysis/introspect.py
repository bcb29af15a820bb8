"""Look inside a trained net: its initial weights, its gradient, and its hidden units."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Activation, Array, Arrays, Hidden, Inside
from harness.training.data import Prepared
from harness.training.loop import initial_weights, judge, penalised
from harness.training.stack import Member, Stack, make_stack
from harness.training.weights import Shapes, join_weights, split_weights

MAX_EXAMPLES = 2000  # for which the hidden units are recorded
MAX_Z = 12.0  # an activation is assumed to be steepest between -MAX_Z and MAX_Z


class RecordingActivation:
    """An activation that records copies of z and h of each call; it has no `out` argument."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.calls: list[tuple[Array, Array]] = []  # z and h of each call

    def __call__(self, z: Array) -> Array:
        """Return h, and record it with z."""
        h = self.activation(z)
        self.calls.append((z.copy(), h.copy()))
        return h

    def derivative(self, z: Array, h: Array) -> Array:
        """Return the slope of the recorded activation."""
        return self.activation.derivative(z, h)


def inspect_net(member: Member, prepared: Prepared, weights: Sequence[Array]) -> Inside:
    """Return the inside of a run's net with these weights, layer by layer."""
    x, y = prepared.ready("train", member.loss.task, member.dtype)
    first, shapes, _ = initial_weights([member], prepared, x.shape[1], y.shape[1])
    stack = make_stack([member])
    rows = join_weights([np.asarray(w, member.dtype)[None] for w in weights])
    with np.errstate(all="ignore"):
        gradient = gradient_of(stack, rows, shapes, x, y)
        hidden = hidden_activity(stack, rows, shapes, spread_examples(x, shapes))
        z = np.linspace(-MAX_Z, MAX_Z, 4001, dtype=member.dtype).reshape(1, 1, -1)
        slopes = stack.activation.derivative(z, stack.activation(z))
    initial = [layer[0].copy() for layer in split_weights(first, shapes)]
    return Inside(initial, gradient, hidden, float(np.nanmax(np.abs(slopes))))


def gradient_of(stack: Stack, rows: Array, shapes: Shapes, x: Array, y: Array) -> Arrays:
    """Return dL/dw of one run for all examples, penalty included."""
    rows = rows.copy()
    rows.setflags(write=False)
    forward, backward = stack.model.forward, stack.model.backward
    prediction, cache = forward(split_weights(rows, shapes), x[None], stack.activation)
    _, delta = judge(stack, prediction, y[None], rows)
    gradient = penalised(stack, join_weights(backward(cache, delta)), rows)
    return [layer[0] for layer in split_weights(gradient, shapes)]


def hidden_activity(stack: Stack, rows: Array, shapes: Shapes, x: Array) -> list[Hidden]:
    """Return z, h and slope of the hidden units for these examples, a layer each.

    The number of examples must differ from the width of each layer: the axis of that length is
    the axis of the examples.
    """
    recorder = RecordingActivation(stack.activation)
    stack.model.forward(split_weights(rows, shapes), x[None], recorder)
    found = []
    for z, h in recorder.calls:
        axes = [axis for axis in range(1, z.ndim) if z.shape[axis] == len(x)]
        if h.shape == z.shape and axes:
            slope = np.broadcast_to(recorder.derivative(z, h), z.shape)
            parts = (np.moveaxis(part, axes[-1], -1) for part in (z, h, slope))
            found.append(Hidden(*(part.reshape(-1, len(x)) for part in parts)))
    return found


def spread_examples(x: Array, shapes: Shapes) -> Array:
    """Return evenly spaced examples; their number differs from the width of each layer."""
    widths = {n + more for shape in shapes for n in shape for more in (-1, 0, 1)}
    count = next(n for n in range(min(len(x), MAX_EXAMPLES), -1, -1) if n not in widths or n < 2)
    picked: Array = x[np.linspace(0, len(x) - 1, max(count, 1)).round().astype(int)]
    return picked
