"""Secrets that must not be kept, and names and values that are longer or odder than most."""

import os
from pathlib import Path

import pytest
from mlflow import MlflowClient

from harness.tracking.backend.uri import ADDRESS
from tests.support.commands import SHORT, closing_lines, harness, merged, refused
from tests.support.recorded import QUIET

pytestmark = QUIET
PASSWORD, TOKEN = "hunter2-is-secret", "tok-3n-is-secret"
WIDTHS = ",".join(["1"] * 2001)  # as a param longer than MLflow takes
SNOW = "☃ ../../evil: a=b"


@pytest.fixture
def sweep(workplace, capsys):
    """The closing lines of a small sweep."""

    def run(*arguments):
        code, out, err = harness(
            capsys, *merged("-m", *SHORT[:3], "hydra.sweep.dir=here", *arguments)
        )
        assert code == 0, err
        return closing_lines(out)

    return run


def kept(uri, sweep_id_of):
    """All that a store says of a sweep's runs, and their files."""
    client = MlflowClient(uri)
    parent = client.get_run(sweep_id_of["record"].rpartition("run=")[2])
    experiment, sweep = parent.info.experiment_id, parent.data.tags["harness.sweep"]
    runs = client.search_runs([experiment], f"tags.`harness.sweep` = '{sweep}'")
    assert len(runs) == 3
    texts = [str(run.to_dictionary()) for run in runs]
    folders = [client.download_artifacts(run.info.run_id, "") for run in runs]
    files = [path for each in folders for path in Path(each).rglob("*") if path.is_file()]
    return runs, "".join(texts).encode() + b"".join(path.read_bytes() for path in files)


def test_passwords_and_tokens_are_in_no_file_and_in_no_record(
    sweep, database, monkeypatch, capsys
):
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setenv("TOKEN", TOKEN)
    uri = database.replace("postgres@", f"postgres:{PASSWORD}@")
    lines = sweep(f"tracking.uri={uri}", "+tracking.tags.token=${oc.env:TOKEN}", "seed=1,2")
    assert PASSWORD not in lines["record"]
    _, record = kept(database, lines)
    files = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
    for secret in (PASSWORD, TOKEN):
        assert secret.encode() not in files
        assert secret.encode() not in record
    assert ADDRESS not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert harness(capsys, "resume", "here").code == 0


def test_what_is_no_text_is_refused(workplace, capsys, monkeypatch):
    bad = os.fsdecode(b"\xff")
    for word in (f"tracking.run_name='{bad}'", f"hydra.sweep.dir='{bad}'"):
        said = refused(capsys, "-m", "seed=1,2", word)
        assert "\\udcff'\" is no valid UTF-8, and could not be recorded" in said
    (workplace / bad).mkdir()
    monkeypatch.chdir(workplace / bad)
    assert "is no valid UTF-8" in refused(capsys)


def test_odd_names_and_long_values_are_recorded_and_lead_nowhere(sweep, place, store):
    table = place / "tab le ☃.csv"
    table.write_text("a b,y\n" + "\n".join(f"{i},{i * i}" for i in range(20)))
    lines = sweep(
        "dataset=csv",
        f"dataset.path='{table}'",
        "dataset.target=y",
        f"model.hidden=[{WIDTHS}]",
        f"tracking.run_name='{SNOW}'",
        f"tracking.experiment='{SNOW}'",
        f"+tracking.tags.long='{'x' * 9000}'",
        "seed=1,2",
    )
    runs, record = kept(store, lines)
    assert record.count(b"  - 1\n" * 2001) == 2  # whole in each config.yaml
    children = [run for run in runs if run.data.tags["harness.role"] == "run"]
    for run in children:
        assert run.info.status == "FINISHED"
        assert len(run.data.params["model.hidden"]) == 6000
        assert run.data.params["model.hidden"].endswith("… (cut)")
        assert run.data.params["dataset.path"] == str(table)
    assert {run.info.run_name for run in runs} == {SNOW, "seed=1", "seed=2"}
    assert not (place.parent.parent / "evil").exists()
    named = {path.name for path in Path("here").rglob("*")}
    assert not any("evil" in name or "☃" in name for name in named)
