"""Locks of a sweep's folder: one process works on the sweep, or several on one job each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.store.files import folder_lock, remove_leftovers

log = logging.getLogger(__name__)


@contextmanager
def sweep_lock(directory: Path, job: str | None = None) -> Iterator[None]:
    """Context manager: hold the sweep's lock, exclusively, or shared with other jobs for a `job`.

    A process that must wait logs a warning. Locks end with their process.
    """
    gate = folder_lock(directory, "at-work")
    with _acquired(gate, directory):
        if job is None:
            for path in directory.glob(".job-*.lock"):
                with _acquired(FileLock(path), directory):
                    path.unlink()  # no job opens it anew: that needs the gate
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
def _acquired(lock: FileLock, directory: Path) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s: another process is at work there; waiting for it", directory)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
