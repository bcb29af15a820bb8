"""A connection to an MLflow store: it repeats calls within bounds and explains errors plainly."""

import errno
import re
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from harness.errors import DiskError, HarnessError, OutOfReach, TrackingError
from harness.tracking.backend import sqlite
from harness.tracking.backend.mlflow_env import mlflow_settings
from harness.tracking.backend.uri import DATABASES, database_file, uri_scheme, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
# Seconds between two tries of a call, at most.
LONGEST_PAUSE_SECONDS = 3.0
# Seconds that a store may be away, in all, before it counts as out of reach.
AWAY_SECONDS = 20.0
# Seconds that another program may hold a SQLite file: the file is there, and will be free again.
LOCKED_SECONDS = 40.0
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
_WRITTEN_AT_ONCE = ("UNIQUE constraint failed", "duplicate key value", "Duplicate entry")
_LOCK_DATABASE = ("SET LOCAL lock_timeout = '60s'", "SELECT pg_advisory_xact_lock(7461630)")
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_DISK = (errno.ENOSPC, errno.EROFS, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EACCES)


class Connection:
    """A connection to one store, which every call to MLflow goes through.

    Once the store was out of reach, a call is tried only once, until a call succeeds.
    """

    # MLflow's own client waits up to 4 minutes a call, and repeats a POST whose answer was lost:
    # `create_run` then makes a second run that stays RUNNING for ever. Its retries are therefore
    # set to 0 (mlflow_env), and each call is repeated here: after 0.1, 0.2, 0.4 … 3 seconds, for
    # 20 seconds in all (AWAY_SECONDS). `repeated` remembers that something may be stored twice,
    # and a call that makes something gives `again`, which looks for it before it makes it anew.

    def __init__(self, uri: str, patience: float | None = None) -> None:
        self.uri = uri
        self.repeated = False  # whether a call was repeated, and what it made may be there twice
        self.down = False  # whether the last call found the store away: it may have been done
        self.last_answer = time.monotonic()  # when a call last ended, well or not
        self._patience = AWAY_SECONDS if patience is None else patience
        self._client: MlflowClient | None = None

    @property
    def client(self) -> "MlflowClient":
        """The MLflow client of the open connection."""
        assert self._client is not None, "the connection is not open"
        return self._client

    def open(self, for_writing: bool = False) -> None:
        """Import MLflow and reach the store; make its SQLite file if there is none.

        A file that is written to is looked at first: a damaged one stays as it is.
        """
        path = database_file(self.uri)
        with mlflow_settings():
            if path is not None and for_writing:
                self.ask(sqlite.require_whole, path)
            if path is not None:
                self.ask(sqlite.prepare_store, path)
            self._client = self.ask(self._reach)

    def ask(
        self,
        action: Callable[..., T],
        *arguments: Any,
        again: Callable[[], T] | None = None,
        **named: Any,
    ) -> T:
        """Return action(*arguments, **named); repeat it, or `again`, after errors that may pass.

        Raises DiskError; OutOfReach when the patience is used up; TrackingError for an error that
        will not pass.
        """
        began, wait = time.monotonic(), 0.1
        attempt: Callable[[], T] = partial(action, *arguments, **named)
        with mlflow_settings():
            while True:
                try:
                    answer = attempt()
                except Exception as error:
                    self.last_answer = time.monotonic()
                    patience = 0 if self.down else self._patience_with(error)
                    self.down = is_passing(error) and self.last_answer + wait > began + patience
                    self.repeated |= self.down
                    if self.down or not is_passing(error):
                        raise self._error(error) from error
                else:
                    self.down, self.last_answer = False, time.monotonic()
                    return answer
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_PAUSE_SECONDS)
                attempt, self.repeated = again or attempt, True

    def _patience_with(self, error: Exception) -> float:
        busy = "is locked" in str(error)
        return LOCKED_SECONDS if busy and self._patience == AWAY_SECONDS else self._patience

    def _reach(self) -> "MlflowClient":
        from mlflow import MlflowClient

        kind = uri_scheme(self.uri)
        if kind not in DATABASES or kind == "sqlite":
            return MlflowClient(self.uri)
        from sqlalchemy import NullPool, create_engine

        # MLflow itself would ask a database server that is away for 100 seconds.
        place = urlsplit(without_credentials(self.uri))
        if place.hostname:
            socket.create_connection((place.hostname, place.port or _PORTS[kind]), 10).close()
        with create_engine(self.uri, poolclass=NullPool).connect() as base:
            if kind == "postgresql":  # MLflow makes its tables now, if need be: one at a time
                for statement in _LOCK_DATABASE:
                    base.exec_driver_sql(statement)
            return MlflowClient(self.uri)

    def _error(self, error: Exception) -> HarnessError:
        """Return the error as one of ours: the store's address, and the reason in one line."""
        if isinstance(error, HarnessError):
            return error
        shown = without_credentials(self.uri)
        reason = shorten_reason(error).replace(self.uri, shown).replace("<database_uri>", shown)
        user = self.uri.partition("://")[2].rpartition("@")[0]
        text = f"{shown}: {reason.replace(user, '…') if user else reason}"
        if _is_disk(error) or any(t in reason for t in _FULL):
            return DiskError(text)
        return (OutOfReach if is_passing(error) else TrackingError)(text)


def is_passing(error: Exception) -> bool:
    """Return True if the call may succeed later: no connection, no answer, a busy database.

    A row that two programs wrote at the same time, such as that of a dataset, counts as well: the
    second program finds it when it tries again.
    """
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError

    if isinstance(error, HarnessError) or any(text in str(error) for text in _LASTING):
        return isinstance(error, OutOfReach)
    if isinstance(error, MlflowException):
        at_once = any(text in str(error) for text in _WRITTEN_AT_ONCE)
        return at_once or error.error_code in _PASSING
    passing = isinstance(error, OperationalError | requests.RequestException | OSError)
    return passing and not _is_disk(error)


def shorten_reason(error: Exception) -> str:
    """Return the reason in one line, without the layers that libraries wrap around it."""
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


def _is_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _DISK
