"""kill -9, and resumed under another environment: the plan's numbers count, another text is
refused."""

import signal
import time

import pytest

from harness.store.manifest import read_manifest
from harness.store.results import read_result
from tests.support import forks
from tests.support.commands import harness_process, variables
from tests.support.recorded import QUIET

pytestmark = QUIET
QUICK = ("figures=none", "tracking.model=none")
RATE = "optimizer.learning_rate=${oc.env:LR}"
ONE_BY_ONE = ("hydra.launcher.stack_bytes=1", "hydra.sweep.dir=here", "epochs=${oc.env:LONG}")
SEARCH = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "activation=tanh,relu")
KINDS = {
    "single": ("hydra.run.dir=here", "epochs=${oc.env:LONG}"),
    "grid": ("-m", "seed=1,2,3,4", *ONE_BY_ONE),
    "search": (*SEARCH, *ONE_BY_ONE),
}
PLANNED = {"LR": "0.125", "LONG": "4000"}


def kill(place, line, env):
    """Start a run or a sweep, and kill it once it trains; of a sweep, once one run is done."""
    going = forks.start(*QUICK, *line, cwd=place, env=variables(**env))
    here, single = place / "here", "-m" not in line
    until = time.monotonic() + 60
    while not (here / "manifest.json" if single else here / "results").exists():
        assert time.monotonic() < until, going.said()
        time.sleep(0.02)
    going.signal(signal.SIGKILL)
    assert going.wait() == -signal.SIGKILL, "it ended before it was killed"
    return here


def params(place):
    from mlflow import MlflowClient

    from harness.tracking.backend.uri import sqlite_uri

    client = MlflowClient(sqlite_uri(place / "mlflow.db"))
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(ids, "tags.`harness.role` = 'run'")
    return [run.data.params for run in runs]


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_is_that_of_the_plan_after_a_kill(tmp_path, kind):
    folder = kill(tmp_path, (*KINDS[kind], RATE), PLANNED)
    again = harness_process("resume", "here", cwd=tmp_path, LR="0.5", LONG="7")
    assert again.code == 0, again.err
    found = params(tmp_path)
    assert len(found) == (1 if kind == "single" else 4 if kind == "grid" else len(found))
    assert {run["optimizer.learning_rate"] for run in found} == {"0.125"}
    assert {run["epochs"] for run in found} == {"4000"}
    assert "${oc.env:LR}" in " ".join(read_manifest(folder).overrides)
    for run in read_manifest(folder).runs:
        assert read_result(folder, run.fingerprint).last_epoch == 4000


def table(place, name, slope):
    lines = "\n".join(f"{i / 20},{slope * i}" for i in range(20))
    (place / name).write_text(f"x,y\n{lines}\n")


TEXT = ("dataset=csv", "dataset.path=${oc.env:TABLE}", "dataset.target=y")


@pytest.mark.parametrize("kind", KINDS)
def test_another_text_is_refused_after_a_kill_and_the_planned_one_goes_on(tmp_path, kind):
    for name, slope in (("a.csv", 1), ("b.csv", 2)):
        table(tmp_path, name, slope)
    folder = kill(tmp_path, (*KINDS[kind], *TEXT), PLANNED | {"TABLE": "a.csv"})
    other = harness_process("resume", "here", cwd=tmp_path, **PLANNED | {"TABLE": "b.csv"})
    assert other.code == 2, other.err
    assert "dataset.path" in other.err
    assert "b.csv" not in other.err
    unset = harness_process("resume", "here", cwd=tmp_path)
    assert unset.code == 2, unset.err
    again = harness_process("resume", "here", cwd=tmp_path, LONG="7", TABLE="a.csv")
    assert again.code == 0, again.err
    assert {run["dataset.path"] for run in params(tmp_path)} == {"${oc.env:TABLE}"}
    assert b"a.csv" not in (folder / "manifest.json").read_bytes()


def test_the_same_command_in_a_grids_folder_takes_no_other_values(tmp_path):
    kill(tmp_path, (*KINDS["grid"], RATE), PLANNED)
    before = (tmp_path / "here/manifest.json").read_bytes()
    line = (*QUICK, *KINDS["grid"], RATE)
    again = harness_process(*line, cwd=tmp_path, **PLANNED | {"LR": "0.5"})
    assert again.code == 2, again.err
    assert "optimizer.learning_rate: planned 0.125, now 0.5" in again.err
    assert (tmp_path / "here/manifest.json").read_bytes() == before
