"""A tracking store that is not there, goes away or comes back: nothing is lost or there twice."""

import pytest

from tests.commands import SHORT, closing_lines, harness
from tests.recorded import QUIET
from tests.servers import free_port

pytestmark = QUIET


@pytest.fixture
def impatient(monkeypatch):
    """Waits are short."""
    monkeypatch.setattr("harness.tracking.connection.PATIENCE", 0.5)
    monkeypatch.setattr("harness.sweeps.HASTE", 0.5)
    monkeypatch.setattr("harness.outbox.FIRST", 0.2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture
def silent():
    """The port of a server that takes connections and never says anything."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(params=["refused", "silent", "unknown name", "postgresql"])
def nowhere(request, workplace, monkeypatch, impatient):
    """The address of a store that is out of reach."""
    if request.param == "silent":
        uri = f"http://127.0.0.1:{request.getfixturevalue('silent')}"
    elif request.param == "unknown name":
        uri = "http://nobody.invalid:5000"
    else:
        kind = "postgresql" if request.param == "postgresql" else "http"
        uri = f"{kind}://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def test_without_a_store_all_is_trained_and_kept(nowhere, workplace, capsys):
    code, out, err = harness(capsys, "-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here")
    assert code == 75
    assert closing_lines(out)["runs"] == "2 finished, 0 diverged, 0 failed"
    assert len([*(workplace / "here" / "results").glob("*.npz")]) == 2
    told, kept = err.splitlines()[-2:]
    assert told.startswith(f"harness: {nowhere}")
    assert kept == f"  all that is trained is kept: harness resume {workplace / 'here'}"
    assert (out + err).count("not published for now, training goes on") == 1


def test_of_a_run_that_diverged_and_a_store_out_of_reach_the_store_is_told_by_the_code(
    workplace, monkeypatch, impatient, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    code, out, err = harness(capsys, *SHORT, "optimizer.learning_rate=1e300")
    assert (code, closing_lines(out)["runs"]) == (75, "0 finished, 1 diverged, 0 failed")
    assert "diverged: " in err


def test_without_a_store_that_is_required_nothing_is_trained(nowhere, workplace, capsys):
    line = ["-m", "seed=1,2", *SHORT, "tracking.required=true", "hydra.sweep.dir=here"]
    code, out, err = harness(capsys, *line)
    assert (code, out) == (75, "")
    said = err[err.index("harness: ") :].splitlines()
    assert len(said) == 3
    assert said[0].startswith(f"harness: {nowhere}")
    assert said[2] == (
        f"  0 of 2 runs are done and kept; to go on: harness resume {workplace / 'here'}"
    )
    assert not (workplace / "here" / "results").exists()
