"""Runs and sweeps from Python; the command line calls the same functions."""

import logging
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.results import run_result
from harness.contracts import RunResult, SweepResult

log = logging.getLogger(__name__)


def run(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> RunResult:
    """Train one run, as `harness OVERRIDES` does, and return it.

    Raises UsageError (or PluginError, DataError) before anything is created if it cannot be. A
    run that diverged, or failed because a plugin raised, is returned and says so: `outcome`.
    """
    from harness.hydra_app.launch import launch

    summary = launch(overrides, multirun=False, config_dir=config_dir, quiet=True)
    for s in summary.unwell:
        log.warning("the run %s: %s", s.outcome, s.reason)
    return summary.result.runs[0]


def sweep(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> SweepResult:
    """Train a sweep, as `harness -m OVERRIDES` does, and return it, best run first.

    Raises as `run` does before anything is created; runs that failed or diverged are in the
    result with their outcome.
    """
    from harness.hydra_app.launch import launch

    return launch(overrides, multirun=True, config_dir=config_dir, quiet=True).result


def load(run_id: str, *, tracking_uri: str | None = None) -> RunResult:
    """A recorded run from MLflow alone: its config, curves, weights, and what it predicts.

    Raises UsageError if there is no such run, TrackingError if the store is out of reach.
    """
    from harness.tracking.backend.uri import tracking_uri as resolved
    from harness.tracking.read_run import read_run

    record = read_run(resolved(tracking_uri, Path.cwd()), run_id)
    metrics = {k: v for k, v in record.metrics.items() if k not in ("train/loss", "val/loss")}
    with record.plugins_at_hand():
        return run_result(
            record.settings,
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
