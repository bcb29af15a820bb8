"""One training step of one run, with everything that the training loop computes in it."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from harness.config.build import build
from harness.contracts import Array, Arrays, Uniform
from harness.store.params import Config
from harness.training.data import Prepared, prepare_for
from harness.training.loop import broadcast_runs, initial_weights, judge, read_only, step, uniforms
from harness.training.runtime import single_threaded_numpy
from harness.training.stack import Group, Member, Stack, Streams, start_group
from harness.training.weights import Shapes, join_weights, split_weights

SHIFT = 1e-6  # the change of a weight that measures the slope of the loss


class Step(NamedTuple):
    """The numbers before, in and after the first update; arrays have no runs axis."""

    config: Config
    member: Member
    prepared: Prepared
    stack: Stack  # of this one run
    x: Array  # (B, features), the first batch, scaled
    y: Array  # (B, outputs)
    batches: int  # in an epoch
    weights: Arrays
    prediction: Array  # (B, outputs)
    loss: float  # penalty included
    delta: Array  # (B, outputs), dL/dprediction
    raw: Arrays  # dL/dw by backpropagation alone
    gradient: Arrays  # after penalty and clipping: the optimizer's input
    measured: float | None  # the first weight's slope; None with dropout or in float32
    change: Arrays
    after: Arrays  # the new weights
    loss_after: float  # on the same examples


def take_step(config: Config) -> Step:
    """Compute the first step of a run, by the same calls in the same order as in training."""
    member = replace(build(config), metrics=())
    prepared = prepare_for(member)
    x, y = prepared.ready("train", member.loss.task, member.dtype)
    rows, shapes, streams = initial_weights([member], prepared, x.shape[1], y.shape[1])
    group, draw = start_group([member], rows, streams), uniforms(streams.dropout, x.dtype)
    seen, truth, batches = first_batch(x, y, member.batch_size, streams)
    drawn: list[tuple[int, ...]] = []

    def uniform(*shape: int) -> Array:
        drawn.append(shape)
        return draw(*shape)

    with single_threaded_numpy():
        prediction, cache = forward(group, rows, shapes, seen, uniform)
        loss, delta = judge(group.stack, prediction, truth, rows)
        raw = join_weights(group.stack.model.backward(cache, delta))
        exact = x.dtype == np.float64 and not drawn
        measured = measured_slope(group, shapes, seen, truth) if exact else None
        total = np.full((1, 1), member.epochs * batches, x.dtype)
        move, _ = step(group, cache, delta, np.zeros_like(total), total)
        after = rows + move.change
        new, _ = forward(group, after, shapes, seen, uniform)
        loss_after, _ = judge(group.stack, new, truth, after)
    parts = (rows, raw, move.gradient, move.change, after)
    weights, raws, gradients, changes, news = (_alone(part, shapes) for part in parts)
    return Step(
        config, member, prepared, group.stack, seen[0], truth[0], batches, weights, prediction[0],
        float(loss[0]), delta[0], raws, gradients, measured, changes, news, float(loss_after[0]),
    )  # fmt: skip


def forward(
    group: Group, rows: Array, shapes: Shapes, x: Array, uniform: Uniform | None = None
) -> tuple[Array, Any]:
    """Return the prediction of the rows of weights, and the cache for `backward`."""
    return group.stack.model.forward(
        split_weights(rows, shapes), x, group.stack.activation, uniform
    )


def first_batch(
    x: Array, y: Array, size: int | None, streams: Streams
) -> tuple[Array, Array, int]:
    """Return x and y (1, B, …) of the first batch, and the number of batches in an epoch."""
    if size is None or size >= len(x):
        return broadcast_runs(x, 1), broadcast_runs(y, 1), 1
    batch = np.stack([rng.permutation(len(x)) for rng in streams.batches])[:, :size]
    seen, truth = x.take(batch, axis=0), y.take(batch, axis=0)
    return read_only(seen), read_only(truth), -(-len(x) // size)


def measured_slope(group: Group, shapes: Shapes, x: Array, y: Array) -> float:
    """Return (L(w + ε) - L(w - ε)) / 2ε for the first weight w."""
    losses = []
    for shift in (SHIFT, -SHIFT):
        rows = group.rows.copy()
        rows[0, 0] += shift
        prediction, _ = forward(group, rows, shapes, x)
        losses.append(float(judge(group.stack, prediction, y, rows)[0][0]))
    return (losses[0] - losses[1]) / (2 * SHIFT)


def _alone(rows: Array, shapes: Shapes) -> Arrays:
    """Return the layers of a stack of one run, without the runs axis."""
    return [layer[0] for layer in split_weights(rows, shapes)]
