"""Losses: the error of a net as one number a run, and its gradient by the predictions."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.contracts import Array
from harness.numerics import sigmoid, softmax, softplus, tanh
from harness_plugins.ranges import fraction, positive


@dataclass(frozen=True)
class MSE:
    """L = ½ mean (ŷ - y)² over examples and targets; the half makes the gradient (ŷ - y) / N."""

    task: ClassVar[str] = "regression"

    def __call__(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[0]

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[1]

    def with_gradient(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss and its gradient from one error."""
        error, count = prediction - y, examples(prediction)
        loss = 0.5 * (np.add.reduce(error * error, axis=(-2, -1)) / count)
        return loss, np.divide(error, count, out=error)


@dataclass(frozen=True)
class MAE:
    """L = mean |ŷ - y|, of slope 0 where ŷ = y."""

    task: ClassVar[str] = "regression"

    def __call__(self, prediction: Array, y: Array) -> Array:
        return np.mean(np.abs(prediction - y), axis=(-2, -1))

    def gradient(self, prediction: Array, y: Array) -> Array:
        return np.sign(prediction - y) / examples(prediction)


@dataclass(frozen=True)
class Huber:
    """L = mean of ½ e² where |e| ≤ δ, else δ (|e| - ½ δ), with e = ŷ - y; Huber, 1964 (AMS 35)."""

    delta: float = 1.0

    task: ClassVar[str] = "regression"

    def __post_init__(self) -> None:
        positive(delta=self.delta)

    def __call__(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[0]

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[1]

    def with_gradient(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return loss and gradient from one error: with c = e cut to ±δ it is c (e - ½ c)."""
        error = prediction - y
        cut = np.clip(error, -self.delta, self.delta)
        return np.mean(cut * (error - 0.5 * cut), axis=(-2, -1)), cut / examples(prediction)


@dataclass(frozen=True)
class LogCosh:
    """L = mean log cosh(ŷ - y): a half square near 0, |ŷ - y| - log 2 far out; of slope tanh."""

    task: ClassVar[str] = "regression"

    def __call__(self, prediction: Array, y: Array) -> Array:
        size = np.abs(prediction - y)
        return np.mean(size + softplus(-2 * size) - math.log(2), axis=(-2, -1))

    def gradient(self, prediction: Array, y: Array) -> Array:
        return tanh(prediction - y) / examples(prediction)


@dataclass(frozen=True)
class BCE:
    """L = Σ w_y (-y log σ(p) - (1 - y) log(1 - σ(p))) / Σ w_y of a linear output p, y in [0, 1].

    Bishop, 2006 (Pattern Recognition and Machine Learning), section 4.3.2. Computed as
    max(p, 0) - p y + log(1 + e^-|p|), which neither overflows nor cancels. The class weights
    w₀, w₁, 1 if none are given, make a weighted mean, with w_y = (1 - y) w₀ + y w₁.
    """

    class_weights: tuple[float, ...] | None = None

    task: ClassVar[str] = "binary"

    def __post_init__(self) -> None:
        check_weights(self.class_weights)
        if self.class_weights is not None and len(self.class_weights) != 2:
            given = len(self.class_weights)
            raise ValueError(f"class_weights has {given} numbers for 2 classes")

    def __call__(self, prediction: Array, y: Array) -> Array:
        p = prediction
        each = np.maximum(p, 0) - p * y + softplus(-np.abs(p))
        if self.class_weights is None:
            return np.mean(each, axis=(-2, -1))
        return np.sum(self._share(y) * each, axis=(-2, -1))

    def gradient(self, prediction: Array, y: Array) -> Array:
        error = sigmoid(prediction) - y
        return error / examples(y) if self.class_weights is None else self._share(y) * error

    def probabilities(self, prediction: Array) -> Array:
        return np.concatenate([sigmoid(-prediction), sigmoid(prediction)], axis=-1)

    def _share(self, y: Array) -> Array:
        """Return (R, N, 1) w_y / Σ w_y: the share of each example in the loss."""
        zero, one = self.class_weights or (1.0, 1.0)
        weights = (1 - y) * zero + y * one
        return weights / np.sum(weights, axis=(-2, -1), keepdims=True)


@dataclass(frozen=True)
class Hinge:
    """L = mean max(0, 1 - s p) of a linear output p, with side s = 2y - 1.

    Cortes & Vapnik, 1995 (Machine Learning 20). A margin p is no log-odds: `probabilities`, σ(p),
    have the side and the order of the examples right, and are not calibrated.
    """

    task: ClassVar[str] = "binary"

    def __call__(self, prediction: Array, y: Array) -> Array:
        return np.mean(np.maximum(1 - (2 * y - 1) * prediction, 0), axis=(-2, -1))

    def gradient(self, prediction: Array, y: Array) -> Array:
        side = 2 * y - 1
        return np.where(side * prediction < 1, -side, 0) / examples(prediction)

    def probabilities(self, prediction: Array) -> Array:
        return np.concatenate([sigmoid(-prediction), sigmoid(prediction)], axis=-1)


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """L = -Σ_nc w_c t_nc log softmax(p)_nc / Σ_nc w_c y_nc, with t = (1 - ε) y + ε / classes.

    ε is the label smoothing of Szegedy et al., 2016 (arXiv:1512.00567), w the class weights, 1 if
    none are given: a weighted mean over the batch at hand, as in PyTorch.
    """

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None

    task: ClassVar[str] = "multiclass"

    def __post_init__(self) -> None:
        fraction(label_smoothing=self.label_smoothing)
        check_weights(self.class_weights)

    def __call__(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[0]

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[1]

    def with_gradient(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss and its gradient from one set of exponentials."""
        wanted, shifted = self._wanted(y), prediction - prediction.max(axis=-1, keepdims=True)
        with np.errstate(under="ignore"):
            share = np.exp(shifted)
        total = share.sum(axis=-1, keepdims=True)
        shifted -= np.log(total)
        loss = -np.sum(np.multiply(wanted, shifted, out=shifted), axis=(-2, -1))
        share /= total
        share *= wanted.sum(axis=-1, keepdims=True)
        return loss, np.subtract(share, wanted, out=share)

    def probabilities(self, prediction: Array) -> Array:
        return softmax(prediction)

    def _wanted(self, y: Array) -> Array:
        """Return (R, N, classes) w_c t_nc / Σ w_c y_nc: each logarithm's share of the loss."""
        classes = y.shape[-1]
        target = (1 - self.label_smoothing) * y + self.label_smoothing / classes
        if self.class_weights is None:
            return target / examples(y[..., :1])
        if len(self.class_weights) != classes:
            given = len(self.class_weights)
            raise ValueError(f"class_weights has {given} numbers for {classes} classes")
        weights = np.array(self.class_weights, y.dtype)
        return weights * target / np.sum(weights * y, axis=(-2, -1), keepdims=True)


def examples(prediction: Array) -> int:
    """Return how many numbers of one run the mean is over: N times the outputs."""
    return prediction.shape[-2] * prediction.shape[-1]


def check_weights(weights: tuple[float, ...] | None) -> None:
    """Raise ValueError unless all are above 0 and finite."""
    if not all(0 < weight < math.inf for weight in weights or ()):
        raise ValueError(f"class_weights must be positive, not {weights}")
