"""The store's SQLite file is looked at before it is written to."""

import os

import pytest

from harness.errors import TrackingError
from harness.tracking.backend import sqlite
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.uri import sqlite_uri
from tests.support.recorded import QUIET

pytestmark = QUIET
PAGE = 4096


@pytest.fixture
def damaged(tmp_path):
    """A store two of whose pages were overwritten."""
    path = tmp_path / "mlflow.db"
    sqlite.prepare_store(path)
    with path.open("r+b") as file:
        file.seek(3 * PAGE)
        file.write(os.urandom(2 * PAGE))
    return path


def test_overwritten_pages_are_found_before_the_store_is_written_to(damaged):
    before = damaged.read_bytes()
    for _ in range(2):  # what is damaged is looked at again
        with pytest.raises(TrackingError, match=rf"{damaged}: the database is damaged \(.*age"):
            Connection(sqlite_uri(damaged), 0.0).open(for_writing=True)
    assert damaged.read_bytes() == before
    Connection(sqlite_uri(damaged), 0.0).open()  # to read what can be read


def test_a_whole_file_is_looked_at_once_a_process(tmp_path, monkeypatch):
    path = tmp_path / "mlflow.db"
    sqlite.prepare_store(path)
    sqlite.require_whole(path)
    looked = []
    monkeypatch.setattr(sqlite, "_reading", looked.append)
    sqlite.require_whole(path)
    assert looked == []


def test_a_large_file_is_not_looked_at(damaged, monkeypatch):
    monkeypatch.setattr(sqlite, "CHECKED_BYTES", damaged.stat().st_size - 1)
    sqlite.require_whole(damaged)
    assert damaged not in sqlite._whole
