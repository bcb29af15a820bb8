"""Hydra with MLflow in the task function: usual fluent calls an epoch, or one careful batch a run.

python -m benchmarks.peers.hydra_jobs RUNS epoch|batch [hydra/launcher=joblib ...]
"""

import sys

import hydra
import mlflow
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from benchmarks.peers import net, record

ConfigStore.instance().store("config", {**net.SETTINGS, "parent": None, "log": "batch"})


@hydra.main(version_base="1.3", config_name="config", config_path=None)
def job(cfg: DictConfig) -> float:
    """Train and record one run of the sweep."""
    settings = OmegaConf.to_container(cfg)
    mlflow.set_experiment("hydra")
    with mlflow.start_run(parent_run_id=cfg.parent) as run:
        losses = net.train(cfg.seed, cfg.learning_rate, cfg.epochs)
        if cfg.log == "batch":
            record.log_curve(run.info.run_id, settings, losses)
        else:
            mlflow.log_params(settings)
            for step, loss in enumerate(losses):
                mlflow.log_metric("train/loss", loss, step=step)
        mlflow.log_figure(net.plot(losses), "plots/loss.png")
    return losses[-1]


if __name__ == "__main__":
    runs, log, *more = sys.argv[1:]
    parent = record.start_parent("hydra")
    sys.argv[1:] = ["-m", f"seed=range({runs})", f"log={log}", f"parent={parent}", *more]
    job()
