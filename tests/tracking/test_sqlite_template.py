"""A new store is copied from a template, and is what MLflow itself would have made."""

import gzip
import random
import signal
import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient

from harness.tracking.backend import sqlite, sqlite_template
from harness.tracking.backend.uri import sqlite_uri
from tests.support import forks
from tests.support.commands import variables
from tests.support.recorded import QUIET

pytestmark = QUIET


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; the template's path in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sqlite_template.template_path()


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """The bytes of a template."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        sqlite.prepare_store(folder / "mlflow.db")
        return sqlite_template.template_path().read_bytes()


@pytest.fixture
def warm(cache, good):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(good)
    return cache


def made(folder):
    folder.mkdir(exist_ok=True)
    sqlite.prepare_store(folder / "mlflow.db")
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
    monkeypatch.setattr(sqlite_template, "keep_template", lambda path: pytest.fail("made anew"))
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


def older(content):
    return altered(content, "UPDATE alembic_version SET version_num = 1")


FULL = "INSERT INTO experiments (experiment_id, name) VALUES (7, 'theirs')"
HARM = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "one bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    "no gzip": lambda content: b"a letter " * 999,
    "no database": lambda content: gzip.compress(b"a letter " * 999),
    "of another program": lambda content: foreign("CREATE TABLE customers (name TEXT)"),
    "with somebody's experiments": lambda content: altered(content, FULL),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_bad_template_is_not_used(tmp_path, warm, good, harm):
    warm.write_bytes(HARM[harm](good))
    assert not sqlite_template.copy_template(tmp_path / "copied")
    assert not (tmp_path / "copied").exists()


@pytest.mark.parametrize("harm", [HARM["one bit"], older], ids=["damaged", "older"])
def test_a_bad_template_does_no_harm_and_is_replaced(tmp_path, warm, good, harm):
    bad = harm(good)
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


def tidy(folder):
    """Whether nothing is left that was only there while a store was made."""
    return not [file for file in folder.iterdir() if file.suffix in (".lock", ".new", ".copy")]


@pytest.fixture
def start(cache):
    """Starts a program that makes a store, with the same cache; it may be killed at a step."""

    def start(path, *last):
        path.parent.mkdir(exist_ok=True)
        before = ("tests.support.crashes:make_store", str(path), *last)
        env = variables(XDG_CACHE_HOME=str(cache.parent.parent))
        return forks.start(cwd=path.parent, env=env, before=before)

    return start


def test_what_a_store_that_was_moved_away_left_behind_is_not_believed(tmp_path, warm):
    path = made(tmp_path / "here")
    right = dump(path)
    moved = tmp_path / "moved.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("DELETE FROM experiments")
        base.commit()
        path.rename(moved)  # as a user might, while what was written ahead stays
        assert path.with_name("mlflow.db-wal").stat().st_size
        left = path.with_name("mlflow.db-wal").read_bytes()
    path.with_name("mlflow.db-wal").write_bytes(left)
    assert dump(made(path.parent)) == right


@pytest.mark.fault
@pytest.mark.parametrize("names", ["aa", "ab"])
def test_two_programs_make_one_store_and_one_template(tmp_path, cache, start, names):
    paths = [tmp_path / name / "mlflow.db" for name in names]
    programs = [start(path) for path in paths]
    assert [program.wait() for program in programs] == [0, 0], [p.said() for p in programs]
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]
    assert all(tidy(path.parent) for path in paths)
    assert dump(made(tmp_path / "c")) == dump(paths[0]) == dump(paths[1])


@pytest.mark.fault
@pytest.mark.parametrize("kills", [2, pytest.param(None, marks=pytest.mark.soak)])
@pytest.mark.parametrize("filled", [False, True], ids=["cold", "warm"])
def test_a_store_whose_making_was_killed_at_any_step_is_made_again(
    tmp_path, cache, good, start, filled, kills
):
    """Some steps, chosen anew each time; every one in the soak."""
    right = dump(made(tmp_path / "calm"))
    if not filled:
        cache.unlink()
    calm = start(tmp_path / "counted" / "mlflow.db")
    assert calm.wait() == 0, calm.said()
    steps = int(calm.said()[0])
    chosen = range(1, steps + 1)
    for last in random.sample(chosen, kills) if kills else chosen:
        cache.unlink(missing_ok=True)
        if filled:
            cache.write_bytes(good)
        path = tmp_path / str(last) / "mlflow.db"
        assert start(path, last).wait() == -signal.SIGKILL, f"{last} of {steps}"
        sqlite.prepare_store(path)
        assert dump(path) == right, f"{last} of {steps}"
        assert tidy(path.parent)
    print(f"{steps} steps")
