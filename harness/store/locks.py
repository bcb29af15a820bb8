"""Whose turn it is: one process at a time does a sweep, or many do one job each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.store.files import folder_lock, remove_leftovers

log = logging.getLogger(__name__)


@contextmanager
def sweep_lock(directory: Path, job: str | None = None) -> Iterator[None]:
    """Meanwhile nobody else is at work on the sweep; for a `job`, nobody on the sweep as a whole.

    Who has to wait says so, and then finds done what the other did. Locks end with their process.
    """
    gate = folder_lock(directory, "at-work")
    with _patiently(gate, directory):
        if job is None:
            for path in directory.glob(".job-*.lock"):
                with _patiently(FileLock(path), directory):
                    path.unlink()  # nobody opens it anew: that takes the gate
            remove_leftovers(directory)
            yield
            remove_leftovers(directory)
            return
        own = folder_lock(directory, f"job-{job}")
        own.acquire()
    try:
        yield
    finally:
        own.release()


@contextmanager
def _patiently(lock: FileLock, directory: Path) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s: another process is at work there; waiting for it", directory)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
