"""scikit-learn's grid search with MLflow's autologging.

python -m benchmarks.peers.sklearn_grid RUNS
"""

import sys
import warnings

import mlflow
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from benchmarks.peers import net


def main(runs: int) -> None:
    """Run the grid search."""
    x, y = net.data()
    every = list(range(len(x)))
    mlflow.set_experiment("sklearn")
    mlflow.sklearn.autolog(max_tuning_runs=None, log_models=False)
    fixed = {"activation": "logistic", "solver": "sgd", "batch_size": 200, "momentum": 0.0}
    same = {"hidden_layer_sizes": (4,), "alpha": 0.0, "learning_rate_init": 0.05, **fixed}
    never = {"max_iter": net.EPOCHS, "n_iter_no_change": net.EPOCHS + 1, "tol": 0.0}
    one = MLPRegressor(**same, **never)
    search = GridSearchCV(one, {"random_state": range(runs)}, cv=[(every, every)])
    warnings.simplefilter("ignore", ConvergenceWarning)
    search.fit(x, y.ravel())


if __name__ == "__main__":
    main(int(sys.argv[1]))
