"""Checks of models: predictions from weights, and the true gradient of each weight."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.checks.kit import (
    Call,
    Case,
    Kind,
    expect,
    expect_array,
    expect_arrays,
    expect_like,
    expect_near,
    expect_pair,
    expect_same,
    expect_slope,
    invoke,
)
from harness.contracts import Array, Arrays
from harness.numerics import tanh
from harness.training.stack import columns
from harness.training.weights import Shapes, join_weights, split_weights

HEADING = "Models"
FORWARD = "forward returns (prediction, cache)"


@dataclass(frozen=True)
class SmoothActivation:
    """h = tanh(κz), an activation without a kink, for checks by central differences."""

    curvature: float = 1.0

    def __call__(self, z: Array) -> Array:
        """Return tanh(κz)."""
        return tanh(self.curvature * z)

    def derivative(self, z: Array, h: Array) -> Array:
        """Return κ (1 - h²)."""
        return self.curvature * (1 - h * h)


def gaussian(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return the weights of a layer (fan_in + 1, fan_out); this is an initializer."""
    return rng.normal(0, 0.7, (fan_in + 1, fan_out))


class Cache:
    """A box for a model's cache: checks that look for arrays do not see inside."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Net:
    """A model with weights for the runs of a case; calls methods as the training loop does."""

    def __init__(self, model: Any, case: Case, features: int = 3, outputs: int = 2) -> None:
        self.model, self.case, self.outputs = model, case, outputs
        made = [
            expect_arrays(
                "init", model.init(case.rng("w", r), gaussian, features, outputs), HEADING
            )
            for r in case.members
        ]
        self.shapes: Shapes = [array.shape for array in made[0]]
        rows = join_weights([np.stack(layer) for layer in zip(*made, strict=True)])
        self.rows = (rows + case.normal("shift", rows.shape[1], scale=0.2)).astype(case.dtype)
        slopes = [SmoothActivation(0.5 + 0.25 * r) for r in case.members]
        self.activation = columns(slopes, 3, case.dtype)

    def forward(self, rows: Array, x: Array, uniform: Any = None, call: Call = invoke) -> Any:
        """Return predictions, and the cache in its box."""

        def method(layers: Arrays, x: Array, activation: Any) -> tuple[Array, Cache]:
            actual = self.model.forward(layers, x, activation, uniform)
            prediction, cache = expect_pair(FORWARD, actual, HEADING)
            shape = (*x.shape[:2], self.outputs)
            return expect_array("forward's prediction", prediction, shape, HEADING), Cache(cache)

        return call(method, split_weights(rows, self.shapes), x, self.activation)

    def backward(self, cache: Cache, delta: Array, call: Call = invoke) -> Arrays:
        """Return the gradient of each array of weights."""
        actual = call(lambda delta: self.model.backward(cache.inner, delta), delta)
        arrays = expect_arrays("backward", actual, HEADING)
        count = f"{len(self.shapes)} arrays, as there are weights"
        expect(len(arrays) == len(self.shapes), count, f"{len(arrays)}", HEADING)
        return arrays


def use(model: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return predictions and gradients, with x for each run and with an x that all share."""
    net = Net(model, case)
    x, delta = case.normal("x", 7, 3), case.normal("delta", 7, 2)
    prediction, cache = net.forward(net.rows, x, case.uniform(), call)
    gradient = net.backward(cache, delta, call)
    full = np.broadcast_to(Case((0,), case.dtype).normal("x", 33, 3)[0], (len(delta), 33, 3))
    at_shared, cache = net.forward(net.rows, full, None, call)
    shared = net.backward(cache, case.normal("delta", 33, 2), call)
    outputs = {"prediction": prediction, "prediction for x that all runs share": at_shared}
    for name, arrays in (("gradient", gradient), ("gradient at shared x", shared)):
        outputs |= {f"{name}, array {i},": array for i, array in enumerate(arrays)}
    return outputs


KIND = Kind("model", use, HEADING)


def scenes(model: Any) -> Iterator[tuple[Net, Array, Array]]:
    """Yield nets of several shapes, with x (R, N, features) and dL/dprediction."""
    shapes = ((1, 1, 1), (1, 3, 2), (2, 2, 1), (5, 4, 3), (6, 1, 2), (3, 2, 5))
    for seed, (batch, features, outputs) in enumerate(shapes):
        case = Case((0, 1), seed=seed)
        x, delta = case.normal("x", batch, features), case.normal("delta", batch, outputs)
        yield Net(model, case, features, outputs), x, delta


def check_model_makes_one_runs_weights(model: Any) -> None:
    first, second = (model.init(np.random.default_rng(s), gaussian, 3, 2) for s in (0, 1))
    is_list = isinstance(first, list) and all(isinstance(array, np.ndarray) for array in first)
    expect(is_list, "init returns a list of arrays", type(first).__name__, HEADING)
    for i, (array, other) in enumerate(zip(first, second, strict=True)):
        expect_like(f"array {i} under another seed", other, array.shape, float, HEADING)
        expect(np.isfinite(array).all(), f"finite numbers in array {i}", array, HEADING)


def check_model_gradient_is_its_slope(model: Any) -> None:
    for net, x, delta in scenes(model):
        gradient = net.backward(net.forward(net.rows, x, net.case.uniform())[1], delta)
        for i, (part, shape) in enumerate(zip(gradient, net.shapes, strict=True)):
            expect_like(f"gradient, array {i}", part, (2, *shape), float, HEADING)
            moved = [np.zeros((2, *each)) for each in net.shapes]
            moved[i] = net.case.normal("direction", *shape)

            def along(step: float, net: Net = net, x: Array = x, d: Array = delta,
                      moved: Arrays = moved) -> Array:  # fmt: skip
                there = net.rows + step * join_weights(moved)
                prediction = net.forward(there, x, net.case.uniform())[0]
                return np.asarray((prediction * d).sum(axis=(1, 2)))

            slope = (part * moved[i]).sum(axis=tuple(range(1, part.ndim)))
            what = f"gradient, array {i} of {x.shape[1]} examples, along a direction, of run"
            expect_slope(what, slope, along, HEADING)


def check_model_predicts_in_the_right_shape(model: Any) -> None:
    """Check several shapes, among them a batch of one example."""
    for net, x, delta in scenes(model):
        what = f"the prediction for x {x.shape}"
        expect_like(what, net.forward(net.rows, x)[0], delta.shape, float, HEADING)


def check_model_is_sure_of_itself_outside_training(model: Any) -> None:
    """Check that equal examples get equal predictions: without `uniform` there is no dropout."""
    net = Net(model, Case())
    x = Case().normal("x", 1, 3).repeat(16, axis=1)
    prediction = net.forward(net.rows, x)[0]
    expect_near("equal examples' prediction", prediction, prediction[:, :1], HEADING, 1e-9)


def check_model_leaves_its_cache_alone(model: Any) -> None:
    """Check that a second call of `backward` gives the same gradient."""
    for net, x, delta in scenes(model):
        cache = net.forward(net.rows, x, net.case.uniform())[1]
        first = [array.copy() for array in net.backward(cache, delta)]
        for i, again in enumerate(net.backward(cache, delta)):
            expect_same(f"gradient, array {i}, a second time", again, first[i], HEADING)
