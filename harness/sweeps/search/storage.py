"""Open the storage of a search: its log `trials.jsonl`, or a database."""

import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import DiskError, TrackingError, UsageError
from harness.tracking.backend.uri import without_credentials

TRIES, PAUSE_SECONDS = 10, 0.3  # to make a database's tables; seconds between them
_PASSWORD = re.compile(r"(?<!/)//(?!/)[^/@:]*:[^@]+@|(?:password|passwd|pwd)=[^&]")


def recorded_url(written: str | None) -> str | None:
    """Return a database URL for the records; `written` has `${oc.env:…}` unread.

    Raises UsageError if there is a password in it: the command line is recorded, too.
    """
    if written is None:
        return None
    public = re.sub(r"\$\{oc\.env:[^{},]*\}", "", written)
    if _PASSWORD.search(public):
        raise UsageError(
            "hydra.sweeper.storage: the password in it would be recorded; give it by a variable:\n"
            "  'hydra.sweeper.storage=\"postgresql://me:${oc.env:PASSWORD}@host/name\"'"
        )
    return without_credentials(written)


def open_database(url: str) -> Any:
    """Open Optuna's storage at a URL.

    Raises UsageError if the URL is wrong, TrackingError if the database is out of reach.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        return _connected(url)
    except Exception as error:
        public = without_credentials(url)
        reason = str(error).partition("\n")[0].replace(url, public)
        kind = TrackingError if isinstance(error, DBAPIError) else UsageError
        raise kind(f"hydra.sweeper.storage={public}: {reason}") from error


def _connected(url: str) -> Any:
    """Connect, and try again while another program is making the same tables."""
    import optuna
    from sqlalchemy.exc import DBAPIError, IntegrityError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tries = TRIES
    while True:
        try:
            return optuna.storages.RDBStorage(url)
        except DBAPIError as error:
            tries -= 1
            by_another = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not (by_another and tries):
                raise
        time.sleep(PAUSE_SECONDS)


@contextmanager
def database_errors() -> Iterator[None]:
    """Context manager: raise TrackingError if the database of a search fails."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (StorageInternalError, DBAPIError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise TrackingError(f"hydra.sweeper.storage: {reason}") from error


def open_journal(path: Path) -> Any:
    """Open the log, without a last line that a kill has torn: Optuna could not read it."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class NoLock(JournalFileOpenLock):
        """No lock: the kernel locks the sweep's folder, and Optuna's file outlives a kill."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            return None

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        cut_torn_line(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that Optuna calls experimental
            return JournalStorage(JournalFileBackend(str(path), NoLock(str(path))))
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def cut_torn_line(path: Path) -> None:
    """Cut a file after its last complete line."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
