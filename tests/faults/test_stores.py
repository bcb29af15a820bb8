"""A store that is new, broken, away or flaky, and values that MLflow would refuse."""

import os
import socket
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from harness.errors import DiskError, TrackingError
from harness.store.results import Curve
from harness.tracking.backend import connection
from harness.tracking.backend.name_limits import fit_lines
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.read_run import read_run
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.recorded import PARAMS, QUIET, files, manifest, planned, result

pytestmark = QUIET


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a picture, or a letter" * 99, "not a database"),
        ("CREATE TABLE customers (name TEXT)", "of another program"),
        ("CREATE TABLE experiments (name TEXT)", "half made"),
    ],
)
def test_a_file_that_is_no_store_is_left_alone(tmp_path, content, reason):
    path = tmp_path / "mlflow.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as base:
            base.execute(content)
    before = path.read_bytes()
    with pytest.raises(TrackingError, match=reason) as told:
        SweepRecorder(sqlite_uri(path), manifest(tmp_path), tmp_path).open()
    assert str(path) in str(told.value)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_disk_trouble(tmp_path):
    (tmp_path / "file").write_text("in the way")
    uri = sqlite_uri(tmp_path / "file" / "mlflow.db")
    with pytest.raises(DiskError):
        SweepRecorder(uri, manifest(tmp_path), tmp_path).open()


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("kind", ["http", "postgresql"])
def test_a_store_out_of_reach_is_told_within_bounds(tmp_path, monkeypatch, closed_port, kind):
    monkeypatch.setattr(connection, "AWAY_SECONDS", 1.0)
    uri = f"{kind}://me:secret@127.0.0.1:{closed_port}/base"
    publisher = SweepRecorder(uri, manifest(tmp_path), tmp_path)
    for bound in (15, 5):  # the second time it does not wait
        start = time.monotonic()
        with pytest.raises(TrackingError, match="Connection refused") as told:
            publisher.open()
        assert time.monotonic() - start < bound
        assert "secret" not in str(told.value)
    assert f"127.0.0.1:{closed_port}" in str(told.value)


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr(connection, "AWAY_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match="no answer in time"):
            SweepRecorder(uri, manifest(tmp_path), tmp_path).open()


def test_a_store_that_comes_back_is_waited_for(tmp_path):
    uri = sqlite_uri(tmp_path / "mlflow.db")
    publisher = SweepRecorder(uri, manifest(tmp_path), tmp_path)
    publisher.open()
    [run, *_] = publisher._manifest.runs
    client, tries = publisher.connection.client, []
    log_batch = client.log_batch

    def flaky(*arguments, **options):
        tries.append(1)
        if len(tries) < 3:
            raise MlflowException("database is locked")
        log_batch(*arguments, **options)

    client.log_batch = flaky
    run_id = publisher.publish(run, result(run), {}, PARAMS, {})
    assert read_run(uri, run_id).outcome == "ok"


@pytest.mark.parametrize("single", [True, False])
def test_a_lost_answer_leaves_one_run(tmp_path, single):
    uri, sweep = sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path, 1, single)
    publisher = SweepRecorder(uri, sweep, tmp_path)
    publisher.open()
    client, late = publisher.connection.client, []
    create_run = client.create_run

    def unanswered(*arguments, **options):
        if not late:  # the first is carried out only after the second
            late.append((arguments, options))
            raise MlflowException("API request failed with exception: Read timed out")
        made = create_run(*arguments, **options)
        create_run(*late[0][0], **late[0][1])
        return made

    client.create_run = unanswered
    [run] = sweep.runs
    run_id = publisher.publish(run, result(run), files(result(run)), PARAMS, {})
    publisher.finish("FINISHED", {}, {}, {})
    found = client.search_runs([publisher.writer.experiment_id], "tags.`harness.role` = 'run'")
    assert [(one.info.run_id, one.info.status) for one in found] == [(run_id, "FINISHED")]


def test_what_mlflow_would_refuse_is_changed_visibly(tmp_path, caplog):
    uri = sqlite_uri(tmp_path / "mlflow.db")
    sweep = manifest(tmp_path, 1, name="n" * 9000)
    [run] = sweep.runs
    made = result(run)
    wild = Curve(np.arange(3), np.array([1.0, np.inf, np.nan]), np.arange(3) + made.started)
    made = replace(
        made,
        curves={**made.curves, "val/[odd] @ name": wild, "val/(odd) @ name": wild},
        metrics={**made.metrics, "../up": 1.0, "val/none": float("nan")},
    )
    params = {"long": "x" * 7000, **{f"field{i}": "1" for i in range(250)}}
    publisher = SweepRecorder(uri, sweep, tmp_path)
    publisher.open()
    files = {"../../outside.txt": b"", "plots/in.png": b""}
    run_id = publisher.publish(run, made, files, params, {"note": "y" * 9000, "t@g": "v"})
    note = fit_lines("| row |\n" * 3000)
    publisher.finish("FINISHED", {}, {"mlflow.note.content": note}, {})
    data = MlflowClient(uri).get_run(run_id).data
    assert len(data.params) == 251
    assert data.params["long"].endswith("… (cut)")
    assert data.tags["note"].endswith("… (cut)")
    assert data.tags["t_g"] == "v"
    assert {"val/_odd_ _ name", "val/_odd_ _ name_2", "___up"} <= set(data.metrics)
    assert all(np.isfinite(value) for value in data.metrics.values())
    parent = MlflowClient(uri).get_run(publisher.parent_run_id)
    assert "cut" in parent.data.tags["mlflow.note.content"][-60:]
    assert len(caplog.messages) == 1
    assert not [*tmp_path.parent.rglob("outside.txt")] or (
        next(tmp_path.rglob("outside.txt")).is_relative_to(tmp_path / "mlartifacts")
    )


def test_settings_of_the_user_are_put_back(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    publisher = SweepRecorder(sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path, 1), tmp_path)
    publisher.open()
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    run_id = publisher.publish(planned(0), result(planned(0)), {}, PARAMS, {})
    assert run_id != "f" * 32
