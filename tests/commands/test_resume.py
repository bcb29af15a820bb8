"""`harness resume`: what is missing is done, with what was planned or with what is accepted."""

import json
import os
import threading
import time

import numpy as np
import pytest

from harness.store.locks import sweep_lock
from harness.store.manifest import read_manifest
from tests.support import forks
from tests.support.commands import harness, unfinish, variables
from tests.support.recorded import client_and_runs
from tests.support.strangers import MINE, forget, strangers, upgrade

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


@pytest.fixture
def mine(tmp_path_factory):
    with strangers(tmp_path_factory.mktemp("path") / "site-packages") as installed:
        installed.install("mine-dist", MINE, activation__mine="Mine")
        yield installed


@pytest.fixture
def recorded_in(place):
    """The address of the store."""
    return os.environ["MLFLOW_TRACKING_URI"]


def states(uri, folder):
    _, runs = client_and_runs(uri, folder)
    return {run.info.run_id: run.to_dictionary() for run in runs}


def test_a_plugin_that_changed_is_told_before_anything_is_trained(
    launched, mine, recorded_in, capsys
):
    folder = launched("-m", "activation=mine", "seed=1,2")
    unfinish(folder)
    upgrade(mine)
    before = states(recorded_in, folder)
    code, out, err = harness(capsys, "resume", str(folder))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 3
    assert f"{folder}/manifest.json: runs are still to be trained" in err
    assert "activation=mine: planned mine-dist 1.2 (" in err
    assert "there is mine-dist 1.3 (" in err
    assert "--accept-drift" in err
    assert len([*(folder / "results").glob("*.npz")]) == 1
    assert states(recorded_in, folder) == before


def test_accepted_drift_is_recorded_where_it_happened(launched, mine, recorded_in, capsys):
    folder = launched("-m", "activation=mine", "seed=1,2")
    missing = unfinish(folder, numerics=read_manifest(folder).numerics | {"numpy": "1.0"})
    upgrade(mine)
    assert harness(capsys, "resume", str(folder), "--accept-drift").code == 0
    _, runs = client_and_runs(recorded_in, folder)
    found = {run.data.tags["harness.fingerprint"]: run.data.tags for run in runs}
    assert len(runs) == len(found) == 2
    for fingerprint, tags in found.items():
        drifted = fingerprint == missing
        plugins = {p["kind"]: p for p in json.loads(tags["harness.plugins"])}
        assert plugins["activation"]["version"] == ("1.3" if drifted else "1.2")
        assert ("harness.drift" in tags) == drifted
    assert json.loads(found[missing]["harness.numerics"])["numpy"] == np.__version__
    assert "numpy: planned 1.0, there is" in found[missing]["harness.drift"]
    assert "planned mine-dist 1.2" in found[missing]["harness.drift"]
    assert read_manifest(folder).runs[0].plugins[2]["version"] == "1.2"


def test_what_is_trained_is_published_whatever_has_changed(launched, mine, capsys):
    folder = launched("-m", "activation=mine", "seed=1,2")
    upgrade(mine)
    assert harness(capsys, "resume", str(folder)).code == 0


def test_a_plugin_that_is_gone_is_named(launched, mine, capsys):
    folder = launched("activation=mine", "seed=1")
    unfinish(folder)
    for path in (mine.folder / "mine_dist-1.2.dist-info").iterdir():
        path.unlink()
    forget()
    code, _, err = harness(capsys, "resume", str(folder))
    assert code == 2
    assert "activation: there is no 'mine'" in err
    assert "planned with that of mine-dist 1.2" in err


def test_data_that_changed_are_told_and_recorded_if_accepted(launched, place, recorded_in, capsys):
    table = place / "d.csv"
    table.write_text("a,y\n" + "".join(f"{i},{i % 7}\n" for i in range(20)))
    csv = ("dataset=csv", f"dataset.path={table}", "dataset.target=y")
    line = ["figures=none", "tracking.model=none", "epochs=2", *csv, "hydra.run.dir=here"]
    assert harness(capsys, *line).code == 0
    unfinish(folder := place / "here")
    table.write_text(table.read_text() + "20,1\n")
    code, _, err = harness(capsys, "resume", "here")
    assert code == 2
    assert f"{table}, train: planned" in err
    assert "(16 rows), there is" in err
    assert harness(capsys, "resume", "here", "--accept-drift").code == 0
    _, [run] = client_and_runs(recorded_in, folder)
    assert "(17 rows)" in run.data.tags["harness.drift"]


def test_a_table_named_by_a_relative_path_is_found_from_any_directory(place, capsys, monkeypatch):
    rows = "".join(f"{i},{i % 7}\n" for i in range(20))
    (place / "d.csv").write_text(f"a,y\n{rows}")
    csv = ("dataset=csv", "dataset.path=d.csv", "dataset.target=y")
    line = ["figures=none", "tracking.model=none", "epochs=2", *csv, "hydra.sweep.dir=here"]
    assert harness(capsys, "-m", "seed=1,2", *line).code == 0
    unfinish(folder := place / "here")
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert harness(capsys, "resume", "../here").code == 0
    assert len([*(folder / "results").glob("*.npz")]) == 2


def test_a_search_is_compared_too(launched, mine, recorded_in, capsys):
    space = ["optimizer.learning_rate=interval(0.01,0.1)", "activation=mine"]
    folder = launched("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", *space)
    first = sorted((folder / "results").glob("*.npz"))[0]
    first.unlink()
    upgrade(mine)
    code, _, err = harness(capsys, "resume", str(folder))
    assert code == 2
    assert "activation=mine: planned mine-dist 1.2" in err
    assert harness(capsys, "resume", str(folder), "--accept-drift").code == 0
    _, runs = client_and_runs(recorded_in, folder)
    drifted = {r.data.tags["harness.fingerprint"] for r in runs if "harness.drift" in r.data.tags}
    assert drifted == {first.stem}
    assert len(runs) == 2


def test_ghosts_and_leftovers_are_removed(launched, recorded_in, capsys):
    folder = launched("-m", "seed=1,2")
    client, runs = client_and_runs(recorded_in, folder)
    copied = ("harness.sweep", "harness.role", "mlflow.parentRunId")
    tags = {key: runs[0].data.tags[key] for key in copied}
    for fingerprint in (runs[0].data.tags["harness.fingerprint"], "nowhere"):
        client.create_run(
            runs[0].info.experiment_id, tags=tags | {"harness.fingerprint": fingerprint}
        )
    names = ("results/a.npz", "manifest.json", "optimization_results.yaml")
    leftovers = [folder / f"{name}.7.tmp" for name in names]
    for path in leftovers:
        path.write_bytes(b"half")
    assert harness(capsys, "resume", str(folder)).code == 0
    _, after = client_and_runs(recorded_in, folder)
    assert {run.info.run_id for run in after} == {run.info.run_id for run in runs}
    assert not any(path.exists() for path in leftovers)


@pytest.mark.fault
def test_one_of_two_that_resume_waits_and_each_run_is_done_once(launched, recorded_in, capsys):
    folder = launched("-m", "seed=1,2")
    unfinish(folder)
    env = variables(MLFLOW_TRACKING_URI=recorded_in)
    with sweep_lock(folder):  # until both are there
        two = [forks.start("resume", str(folder), cwd=folder, env=env) for _ in range(2)]
        for process in two:
            while "another process is at work there; waiting" not in process.said()[1]:
                time.sleep(0.05)
    assert [process.wait() for process in two] == [0, 0], two[0].said()
    assert two[0].said()[0] == two[1].said()[0]
    _, runs = client_and_runs(recorded_in, folder)
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert harness(capsys, "resume", str(folder)).out == two[0].said()[0]


def test_jobs_of_a_foreign_launcher_are_waited_for_and_wait_in_turn(tmp_path, caplog):
    done = []

    def work(job=None):
        with sweep_lock(tmp_path, job):
            done.append(job)

    with sweep_lock(tmp_path, "a"), sweep_lock(tmp_path, "b"):  # beside each other
        assert caplog.text == ""
        whole = threading.Thread(target=work)
        whole.start()
        while "another process is at work" not in caplog.text:
            time.sleep(0.01)
        late = threading.Thread(target=work, args=["c"])
        late.start()
        assert done == []
    whole.join()
    late.join()
    assert done == [None, "c"]
    assert not [*tmp_path.glob(".job-[ab].lock")]
