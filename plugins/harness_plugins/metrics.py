"""Metrics: the numbers that people compare runs by, in the dataset's own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.contracts import Array


def _residual(prediction: Array, y: Array) -> Array:
    """(R, targets, N) in the prediction's dtype, examples last and adjacent in memory.

    A sum's last bits depend on the memory order of its terms: here there is always one order,
    whatever the layout of the prediction and however many runs are stacked.
    """
    return np.asarray(np.subtract(prediction.mT, y.T, order="C", dtype=prediction.dtype))


@dataclass(frozen=True)
class R2:
    """R² = 1 − Σ (ŷ − y)² / Σ (y − ȳ)², averaged over targets.

    For a target that never varies: 1 if predicted exactly, else 0.
    """

    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from (R, N, targets) and (N, targets); not finite if the squares overflow."""
        y = y.astype(prediction.dtype, copy=False)
        varies = (y != y[0]).any(axis=0)
        with np.errstate(all="ignore"):
            left = np.square(_residual(prediction, y)).sum(axis=-1)
            total = np.square(y - y.mean(axis=0)).sum(axis=0)
            score = np.where(varies, 1 - left / total, left == 0)
            return np.asarray(score.mean(axis=-1))


@dataclass(frozen=True)
class RMSE:
    """RMSE = √(mean (ŷ − y)²), averaged over targets."""

    greater_is_better: ClassVar[bool] = False

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from (R, N, targets) and (N, targets), in the units of y; overflow gives inf."""
        with np.errstate(all="ignore"):
            squares = np.square(_residual(prediction, y)).mean(axis=-1)
            return np.asarray(np.sqrt(squares).mean(axis=-1))


@dataclass(frozen=True)
class MAE:
    """MAE = mean |ŷ − y|, averaged over targets."""

    greater_is_better: ClassVar[bool] = False

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from (R, N, targets) and (N, targets), in the units of y; overflow gives inf."""
        with np.errstate(all="ignore"):
            return np.asarray(np.abs(_residual(prediction, y)).mean(axis=-1).mean(axis=-1))


@dataclass(frozen=True)
class Accuracy:
    """The fraction of examples whose most probable class is the true one."""

    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from probabilities (R, N, classes) and codes (N,); of equal ones the first wins."""
        hits = np.count_nonzero(prediction.argmax(axis=-1) == y, axis=-1)
        return np.asarray((hits / len(y)).astype(prediction.dtype))


@dataclass(frozen=True)
class F1:
    """F₁ = 2 TP / (2 TP + FP + FN): of class 1 if there are two classes, else the classes' mean.

    The mean is over the classes that occur in y or among the predictions; F₁ is 0 where TP is.
    """

    greater_is_better: ClassVar[bool] = True

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from probabilities (R, N, classes) and codes (N,)."""
        classes = np.arange(prediction.shape[-1])
        said = prediction.argmax(axis=-1)[..., None] == classes
        true = y[:, None] == classes
        both = np.count_nonzero(said & true, axis=1)
        either = np.count_nonzero(said, axis=1) + np.count_nonzero(true, axis=0)
        score = 2 * both / np.maximum(either, 1)
        if len(classes) == 2:
            return np.asarray(score[:, 1].astype(prediction.dtype))
        present = np.count_nonzero(either, axis=-1)
        return np.asarray((score.sum(axis=-1) / present).astype(prediction.dtype))
