"""An MLflow store in one SQLite file: made whole or not at all, and quick to write to."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.errors import DiskError, OutOfReach, TrackingError
from harness.tracking.backend import sqlite_template
from harness.tracking.backend.uri import sqlite_uri

SAFE = ("journal_mode=WAL", "synchronous=NORMAL")  # durable, and no flush to disk per call
HASTY = ("journal_mode=MEMORY", "synchronous=OFF")  # for a file that nobody sees yet
_pragmas: dict[str, Sequence[str]] = {}  # by database file; others' connections are left alone


def prepare_store(path: Path) -> None:
    """Make the store's file if it is not there; TrackingError if something else is.

    MLflow fills a new file in some fifty steps that neither two programs at once nor a kill in
    the middle survive, so it is made aside, under a lock, and renamed when whole.
    """
    _listen()
    _pragmas[str(path)] = SAFE
    if is_store(path):
        return
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=60):  # making a store takes seconds
            try:
                if not is_store(path):
                    _create(path)
            finally:
                lock.unlink(missing_ok=True)  # who still waits for it finds the store made
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def artifacts_beside(database: Path) -> str:
    """The address of the folder beside a database file that takes its runs' files."""
    return (database.parent / "mlartifacts").as_uri()


def is_store(path: Path) -> bool:
    """Whether MLflow's tables are in the file; TrackingError if it is something else.

    OutOfReach if another program keeps it to itself, DiskError if the disk refuses to open it.
    """
    if not path.exists() or path.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as base:
            tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
            versions = (
                "alembic_version" in tables
                and base.execute("SELECT count(*) FROM alembic_version").fetchone()
            )
    except sqlite3.DatabaseError as error:
        kinds = {"is locked": OutOfReach, "unable to open": DiskError}
        kind = next((kinds[text] for text in kinds if text in str(error)), TrackingError)
        raise kind(f"{path}: cannot be read as a database: {error}") from error
    if tables and "experiments" not in tables:
        raise TrackingError(f"{path}: a database of another program, not of MLflow")
    if tables and not (versions and versions[0]):
        raise TrackingError(f"{path}: left half made by another program; move it away")
    return bool(tables)


def _create(path: Path) -> None:
    """Make the store aside and rename it; from the template if there is one that MLflow takes."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    copied, made = (path.with_name(path.name + end) for end in (".copy", ".new"))
    for aside in (copied, made):
        _pragmas[str(aside)] = HASTY
        _clear(aside)
    if sqlite_template.copy_template(copied):
        with suppress(MlflowException, SQLAlchemyError, TrackingError):
            is_store(copied)
            _fill(copied)
            _put(copied, path)
            return
        _clear(copied)
    _fill(made)
    sqlite_template.keep_template(made)
    _put(made, path)


def _clear(aside: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm"):
        aside.with_name(aside.name + end).unlink(missing_ok=True)


def _fill(aside: Path) -> None:
    """Have MLflow make what is not there yet: tables in an empty file, the first experiment."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(sqlite_uri(aside), artifacts_beside(aside))  # type: ignore[no-untyped-call]
    store.engine.dispose()


def _put(aside: Path, path: Path) -> None:
    with closing(sqlite3.connect(aside)) as base:
        base.execute("PRAGMA journal_mode=WAL")  # and all that was written is on the disk
    for end in ("-wal", "-shm"):  # of a store that was moved away; SQLite would believe them
        path.with_name(path.name + end).unlink(missing_ok=True)
    aside.replace(path)


def _listen() -> None:
    """Set the pragmas of our files, and of no others, on each connection that is opened."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "do_connect", _connect):
        event.listen(Engine, "do_connect", _connect)


def _connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    pragmas = _pragmas.get(arguments[0]) if dialect.name == "sqlite" and arguments else None
    if pragmas is None:
        return None
    connection = dialect.connect(*arguments, **options)
    for pragma in pragmas:
        with suppress(sqlite3.OperationalError):  # read-only, or in use: it works as it is
            connection.execute(f"PRAGMA {pragma}").close()
    return connection
