"""The notebook's way to train, one net at a time: the yardstick for training speeds.

Plain NumPy as one would write it by hand: biases by a column of ones, a list of weight matrices,
gradients layer by layer, and a dictionary-free Adam.
"""

from typing import NamedTuple

import numpy as np


class Task(NamedTuple):
    """A net and its data; `size` None is full batch with plain gradient descent."""

    sizes: tuple[int, ...]
    activation: str  # sigmoid or tanh
    loss: str  # mse or softmax
    optimizer: str  # sgd or adam
    size: int | None
    rate: float


def augment(a: np.ndarray) -> np.ndarray:
    """Return a with a column of ones."""
    return np.hstack([a, np.ones((len(a), 1), a.dtype)])


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


def step(task: Task, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray):
    """Return the loss on one batch, and the gradient of each weight matrix."""
    inputs, a = [], x
    for w in weights[:-1]:
        inputs.append(augment(a))
        z = inputs[-1] @ w
        a = sigmoid(z) if task.activation == "sigmoid" else np.tanh(z)
    inputs.append(augment(a))
    out = inputs[-1] @ weights[-1]
    if task.loss == "mse":
        error = out - y
        loss, delta = 0.5 * np.mean(error**2), error / error.size
    else:
        e = np.exp(out - out.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss, delta = -np.mean(np.sum(y * np.log(p + 1e-300), axis=1)), (p - y) / len(y)
    gradients = [inputs[-1].T @ delta]
    for w, a in zip(weights[:0:-1], inputs[:0:-1], strict=True):
        h = a[:, :-1]
        slope = h * (1 - h) if task.activation == "sigmoid" else 1 - h**2
        delta = (delta @ w[:-1].T) * slope
        gradients.append(inputs[len(weights) - 1 - len(gradients)].T @ delta)
    return loss, gradients[::-1]


def train(task: Task, weights, x, y, epochs: int, rng: np.random.Generator) -> list[float]:
    """Train, and return the loss of each epoch; the weights are changed in place."""
    means = [np.zeros_like(w) for w in weights]
    squares = [np.zeros_like(w) for w in weights]
    count, losses = 0, []
    for _ in range(epochs):
        order = None if task.size is None else rng.permutation(len(x))
        size, met = task.size or len(x), []
        for start in range(0, len(x), size):
            at = slice(None) if order is None else order[start : start + size]
            loss, gradients = step(task, weights, x[at], y[at])
            met.append(loss)
            count += 1
            for i, g in enumerate(gradients):
                if task.optimizer == "sgd":
                    weights[i] -= task.rate * g
                    continue
                means[i] = 0.9 * means[i] + 0.1 * g
                squares[i] = 0.999 * squares[i] + 0.001 * g**2
                m, v = means[i] / (1 - 0.9**count), squares[i] / (1 - 0.999**count)
                weights[i] -= task.rate * m / (np.sqrt(v) + 1e-8)
        losses.append(float(np.mean(met)))
    return losses
