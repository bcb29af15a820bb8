"""An Optuna study, each trial recorded in MLflow with one careful batch.

python -m benchmarks.peers.optuna_study RUNS
"""

import sys

import mlflow
import optuna

from benchmarks.peers import net, record


def main(runs: int) -> None:
    """Run the study."""
    parent = record.start_parent("optuna")

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 0.01, 0.2, log=True)
        settings = {**net.SETTINGS, "seed": trial.number, "learning_rate": rate}
        with mlflow.start_run(parent_run_id=parent) as run:
            losses = net.train(trial.number, rate)
            record.log_curve(run.info.run_id, settings, losses)
            mlflow.log_figure(net.plot(losses), "plots/loss.png")
        return losses[-1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study().optimize(objective, n_trials=runs)


if __name__ == "__main__":
    main(int(sys.argv[1]))
