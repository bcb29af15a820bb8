"""Train runs and sweeps from Python, and read recorded runs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.results import run_result
from harness.contracts import RunResult, SweepResult
from harness.errors import hidden_texts
from harness.training.runtime import callers_logging

if TYPE_CHECKING:
    from harness.tracking.read_run import Record

log = logging.getLogger(__name__)


@np.errstate(all="ignore")
def run(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> RunResult:
    """Train one run, record it in MLflow, and return it, as `harness OVERRIDES` does.

    Args:
        overrides: Settings as on the command line, such as `"optimizer=adam"`.
        config_dir: A folder with further configs, as for `--config-dir`.

    Returns:
        The run with its curves, metrics, weights and data. A run that diverged, or that failed
        because a plugin raised, is returned too: read its `outcome`.

    Raises:
        UsageError: A setting is wrong, or a plugin cannot be used (PluginError). Nothing has
            been created.
        DataError: The data of the run cannot be used. Nothing has been created.
        HarnessError: The disk is full, or the store of a run with `tracking.required=true` is
            out of reach. What is trained is kept in the run's folder.

    Example:
        >>> import harness
        >>> result = harness.run(["optimizer=adam", "epochs=20"])
        >>> result.outcome
        'ok'
        >>> steps, losses = result.curves["train/loss"]
        >>> int(steps[-1])
        20
    """
    from harness.hydra_app.launch import launch

    with callers_logging():
        summary = launch(overrides, multirun=False, config_dir=config_dir, quiet=True)
        result = summary.result.runs[0]
    for unwell in summary.unwell:
        log.warning("the run %s: %s", unwell.outcome, unwell.reason)
    return result


@np.errstate(all="ignore")
def sweep(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> SweepResult:
    """Train a sweep, record it in MLflow, and return it, as `harness -m OVERRIDES` does.

    Args:
        overrides: Settings as on the command line; `"seed=0,1,2"` makes three runs.
        config_dir: A folder with further configs, as for `--config-dir`.

    Returns:
        The sweep; its `runs` are ranked, the best one first. Runs that diverged or failed come
        last; read their `outcome`.

    Raises:
        UsageError: A setting of any run is wrong, or a plugin cannot be used (PluginError).
            Nothing has been created.
        DataError: The data of a run cannot be used. Nothing has been created.
        HarnessError: The disk is full, or the store of a sweep with `tracking.required=true` is
            out of reach. What is trained is kept, and `harness resume` trains the rest.

    Example:
        >>> import harness
        >>> result = harness.sweep(["optimizer.learning_rate=0.01,0.1", "epochs=20"])
        >>> len(result.runs)
        2
        >>> result.best.outcome
        'ok'
    """
    from harness.hydra_app.launch import launch

    with callers_logging():
        return launch(overrides, multirun=True, config_dir=config_dir, quiet=True).result


@np.errstate(all="ignore")
def load(run_id: str, *, tracking_uri: str | None = None) -> RunResult:
    """Read a recorded run from MLflow, without the folder that it was trained in.

    Args:
        run_id: The id of the run, the beginning of the id, or the run's fingerprint.
        tracking_uri: The MLflow store; None for `MLFLOW_TRACKING_URI`, or else `mlflow.db` in
            the current folder.

    Returns:
        The run with its config, curves, metrics and weights. Its data is loaded again, so that
        `predict` and the figures work.

    Raises:
        UsageError: The store has no such run, the files of the run are not there, or a plugin of
            the run is missing (PluginError).
        DataError: The data of the run cannot be loaded again.
        TrackingError: The store is out of reach.

    Example:
        >>> import harness
        >>> trained = harness.run(["epochs=20"])
        >>> loaded = harness.load(trained.run_id)
        >>> loaded.metrics == trained.metrics
        True
    """
    from harness.tracking.backend.uri import tracking_uri as resolve_uri
    from harness.tracking.read_run import read_run

    with callers_logging(), hidden_texts():
        record = read_run(resolve_uri(tracking_uri, Path.cwd()), run_id)
        return _loaded(record)


def _loaded(record: "Record") -> RunResult:
    metrics = {k: v for k, v in record.metrics.items() if k not in ("train/loss", "val/loss")}
    settings = record.settings
    if record.missing:
        log.warning("%s", record.missing)
    with record.plugins_at_hand():
        return run_result(
            settings,
            record.weights,
            run_id=record.run_id,
            name=record.name,
            outcome=record.outcome,
            curves=record.curves,
            metrics=metrics,
            best_epoch=int(metrics.get("val/best_epoch", metrics.get("train/best_epoch", 0))),
            fingerprint=record.tags.get("harness.fingerprint", ""),
            directory=None,
        )
