"""Record a run in MLflow efficiently: all parameters and the whole curve in one call."""

import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param


def start_parent(name: str) -> str:
    """Create a parent run for a sweep, and return its id."""
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name="sweep") as parent:
        return str(parent.info.run_id)


def log_curve(run_id: str, settings: dict[str, object], losses: list[float]) -> None:
    """Log the parameters and the whole curve in one call of log_batch."""
    now = int(time.time() * 1000)
    points = [Metric("train/loss", loss, now, step) for step, loss in enumerate(losses)]
    params = [Param(key, str(value)) for key, value in settings.items()]
    MlflowClient().log_batch(run_id, points, params)
