"""A wall clock that is set back: what MLflow is told goes forward all the same."""

import os
import time
from itertools import count

import pytest

from tests.support.commands import SHORT, harness, unfinish
from tests.support.recorded import client_and_runs

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


def points(folder):
    """What the parent shows of the sweep's progress: by metric, times and steps."""
    client, [parent] = client_and_runs(os.environ["MLFLOW_TRACKING_URI"], folder, "sweep")
    histories = {
        key: client.get_metric_history(parent.info.run_id, key) for key in parent.data.metrics
    }
    return {key: [(p.timestamp, p.step) for p in history] for key, history in histories.items()}


def check(folder):
    """Nothing ends before it began, no later point is earlier."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    client, runs = client_and_runs(uri, folder)
    _, [parent] = client_and_runs(uri, folder, "sweep")
    assert len(runs) == 2
    for run in (*runs, parent):
        assert run.info.status == "FINISHED"
        assert run.info.start_time <= run.info.end_time <= parent.info.end_time
        for key in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, key)
            in_time = sorted(history, key=lambda point: (point.timestamp, point.step))
            assert in_time == sorted(history, key=lambda point: (point.step, point.timestamp))


def test_a_clock_that_is_set_back_again_and_again(place, capsys, monkeypatch):
    calls, now = count(), time.time()
    monkeypatch.setattr("harness.tracking.publishing.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("time.time", lambda: now - 60 * next(calls))
    assert harness(capsys, "-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here").code == 0
    check(place / "here")


def test_a_clock_that_is_set_back_between_start_and_resume(launched, capsys, monkeypatch):
    folder, now = launched("-m", "seed=1,2"), time.time()
    unfinish(folder)
    before = points(folder)
    monkeypatch.setattr("harness.tracking.publishing.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("time.time", lambda: now - 1e6)
    assert harness(capsys, "resume", str(folder)).code == 0
    check(folder)
    for key, after in points(folder).items():
        new = {*after} - {*before.get(key, ())}
        assert min(new, default=(now * 1000, 0)) >= max(before.get(key, [(0, 0)])), key
