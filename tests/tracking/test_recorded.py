"""What the publisher takes for published, and what it keeps in mind of a run that is."""

import pytest

from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.read_run import read_run
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.recorded import PARAMS, QUIET, manifest, result

pytestmark = QUIET


def test_a_run_cut_short_after_its_creation_is_not_taken_for_published(tmp_path):
    uri, sweep = sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path, 1)
    [run] = sweep.runs
    first = SweepRecorder(uri, sweep, tmp_path)
    first.open()

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    first.connection.client.log_batch = killed
    with pytest.raises(KeyboardInterrupt):
        first.publish(run, result(run), {}, PARAMS, {})
    again = SweepRecorder(uri, sweep, tmp_path)
    again.open()
    assert again.published(run, result(run)) is None
    [there] = again._search(role="run")
    assert read_run(uri, there.info.run_id).outcome == ""
    assert again.publish(run, result(run), {}, PARAMS, {}) == there.info.run_id
    record = read_run(uri, there.info.run_id)
    assert (record.outcome, record.params) == ("ok", PARAMS)


def test_what_is_known_of_a_published_run_is_small(tmp_path):
    sweep = manifest(tmp_path, 1)
    [run] = sweep.runs
    publisher = SweepRecorder(sqlite_uri(tmp_path / "mlflow.db"), sweep, tmp_path)
    publisher.open()
    publisher.publish(run, result(run, "running", 3), {}, PARAMS, {})
    assert publisher._runs[run.fingerprint].points
    publisher.publish(run, result(run), {}, PARAMS, {})
    assert not publisher._runs[run.fingerprint].points
    assert set(publisher._runs[run.fingerprint].unread) >= {"train/loss", "val/loss"}
