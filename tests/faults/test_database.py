"""A PostgreSQL that dies in the middle and comes back."""

import pytest
from mlflow import MlflowClient

from harness.errors import OutOfReach
from harness.tracking.backend import connection
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.recorded import PARAMS, QUIET, manifest, result

pytestmark = QUIET


def opened(uri, folder, count):
    folder.mkdir()
    publisher = SweepRecorder(uri, manifest(folder, count), folder)
    publisher.open()
    return publisher


def publish(publisher):
    for run in publisher._manifest.runs:
        publisher.publish(run, result(run), {}, PARAMS, {})


def ended(publisher):
    runs = publisher._search(role="run")
    client = MlflowClient(publisher.connection.uri)
    points = [len(client.get_metric_history(run.info.run_id, "train/loss")) for run in runs]
    return sorted(run.info.status for run in runs), points


def test_a_database_that_dies_and_comes_back_holds_each_run_once(
    postgresql, database, workplace, monkeypatch
):
    monkeypatch.setattr(connection, "AWAY_SECONDS", 1.0)
    publisher = opened(database, workplace / "dies", 3)
    first = publisher._manifest.runs[0]
    publisher.publish(first, result(first), {}, PARAMS, {})
    postgresql.stop("immediate")
    try:
        with pytest.raises(OutOfReach):
            publish(publisher)
    finally:
        postgresql.start()
    publish(publisher)
    assert ended(publisher) == (["FINISHED"] * 3, [5] * 3)
