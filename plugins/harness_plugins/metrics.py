"""Metrics: the numbers that people compare runs by, in the dataset's own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import at_least


def _residual(prediction: Array, y: Array) -> Array:
    """Return (R, targets, N) in the prediction's dtype, examples last and adjacent in memory.

    A sum's last bits depend on the memory order of its terms: here there is always one order,
    whatever the layout of the prediction and however many runs are stacked.
    """
    return np.asarray(np.subtract(prediction.mT, y.T, order="C", dtype=prediction.dtype))


@dataclass(frozen=True)
class R2:
    """R² = 1 − Σ (ŷ − y)² / Σ (y − ȳ)², averaged over targets.

    For a target that never varies: 1 if predicted exactly, else 0.
    """

    task: ClassVar[str] = "regression"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from (R, N, targets) and (N, targets); not finite if squares overflow."""
        y = y.astype(prediction.dtype, copy=False)
        varies = (y != y[0]).any(axis=0)
        with np.errstate(all="ignore"):
            left = np.square(_residual(prediction, y)).sum(axis=-1)
            total = np.square(y - y.mean(axis=0)).sum(axis=0)
            score = np.where(varies, 1 - left / total, left == 0)
            return np.asarray(score.mean(axis=-1))


@dataclass(frozen=True)
class ExplainedVariance:
    """1 − Var(y − ŷ) / Var y, averaged over targets: R² of a prediction whose mean is put right.

    For a target that never varies: 1 if its error does not either, else 0.
    """

    task: ClassVar[str] = "regression"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from (R, N, targets) and (N, targets); not finite if squares overflow."""
        y = y.astype(prediction.dtype, copy=False)
        varies = (y != y[0]).any(axis=0)
        with np.errstate(all="ignore"):
            left = _residual(prediction, y)
            alike = (left == left[..., :1]).all(axis=-1)
            score = np.where(varies, 1 - left.var(axis=-1) / y.var(axis=0), alike)
            return np.asarray(score.mean(axis=-1))


@dataclass(frozen=True)
class RMSE:
    """RMSE = √(mean (ŷ − y)²), averaged over targets."""

    task: ClassVar[str] = "regression"
    greater_is_better: ClassVar[bool] = False

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from (R, N, targets) and (N, targets), in y's units; overflow gives inf."""
        with np.errstate(all="ignore"):
            squares = np.square(_residual(prediction, y)).mean(axis=-1)
            return np.asarray(np.sqrt(squares).mean(axis=-1))


@dataclass(frozen=True)
class MAE:
    """MAE = mean |ŷ − y|, averaged over targets."""

    task: ClassVar[str] = "regression"
    greater_is_better: ClassVar[bool] = False

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from (R, N, targets) and (N, targets), in y's units; overflow gives inf."""
        with np.errstate(all="ignore"):
            return np.asarray(np.abs(_residual(prediction, y)).mean(axis=-1).mean(axis=-1))


@dataclass(frozen=True)
class Accuracy:
    """The fraction of examples whose most probable class is the true one."""

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,); the first tie wins."""
        hits = np.count_nonzero(prediction.argmax(axis=-1) == y, axis=-1)
        return np.asarray((hits / len(y)).astype(prediction.dtype))


@dataclass(frozen=True)
class TopK:
    """The fraction of examples whose true class is among the k most probable ones."""

    k: int = 2

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        at_least(1, k=self.k)

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,); the first tie wins."""
        own = np.take_along_axis(prediction, y[None, :, None], axis=-1)
        earlier = np.arange(prediction.shape[-1]) < y[:, None]
        above = ~(prediction <= own) | ((prediction == own) & earlier)
        hits = np.count_nonzero(np.count_nonzero(above, axis=-1) < self.k, axis=-1)
        return np.asarray((hits / len(y)).astype(prediction.dtype))


class Counts(NamedTuple):
    """Count how often each class was predicted, rightly predicted, and true, (R, classes)."""

    hits: Array
    predicted: Array
    true: Array

    @classmethod
    def of(cls, prediction: Array, y: Array) -> Counts:
        classes = np.arange(prediction.shape[-1])
        predicted = prediction.argmax(axis=-1)[..., None] == classes
        true = y[:, None] == classes
        hits = np.count_nonzero(predicted & true, axis=1)
        return cls(hits, np.count_nonzero(predicted, axis=1), np.count_nonzero(true, axis=0))

    def share(self, hits: Array, of: Array, dtype: np.dtype[Any]) -> Array:
        """Return (R,) hits / of, 0 where that is 0 / 0: of class 1 of two, else the classes' mean.

        The mean is over the classes that occur in y or among the predictions.
        """
        each = hits / np.maximum(of, 1)
        if each.shape[-1] == 2:
            return np.asarray(each[:, 1].astype(dtype))
        present = np.count_nonzero(self.predicted + self.true, axis=-1)
        return np.asarray((each.sum(axis=-1) / present).astype(dtype))


@dataclass(frozen=True)
class Precision:
    """TP / (TP + FP), the share of the predicted examples that are true; 0 if there are none.

    Of class 1 if there are two classes, else the mean over those in y or among the predictions.
    """

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,)."""
        n = Counts.of(prediction, y)
        return n.share(n.hits, n.predicted, prediction.dtype)


@dataclass(frozen=True)
class Recall:
    """TP / (TP + FN), the share of the true examples that are predicted; 0 if there are none.

    Of class 1 if there are two classes, else the mean over those in y or among the predictions.
    """

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,)."""
        n = Counts.of(prediction, y)
        return n.share(n.hits, np.broadcast_to(n.true, n.hits.shape), prediction.dtype)


@dataclass(frozen=True)
class F1:
    """F₁ = 2 TP / (2 TP + FP + FN): of class 1 if there are two classes, else the classes' mean.

    The mean is over the classes that occur in y or among the predictions; F₁ is 0 where TP is.
    """

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,)."""
        n = Counts.of(prediction, y)
        return n.share(2 * n.hits, n.predicted + n.true, prediction.dtype)


@dataclass(frozen=True)
class LogLoss:
    """−mean log p, with p the probability of the true class, cut to [ε, 1 − ε] of its dtype."""

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = False

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,)."""
        p = np.ascontiguousarray(prediction[:, np.arange(len(y)), y])
        epsilon = np.finfo(p.dtype).eps
        return np.asarray(-np.log(np.clip(p, epsilon, 1 - epsilon)).mean(axis=-1))


@dataclass(frozen=True)
class ROCAUC:
    """The chance that an example of a class scores above one of the rest; a tie counts half.

    Of class 1 if there are two classes, else the mean over those in y of each against the rest.
    NaN if y has one class only. After Hanley & McNeil, 1982 (Radiology 143).
    """

    task: ClassVar[str] = "classification"
    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) from probabilities (R, N, classes) and codes (N,)."""
        judged = np.unique(y)
        if len(judged) < 2:
            return np.full(len(prediction), np.nan, prediction.dtype)
        if prediction.shape[-1] == 2:
            judged = judged[1:]
        areas = [[_area(run[:, code], y == code) for code in judged] for run in prediction]
        return np.mean(areas, axis=-1).astype(prediction.dtype)


def _area(score: Array, positive: Array) -> float:
    """Return the share of the pairs (positive, negative) in order, of one run and class."""
    above, below = score[positive], np.sort(score[~positive])
    wins = (
        np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    )
    return float(wins / (2 * len(above) * len(below)))
