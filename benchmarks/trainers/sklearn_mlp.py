"""scikit-learn's MLP as a contender: same net, data and epochs, but its own initial weights."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.tasks import Case, starts
from benchmarks.trainers import Trained, timed


def fit(case: Case, runs: int, epochs: int, dtype: str, _: float = 0.0) -> Trained:
    """Train one net without early stopping and penalty."""
    task, [start] = case.task, starts(case, runs, dtype)
    kind = MLPRegressor if task.loss == "mse" else MLPClassifier
    y = start.y.ravel() if task.loss == "mse" else start.y.argmax(axis=1)
    net = kind(
        hidden_layer_sizes=task.sizes[1:-1],
        activation={"sigmoid": "logistic"}.get(task.activation, task.activation),
        solver=task.optimizer,
        alpha=0.0,
        batch_size=task.size or len(y),
        learning_rate_init=task.rate,
        momentum=0.0,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs + 1,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        seconds, _ = timed(lambda: net.fit(start.x, y))
    assert net.n_iter_ == epochs
    return Trained(seconds, runs, epochs, None)
