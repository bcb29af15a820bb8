"""What a sweep leaves in MLflow, once: in SQLite, in PostgreSQL, and over HTTP in either."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import numpy as np
import pytest
from mlflow import MlflowClient

from harness.errors import TrackingError, UsageError
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.entities import table_json
from harness.tracking.parent_run import TABLE
from harness.tracking.read_run import read_run
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.recorded import PARAMS, QUIET, START, files, manifest, planned, result

pytestmark = QUIET
# For tests that do not differ by what is behind the server; others have all kinds of `uri`.
BOTH = ["sqlite", pytest.param("server", marks=pytest.mark.database)]
sqlite_and_server = pytest.mark.parametrize("uri", BOTH, indirect=True)


def publish_all(uri, tmp_path, sweep, outcome="ok"):
    publisher = SweepRecorder(uri, sweep, tmp_path)
    publisher.open()
    for run in sweep.runs:
        made = result(run, outcome)
        publisher.publish(run, made, files(made), PARAMS, {"team": "blue"})
    table = {
        "run": [run.name for run in sweep.runs],
        "loss": [0.1, float("nan"), 0.3][: len(sweep.runs)],
    }
    leaderboard = {"leaderboard.csv": b"run\n", "leaderboard.json": table_json(table)}
    tags = {
        "mlflow.note.content": "| a |\n|---|\n",
        "mlflow.loggedArtifacts": json.dumps([TABLE]),
    }
    publisher.finish("FINISHED", {}, tags, leaderboard)
    return publisher


def runs_of(publisher):
    client = MlflowClient(publisher.connection.uri)
    wanted = f"tags.`harness.sweep` = '{publisher._manifest.sweep_id}'"
    found = client.search_runs([publisher.writer.experiment_id], wanted)
    parents = [run for run in found if run.data.tags["harness.role"] == "sweep"]
    children = [run for run in found if run.data.tags["harness.role"] == "run"]
    return client, parents, sorted(children, key=lambda run: run.data.tags["harness.fingerprint"])


def test_importing_it_does_not_import_mlflow():
    modules = (f"harness.tracking.{name}" for name in ("sweep_recorder", "read_run", "links"))
    code = f"import {', '.join(modules)}\n"
    code += "import sys; assert 'mlflow' not in sys.modules and 'sqlalchemy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sweep_is_a_parent_and_its_runs(uri, tmp_path):
    publisher = publish_all(uri, tmp_path, manifest(tmp_path))
    _, [parent], children = runs_of(publisher)
    assert parent.info.run_id == publisher.parent_run_id
    assert (parent.info.run_name, parent.info.status) == ("the whole sweep", "FINISHED")
    assert parent.data.tags["hydra.overrides"] == "-m 'seed=range(3)'"
    assert [run.info.run_name for run in children] == ["seed=0", "seed=1", "seed=2"]
    for run in children:
        tags = run.data.tags
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert tags["harness.outcome"] == "ok"
        assert tags["hydra.overrides"].startswith("a=1 seed=")
        assert (tags["team"], tags["mlflow.source.name"]) == ("blue", "harness")
        assert run.data.params == PARAMS
        assert (run.info.status, run.info.start_time) == ("FINISHED", START)
        assert run.info.end_time == result(planned(0)).ended
        parts = {one.tags[0].value: one.dataset.digest for one in run.inputs.dataset_inputs}
        assert parts == {"train": "train-digest", "validation": "validation-digest"}


@sqlite_and_server
def test_a_run_comes_back_as_it_was(uri, tmp_path):
    sweep = manifest(tmp_path, 1, single=True)
    publisher = publish_all(uri, tmp_path, sweep)
    assert publisher.parent_run_id is None
    _, parents, [run] = runs_of(publisher)
    assert not parents
    record, made = read_run(uri, run.info.run_id), result(sweep.runs[0])
    assert (record.name, record.outcome, record.status) == ("seed=0", "ok", "FINISHED")
    assert record.config == "seed: 0\n"
    assert set(record.curves) == {"train/loss", "val/loss"}
    for key, curve in made.curves.items():
        assert np.array_equal(record.curves[key][0], curve.steps)
        assert np.array_equal(record.curves[key][1], curve.values)
    assert {key: record.metrics[key] for key in made.metrics} == made.metrics
    assert len(record.weights) == len(made.weights)
    assert all(map(np.array_equal, record.weights, made.weights))


def test_publishing_again_stores_nothing_twice(tmp_path):
    uri, sweep = sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path)
    first = publish_all(uri, tmp_path, sweep)
    counts = rows(tmp_path)
    second = publish_all(uri, tmp_path, sweep)
    assert rows(tmp_path) == counts
    assert counts["metrics"] == 3 * (5 + 5 + 3)
    assert second.parent_run_id == first.parent_run_id


def test_a_publication_cut_short_is_completed_not_doubled(tmp_path):
    uri, sweep = sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path)
    publish_all(uri, tmp_path, sweep)
    counts = rows(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as base, base:
        base.execute("DELETE FROM tags WHERE key = 'harness.published'")
        base.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL")
    publisher = publish_all(uri, tmp_path, sweep)
    assert rows(tmp_path) == counts
    assert {run.info.status for run in runs_of(publisher)[2]} == {"FINISHED"}


def rows(tmp_path):
    tables = ("metrics", "params", "runs", "tags", "inputs", "datasets")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as base:
        return {t: base.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


@sqlite_and_server
def test_a_long_run_is_seen_while_it_runs(uri, tmp_path):
    sweep = manifest(tmp_path, 1)
    publisher = SweepRecorder(uri, sweep, tmp_path)
    publisher.open()
    [run] = sweep.runs
    for points in (2, 3):
        run_id = publisher.publish(run, result(run, "running", points), {}, PARAMS, {})
        _, _, [child] = runs_of(publisher)
        assert child.info.status == "RUNNING"
        assert "harness.outcome" not in child.data.tags
        assert len(read_run(uri, run_id).curves["train/loss"][0]) == points
    assert publisher.publish(run, result(run), {}, PARAMS, {}) == run_id
    client, _, [child] = runs_of(publisher)
    assert len(client.get_metric_history(run_id, "train/loss")) == 5
    assert child.info.status == "FINISHED"


def test_a_resumed_run_keeps_its_id_and_has_each_point_once(uri, tmp_path):
    sweep = manifest(tmp_path, 1)
    [run] = sweep.runs
    first = SweepRecorder(uri, sweep, tmp_path)
    first.open()
    run_id = first.publish(run, result(run, "stopped", 3), {}, PARAMS, {})
    assert runs_of(first)[2][0].info.status == "KILLED"
    again = SweepRecorder(uri, sweep, tmp_path)
    again.open()
    assert again.published(run, result(run, "stopped", 3)) == run_id
    again.publish(run, result(run, "running", 4, seconds=30), {}, PARAMS, {})
    assert runs_of(again)[2][0].info.status == "RUNNING"
    assert again.publish(run, result(run, seconds=30), {}, PARAMS, {}) == run_id
    client, _, [child] = runs_of(again)
    assert [p.step for p in client.get_metric_history(run_id, "val/loss")] == [0, 10, 20, 30, 40]
    assert (child.info.status, child.data.tags["harness.outcome"]) == ("FINISHED", "ok")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("pruned", "FINISHED"), ("diverged", "FAILED"), ("failed", "FAILED"), ("stopped", "KILLED")],
)
def test_the_status_is_true(server, tmp_path, outcome, status):
    publisher = publish_all(server, tmp_path, manifest(tmp_path, 1, single=True), outcome)
    _, _, [run] = runs_of(publisher)
    assert (run.info.status, run.data.tags["harness.outcome"]) == (status, outcome)


@sqlite_and_server
def test_the_parent_shows_the_leaderboard(uri, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # load_table asks there
    publisher = publish_all(uri, tmp_path, manifest(tmp_path))
    publisher.show_progress({"runs/finished": 3.0, "runs/none": float("inf")}, {})
    client, [parent], _ = runs_of(publisher)
    assert parent.data.tags["mlflow.note.content"] == "| a |\n|---|\n"
    table = client.load_table(
        publisher.writer.experiment_id, "leaderboard.json", [parent.info.run_id]
    )
    assert table["run"].tolist() == ["seed=0", "seed=1", "seed=2"]
    assert table["loss"].isna().tolist() == [False, True, False]
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {
        "leaderboard.csv",
        "leaderboard.json",
    }
    assert parent.data.metrics == {"runs/finished": 3.0}
    tags = client.get_experiment(publisher.writer.experiment_id).tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "val/best_loss"


def test_what_the_user_said_of_the_experiment_stays(tmp_path):
    uri, sweep = sqlite_uri(tmp_path / "mlflow.db"), manifest(tmp_path)
    publisher = publish_all(uri, tmp_path, sweep)
    key = "mlflow.experiment.primaryMetric.name"
    MlflowClient(uri).set_experiment_tag(publisher.writer.experiment_id, key, "val/r2")
    publish_all(uri, tmp_path, sweep)
    assert MlflowClient(uri).get_experiment(publisher.writer.experiment_id).tags[key] == "val/r2"


def test_files_lie_beside_the_database(tmp_path):
    odd = tmp_path / "a folder, 100% ü#1"
    odd.mkdir()
    publish_all(sqlite_uri(odd / "mlflow.db"), odd, manifest(odd, 1, single=True))
    [weights] = (odd / "mlartifacts").rglob("weights.npz")
    assert weights.read_bytes()


def test_an_unknown_run_is_told(uri, tmp_path):
    publish_all(uri, tmp_path, manifest(tmp_path, 1, single=True))
    for unknown in ("0" * 32, "no such", "../x"):
        with pytest.raises(UsageError, match="no run"):
            read_run(uri, unknown)
    with pytest.raises(UsageError, match=r"no MLflow store at .*none\.db"):
        read_run(sqlite_uri(tmp_path / "none.db"), "0" * 32)


def test_a_deleted_experiment_is_told(tmp_path):
    uri = sqlite_uri(tmp_path / "mlflow.db")
    publisher = publish_all(uri, tmp_path, manifest(tmp_path, 1, single=True))
    MlflowClient(uri).delete_experiment(publisher.writer.experiment_id)
    with pytest.raises(TrackingError, match="'trying' is deleted"):
        SweepRecorder(uri, manifest(tmp_path), tmp_path).open()


def test_threads_may_share_a_publisher(tmp_path):
    sweep = manifest(tmp_path, 6)
    publisher = SweepRecorder(sqlite_uri(tmp_path / "mlflow.db"), sweep, tmp_path)
    publisher.open()

    def publish(run):
        publisher.publish(run, result(run), {}, PARAMS, {})

    threads = [threading.Thread(target=publish, args=(run,)) for run in sweep.runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(publisher.published(run, result(run)) for run in sweep.runs)
