"""Write files atomically: aside, flushed to the disk, then renamed into place."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from harness.errors import DiskError


def user_cache() -> Path:
    """Return the harness's folder in the user's cache, which may not be there yet."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = root if root.is_absolute() else Path("~/.cache").expanduser()
    return root / "harness"


def write_atomically(path: Path, content: bytes | Iterable[str]) -> None:
    """Write all of `content` to `path`, or leave `path` as it was and raise DiskError.

    The folder is made if it does not exist.
    """
    pieces = [content] if isinstance(content, bytes) else (piece.encode() for piece in content)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    """Make a rename durable; a system that cannot open a directory does not need this."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_lock(directory: Path, name: str = "manifest") -> FileLock:
    """Return a kernel lock of a sweep's folder; it is freed when its process ends or is killed."""
    return FileLock(directory / f".{name}.lock")


def remove_leftovers(directory: Path) -> None:
    """Delete files that killed processes left half written; no other process may be at work."""
    with folder_lock(directory):
        for place in ("", "results/", "checkpoints/"):
            for path in directory.glob(f"{place}*.[0-9]*.tmp"):  # as write_atomically names them
                path.unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or some checkpoints are still needed
            (directory / "checkpoints").rmdir()
