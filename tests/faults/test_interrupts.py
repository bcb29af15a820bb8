"""Ctrl-C and SIGTERM, whatever the program is at: it ends soon, and tells the truth."""

import os
import signal
import socket
import sqlite3
import time
from contextlib import closing, suppress

import psutil
import pytest

from harness.tracking.backend.uri import sqlite_uri
from tests.support import forks
from tests.support.commands import SHORT, merged, variables
from tests.support.recorded import client_and_runs
from tests.support.slow import slow_in, until

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
HANGING = "activation.first=3600"
WORKERS = ("-m", "seed=1,2", "hydra.launcher.engine=processes", "hydra.launcher.workers=2")
BUSY = {
    "slow epochs": ("activation.first=3", "activation.seconds=3", "epochs=100"),
    "hanging plugin": (HANGING,),
    "busy plugin": (HANGING, "activation.busy=true"),
    "hanging workers": (HANGING, *WORKERS),
}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
CASES = [(kind, signal.SIGINT) for kind in BUSY]
CASES += [(kind, signal.SIGTERM) for kind in ("busy plugin", "hanging workers")]


@pytest.fixture
def slow(tmp_path):
    with slow_in(tmp_path) as slow:
        yield slow


@pytest.fixture
def begun(slow, place):
    """A program in its first epoch, which may never end."""

    def start(*line, **env):
        folders = ("hydra.run.dir=here", "hydra.sweep.dir=here")
        process = forks.start(
            *merged(*SHORT, *slow.line, *folders, *line), cwd=place, env=variables(**env)
        )
        until(lambda: slow.times("begun"))
        return process

    return start


def ended(process, number):
    """Its exit code and how long that took, all its children being gone, too."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    began = time.monotonic()
    process.signal(number, group=number == signal.SIGINT)  # Ctrl-C is for all of them
    code = process.wait()
    took = time.monotonic() - began
    assert psutil.wait_procs(family, timeout=10)[1] == []
    return code, took


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_one_signal_ends_it_within_ten_seconds_and_its_runs_are_killed(begun, place, kind, number):
    uri = os.environ["MLFLOW_TRACKING_URI"]
    process = begun(*BUSY[kind], MLFLOW_TRACKING_URI=uri)
    code, took = ended(process, number)
    _, err = process.said()
    print(kind, number, took)
    assert (code, took < 10) == (CODES[number], True), (took, err)
    assert f"to finish: harness resume {place / 'here'}" in err
    assert "Traceback" not in err
    _, runs = client_and_runs(uri, place / "here")
    assert {run.info.status for run in runs} == {"KILLED"}


def recorded(base):
    """How many runs a store's file has."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(base)) as store:
        return store.execute("SELECT count(*) FROM runs").fetchone()[0]
    return 0


def test_a_signal_while_it_publishes_leaves_nothing_running(workplace):
    """All is trained by then: the main thread is waiting for the one that publishes."""
    line = ("-m", "seed=range(60)", *SHORT[1:], "hydra.sweep.dir=here")
    process, base = forks.start(*line, cwd=workplace, env=variables()), workplace / "mlflow.db"
    until(lambda: len([*workplace.glob("here/results/*.npz")]) == 60 and recorded(base) > 2)
    code, took = ended(process, signal.SIGINT)
    assert (code, took < 10) == (130, True), (took, process.said())
    runs, parents = (
        {
            run.info.status
            for run in client_and_runs(sqlite_uri(base), base.parent / "here", role)[1]
        }
        for role in ("run", "sweep")
    )
    assert (runs <= {"FINISHED"}, parents) == (True, {"KILLED"})


@pytest.fixture
def silent():
    """The address of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_server_that_hangs_is_waited_for_within_ten_seconds_or_not_at_all(
    begun, place, silent, times
):
    process = begun(HANGING, MLFLOW_TRACKING_URI=silent)
    began = time.monotonic()
    process.signal(signal.SIGINT)
    if times == 2:
        with pytest.raises(TimeoutError):
            process.wait(1)
        process.signal(signal.SIGINT)
    code, took = process.wait(), time.monotonic() - began
    print(times, took)
    assert (code, took < (10 if times == 1 else 4)) == (130, True), took
    if times == 1:
        assert f"to finish: harness resume {place / 'here'}" in process.said()[1]


@pytest.mark.parametrize("number", CODES, ids=str)
def test_while_it_plans_nothing_is_created_yet(workplace, number):
    """Planning reads the data: here a pipe into which nothing is written."""
    os.mkfifo(workplace / "d.csv")
    line = ("dataset=csv", "dataset.path=d.csv", "dataset.target=y", *SHORT[:-1])
    process = forks.start("-m", "seed=1,2", *line, cwd=workplace, env=variables())
    with (workplace / "d.csv").open("w"):  # opens when the other end does
        code, took = ended(process, number)
    assert (code, took < 10) == (CODES[number], True), took
    assert "Traceback" not in process.said()[1]
    assert [path.name for path in workplace.iterdir()] == ["d.csv"]
