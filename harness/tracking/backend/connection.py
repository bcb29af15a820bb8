"""A connection to an MLflow store: it waits within bounds, and tells errors plainly."""

import errno
import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from harness.errors import DiskError, HarnessError, OutOfReach, TrackingError
from harness.tracking.backend import sqlite
from harness.tracking.backend.mlflow_env import mlflow_settings
from harness.tracking.backend.uri import DATABASES, database_file, uri_scheme, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
AWAY_SECONDS = 20.0  # seconds that a store may be away, in all, before it counts as out of reach
LOCKED_SECONDS = (
    40.0  # seconds that another program may hold a SQLite file: it is there, and will be done
)
_FULL = ("is full", "disk I/O error", "readonly database", "No space left", "File too large")
_LASTING = (*_FULL, "malformed", "not a database", "no such table", "no such column", "unable to")
_PASSING = (
    "INTERNAL_ERROR",
    "IO_ERROR",
    "TEMPORARILY_UNAVAILABLE",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
)
_TOGETHER = ("UNIQUE constraint failed", "duplicate key value", "Duplicate entry")
_ALONE = ("SET LOCAL lock_timeout = '60s'", "SELECT pg_advisory_xact_lock(7461630)")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


class Connection:
    """One store. Once it was out of reach, each further call tries only once, until one works."""

    def __init__(self, uri: str, patience: float | None = None) -> None:
        self.uri = uri
        self.repeated = False  # whether something was tried again, so that it may be there twice
        self._patience = AWAY_SECONDS if patience is None else patience
        self.down = False  # whether the last call found the store away: it may be done
        self._client: MlflowClient | None = None
        self.heard = time.monotonic()  # when a call last ended, well or not

    @property
    def client(self) -> "MlflowClient":
        assert self._client is not None, "the connection is not open"
        return self._client

    def open(self) -> None:
        """Import MLflow and reach the store; a SQLite file is made if it is not there."""
        path = database_file(self.uri)
        with mlflow_settings():
            if path is not None:
                self.ask(lambda: sqlite.prepare_store(path))
            self._client = self.ask(self._reach)

    def ask(self, action: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """What action() gives. After a failure that may pass it is tried again, as again().

        DiskError; OutOfReach when the patience is used up; TrackingError if it will not pass.
        """
        began, wait = time.monotonic(), 0.1
        with mlflow_settings():
            while True:
                try:
                    answer = action()
                except Exception as error:
                    self.heard = time.monotonic()
                    patience = 0 if self.down else self._patience_with(error)
                    self.down = is_passing(error) and self.heard + wait > began + patience
                    self.repeated |= self.down
                    if self.down or not is_passing(error):
                        raise self._error(error) from error
                else:
                    self.down, self.heard = False, time.monotonic()
                    return answer
                time.sleep(wait)
                wait = min(2 * wait, 3.0)
                action, self.repeated = again or action, True

    def _patience_with(self, error: Exception) -> float:
        busy = "is locked" in str(error)
        return LOCKED_SECONDS if busy and self._patience == AWAY_SECONDS else self._patience

    def _reach(self) -> "MlflowClient":
        """A client. A database server is tried first: MLflow itself would ask for 100 seconds."""
        from mlflow import MlflowClient

        kind = uri_scheme(self.uri)
        if kind not in DATABASES or kind == "sqlite":
            return MlflowClient(self.uri)
        from sqlalchemy import NullPool, create_engine

        place = urlsplit(without_credentials(self.uri))
        if place.hostname:
            socket.create_connection((place.hostname, place.port or _PORTS[kind]), 10).close()
        with create_engine(self.uri, poolclass=NullPool).connect() as base:
            if kind == "postgresql":  # MLflow makes its tables now, if need be: one at a time
                for statement in _ALONE:
                    base.exec_driver_sql(statement)
            return MlflowClient(self.uri)

    def _error(self, error: Exception) -> HarnessError:
        if isinstance(error, HarnessError):
            return error
        shown = without_credentials(self.uri)
        reason = shorten_reason(error).replace(self.uri, shown).replace("<database_uri>", shown)
        user = self.uri.partition("://")[2].rpartition("@")[0]
        text = f"{shown}: {reason.replace(user, '…') if user else reason}"
        if (isinstance(error, OSError) and _is_disk(error)) or any(t in reason for t in _FULL):
            return DiskError(text)
        return (OutOfReach if is_passing(error) else TrackingError)(text)


def is_passing(error: Exception) -> bool:
    """Whether trying again later makes sense: no connection, no answer, a busy database.

    Or a row that two programs wrote at once, such as that of a dataset: the second finds it then.
    """
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError

    if isinstance(error, HarnessError) or any(text in str(error) for text in _LASTING):
        return isinstance(error, OutOfReach)
    if isinstance(error, MlflowException):
        together = any(text in str(error) for text in _TOGETHER)
        return together or error.error_code in _PASSING
    if isinstance(error, OSError) and _is_disk(error):
        return False
    return isinstance(error, OperationalError | requests.RequestException | OSError)


def shorten_reason(error: Exception) -> str:
    """The reason in one line, out of the layers that libraries wrap around it."""
    text = str(error)
    for pattern, plain in (
        (r"\[Errno -?\d+\] ([^'\")\n]+)", r"\1"),
        (r"[Rr]ead timed out|timeout exception", "no answer in time"),
        (r"too many (\d+) error responses", r"the server answers \1"),
        (r"RemoteDisconnected|Connection aborted", "the server closed the connection"),
    ):
        match = re.search(pattern, text)
        if match and "API request" in text:
            return match.expand(plain)
    text = re.sub(r"^\(\w+\.(\w+)\) ", "", text.strip())
    return text.partition("\n")[0][:500] or type(error).__name__


def _is_disk(error: OSError) -> bool:
    disk = (errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EACCES)
    return error.errno in disk
