"""Recording a run in MLflow with care: all of its params and its whole curve in one call."""

import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param


def start_parent(name: str) -> str:
    """A parent for the runs of a sweep; its id."""
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name="sweep") as parent:
        return str(parent.info.run_id)


def log_curve(run_id: str, settings: dict[str, object], losses: list[float]) -> None:
    """One log_batch for params and the whole curve."""
    now = int(time.time() * 1000)
    points = [Metric("train/loss", loss, now, step) for step, loss in enumerate(losses)]
    params = [Param(key, str(value)) for key, value in settings.items()]
    MlflowClient().log_batch(run_id, points, params)
