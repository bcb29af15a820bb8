"""Which store and experiment are meant, and that passwords stay out of records."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.tracking.backend.uri import (
    database_file,
    experiment_name,
    sqlite_uri,
    tracking_uri,
    without_credentials,
)

HERE = Path("/here")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (None, "sqlite:////here/mlflow.db"),
        ("sqlite:///runs/a.db", "sqlite:////here/runs/a.db"),
        ("sqlite:///../a.db", "sqlite:////a.db"),
        ("sqlite:////there/a.db?timeout=5", "sqlite:////there/a.db?timeout=5"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql+psycopg2://me:pw@host/runs", "postgresql+psycopg2://me:pw@host/runs"),
        ("databricks", "databricks"),
    ],
)
def test_the_store_is_as_asked_with_an_absolute_path(asked, meant):
    assert tracking_uri(asked, HERE) == meant


def test_what_is_asked_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:1")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "there")
    assert tracking_uri("sqlite:////a.db", HERE) == "sqlite:////a.db"
    assert tracking_uri(None, HERE) == "http://there:1"
    assert (experiment_name("here"), experiment_name(None)) == ("here", "there")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    assert experiment_name(None) == "harness"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("mlruns", "no longer keeps runs in a plain folder"),
        ("file:///mlruns", "no longer keeps runs in a plain folder"),
        ("sqlite://", "no file in it"),
        ("sqlite:///:memory:", "no file in it"),
        ("http://", "no host in it"),
        ("localhost:5000", "no kind of store is called 'localhost'"),
        ("ftp://me:secret@host", "'ftp'"),
    ],
)
def test_what_is_no_store_is_told(asked, told):
    with pytest.raises(UsageError, match=told) as error:
        tracking_uri(asked, HERE)
    assert "tracking.uri=" in str(error.value)
    assert len(str(error.value).splitlines()) <= 3


def test_a_plain_folder_is_accepted_where_mlflow_is_told_to(monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert tracking_uri("mlruns", HERE) == "file:///here/mlruns"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000/base", "http://host:5000/base"),
        ("https://token@host/a@b", "https://host/a@b"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("postgresql://me:se/cr#et@host:5432/runs", "postgresql://host:5432/runs"),
        ("mysql+pymysql://me@host/runs?charset=utf8", "mysql+pymysql://host/runs?charset=utf8"),
        ("postgresql://host/runs?user=me&password=secret", "postgresql://host/runs"),
        ("sqlite:////home/a:b@c/mlflow.db", "sqlite:////home/a:b@c/mlflow.db"),
    ],
)
def test_passwords_are_not_shown(uri, shown):
    assert without_credentials(uri) == shown


@pytest.mark.parametrize("name", ["plain", "two words", "100%", "what?", "a#b", "%20", "ü"])
def test_any_path_makes_the_way_to_an_address_and_back(name, monkeypatch):
    path = HERE / name / "mlflow.db"
    assert database_file(sqlite_uri(path)) == path
    assert database_file(tracking_uri(None, HERE / name)) == path
