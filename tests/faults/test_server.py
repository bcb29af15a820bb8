"""A tracking server that is slow, errs, hangs up or dies, and that records all the same once."""

import os
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.cli import main
from tests.support.commands import harness, merged
from tests.support.proxy import proxy_of
from tests.support.recorded import QUIET
from tests.support.servers import TrackingServer

pytestmark = QUIET
SHORT = ["epochs=3", "dataset.samples=20", "figures=none"]
SWEEP = ["-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    there = TrackingServer(tmp_path_factory.mktemp("server"))
    there.start()
    yield there
    there.kill()


@pytest.fixture(scope="module")
def proxy(server):
    with proxy_of(server.base) as between:
        yield between


@pytest.fixture
def here(proxy, workplace, monkeypatch, request):
    """An empty folder to train in, with the server behind the proxy as the store.

    A call is tried again soon: each of some forty is harmed once, and waited for.
    """
    monkeypatch.setattr("harness.tracking.backend.connection.LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", request.node.name)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    proxy.seen.clear()
    yield workplace
    proxy.fault = well


def record(uri, folder):
    """All that a sweep left, but for ids, times and what the wall clock measures."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    runs = client.search_runs([experiment.experiment_id])
    models = client.search_logged_models([experiment.experiment_id])
    return sorted(_record(client, run, str(folder)) for run in runs), len(models)


def _record(client, run, folder):
    data, files = run.data, {}
    child = data.tags["harness.role"] == "run"
    for file in _files(client, run.info.run_id) if child else ():
        files[file] = Path(client.download_artifacts(run.info.run_id, file, folder)).read_bytes()
    curves = {
        key: [
            (point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)
        ]
        for key in data.metrics
        if child and key != "train/seconds"
    }
    return (
        run.info.run_name,
        run.info.status,
        sorted(data.params.items()),
        sorted(curves.items()),
        sorted(files.items()),
        len(run.inputs.dataset_inputs),
        data.tags.get("harness.outcome", ""),
    )


def _files(client, run_id, folder=""):
    for item in client.list_artifacts(run_id, folder):
        if item.is_dir:
            yield from _files(client, run_id, item.path)
        else:
            yield item.path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the sweep leaves in a plain file that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "undisturbed")
        assert main(SWEEP) == 0
        return record(f"sqlite:///{folder}/mlflow.db", folder)


def well(proxy, request):
    return ""


def slow(proxy, request):
    return "late" if len(proxy.seen) % 8 == 1 else ""


def wrong_for_a_while(proxy, request):
    return "500" if 3 < len(proxy.seen) < 8 or 15 < len(proxy.seen) < 19 else ""


def hung_up_before(proxy, request):
    return "reset before" if Counter(proxy.seen)[request] == 1 else ""


def hung_up_after(proxy, request):
    times = Counter(proxy.seen)[request]
    return "reset after" if times == 1 or (request.endswith("create") and times % 2) else ""


@pytest.mark.parametrize("fault", [slow, wrong_for_a_while, hung_up_before, hung_up_after])
def test_a_server_at_fault_is_left_with_each_run_once(here, proxy, undisturbed, capsys, fault):
    proxy.fault = fault
    code, _, err = harness(capsys, *SWEEP)
    assert code == 0, err
    proxy.fault = well
    assert record(proxy.uri, here) == undisturbed


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("harness.tracking.backend.connection.AWAY_SECONDS", 0.5)
    monkeypatch.setattr("harness.sweeps.execute.STORE_AWAY_SECONDS", 0.5)


def test_a_server_killed_in_the_middle_is_left_with_each_run_once(
    here, proxy, server, undisturbed, capsys, impatient
):
    def killed(proxy, request):
        if len(proxy.seen) == 12:
            server.kill()
        return ""

    proxy.fault = killed
    code, _, err = harness(capsys, *SWEEP)
    server.start()
    assert code == 75
    assert f"  all that is trained is kept: harness resume {here / 'here'}" in err
    assert harness(capsys, "resume", "here").code == 0
    assert record(proxy.uri, here) == undisturbed


def test_a_sweep_stops_when_a_server_that_is_required_goes_away(here, proxy, capsys, impatient):
    proxy.fault = lambda proxy, request: "500" if len(proxy.seen) > 8 else ""
    line = merged(
        *SWEEP, "epochs=100000000", "tracking.log_every=100000", "tracking.required=true"
    )
    code, _, err = harness(capsys, *line)
    assert code == 75
    *_, told, why, kept = err.splitlines()
    assert told.startswith(f"harness: {proxy.uri}")
    assert "tracking.required=true" in why
    assert kept.endswith(
        f"0 of 2 runs are done and kept; to go on: harness resume {here / 'here'}"
    )
