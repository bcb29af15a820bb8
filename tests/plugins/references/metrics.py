"""Metrics of scikit-learn."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness_plugins.metrics import (
    F1,
    MAE,
    R2,
    RMSE,
    ROCAUC,
    Accuracy,
    ExplainedVariance,
    LogLoss,
    Precision,
    Recall,
    TopK,
)

from harness.contracts import Array
from tests.plugins.references.case import Case, difference

TITLE = "Metrics"
HOW = """Of predictions of two targets and of a constant one; of the probabilities, in tenths,
of 2, 3 and 6 classes, the last one of which never occurs."""

RUNS, EXAMPLES = 4, 60
Exam = tuple[Array, Array]
METRICS = "sklearn.metrics."


def codes(y: Array, p: Array) -> dict[str, Any]:
    """Arguments of a metric that judges the most probable classes."""
    average = "binary" if p.shape[1] == 2 else "macro"
    return {"y_true": y, "y_pred": p.argmax(axis=1), "average": average, "zero_division": 0}


def targets(plugin: Any, name: str) -> Case:
    return Case([[plugin] * RUNS], METRICS + name, lambda m, o, y, p: getattr(m, name)(y, p))


def classes(name: str, compute: Callable[..., Any], *plugins: Any) -> Case:
    return Case([[plugin] * RUNS for plugin in plugins], METRICS + name, compute)


def area(m: Any, plugin: Any, y: Array, p: Array) -> float:
    """scikit-learn wants all classes to occur; if one does not, the mean is taken here."""
    there = np.unique(y)
    if len(there) == p.shape[1]:
        scores = p[:, 1] if len(there) == 2 else p
        return float(m.roc_auc_score(y, scores, multi_class="ovr"))
    return float(np.mean([m.roc_auc_score(y == code, p[:, code]) for code in there]))


def first_k(m: Any, plugin: Any, y: Array, p: Array) -> float:
    """Of equal probabilities scikit-learn takes the last, we the first."""
    labels = np.arange(p.shape[1])
    if plugin.k >= len(labels):
        return 1.0
    if len(labels) == 2:
        return float(m.accuracy_score(y, p.argmax(axis=1)))
    return float(m.top_k_accuracy_score(y, p - 1e-9 * labels, k=plugin.k, labels=labels))


CASES = {
    "accuracy": classes(
        "accuracy_score", lambda m, o, y, p: m.accuracy_score(y, p.argmax(axis=1)), Accuracy()
    ),
    "explained_variance": targets(ExplainedVariance(), "explained_variance_score"),
    "f1": classes("f1_score", lambda m, o, y, p: m.f1_score(**codes(y, p)), F1()),
    "log_loss": classes(
        "log_loss", lambda m, o, y, p: m.log_loss(y, p, labels=range(p.shape[1])), LogLoss()
    ),
    "mae": targets(MAE(), "mean_absolute_error"),
    "precision": classes(
        "precision_score", lambda m, o, y, p: m.precision_score(**codes(y, p)), Precision()
    ),
    "r2": targets(R2(), "r2_score"),
    "recall": classes("recall_score", lambda m, o, y, p: m.recall_score(**codes(y, p)), Recall()),
    "rmse": targets(RMSE(), "root_mean_squared_error"),
    "roc_auc": classes("roc_auc_score", area, ROCAUC()),
    "top_k": classes("top_k_accuracy_score", first_k, TopK(), TopK(1), TopK(4)),
}


def targets_exam(rng: np.random.Generator) -> Exam:
    """Predictions (R, N, 3) and y (N, 3), the last target of which never varies."""
    y = rng.normal(3, 2, (EXAMPLES, 3))
    y[:, 2] = 5
    return y + rng.normal(0, 1, (RUNS, EXAMPLES, 3)), y


def classes_exam(rng: np.random.Generator, count: int, present: int) -> Exam:
    """Probabilities (R, N, count) in tenths, and y (N,) with the classes present."""
    p = rng.multinomial(10, np.full(count, 1 / count), (RUNS, EXAMPLES)) / 10
    return p, rng.permutation(np.arange(EXAMPLES) % present)


def differences(case: Case) -> Iterator[float]:
    """Of each run's values."""
    import sklearn.metrics

    rng = np.random.default_rng(0)
    for plugin in (plugins[0] for plugins in case.stacks):
        for_targets = isinstance(plugin, R2 | RMSE | MAE | ExplainedVariance)
        counts = [] if for_targets else [(2, 2), (3, 3), (6, 5)]
        exams = [classes_exam(rng, *each) for each in counts] or [targets_exam(rng)]
        for prediction, y in exams:
            theirs = [case.compute(sklearn.metrics, plugin, y, each) for each in prediction]
            yield difference(plugin(prediction, y), np.array(theirs))
