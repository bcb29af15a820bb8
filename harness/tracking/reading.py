"""Reads a recorded run back from MLflow: its settings, curves, config and weights."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from harness.contracts import Array
from harness.errors import TrackingError, UsageError
from harness.tracking.connection import Connection
from harness.tracking.sqlite import is_store
from harness.tracking.uri import database_file, without_credentials

if TYPE_CHECKING:
    from mlflow.entities import Run

PATIENCE = 10.0  # seconds; who reads is waiting
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
POINTS = ("/best_loss", "/best_epoch", "/seconds")  # numbers that never are curves


@dataclass(frozen=True)
class Record:
    """A run as MLflow holds it."""

    run_id: str
    experiment_id: str
    name: str
    outcome: str  # empty while it runs
    status: str
    params: dict[str, str]
    metrics: dict[str, float]  # the latest value of each
    curves: dict[str, tuple[Array, Array]]  # steps and values, of metrics with several points
    tags: dict[str, str]
    config: str | None  # the text of config.yaml
    weights: bytes | None  # what weights.npz holds


def connect(uri: str) -> Connection:
    """A store that is there; UsageError if a database file is asked for that is not."""
    path = database_file(uri)
    if path is not None and not is_store(path):
        raise UsageError(f"no MLflow store at {path}: nothing has been recorded there")
    connection = Connection(uri, PATIENCE)
    connection.open()
    return connection


def read_run(uri: str, run_id: str) -> Record:
    """A recorded run; UsageError if there is none by this id, TrackingError if out of reach."""
    connection = connect(uri)
    try:
        run = connection.ask(lambda: connection.client.get_run(run_id))
    except TrackingError as error:
        if getattr(error.__cause__, "error_code", "") not in UNKNOWN:
            raise
        where = without_credentials(uri)
        raise UsageError(f"there is no run {run_id!r} in {where}") from error
    tags = run.data.tags
    config = _artifact(connection, run_id, "config.yaml")
    return Record(
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        name=run.info.run_name or "",
        outcome="" if run.info.status == "RUNNING" else tags.get("harness.outcome", ""),
        status=run.info.status,
        params=run.data.params,
        metrics=run.data.metrics,
        curves=_curves(connection, run),
        tags=tags,
        config=config.decode() if config is not None else None,
        weights=_artifact(connection, run_id, "weights.npz"),
    )


def _curves(connection: Connection, run: "Run") -> dict[str, tuple[Array, Array]]:
    curves = {}
    read = connection.client.get_metric_history
    for key in run.data.metrics:
        if key.endswith(POINTS):
            continue
        points = connection.ask(partial(read, run.info.run_id, key))
        found = {point.step: point.value for point in sorted(points, key=lambda p: p.timestamp)}
        if len(found) > 1:
            steps = sorted(found)
            curves[key] = np.array(steps), np.array([found[step] for step in steps])
    return curves


def _artifact(connection: Connection, run_id: str, name: str) -> bytes | None:
    """The content of a run's file, or None if it has none by this name."""
    client = connection.client
    if name not in {file.path for file in connection.ask(lambda: client.list_artifacts(run_id))}:
        return None
    with TemporaryDirectory() as aside:
        place = connection.ask(lambda: client.download_artifacts(run_id, name, aside))
        return Path(place).read_bytes()
