"""Losses of PyTorch, and of Optax what PyTorch does not have, with gradients by both."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness_plugins.losses import BCE, MAE, MSE, Hinge, Huber, LogCosh, SoftmaxCrossEntropy

from harness.contracts import Array
from harness.training.stack import columns
from tests.plugins.references.case import Case, difference

TITLE = "Losses"
HOW = "Values, and gradients for each of 30 random examples."

WEIGHTS, SMOOTHINGS = (0.5, 2.0, 3.0), (0.0, 0.1, 0.5, 0.9)


def in_torch(formula: Callable[..., Any]) -> Callable[..., tuple[Array, Array]]:
    """Value and gradient of formula(torch.nn.functional, plugin, prediction, y)."""

    def compute(plugin: Any, prediction: Array, y: Array) -> tuple[Array, Array]:
        import torch

        p = torch.tensor(prediction, requires_grad=True)
        value = formula(torch.nn.functional, plugin, p, torch.tensor(y))
        value.backward()
        return value.detach().numpy(), p.grad.numpy()

    return compute


def in_optax(name: str, encode: Callable[[Array], Array]) -> Callable[..., tuple[Array, Array]]:
    def compute(plugin: Any, prediction: Array, y: Array) -> tuple[Array, Array]:
        import jax
        import optax

        jax.config.update("jax_enable_x64", True)
        loss = jax.value_and_grad(lambda p: getattr(optax, name)(p, encode(y)).mean())
        value, gradient = loss(jax.numpy.asarray(prediction))
        return np.asarray(value), np.asarray(gradient)

    return compute


def weighted(functional: Any, plugin: Any, p: Any, y: Any, smoothing: float = 0.0) -> Any:
    """Cross-entropy of logits (N, classes) and one-hot y, as PyTorch weights it."""
    weights = plugin.class_weights and p.new_tensor(plugin.class_weights)
    return functional.cross_entropy(p, y.argmax(-1), weights, label_smoothing=smoothing)


def binary(functional: Any, plugin: Any, p: Any, y: Any) -> Any:
    """With weights it is a cross-entropy of two classes, the first of which has the logit 0."""
    if plugin.class_weights is None:
        return functional.binary_cross_entropy_with_logits(p, y)
    both = functional.pad(p, (1, 0)), functional.pad(y, (1, 0), value=0.5)
    return weighted(functional, plugin, *both)


CASES = {
    "bce": Case(
        [[BCE()] * 4, [BCE((0.5, 3.0))] * 4],
        "torch.nn.functional.binary_cross_entropy_with_logits, cross_entropy",
        in_torch(binary),
    ),
    "hinge": Case(
        [[Hinge()] * 4], "optax.hinge_loss", in_optax("hinge_loss", lambda y: 2 * y - 1)
    ),
    "huber": Case(
        [[Huber(delta) for delta in (0.01, 0.5, 1.0, 9.0)]],
        "torch.nn.functional.huber_loss",
        in_torch(lambda functional, o, p, y: functional.huber_loss(p, y, delta=o.delta)),
    ),
    "log_cosh": Case([[LogCosh()] * 4], "optax.log_cosh", in_optax("log_cosh", np.asarray)),
    "mae": Case(
        [[MAE()] * 4],
        "torch.nn.functional.l1_loss",
        in_torch(lambda functional, o, p, y: functional.l1_loss(p, y)),
    ),
    "mse": Case(
        [[MSE()] * 4],
        "torch.nn.functional.mse_loss / 2",
        in_torch(lambda functional, o, p, y: functional.mse_loss(p, y) / 2),
    ),
    "softmax_cross_entropy": Case(
        [
            [SoftmaxCrossEntropy(smoothing) for smoothing in SMOOTHINGS],
            [SoftmaxCrossEntropy(smoothing, WEIGHTS) for smoothing in SMOOTHINGS],
        ],
        "torch.nn.functional.cross_entropy",
        in_torch(lambda functional, o, p, y: weighted(functional, o, p, y, o.label_smoothing)),
    ),
}


def example(
    loss: Any, runs: int, n: int, outputs: int, seed: int = 0, dtype: Any = float
) -> tuple[Array, Array]:
    """Linear outputs (R, N, outputs), and y as the loss wants it, which no one may write to."""
    rng = np.random.default_rng(seed)
    if loss.task == "regression":
        y = rng.normal(size=(runs, n, outputs))
    elif loss.task == "binary":
        outputs, y = 1, rng.integers(0, 2, (runs, n, 1))
    else:
        outputs = 3
        y = np.eye(outputs)[rng.integers(0, outputs, (runs, n))]
    prediction, y = rng.normal(0, 3, (runs, n, outputs)).astype(dtype), y.astype(dtype)
    prediction.flags.writeable = y.flags.writeable = False
    return prediction, y


def differences(case: Case) -> Iterator[float]:
    """Of each member's value, and of its gradient times the number of examples."""
    for plugins in case.stacks:
        loss = columns(plugins, 3, float)
        prediction, y = example(loss, len(plugins), 30, 2)
        values, gradients = loss(prediction, y), loss.gradient(prediction, y)
        for r, plugin in enumerate(plugins):
            value, gradient = case.compute(plugin, prediction[r], y[r])
            yield difference(values[r], value)
            yield difference(30 * gradients[r], 30 * gradient)
