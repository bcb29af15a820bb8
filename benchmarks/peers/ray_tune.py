"""Ray Tune with its MLflow callback, which records what a trial reports.

python -m benchmarks.peers.ray_tune RUNS
"""

import sys
from pathlib import Path

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

from benchmarks.peers import net

EVERY = 10  # epochs between reports: each costs some twenty metrics, written one at a time


def trial(settings: dict) -> None:
    """Train one run of the sweep."""
    losses = net.train(settings["seed"], settings["learning_rate"])
    net.plot(losses).savefig(Path(tune.get_context().get_trial_dir(), "loss.png"))
    for loss in losses[::EVERY]:
        tune.report({"loss": loss})


def main(runs: int) -> None:
    """Run all trials."""
    store = f"sqlite:///{Path('mlflow.db').absolute()}"
    callback = MLflowLoggerCallback(tracking_uri=store, experiment_name="ray", save_artifact=True)
    space = {**net.SETTINGS, "seed": tune.grid_search(list(range(runs)))}
    ray.init(num_cpus=2, include_dashboard=False)
    where = tune.RunConfig(callbacks=[callback], storage_path=str(Path("ray").absolute()))
    tune.Tuner(trial, param_space=space, run_config=where).fit()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
