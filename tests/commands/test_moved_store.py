"""A store whose folder was moved: each command says where files were, and are not.

MLflow keeps the absolute path of each run's files, so that they do not move with the folder.
"""

from pathlib import Path

import pytest

import harness as package
from harness.errors import UsageError
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.links import missing_of_newest
from harness.tracking.read_run import connect_store
from tests.support.commands import SHORT, harness

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
MISSING = "are not where MLflow looks for them: no config.yaml and no weights.npz in"


@pytest.fixture
def moved(workplace, monkeypatch):
    """A folder with a store of one run, moved after it was recorded; and the run."""
    (workplace / "old").mkdir()
    monkeypatch.chdir(workplace / "old")
    run = package.run([*SHORT, "hydra.run.dir=here"])
    monkeypatch.chdir(workplace)
    Path("old").rename("moved")
    monkeypatch.chdir("moved")
    return workplace, run


@pytest.mark.parametrize("command", ["report", "reproduce", "compare"])
def test_a_command_says_where_the_files_of_a_run_were(moved, capsys, command):
    workplace, run = moved
    _, out, err = harness(capsys, command, *[run.run_id] * (2 if command == "compare" else 1))
    assert MISSING in err
    assert f"{workplace / 'old' / 'mlartifacts'}" in err
    assert "weights: " not in out
    if command == "compare":
        assert out.endswith("verdict: same (bits), without the weights, which are not there\n")


def test_a_run_whose_files_were_moved_is_not_loaded(moved):
    with pytest.raises(UsageError, match=MISSING):
        package.load(moved[1].run_id)


def test_the_ui_says_so_before_it_serves(moved):
    assert MISSING in missing_of_newest(
        connect_store(sqlite_uri(moved[0] / "moved" / "mlflow.db"))
    )


def test_resume_says_that_the_store_is_not_where_it_was(moved, capsys):
    code, _, err = harness(capsys, "resume", "here")
    assert code == 0
    path = moved[0] / "old" / "mlflow.db"
    assert err == (
        f"harness: warning: no MLflow store is at {path}, where this was to be recorded: "
        "it is made anew\n"
    )


def test_resume_says_that_the_files_of_a_recorded_run_are_not_there(workplace, capsys, caplog):
    run = package.run([*SHORT, "hydra.run.dir=here"])
    Path("mlartifacts").rename("elsewhere")
    assert harness(capsys, "resume", "here").code == 0
    said = f"the files of run {run.run_id} are not where MLflow looks for them"
    assert [message.startswith(said) for message in caplog.messages] == [True]


@pytest.mark.parametrize("command", ["reproduce", "compare"])
def test_weights_that_are_not_there_are_not_called_the_same(workplace, capsys, command):
    run = package.run(SHORT)
    [weights] = Path("mlartifacts").rglob("weights.npz")
    weights.unlink()
    _, out, err = harness(capsys, command, *[run.run_id] * (2 if command == "compare" else 1))
    assert "are not where MLflow looks for them: no weights.npz in" in err
    assert "weights: " not in out
    assert "verdict: same (bits), without the weights, which are not there" in out
