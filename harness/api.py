"""Runs and sweeps from Python; the command line calls the same functions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import yaml

from harness import store
from harness.contracts import RunResult, SweepResult
from harness.errors import RunsFailed, UsageError
from harness.leaderboard import Standing
from harness.net import run_result
from harness.recording import flat
from harness.sweeps import Summary


def run(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> RunResult:
    """Train one run, as `harness OVERRIDES` does, and return it.

    Raises UsageError (or PluginError, DataError) before anything is created if it cannot be;
    RunsFailed if a plugin raised while training. A run that diverged is returned, and says so.
    """
    from harness.launching import launch

    summary = launch(overrides, multirun=False, config_dir=config_dir, quiet=True)
    standing = summary.ranked[0]
    if standing.outcome == "failed":
        raise RunsFailed(standing.reason)
    return _result(summary, standing)


def sweep(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> SweepResult:
    """Train a sweep, as `harness -m OVERRIDES` does, and return it, best run first.

    Raises as `run` does before anything is created; runs that failed or diverged are in the
    result with their outcome.
    """
    from harness.launching import launch

    return sweep_result(launch(overrides, multirun=True, config_dir=config_dir, quiet=True))


def load(run_id: str, *, tracking_uri: str | None = None) -> RunResult:
    """A recorded run from MLflow alone: its config, curves, weights, and what it predicts.

    Raises UsageError if there is no such run, TrackingError if the store is out of reach.
    """
    from harness.tracking.reading import read_run
    from harness.tracking.uri import tracking_uri as resolved

    record = read_run(resolved(tracking_uri, Path.cwd()), run_id)
    if record.config is None:
        raise UsageError(
            f"run {run_id} holds no config.yaml: it is no run of harness, or not done"
        )
    metrics = {k: v for k, v in record.metrics.items() if k not in ("train/loss", "val/loss")}
    return run_result(
        yaml.safe_load(record.config),
        store.read_weights(record.weights) if record.weights else [],
        run_id=run_id,
        name=record.name,
        outcome=record.outcome,
        curves=record.curves,
        metrics=metrics,
        best_epoch=int(metrics.get("val/best_epoch", metrics.get("train/best_epoch", 0))),
        fingerprint=record.tags.get("harness.fingerprint", ""),
        directory=None,
    )


def sweep_result(summary: Summary) -> SweepResult:
    """A sweep as people look at it."""
    runs = Runs(summary)
    best = summary.best
    rows = [
        {
            "run_id": summary.run_ids.get(s.planned.fingerprint),
            "name": s.planned.name,
            "outcome": s.outcome,
            **flat(s.planned.config),
            **s.metrics,
        }
        for s in summary.ranked
    ]
    return SweepResult(
        summary.manifest.sweep_id,
        summary.parent_run_id,
        runs,
        runs[summary.ranked.index(best)] if best else None,
        summary.directory,
        rows,
    )


class Runs(Sequence[RunResult]):
    """The runs of a sweep, best first, each read from disk when it is looked at."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary

    def __len__(self) -> int:
        return len(self._summary.ranked)

    @overload
    def __getitem__(self, index: int) -> RunResult: ...

    @overload
    def __getitem__(self, index: slice) -> list[RunResult]: ...

    def __getitem__(self, index: int | slice) -> RunResult | list[RunResult]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return _result(self._summary, self._summary.ranked[index])

    def __iter__(self) -> Iterator[RunResult]:
        return (self[i] for i in range(len(self)))


def _result(summary: Summary, standing: Standing) -> RunResult:
    planned = standing.planned
    result = store.read_result(summary.directory, planned.fingerprint)
    curves: dict[str, Any] = (
        {k: (c.steps, c.values) for k, c in result.curves.items()} if result else {}
    )
    return run_result(
        planned.config,
        result.weights if result else [],
        run_id=summary.run_ids.get(planned.fingerprint),
        name=planned.name,
        outcome=standing.outcome,
        curves=curves,
        metrics=dict(standing.metrics),
        best_epoch=result.best_epoch if result else 0,
        fingerprint=planned.fingerprint,
        directory=summary.directory,
    )
