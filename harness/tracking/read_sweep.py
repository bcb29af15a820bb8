"""Reads a recorded sweep from MLflow: a manifest, results without weights and curves."""

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.store.manifest import Manifest, Planned
from harness.store.results import Result
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.queries import experiment_ids, search_runs, tag_filter
from harness.tracking.backend.uri import without_credentials
from harness.tracking.entities import RUNNING
from harness.tracking.read_run import connect_store, find_run, json_tag, missing_files, run_files

if TYPE_CHECKING:
    from mlflow.entities import Run

CURVES = ("train/loss", "val/loss")  # metrics whose last value is no result
SHOWN = ("plots", "config.yaml")
GIT = "mlflow.source."


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep or a single run, read from MLflow."""

    connection: Connection
    manifest: Manifest
    runs: list[tuple[Planned, Result]]  # a config holds the params, dotted and flat
    run_ids: dict[str, str]  # by fingerprint
    advice: dict[str, str]  # by fingerprint
    top: str  # the run id of the parent, or of the single run
    ended: bool
    git: dict[str, str]  # commit and branch, if they are known

    def files(self, run_id: str) -> dict[str, bytes]:
        """Return a run's pictures and config by path; TrackingError if they are out of reach."""
        return run_files(self.connection, run_id, SHOWN)

    def missing(self, run_id: str) -> str:
        """Return a sentence if a run's files are not where MLflow looks for them."""
        run = self.connection.ask(self.connection.client.get_run, run_id)
        return missing_files(self.connection, run)


def read_sweep(uri: str, asked: str) -> RecordedSweep:
    """Return a sweep by its id or its parent's run id, or a single run by its run id.

    Raises UsageError if there is none.
    """
    connection = connect_store(uri)
    runs = _search(connection, tag_filter(sweep=_safe(asked)))
    if not runs:
        first = find_run(connection, asked)
        if not _tag(first, "role"):
            raise UsageError(f"{first.info.run_id}: no run of harness")
        runs = [first]
        if _tag(first, "role") == "sweep":
            runs = _search(connection, tag_filter(sweep=_tag(first, "sweep")))
    parents = [run for run in runs if _tag(run, "role") == "sweep"]
    members = [run for run in runs if _tag(run, "role") == "run"]
    top = (parents or runs)[0]
    tags = top.data.tags
    experiment = connection.ask(connection.client.get_experiment, top.info.experiment_id)
    return RecordedSweep(
        connection=connection,
        manifest=_manifest(top, experiment.name, without_credentials(uri), single=not parents),
        runs=[_member(place, run) for place, run in enumerate(members)],
        run_ids={_tag(run, "fingerprint"): run.info.run_id for run in members},
        advice={_tag(run, "fingerprint"): _tag(run, "advice") for run in members},
        top=top.info.run_id,
        ended=top.info.status == "FINISHED" if parents else top.info.status != "RUNNING",
        git={key.removeprefix(GIT): tags[key] for key in sorted(tags) if key.startswith(GIT)},
    )


def _tag(run: "Run", name: str) -> str:
    found: str = run.data.tags.get(f"harness.{name}", "")
    return found


def _safe(text: str) -> str:
    """Return the text if it may be an id, else an empty text: it becomes part of a filter."""
    return text if re.fullmatch(r"[\w-]+", text) else ""


def _search(connection: Connection, wanted: str) -> "list[Run]":
    """Return the runs of all experiments that a filter finds, the oldest first."""
    client = connection.client
    return connection.ask(lambda: search_runs(client, experiment_ids(client), wanted))


def _manifest(top: "Run", experiment: str, uri: str, *, single: bool) -> Manifest:
    tags = top.data.tags
    metric, direction = _objective(top)
    return Manifest(
        sweep_id=tags["harness.sweep"],
        single=single,
        created=top.info.start_time,
        cwd="",
        tracking_uri=uri,
        experiment=experiment,
        name=top.info.run_name or "",
        overrides=tuple(shlex.split(tags.get("hydra.overrides", ""))),
        objective={"metric": metric, "direction": direction, "others": []},
        tracking={},
        figures={},
        numerics=json_tag(tags, "harness.numerics") or {},
        runs=(),
    )


def _objective(run: "Run") -> tuple[str, str]:
    """Return metric and direction, which are a tag; version 0.1.0 gave a single run none."""
    tagged, _, way = run.data.tags.get("harness.objective", "").partition(" ")
    params = run.data.params
    metric = tagged or params.get("objective.metric", "val/best_loss")
    if not tagged and metric not in run.data.metrics:  # nothing was held out
        metric = metric.replace("val/", "train/", 1)
    return metric, way or params.get("objective.direction", "minimize")


def _member(place: int, run: "Run") -> tuple[Planned, Result]:
    info, tags, numbers = run.info, run.data.tags, run.data.metrics
    name, fingerprint = info.run_name or "", tags["harness.fingerprint"]
    plugins = tuple(json_tag(tags, "harness.plugins") or ())
    lines = tuple(shlex.split(tags.get("hydra.overrides", "")))
    planned = Planned((place,), fingerprint, name, lines, dict(run.data.params), (), plugins)
    metrics = {key: value for key, value in numbers.items() if key not in CURVES}
    outcome = tags.get("harness.outcome", RUNNING) if info.status != "RUNNING" else RUNNING
    reason, end = tags.get("harness.reason", ""), info.end_time or info.start_time
    return planned, Result(
        fingerprint, outcome, info.start_time, end, metrics=metrics, reason=reason
    )
