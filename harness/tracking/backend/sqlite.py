"""Makes an MLflow store in one SQLite file, whole or not at all, and has it written to quickly."""

import atexit
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.errors import DiskError, OutOfReach, TrackingError
from harness.tracking.backend import sqlite_template
from harness.tracking.backend.uri import sqlite_uri

# MLflow fills a new file in some fifty steps. Two programs that do so at once die of `database is
# locked` or `table … already exists`; after a kill in the middle no later start could open the
# file in 8 of 10 tries. So a store is made aside, under a lock, and renamed when it is whole.
# A run of 200 points and 20 params takes 96 ms with SQLite's default journal and 16 flushes to
# the disk, 38 ms and 0.15 flushes with a write-ahead log that is flushed at checkpoints: SAFE.
SAFE = ("journal_mode=WAL", "synchronous=NORMAL")
HASTY = ("journal_mode=MEMORY", "synchronous=OFF")  # for a file that no program opens yet
CHECKED_BYTES = 64 * 2**20
_whole: set[Path] = set()  # files whose pages were looked at
_opened: list[tuple[Any, sqlite3.Connection]] = []  # to our files, each with its pool's entry
_pragmas: dict[str, Sequence[str]] = {}  # by database file; other connections are left alone


def prepare_store(path: Path) -> None:
    """Make the store's file if it is not there.

    Raises TrackingError if the file is something else, DiskError if it cannot be written.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "do_connect", _connect):
        event.listen(Engine, "do_connect", _connect)
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
                lock.unlink(missing_ok=True)  # a program that waits for it finds the store made
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def artifacts_beside(database: Path) -> str:
    """Return the address of the folder beside a database file that takes its runs' files."""
    return (database.parent / "mlartifacts").as_uri()


def is_store(path: Path) -> bool:
    """Return whether MLflow's tables are in the file; False if it is empty or not there.

    Raises TrackingError if it is something else, OutOfReach if another program locks it,
    DiskError if the disk refuses to open it.
    """
    if not path.exists() or path.stat().st_size == 0:
        return False
    with _reading(path) as base:
        tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
        versions = (
            "alembic_version" in tables
            and base.execute("SELECT count(*) FROM alembic_version").fetchone()
        )
    if tables and "experiments" not in tables:
        raise TrackingError(f"{path}: a database of another program, not of MLflow")
    if tables and not (versions and versions[0]):
        raise TrackingError(f"{path}: left half made by another program; move it away")
    return bool(tables)


def require_whole(path: Path) -> None:
    """Raise TrackingError if pages of the file are damaged; look once a process.

    SQLite itself finds a page that something else overwrote only when it reads that page, and
    writes to the others until then. To look at 64 MB takes a second at most; larger files are
    not looked at.
    """
    if path in _whole or not is_store(path) or path.stat().st_size > CHECKED_BYTES:
        return
    with _reading(path) as base:
        [found] = base.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        where = found.splitlines()[-1]
        raise TrackingError(f"{path}: the database is damaged ({where}); move it away")
    _whole.add(path)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Context manager: open a database to read it; raise our errors instead of SQLite's."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as base:
            yield base
    except sqlite3.DatabaseError as error:
        kinds = {"is locked": OutOfReach, "unable to open": DiskError}
        kind = next((kinds[text] for text in kinds if text in str(error)), TrackingError)
        raise kind(f"{path}: cannot be read as a database: {error}") from error


def _create(path: Path) -> None:
    """Make the store aside and rename it, from the template if there is one that MLflow takes."""
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
            _move(copied, path)
            return
        _clear(copied)
    _fill(made)
    sqlite_template.keep_template(made)
    _move(made, path)


def _clear(aside: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm"):
        aside.with_name(aside.name + end).unlink(missing_ok=True)


def _fill(aside: Path) -> None:
    """Let MLflow make the tables that an empty file lacks, and the first experiment."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(sqlite_uri(aside), artifacts_beside(aside))  # type: ignore[no-untyped-call]
    store.engine.dispose()


def _move(aside: Path, path: Path) -> None:
    with closing(sqlite3.connect(aside)) as base:
        base.execute("PRAGMA journal_mode=WAL")  # which also flushes the file to the disk
    for end in ("-wal", "-shm"):  # left by a store that was moved away: SQLite would read them
        path.with_name(path.name + end).unlink(missing_ok=True)
    aside.replace(path)


def _connect(dialect: Any, entry: Any, arguments: Any, options: Any) -> Any:
    """Open a connection with our pragmas if it is to one of our files; else let SQLAlchemy."""
    pragmas = _pragmas.get(arguments[0]) if dialect.name == "sqlite" and arguments else None
    if pragmas is None:
        return None
    connection = dialect.connect(*arguments, **options)
    _opened.append((entry, connection))
    for pragma in pragmas:
        with suppress(sqlite3.OperationalError):  # read-only or in use: it works without
            connection.execute(f"PRAGMA {pragma}").close()
    return connection


@atexit.register
def _close() -> None:
    """Close the connections, so that SQLite takes its `-wal` and `-shm` files away."""
    # A connection that is in use belongs to a thread that the program does not wait for.
    for entry, connection in _opened:
        if not entry.in_use:
            with suppress(sqlite3.Error):
                connection.close()
