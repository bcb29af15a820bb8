"""Training. One run is a stack of one; a sweep is a stack of many. There is no other loop."""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array, Uniform
from harness.stack import Stack
from harness.weights import Shapes, join, split

Generators = list[np.random.Generator]  # one a run


class Epoch(NamedTuple):
    """Where R runs stand after `number` epochs."""

    number: int
    loss: Array  # (R,) training loss, penalty included; see train
    rows: Array  # (R, P) weights; never written again


class Streams(NamedTuple):
    """Each run's own randomness."""

    batches: Generators
    dropout: Generators


def train(
    stack: Stack, x: Array, y: Array, rows: Array, shapes: Shapes, streams: Streams
) -> Generator[Epoch, Array | None, None]:
    """Descend the gradient of R runs at once, for as long as someone looks.

    x (N, features) and y (N, outputs) are shared. For a full batch the loss of epoch e is that
    of the weights after e updates; for mini-batches it is the mean of the batch losses met in
    epoch e (epoch 0: one pass before training). Sending a mask (R,) of who stays drops the
    others; their leaving changes no bit of those who stay.
    """
    size = stack.members[0].batch_size
    if size is None or size >= len(x):
        yield from _full_batch(stack, x, y, rows, shapes, streams)
    else:
        yield from _mini_batches(stack, x, y, rows, shapes, streams, size)


def _full_batch(
    stack: Stack, x: Array, y: Array, rows: Array, shapes: Shapes, streams: Streams
) -> Generator[Epoch, Array | None, None]:
    epochs, state = stack.members[0].epochs, stack.optimizer.init(rows)
    uniform = uniforms(streams.dropout, x.dtype)
    seen, truth = for_all(x, len(rows)), for_all(y, len(rows))
    for number in range(epochs + 1):
        layers = split(rows, shapes)
        prediction, cache = stack.model.forward(layers, seen, stack.activation, uniform)
        agree("model.forward's prediction", prediction, truth)
        keep = yield Epoch(number, objective(stack, prediction, truth, rows), rows)
        if number < epochs:
            rows, state = step(stack, prediction, cache, truth, state, rows, number, epochs)
        if keep is not None:
            stack, rows, state = stack.take(keep), rows[keep], take(state, keep)
            streams = leave(streams, keep)
            uniform = uniforms(streams.dropout, x.dtype)
            seen, truth = for_all(x, len(rows)), for_all(y, len(rows))


def _mini_batches(
    stack: Stack,
    x: Array,
    y: Array,
    rows: Array,
    shapes: Shapes,
    streams: Streams,
    size: int,
) -> Generator[Epoch, Array | None, None]:
    epochs, state = stack.members[0].epochs, stack.optimizer.init(rows)
    batches = -(-len(x) // size)
    prediction = predict(stack, rows, shapes, x)
    keep = yield Epoch(0, objective(stack, prediction, for_all(y, len(rows)), rows), rows)
    for number in range(epochs):
        if keep is not None:
            stack, rows, state = stack.take(keep), rows[keep], take(state, keep)
            streams = leave(streams, keep)
        uniform = uniforms(streams.dropout, x.dtype)
        order = np.stack([rng.permutation(len(x)) for rng in streams.batches])
        total = np.zeros(len(rows), x.dtype)
        for batch in range(batches):
            at = order[:, batch * size : (batch + 1) * size]
            seen, truth = read_only(x[at]), read_only(y[at])
            layers = split(rows, shapes)
            prediction, cache = stack.model.forward(layers, seen, stack.activation, uniform)
            agree("model.forward's prediction", prediction, truth)
            total += objective(stack, prediction, truth, rows)
            done, all_of_it = number * batches + batch, epochs * batches
            rows, state = step(stack, prediction, cache, truth, state, rows, done, all_of_it)
        keep = yield Epoch(number + 1, total / batches, rows)


def step(
    stack: Stack,
    prediction: Array,
    cache: Any,
    y: Array,
    state: Any,
    rows: Array,
    number: int,
    total: int,
) -> tuple[Array, Any]:
    """The rows after update `number` of `total`, and the optimizer's state."""
    delta = stack.loss.gradient(prediction, y)
    gradient = join(stack.model.backward(cache, delta))
    gradient = clipped(stack, penalised(stack, gradient, rows))
    change, state = stack.optimizer.update(gradient, state, rows)
    done = np.full((len(rows), 1), number, rows.dtype)
    factor = stack.schedule(done, np.full_like(done, total))
    if number == 0:
        agree("loss.gradient", delta, prediction)
        agree("model.backward's gradients", gradient, rows)
        agree("optimizer.update's change", change, rows)
        agree("schedule's factor", factor, done)
    return rows + change * factor, state


def agree(what: str, array: Array, like: Array) -> None:
    """TypeError if a plugin returned another shape or dtype than the contract asks for."""
    if array.shape != like.shape or array.dtype != like.dtype:
        came, due = f"{array.dtype} {array.shape}", f"{like.dtype} {like.shape}"
        raise TypeError(f"{what}: {due} is expected, and {came} came")


def objective(stack: Stack, prediction: Array, y: Array, rows: Array) -> Array:
    """(R,) losses, with l1 Σ|w| + ½ l2 Σw² for the runs that ask for it."""
    loss = stack.loss(prediction, y)
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        size, square = np.abs(w).sum(axis=1), (w * w).sum(axis=1)
        loss = loss.copy()
        loss[asked] += stack.l1[asked, 0] * size + stack.l2[asked, 0] * square / 2
    return loss


def penalised(stack: Stack, gradient: Array, rows: Array) -> Array:
    """(R, P) gradients, with l1 sign(w) + l2 w for the runs that ask for it."""
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        gradient[asked] += stack.l1[asked] * np.sign(w) + stack.l2[asked] * w
    return gradient


def clipped(stack: Stack, gradient: Array) -> Array:
    """(R, P) gradients, cut to [-value, value] and scaled down to a norm, where asked."""
    by_value, by_norm = stack.by_value, stack.by_norm
    if len(by_value):
        bound = stack.clip_value[by_value]
        gradient[by_value] = np.clip(gradient[by_value], -bound, bound)
    if len(by_norm):
        g, bound = gradient[by_norm], stack.clip_norm[by_norm]
        norm = np.sqrt((g * g).sum(axis=1, keepdims=True))
        gradient[by_norm] = np.where(norm > bound, g * (bound / norm), g)
    return gradient


def predict(stack: Stack, rows: Array, shapes: Shapes, x: Array) -> Array:
    """(R, N, outputs) linear outputs of R nets on the same x (N, features), without dropout."""
    layers = split(rows, shapes)
    return stack.model.forward(layers, for_all(x, len(rows)), stack.activation)[0]


def for_all(values: Array, runs: int) -> Array:
    """One array seen by R runs: (R, ...) with stride 0, read-only."""
    return np.broadcast_to(values, (runs, *values.shape))


def read_only(values: Array) -> Array:
    values.flags.writeable = False
    return values


def uniforms(generators: Sequence[np.random.Generator], dtype: Any) -> Uniform:
    """uniform(*shape) -> (R, *shape) in [0, 1), each row from its run's own generator."""
    return lambda *shape: np.stack([rng.random(shape, dtype) for rng in generators])


def take(state: Any, keep: Array) -> Any:
    """The rows of an optimizer's state that stay, whatever its arrays mean."""
    if isinstance(state, tuple):
        parts = [take(part, keep) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state[keep]


def leave(streams: Streams, keep: Array) -> Streams:
    """The streams of those who stay."""
    return Streams(
        *([rng for rng, stays in zip(each, keep, strict=True) if stays] for each in streams)
    )
