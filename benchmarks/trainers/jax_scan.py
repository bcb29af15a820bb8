"""JAX as a contender: epochs and batches in scans, runs by vmap, all of it compiled at once."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.tasks import Case, orders, starts
from benchmarks.trainers import Trained, timed


def stacked(case: Case, runs: int, epochs: int, dtype: str, _: float = 0.0) -> Trained:
    """Train many nets, or one, by jit(vmap(scan)); compiling is timed separately."""
    jax.config.update("jax_enable_x64", dtype == "float64")
    begun = starts(case, runs, dtype)
    x, y = jnp.asarray(begun[0].x), jnp.asarray(begun[0].y)
    layers = zip(*(start.weights for start in begun), strict=True)
    weights = [jnp.asarray(np.stack(layer)) for layer in layers]
    order = jnp.asarray(np.stack([orders(start, epochs) for start in begun]), jnp.int32)
    before = time.process_time()
    trained = jax.jit(jax.vmap(lambda w, o: train(case, w, o, x, y)))
    compiled = trained.lower(weights, order).compile()
    compiling = time.process_time() - before
    seconds, found = timed(lambda: jax.block_until_ready(compiled(weights, order)))
    first = [np.asarray(layer[0]) for layer in found[0]]
    return Trained(seconds, runs, epochs, first, compiling)


def train(case: Case, weights, order, x, y):
    """Return one net's weights after training, and its loss at each epoch."""
    zeros = [jnp.zeros_like(w) for w in weights]
    size = case.task.size or len(x)
    whole = len(x) // size * size  # the last batch is smaller: scans want equal shapes

    def step(carry, at):
        weights, state = carry
        seen, truth = (x, y) if case.task.size is None else (x[at], y[at])
        loss, g = jax.value_and_grad(lambda w: loss_of(case, w, seen, truth))(weights)
        return (sgd if case.task.optimizer == "sgd" else adam)(case, weights, g, state), loss

    def epoch(carry, at):
        carry, losses = jax.lax.scan(step, carry, at[:whole].reshape(-1, size))
        if whole < len(x):
            carry, last = step(carry, at[whole:])
            losses = jnp.append(losses, last)
        return carry, losses.mean()

    first = (weights, (zeros, zeros, jnp.asarray(0.0, x.dtype)))
    (weights, _), losses = jax.lax.scan(epoch, first, order)
    return weights, losses


def sgd(case: Case, weights, gradients, state):
    """Return the weights after one step of gradient descent."""
    return [w - case.task.rate * g for w, g in zip(weights, gradients, strict=True)], state


def adam(case: Case, weights, gradients, state):
    """Return the weights after one step of Adam, and its new state."""
    means, squares, count = state
    count += 1
    means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
    squares = [0.999 * s + 0.001 * g * g for s, g in zip(squares, gradients, strict=True)]
    rate, scale = case.task.rate / (1 - 0.9**count), 1 / (1 - 0.999**count)
    moved = zip(weights, means, squares, strict=True)
    weights = [w - rate * m / (jnp.sqrt(s * scale) + 1e-8) for w, m, s in moved]
    return weights, (means, squares, count)


def loss_of(case: Case, weights, x, y):
    """Return the loss as in the notebook: half the mean square, or cross entropy."""
    act = jax.nn.sigmoid if case.task.activation == "sigmoid" else jnp.tanh
    for w in weights[:-1]:
        x = act(x @ w[:-1] + w[-1])
    prediction = x @ weights[-1][:-1] + weights[-1][-1]
    if case.task.loss == "mse":
        return 0.5 * jnp.mean((prediction - y) ** 2)
    return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(prediction), axis=1))
