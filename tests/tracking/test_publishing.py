"""Publishing beside the training: what it writes of a run, and how it leaves the process."""

import gc
import sqlite3
from contextlib import closing

import pytest
import yaml

from harness.tracking.artifacts import dump_yaml
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.publishing import Publishing
from tests.conftest import make_config
from tests.support.recorded import QUIET, manifest, planned, result
from tests.support.slow import until

pytestmark = QUIET
CONFIG = make_config(
    seed=7,
    dataset={"name": "csv", "path": "a b/ü 学.csv", "target": "yes", "task": None},
    optimizer={"name": "adam", "learning_rate": 1e-05, "note": "two\nlines: # and '\"", "x": "1"},
    model={"name": "mlp", "hidden": [32, 32], "empty": [], "none": {}, "of": "${oc.env:HOME}"},
)
FIGURES = {"names": [], "members": ["loss"], "best": 1, "timeline": False}


def test_a_config_is_the_same_text_by_libyaml():
    slow = yaml.safe_dump(CONFIG, sort_keys=False, allow_unicode=True)
    assert dump_yaml(CONFIG).decode() == slow
    assert yaml.safe_load(slow) == CONFIG


@pytest.fixture
def publishing(tmp_path):
    """The publishing of one run that goes on for long."""
    run = planned(0, config=make_config(figures=FIGURES))
    sweep = manifest(tmp_path, runs=(run,), figures=FIGURES)
    at_work = Publishing(sqlite_uri(tmp_path / "mlflow.db"), sweep, tmp_path)
    yield at_work
    at_work.queue.close()


def test_python_collects_garbage_as_the_caller_has_set_it(publishing):
    before = gc.get_threshold()
    publishing.queue.wait_until_open()
    assert gc.get_threshold() == before


def test_when_time_is_short_no_run_is_left_running(tmp_path):
    base, plain = tmp_path / "mlflow.db", FIGURES | {"members": []}
    runs = tuple(planned(at, config=make_config(seed=at)) for at in range(60))
    sweep = manifest(tmp_path, runs=runs, figures=plain)
    at_work = Publishing(sqlite_uri(base), sweep, tmp_path)
    at_work.show([(run, result(run, outcome="running")) for run in runs])
    until(lambda: len(at_work.run_ids) == len(runs))
    for run in runs:
        at_work.submit(run, result(run, outcome="stopped"))
    at_work.stop()
    at_work.queue.close(within=0.2)
    with closing(sqlite3.connect(base)) as store:
        ended = store.execute("SELECT status FROM runs WHERE name LIKE 'seed=%'").fetchall()
    assert ended == [("KILLED",)] * 60


def test_a_run_is_published_with_its_picture(publishing, tmp_path):
    [run] = publishing.manifest.runs
    publishing.submit(run, result(run))
    publishing.queue.close()
    assert publishing.queue.error is None
    assert run.fingerprint in publishing.run_ids
    assert len([*(tmp_path / "mlartifacts").rglob("plots/loss.png")]) == 1
    [config] = (tmp_path / "mlartifacts").rglob("config.yaml")
    assert yaml.safe_load(config.read_text()) == run.config
