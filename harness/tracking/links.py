"""Links into the MLflow UI: the curves of the last sweep or single run, its leaderboard."""

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from harness.tracking.backend.connection import Connection
from harness.tracking.backend.queries import experiment_ids, tag_filter
from harness.tracking.read_run import missing_files

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

COMPARED = 10  # runs, at most
TRAINING = {"workflowType": "machine_learning"}  # else the UI opens in its mode for LLM apps


def links(connection: Connection, base: str) -> dict[str, str]:
    """Return the links `sweep`, `best`, `compare` and `leaderboard` that exist."""
    return connection.ask(_links, connection.client, base.rstrip("/"))


def sweep_link(base: str, experiment_id: str, sweep_id: str, metric: str, ascending: bool) -> str:
    """Return the link to a sweep's runs as charts, the best runs shown."""
    # Sorted by a metric, the runs stand alone; sorted by time the UI folds them into their parent,
    # and its charts are empty. Without `/runs` in the path it drops the query.
    query = {
        **TRAINING,
        "compareRunsMode": "CHART",
        "searchFilter": tag_filter(sweep=sweep_id, role="run"),
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": str(ascending).lower(),
    }
    return f"{base}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def run_link(base: str, experiment_id: str, run_id: str) -> str:
    """Return the link to a run's charts."""
    path = f"experiments/{experiment_id}/runs/{run_id}/model-metrics"
    return f"{base}/#/{path}?{urlencode(TRAINING)}"


def leaderboard_link(base: str, experiment_id: str, parent_id: str) -> str:
    """Return the link to the parent's leaderboard, with the sweep's figures beside it."""
    path = f"experiments/{experiment_id}/runs/{parent_id}/artifacts/leaderboard.json"
    return f"{base}/#/{path}?{urlencode(TRAINING)}"


def compare_link(base: str, experiment_id: str, run_ids: list[str]) -> str:
    """Return the link to a comparison of runs: parallel coordinates, a table of differences."""
    query = {"runs": json.dumps(run_ids), "experiments": json.dumps([experiment_id]), **TRAINING}
    return f"{base}/#/compare-runs?{urlencode(query, quote_via=quote)}"


def _links(client: "MlflowClient", base: str) -> dict[str, str]:
    newest = _newest(client)
    if newest is None:
        return {}
    tags, experiment = newest.data.tags, newest.info.experiment_id
    parent_id = newest.info.run_id
    if tags.get("harness.role") != "sweep":
        if "mlflow.parentRunId" not in tags:
            return {"best": run_link(base, experiment, newest.info.run_id)}
        parent_id = tags["mlflow.parentRunId"]
    about = client.get_run(parent_id).data.tags
    metric, _, direction = about.get("harness.objective", "train/loss").partition(" ")
    ascending, sweep = direction != "maximize", tags["harness.sweep"]
    found = {"sweep": sweep_link(base, experiment, sweep, metric, ascending)}
    if best := about.get("best_run_id"):
        found["best"] = run_link(base, experiment, best)
    wanted = tag_filter(sweep=sweep, role="run")
    order = f"metrics.`{metric}` {'ASC' if ascending else 'DESC'}"
    runs = client.search_runs([experiment], wanted, order_by=[order], max_results=COMPARED)
    if len(runs) > 1:
        ids = [run.info.run_id for run in runs]
        found["compare"] = compare_link(base, experiment, ids)
    found["leaderboard"] = leaderboard_link(base, experiment, parent_id)
    return found


def missing_of_newest(connection: Connection) -> str:
    """Return a sentence if the files of the last run that ended are not where MLflow looks."""
    client = connection.client
    every, order = connection.ask(experiment_ids, client), ["attributes.start_time DESC"]
    wanted = "tags.`harness.outcome` != ''"
    runs = connection.ask(client.search_runs, every, wanted, 1, 1, order)
    return missing_files(connection, runs[0]) if runs else ""


def _newest(client: "MlflowClient") -> "Run | None":
    """Return the run of ours that started last, in any experiment; None if there is none."""
    order = ["attributes.start_time DESC"]
    runs = client.search_runs(experiment_ids(client), "tags.`harness.sweep` != ''", 1, 1, order)
    return runs[0] if runs else None
