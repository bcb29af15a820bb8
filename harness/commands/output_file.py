"""Write a page to a file: atomically, and never over a file that the harness did not write."""

from pathlib import Path

from harness.errors import UsageError
from harness.store.files import write_atomically

# One of these is within the first 1,000 bytes of each page that the harness writes.
PAGE_MARKS = (b'<meta name="generator" content="harness', b"<!-- harness")


def require_writable(path: Path, force: bool) -> None:
    """Raise UsageError if a file would be lost, or if the folder does not exist."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no such folder")
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file in it")
    if path.exists() and not force:
        with path.open("rb") as file:
            beginning = file.read(1000)
        if not any(mark in beginning for mark in PAGE_MARKS):
            raise UsageError(f"{path}: something else is there; --force writes over it")


def write_page(path: Path, content: str, force: bool) -> Path:
    """Write a page and return its absolute path; raise UsageError or DiskError if it cannot."""
    path = path.absolute()
    require_writable(path, force)
    write_atomically(path, content.encode(errors="replace"))
    return path
