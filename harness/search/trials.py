"""The log of a search, `trials.jsonl`: Optuna's journal of what was asked and told."""

import os
import warnings
from pathlib import Path
from typing import Any

from harness.errors import DiskError, TrackingError


def storage(url: str | None, folder: Path) -> Any:
    """Optuna's storage at a database URL, or else the log in the sweep's folder.

    TrackingError if the database is out of reach.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of features that Optuna calls experimental
        if url is None:
            return journal(folder / "trials.jsonl")
        try:
            return optuna.storages.RDBStorage(url)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise TrackingError(f"hydra.sweeper.storage: {reason}") from error


def journal(path: Path) -> Any:
    """The log; a last line that a kill has torn is taken off, for Optuna would stumble over it."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class Ours(JournalFileOpenLock):
        """The sweep's folder is locked already, by the kernel: Optuna's own outlives a kill."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            return None

    try:
        mend(path)
        return JournalStorage(JournalFileBackend(str(path), Ours(str(path))))
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def mend(path: Path) -> None:
    """Cut a file after its last whole line."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
