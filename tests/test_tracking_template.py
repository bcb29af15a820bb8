"""A new store is copied from a template, and is what MLflow itself would have made."""

import gzip
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from mlflow import MlflowClient

from harness.tracking import sqlite, template
from harness.tracking.uri import sqlite_uri
from tests.recorded import QUIET

pytestmark = QUIET


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; the template's path in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return template.cached()


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """The bytes of a template."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        sqlite.prepare(folder / "mlflow.db")
        return template.cached().read_bytes()


@pytest.fixture
def warm(cache, good):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(good)
    return cache


def made(folder):
    folder.mkdir()
    sqlite.prepare(folder / "mlflow.db")
    return folder / "mlflow.db"


def dump(path):
    """All that is in a store, but for its folder, the times and MLflow's order of constraints."""
    with closing(sqlite3.connect(path)) as base:
        times = base.execute("SELECT creation_time, last_update_time FROM experiments").fetchone()
        text = "\n".join(base.iterdump()).replace(str(path.parent), "HERE")
        pragmas = ("journal_mode", "user_version", "page_size", "auto_vacuum", "encoding")
        settings = [base.execute(f"PRAGMA {name}").fetchone() for name in pragmas]
    for moment in times:
        text = text.replace(str(moment), "NOW")
    return sorted(line.strip(" \t,") for line in text.splitlines()), settings


def test_a_copy_is_what_mlflow_makes(tmp_path, cache):
    first = made(tmp_path / "first")
    assert cache.exists()
    second = made(tmp_path / "second")
    assert dump(first) == dump(second)
    experiment = MlflowClient(sqlite_uri(second)).get_experiment("0")
    assert experiment.artifact_location == (second.parent / "mlartifacts" / "0").as_uri()
    assert abs(experiment.creation_time - 1000 * second.stat().st_mtime) < 60_000


def test_a_copy_is_made_without_a_migration(tmp_path, warm, monkeypatch):
    before = warm.stat().st_mtime_ns
    monkeypatch.setattr(template, "keep", lambda path: pytest.fail("made anew"))
    made(tmp_path / "copied")
    assert warm.stat().st_mtime_ns == before


def foreign(statement):
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute(statement)
        return gzip.compress(base.serialize())


def altered(content, statement):
    with closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(gzip.decompress(content))
        base.execute(statement)
        base.commit()
        return gzip.compress(base.serialize())


OLD = "UPDATE alembic_version SET version_num = 1"
FULL = "INSERT INTO experiments (experiment_id, name) VALUES (7, 'theirs')"
HARM = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "one bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "no gzip": lambda content: b"a letter " * 999,
    "no database": lambda content: gzip.compress(b"a letter " * 999),
    "of another program": lambda content: foreign("CREATE TABLE customers (name TEXT)"),
    "of another version": lambda content: altered(
        content, "UPDATE alembic_version SET version_num = 1"
    ),
    "with somebody's experiments": lambda content: altered(content, FULL),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_bad_template_does_no_harm_and_is_replaced(tmp_path, warm, good, harm):
    bad = HARM[harm](good)
    warm.write_bytes(bad)
    path = made(tmp_path / "store")
    names = [each.name for each in MlflowClient(sqlite_uri(path)).search_experiments()]
    assert names == ["Default"]
    assert warm.read_bytes() != bad
    assert dump(made(tmp_path / "next")) == dump(path)


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_without_a_cache_a_store_is_made_all_the_same(tmp_path, monkeypatch, variable):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    assert sqlite.is_store(made(tmp_path / "store"))


MAKE = """
import sys
from pathlib import Path
from harness.tracking import sqlite
import mlflow.store.tracking.sqlalchemy_store
print("ready", flush=True)
sys.stdin.readline()
sqlite.prepare(Path(sys.argv[1]))
"""


@pytest.fixture
def maker(cache):
    """A program that makes a store, once it is told to; with the same empty cache."""
    started = []

    def start(path):
        path.parent.mkdir()
        command = [sys.executable, "-W", "ignore", "-c", MAKE, str(path)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def tell(process):
    process.stdin.write(b"go\n")
    process.stdin.flush()


def test_two_programs_make_one_template(tmp_path, cache, maker):
    paths = [tmp_path / name / "mlflow.db" for name in "ab"]
    programs = [maker(path) for path in paths]
    for program in programs:
        tell(program)
    assert [program.wait(60) for program in programs] == [0, 0]
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]
    assert dump(made(tmp_path / "c")) == dump(paths[0]) == dump(paths[1])


def test_a_template_whose_making_was_killed_is_made_again(tmp_path, cache, maker):
    program = maker(tmp_path / "a" / "mlflow.db")
    tell(program)
    end = time.monotonic() + 60
    while not cache.parent.exists():  # it is made just before the template is written
        assert time.monotonic() < end
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    path = made(tmp_path / "b")
    assert cache.exists()
    assert dump(made(tmp_path / "c")) == dump(path)
