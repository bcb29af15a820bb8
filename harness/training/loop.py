"""Training. One run is a stack of one; a sweep is a stack of many. There is no other loop."""

import copy
from collections.abc import Generator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array, Uniform
from harness.training.data import Prepared, random_stream
from harness.training.shape_checks import CheckedInitializer, check_returned
from harness.training.stack import Change, Group, Member, Move, Stack, Streams
from harness.training.weights import Shapes, join_weights, split_weights


def initial_weights(
    members: Sequence[Member], prepared: Prepared, features: int, outputs: int
) -> tuple[Array, Shapes, Streams]:
    """The first weights of each run as rows, their shapes, and each run's own generators."""
    rows, streams = [], Streams([], [])
    for member in members:
        rng = copy.deepcopy(prepared.rng)  # `rng: single` goes on where the data left it
        weights = rng or random_stream(member.seed, "weights")
        layers = member.model.init(
            weights, CheckedInitializer(member.initializer), features, outputs
        )
        layers = [np.asarray(array, member.dtype) for array in layers]
        rows.append(join_weights([array[None] for array in layers]))
        streams.batches.append(rng or random_stream(member.seed, "batches"))
        streams.dropout.append(rng or random_stream(member.seed, "dropout"))
    return np.concatenate(rows), [array.shape for array in layers], streams


class Epoch(NamedTuple):
    """Where A runs stand."""

    group: Group  # nothing of it is written again, but its streams go on
    loss: Array  # (A,) training loss, penalty included; see train
    states: list[Any] | None = None  # of the streams, so that from here all can be had again
    move: Move | None = None  # the step that led here, if it was taken here


Epochs = Generator[Epoch, Change | None, None]


def train(group: Group, x: Array, y: Array, shapes: Shapes) -> Epochs:
    """Descend the gradient of A runs at once, for as long as someone looks.

    x (N, features) and y (N, outputs) are shared. For a full batch the loss of epoch e is that
    of the weights after e updates; for mini-batches it is the mean of the batch losses met in
    epoch e (epoch 0: one pass before training). Sending a Change lets runs leave and others take
    their place; neither changes a bit of those who stay. A group that was kept at any epoch is
    yielded again as it was then.
    """
    size = group.stack.members[0].batch_size
    if size is None or size >= len(x):
        yield from _full_batch(group, x, y, shapes)
    else:
        yield from _mini_batches(group, x, y, shapes, size)


def _full_batch(group: Group, x: Array, y: Array, shapes: Shapes) -> Epochs:
    epochs = group.stack.members[0].epochs
    change: Change | None = Change(np.ones(len(group.rows), bool))
    move: Move | None = None
    while True:
        if change is not None:
            stack, runs = group.stack, len(group.rows)
            seen, truth = broadcast_runs(x, runs), broadcast_runs(y, runs)
            uniform = uniforms(group.streams.dropout, x.dtype)
            total = np.full((runs, 1), epochs, x.dtype)
            done = group.number[:, None].astype(x.dtype)
        states = stream_states(group, change)  # before the streams go on
        group.rows.setflags(write=False)  # plugins leave the weights alone
        prediction, cache = stack.model.forward(
            split_weights(group.rows, shapes), seen, stack.activation, uniform
        )
        loss, delta = judge(stack, prediction, truth, group.rows)
        change = yield Epoch(group, loss, states, move)
        if change is not None:
            done = np.minimum(done, total - 1)  # those at their end leave after a last idle step
        if change is None or change.stays.any():
            move, state = step(group, cache, delta, done, total)
            rows, done = group.rows + move.change, done + 1
            group = Group(stack, group.number + 1, rows, state, group.streams, group.loss)
        if change is not None:
            group, move = change.of(group), move and move.of(change)


def _mini_batches(group: Group, x: Array, y: Array, shapes: Shapes, size: int) -> Epochs:
    change: Change | None = None
    move: Move | None = None
    group = with_opening_loss(group, x, y, shapes)
    while True:
        change = yield Epoch(group, group.loss, stream_states(group, change), move)
        if change is None:
            group, move = one_epoch(group, x, y, shapes, size)
            continue
        some_stay = change.stays.any()
        if some_stay:
            group, move = one_epoch(group.take(change.stays), x, y, shapes, size)
        if change.fresh is not None:  # they begin, the others went on
            fresh = with_opening_loss(change.fresh, x, y, shapes)
            some = np.full(len(group.rows), some_stay)
            move = move and move.of(Change(some, fresh))
            group = group.join(fresh) if some_stay else fresh


def stream_states(group: Group, change: Change | None) -> list[Any] | None:
    """The states of the streams, if they are asked for."""
    return group.streams.states() if change is not None and change.keep else None


def with_opening_loss(group: Group, x: Array, y: Array, shapes: Shapes) -> Group:
    """The group with the losses before training, where they are not known yet."""
    prediction = predict(group.stack, group.rows, shapes, x)
    loss = losses(group.stack, prediction, broadcast_runs(y, len(group.rows)))
    loss = with_penalty(group.stack, loss, group.rows)
    return group._replace(loss=np.where(group.number > 0, group.loss, loss))


def one_epoch(group: Group, x: Array, y: Array, shapes: Shapes, n: int) -> tuple[Group, Move]:
    """The group after each run's pass over the data in its own order, and the last step."""
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
        prediction, cache = stack.model.forward(layers, seen, stack.activation, uniform)
        loss, delta = judge(stack, prediction, truth, rows)
        sums += loss
        move, state = step(group, cache, delta, done, total)
        group, done = group._replace(state=state), done + 1
        np.add(rows, move.change, out=rows)
    return group._replace(number=group.number + 1, loss=sums / len(starts)), move


def judge(stack: Stack, prediction: Array, y: Array, rows: Array) -> tuple[Array, Array]:
    """(A,) losses, penalty included, and dL/dprediction; together if the loss offers that."""
    check_returned("model.forward", prediction, y)
    function: Any = stack.loss
    if gives_both(function.__class__):
        loss, delta = function.with_gradient(prediction, y)
        check_returned("loss.with_gradient", loss, rows[:, 0])
    else:
        loss, delta = losses(stack, prediction, y), function.gradient(prediction, y)
    check_returned("loss.gradient", delta, prediction)
    delta.setflags(write=False)
    return with_penalty(stack, loss, rows), delta


@cache
def gives_both(loss: type) -> bool:
    """Whether `with_gradient` speaks for its `__call__` and `gradient`, not for a parent's."""

    def age(method: str) -> int:
        owners = (at for at, owner in enumerate(loss.__mro__) if method in vars(owner))
        return next(owners, len(loss.__mro__))

    return age("with_gradient") <= min(age("__call__"), age("gradient"))


def step(group: Group, cache: Any, delta: Array, done: Array, total: Array) -> tuple[Move, Any]:
    """How update number `done` of `total` (A, 1) moves the rows, and the optimizer's state."""
    stack, rows = group.stack, group.rows
    gradient = join_weights(stack.model.backward(cache, delta))
    check_returned("model.backward", gradient, rows)
    gradient = clipped(stack, penalised(stack, gradient, rows))
    move, state = stack.optimizer.update(gradient, group.state, rows)
    check_returned("optimizer.update", move, rows)
    factor = stack.schedule(done, total)
    check_returned("schedule.__call__", factor, done)
    return Move(gradient, move * factor), state


def losses(stack: Stack, prediction: Array, y: Array) -> Array:
    """(A,) losses, without penalty."""
    loss = stack.loss(prediction, y)
    check_returned("loss.__call__", loss, prediction[:, 0, 0])
    return loss


def with_penalty(stack: Stack, loss: Array, rows: Array) -> Array:
    """(A,) losses plus l1 Σ|w| + ½ l2 Σw² for the runs that ask for it."""
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        size, square = np.abs(w).sum(axis=1), (w * w).sum(axis=1)
        loss = loss.copy()
        loss[asked] += stack.l1[asked, 0] * size + stack.l2[asked, 0] * square / 2
    return loss


def penalised(stack: Stack, gradient: Array, rows: Array) -> Array:
    """(A, P) gradients, with l1 sign(w) + l2 w for the runs that ask for it."""
    asked = stack.penalised
    if len(asked):
        w = rows[asked]
        gradient[asked] += stack.l1[asked] * np.sign(w) + stack.l2[asked] * w
    return gradient


def clipped(stack: Stack, gradient: Array) -> Array:
    """(A, P) gradients, cut to [-value, value] and scaled down to a norm, where asked."""
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
    layers = split_weights(rows, shapes)
    return stack.model.forward(layers, broadcast_runs(x, len(rows)), stack.activation)[0]


def broadcast_runs(values: Array, runs: int) -> Array:
    """One array seen by R runs: (R, ...) with stride 0, read-only."""
    return np.broadcast_to(values, (runs, *values.shape))


def read_only(values: Array) -> Array:
    values.flags.writeable = False
    return values


def uniforms(generators: Sequence[np.random.Generator], dtype: Any) -> Uniform:
    """uniform(*shape) -> (R, *shape) in [0, 1), each row from its run's own generator."""
    return lambda *shape: np.stack([rng.random(shape, dtype) for rng in generators])
