"""The calls of plugins in the loop, one function each, so that a failure names plugin and method.

An error may have no frame of the plugin: None that is unpacked, a wrong shape, a method that does
not take its arguments. Then the frame of one of these functions says whose it is.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

from harness.contracts import Array, Arrays, Loss, Uniform
from harness.training.stack import Stack
from harness.training.weights import join_weights

F = TypeVar("F", bound=Callable[..., Any])
PLUGIN_CALLS: dict[CodeType, tuple[str, str]] = {}  # kind and method


def calls_plugin(kind: str, method: str) -> Callable[[F], F]:
    """Mark a function that calls this method of a plugin, and does nothing else that can fail.

    The function itself is not wrapped: a wrapper would cost each of its calls, and the loop
    makes about six an update. `engines.failures` looks the frames of a traceback up here.
    """

    def mark(function: F) -> F:
        PLUGIN_CALLS[function.__code__] = kind, method
        return function

    return mark


def check_returned(method: str, array: Array, like: Array) -> None:
    """Raise TypeError if `kind.method` returned another shape or dtype than that of `like`."""
    try:
        good = array.shape == like.shape and array.dtype == like.dtype
    except AttributeError:
        good = False
    if not good:
        found = f"{array.dtype} {array.shape}" if hasattr(array, "dtype") else type(array).__name__
        raise TypeError(f"{method} returned {found}, and {like.dtype} {like.shape} is expected")


@calls_plugin("model", "forward")
def forward(
    stack: Stack, layers: Arrays, x: Array, uniform: Uniform | None = None
) -> tuple[Array, Any]:
    """Return the prediction for x (A, N, features), and the cache that `backward` needs."""
    prediction, cache = stack.model.forward(layers, x, stack.activation, uniform)
    return prediction, cache


@calls_plugin("model", "backward")
def backward(stack: Stack, cache: Any, delta: Array) -> Array:
    """Return (A, P) gradients from delta = dL/dprediction."""
    return join_weights(stack.model.backward(cache, delta))


@calls_plugin("loss", "with_gradient")
def loss_with_gradient(loss: Any, prediction: Array, y: Array) -> tuple[Array, Array]:
    """Return (A,) losses and dL/dprediction, computed together."""
    values, delta = loss.with_gradient(prediction, y)
    return values, delta


@calls_plugin("loss", "gradient")
def loss_gradient(loss: Loss, prediction: Array, y: Array) -> Array:
    """Return dL/dprediction."""
    return loss.gradient(prediction, y)


@calls_plugin("optimizer", "update")
def update(stack: Stack, gradient: Array, state: Any, rows: Array) -> tuple[Array, Any]:
    """Return the change of the rows before the schedule's factor, and the next state."""
    change, state = stack.optimizer.update(gradient, state, rows)
    return change, state


@calls_plugin("loss", "__call__")
def losses(stack: Stack, prediction: Array, y: Array) -> Array:
    """Return (A,) losses, without penalty."""
    loss = stack.loss(prediction, y)
    check_returned("loss.__call__", loss, prediction[:, 0, 0])
    return loss
