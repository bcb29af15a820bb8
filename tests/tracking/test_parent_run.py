"""The parent run while its sweep goes on."""

import re
from dataclasses import replace

import pytest

from harness.cli import main
from harness.store.manifest import read_manifest
from harness.store.results import read_result
from harness.tracking.backend.uri import sweep_store_uri
from harness.tracking.publishing import Publishing
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.commands import unfinish
from tests.support.recorded import client_of, runs_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


def test_the_parent_shows_how_far_a_sweep_is(workplace, monkeypatch):
    monkeypatch.setattr("harness.tracking.publishing.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("harness.tracking.publishing.SHARE", 0)
    notes, show = [], SweepRecorder.show_progress

    def noted(self, metrics, tags):
        notes.extend(re.findall(r"(\d) of 3 runs done", tags.get("mlflow.note.content", "")))
        show(self, metrics, tags)

    monkeypatch.setattr(SweepRecorder, "show_progress", noted)
    assert main(["-m", "seed=1,2,3", "epochs=3", "figures=none", "tracking.model=none"]) == 0
    client = client_of(f"sqlite:///{workplace}/mlflow.db")
    parents, _ = runs_of(client)
    trained = client.get_metric_history(parents[0].info.run_id, "sweep/trained")
    assert [point.value for point in trained] == [3.0]
    finished = client.get_metric_history(parents[0].info.run_id, "sweep/finished")
    assert [point.value for point in finished] == [1.0, 2.0, 3.0]
    assert notes == ["1", "2", "3"]
    assert "runs done" not in parents[0].data.tags["mlflow.note.content"]


@pytest.mark.parametrize("whole", [True, False])
def test_one_job_of_a_sweep_says_nothing_of_what_others_do(place, launched, monkeypatch, whole):
    folder = launched("-m", "seed=1,2")
    unfinish(folder)
    monkeypatch.setattr("harness.tracking.publishing.LOOK_SECONDS", 0.0)
    shown = []
    monkeypatch.setattr(SweepRecorder, "show_progress", lambda self, *what: shown.append(what))
    manifest = read_manifest(folder)
    at_work = Publishing(sweep_store_uri(manifest), manifest, folder, whole=whole)
    [run, _] = manifest.runs
    at_work.submit(run, replace(read_result(folder, run.fingerprint), ended=1))
    at_work.queue.close()
    assert at_work.queue.error is None
    [(metrics, tags)] = shown
    assert metrics["sweep/trained"] == 1
    assert ("1 of 2 runs done" in tags.get("mlflow.note.content", "")) == whole
    assert ("sweep/finished" in metrics) == whole
