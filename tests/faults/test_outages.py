"""A tracking store that is not there, goes away or comes back: nothing is lost or there twice."""

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.tracking import publish_queue
from harness.tracking.backend import sqlite
from tests.support import forks
from tests.support.commands import SHORT, closing_lines, harness, variables
from tests.support.proxy import proxy_of
from tests.support.recorded import QUIET
from tests.support.servers import free_port

pytestmark = QUIET


@pytest.fixture
def impatient(monkeypatch):
    """Waits are short."""
    monkeypatch.setattr("harness.tracking.backend.connection.AWAY_SECONDS", 0.5)
    monkeypatch.setattr("harness.sweeps.execute.STORE_AWAY_SECONDS", 0.5)
    monkeypatch.setattr("harness.tracking.publish_queue.FIRST_RETRY_SECONDS", 0.2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture
def silent():
    """The port of a server that takes connections and never says anything."""
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


@pytest.fixture
def flaky(server, workplace, monkeypatch, impatient):
    """A way to a server, and what was said of it so far."""
    told = []
    monkeypatch.setattr(
        publish_queue.log, "filters", [lambda record: told.append(record.msg) or True]
    )
    with proxy_of(server) as proxy:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", workplace.name)
        yield proxy, told


@pytest.mark.parametrize("heard", [0, 12], ids=["at the start", "in the middle"])
def test_a_server_that_is_away_for_a_while_costs_nothing(flaky, capsys, heard):
    proxy, told = flaky
    proxy.fault = lambda proxy, _: "reset before" if len(proxy.seen) > heard and not told else ""
    code, out, err = harness(capsys, "-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here")
    assert code == 0, err
    assert [message.partition(":")[0] for message in told] == [
        "not published for now, training goes on",
        "the store is back",
    ]
    assert closing_lines(out)["runs"] == "2 finished, 0 diverged, 0 failed"
    assert "resume" not in out + err


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of an MLflow store."""
    path = tmp_path_factory.mktemp("good") / "mlflow.db"
    sqlite.prepare_store(path)
    return path.read_bytes()


def of_another(path):
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE customers (name TEXT)")


PAGE = 4096
HARM = {
    "garbage": lambda path, good: path.write_bytes(os.urandom(len(good))),
    "cut short": lambda path, good: path.write_bytes(good[: len(good) // 2]),
    "half overwritten": lambda path, good: path.write_bytes(
        good[: len(good) // 2] + os.urandom(len(good) // 2)
    ),
    "pages overwritten": lambda path, good: path.write_bytes(
        good[: 3 * PAGE] + os.urandom(2 * PAGE) + good[5 * PAGE :]
    ),
    "a folder": lambda path, good: path.mkdir(),
    "of another program": lambda path, good: of_another(path),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_store_that_is_damaged_is_left_as_it_is(workplace, capsys, good, harm):
    path = workplace / "mlflow.db"
    HARM[harm](path, good)
    before = path.is_file() and path.read_bytes()
    code, _, err = harness(capsys, "-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here")
    assert code == 75, err
    assert err.splitlines()[-2].startswith(f"harness: {path}: ")
    assert len([*(workplace / "here" / "results").glob("*.npz")]) == 2
    assert (path.is_file() and path.read_bytes()) == before
    path.rename(workplace / "moved away")
    code, out, err = harness(capsys, "resume", "here")
    assert code == 0, err
    assert "(not published)" not in out


def test_a_store_without_a_byte_is_a_new_one(workplace, capsys):
    (workplace / "mlflow.db").touch()
    assert harness(capsys, "seed=1", *SHORT).code == 0
    assert sqlite.is_store(workplace / "mlflow.db")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_store_that_may_not_be_read_or_written_is_told(good):
    with TemporaryDirectory(prefix="harness-") as name:  # pytest's own are closed to others
        path, theirs = Path(name, "mlflow.db"), Path(name, "theirs")
        path.write_bytes(good)
        theirs.mkdir()
        for folder, mode in ((path.parent, 0o755), (theirs, 0o777)):
            folder.chmod(mode)
        env = variables(MLFLOW_TRACKING_URI=f"sqlite:///{path}")
        line = ["-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here"]
        sweep = forks.start(
            *line, cwd=theirs, env=env, before=("tests.support.crashes:be_nobody",)
        )
        assert sweep.wait() in (74, 75), "".join(sweep.said())
        assert f"harness: {path}: " in sweep.said()[1]
        assert path.read_bytes() == good
        resumed = forks.start("resume", str(theirs / "here"), cwd=theirs, env=env)
        assert resumed.wait() == 0, resumed.said()
