"""The training loop: one run is a stack of one, a sweep is a stack of many."""

import copy
from collections.abc import Generator, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array, Arrays, Uniform
from harness.training.data import Prepared, random_stream
from harness.training.leaves import take_runs
from harness.training.plugin_calls import (
    backward,
    calls_plugin,
    check_returned,
    forward,
    loss_gradient,
    loss_with_gradient,
    losses,
    update,
)
from harness.training.shape_checks import CheckedInitializer
from harness.training.stack import Group, Member, Move, Stack, Streams
from harness.training.weights import Shapes, join_weights, split_weights


def initial_weights(
    members: Sequence[Member], prepared: Prepared, features: int, outputs: int
) -> tuple[Array, Shapes, Streams]:
    """Return the first weights of each run as rows, their shapes, and the runs' generators."""
    rows, batches, dropout = [], [], []
    for member in members:
        # Under `rng: single` the generator goes on where the data left it.
        rng = copy.deepcopy(prepared.rng)
        layers = _init(member, rng or random_stream(member.seed, "weights"), features, outputs)
        rows.append(join_weights([array[None] for array in layers]))
        batches.append(rng or random_stream(member.seed, "batches"))
        dropout.append(rng or random_stream(member.seed, "dropout"))
    streams = Streams(np.array(batches, object), np.array(dropout, object))
    return np.concatenate(rows), [array.shape for array in layers], streams


@calls_plugin("model", "init")
def _init(member: Member, rng: np.random.Generator, features: int, outputs: int) -> Arrays:
    layers = member.model.init(rng, CheckedInitializer(member.initializer), features, outputs)
    return [np.asarray(array, member.dtype) for array in layers]


class Epoch(NamedTuple):
    """Where A runs stand after an epoch."""

    group: Group  # nothing of it is written again, but its generators go on
    loss: Array  # (A,) training loss, penalty included; see train
    move: Move | None = None  # the step that led here, unless training began here
    kept: Group | None = None  # if asked for: the group with generators of its own, to be saved


class Change(NamedTuple):
    """What the consumer of the epochs asks of the loop."""

    stays: Array | None = None  # (A,) which runs go on; None: all of them
    keep: bool = False  # whether the next epoch has `kept`


NO_CHANGE = Change()
Epochs = Generator[Epoch, Change | None, None]


def train(group: Group, x: Array, y: Array, shapes: Shapes) -> Epochs:
    """Descend the gradient of A runs at once, for as long as the consumer asks for epochs.

    `x` (N, features) and `y` (N, outputs) are shared by the runs. For a full batch the loss of
    epoch e is that of the weights after e updates; for mini-batches it is the mean of the batch
    losses met in epoch e (epoch 0: one pass before training). A Change that is sent lets runs
    leave, which changes no bit of the others. A group that was kept at any epoch is yielded
    again as it was then.
    """
    size = group.stack.members[0].batch_size
    if size is None or size >= len(x):
        yield from _full_batch(group, x, y, shapes)
    else:
        yield from _mini_batches(group, x, y, shapes, size)


def _full_batch(group: Group, x: Array, y: Array, shapes: Shapes) -> Epochs:
    epochs, move = group.stack.members[0].epochs, None
    change = Change(np.ones(len(group.rows), bool))
    while True:
        if change.stays is not None:
            stack, runs = group.stack, len(group.rows)
            seen, truth = broadcast_runs(x, runs), broadcast_runs(y, runs)
            uniform = uniforms(group.streams.dropout, x.dtype)
            total = np.full((runs, 1), epochs, x.dtype)
            done = group.number[:, None].astype(x.dtype)
        kept = kept_group(group, change)  # before the generators go on
        group.rows.setflags(write=False)  # plugins leave the weights alone
        prediction, cache = forward(stack, split_weights(group.rows, shapes), seen, uniform)
        loss, delta = judge(stack, prediction, truth, group.rows)
        change = (yield Epoch(group, loss, move, kept)) or NO_CHANGE
        if change.stays is not None:
            # The cache is of all runs, so that those at their end take an idle last step.
            done = np.minimum(done, total - 1)
        move, state = step(group, cache, delta, done, total)
        rows, done = group.rows + move.change, done + 1
        group = Group(stack, group.number + 1, rows, state, group.streams, group.loss)
        if change.stays is not None:
            group, move = group.take(change.stays), take_runs(move, change.stays)


def _mini_batches(group: Group, x: Array, y: Array, shapes: Shapes, size: int) -> Epochs:
    change, move = NO_CHANGE, None
    prediction = predict(group.stack, group.rows, shapes, x)
    loss = losses(group.stack, prediction, broadcast_runs(y, len(group.rows)))
    loss = with_penalty(group.stack, loss, group.rows)
    group = group._replace(loss=np.where(group.number > 0, group.loss, loss))
    while True:
        kept = kept_group(group, change)
        change = (yield Epoch(group, group.loss, move, kept)) or NO_CHANGE
        if change.stays is not None:
            group = group.take(change.stays)
        group, move = one_epoch(group, x, y, shapes, size)


def kept_group(group: Group, change: Change) -> Group | None:
    """Return the group with copies of its random generators, if the change asks for that."""
    return group._replace(streams=copy.deepcopy(group.streams)) if change.keep else None


def one_epoch(group: Group, x: Array, y: Array, shapes: Shapes, n: int) -> tuple[Group, Move]:
    """Return the group after each run's pass over the data in its own order, and its last step."""
    stack, rows = group.stack, group.rows.copy()  # changed in place until the epoch is over
    seen_rows = read_only(rows.view())
    group, layers = group._replace(rows=seen_rows), split_weights(seen_rows, shapes)
    uniform = uniforms(group.streams.dropout, x.dtype)
    order = np.stack([rng.permutation(len(x)) for rng in group.streams.batches])
    starts = range(0, len(x), n)
    done = (group.number[:, None] * len(starts)).astype(x.dtype)
    total = np.full_like(done, stack.members[0].epochs * len(starts))
    sums = np.zeros(len(rows), x.dtype)
    for at in starts:
        batch = order[:, at : at + n]
        seen, truth = read_only(x.take(batch, axis=0)), read_only(y.take(batch, axis=0))
        prediction, cache = forward(stack, layers, seen, uniform)
        loss, delta = judge(stack, prediction, truth, rows)
        sums += loss
        move, state = step(group, cache, delta, done, total)
        group, done = group._replace(state=state), done + 1
        np.add(rows, move.change, out=rows)
    return group._replace(number=group.number + 1, loss=sums / len(starts)), move


def judge(stack: Stack, prediction: Array, y: Array, rows: Array) -> tuple[Array, Array]:
    """Return (A,) losses, penalty included, and dL/dprediction."""
    check_returned("model.forward", prediction, y)
    if gives_both(stack.loss.__class__):
        loss, delta = loss_with_gradient(stack.loss, prediction, y)
        check_returned("loss.with_gradient", loss, rows[:, 0])
    else:
        loss, delta = losses(stack, prediction, y), loss_gradient(stack.loss, prediction, y)
    check_returned("loss.gradient", delta, prediction)
    delta.setflags(write=False)
    return with_penalty(stack, loss, rows), delta


@cache
def gives_both(loss: type) -> bool:
    """Return whether the class's `with_gradient` is at least as new as its other methods.

    A subclass that redefines only `gradient` would else be trained with its parent's.
    """

    def age(method: str) -> int:
        owners = (at for at, owner in enumerate(loss.__mro__) if method in vars(owner))
        return next(owners, len(loss.__mro__))

    return age("with_gradient") <= min(age("__call__"), age("gradient"))


def step(group: Group, cache: Any, delta: Array, done: Array, total: Array) -> tuple[Move, Any]:
    """Return the move of update number `done` of `total` (A, 1), and the optimizer's state."""
    stack, rows = group.stack, group.rows
    gradient = backward(stack, cache, delta)
    check_returned("model.backward", gradient, rows)
    gradient = clipped(stack, penalised(stack, gradient, rows))
    move, state = update(stack, gradient, group.state, rows)
    check_returned("optimizer.update", move, rows)
    factor = stack.schedule(done, total)
    check_returned("schedule.__call__", factor, done)
    return Move(gradient, move * factor), state


def with_penalty(stack: Stack, loss: Array, rows: Array) -> Array:
    """Return (A,) losses plus l1 Σ|w| + ½ l2 Σw² for the runs that ask for a penalty."""
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        size, square = np.abs(w).sum(axis=1), (w * w).sum(axis=1)
        loss = loss.copy()
        loss[asked] += stack.l1[asked, 0] * size + stack.l2[asked, 0] * square / 2
    return loss


def penalised(stack: Stack, gradient: Array, rows: Array) -> Array:
    """Return (A, P) gradients plus l1 sign(w) + l2 w for the runs that ask for a penalty."""
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        gradient[asked] += stack.l1[asked] * np.sign(w) + stack.l2[asked] * w
    return gradient


def clipped(stack: Stack, gradient: Array) -> Array:
    """Return (A, P) gradients cut to [-value, value] and scaled down to a norm, where asked."""
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
    """Return (R, N, outputs) linear outputs of R nets on the same x (N, features), no dropout."""
    return forward(stack, split_weights(rows, shapes), broadcast_runs(x, len(rows)))[0]


def broadcast_runs(values: Array, runs: int) -> Array:
    """Return one array as R runs see it: (R, ...) with stride 0, read-only."""
    return np.broadcast_to(values, (runs, *values.shape))


def read_only(values: Array) -> Array:
    """Make an array read-only and return it."""
    values.flags.writeable = False
    return values


def uniforms(generators: Iterable[np.random.Generator], dtype: Any) -> Uniform:
    """Return uniform(*shape) -> (R, *shape) in [0, 1): each row of its run's own generator."""
    return lambda *shape: np.stack([rng.random(shape, dtype) for rng in generators])
