"""Losses: how wrong a net is, as one number a run, and which way each prediction should move."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.contracts import Array
from harness.numerics import sigmoid, softmax, softplus


@dataclass(frozen=True)
class MSE:
    """L = ½ mean (ŷ - y)² over examples and targets; the half makes the gradient (ŷ - y) / N."""

    task: ClassVar[str] = "regression"

    def __call__(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[0]

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[1]

    def with_gradient(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """The loss and its gradient from one error."""
        error, count = prediction - y, examples(prediction)
        loss = 0.5 * (np.add.reduce(error * error, axis=(-2, -1)) / count)
        return loss, np.divide(error, count, out=error)


@dataclass(frozen=True)
class BCE:
    """L = mean (-y log σ(p) - (1 - y) log(1 - σ(p))) of a linear output p (a logit), y in [0, 1].

    Bishop, 2006 (Pattern Recognition and Machine Learning), section 4.3.2. Computed as
    max(p, 0) - p y + log(1 + e^-|p|), which neither overflows nor cancels.
    """

    task: ClassVar[str] = "binary"

    def __call__(self, prediction: Array, y: Array) -> Array:
        p = prediction
        each = np.maximum(p, 0) - p * y + softplus(-np.abs(p))
        return np.mean(each, axis=(-2, -1))

    def gradient(self, prediction: Array, y: Array) -> Array:
        return (sigmoid(prediction) - y) / examples(prediction)

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
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), not {self.label_smoothing}")
        if not all(0 < weight < np.inf for weight in self.class_weights or ()):
            raise ValueError(f"class_weights must be positive, not {self.class_weights}")

    def __call__(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[0]

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self.with_gradient(prediction, y)[1]

    def with_gradient(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """The loss and its gradient from one set of exponentials."""
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
        """(R, N, classes) w_c t_nc / Σ w_c y_nc: the share of each log-probability in the loss."""
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
    """How many numbers of one run the mean is over: N times the outputs."""
    return prediction.shape[-2] * prediction.shape[-1]
