"""Where a page is written: whole or not at all, and over nothing but a page of ours."""

from pathlib import Path

from harness.errors import UsageError
from harness.store.files import write_atomically

OURS = (b'<meta name="generator" content="harness', b"<!-- harness")  # near a page's beginning


def require_writable(path: Path, force: bool) -> None:
    """UsageError if something would be lost, or there is no such folder."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no such folder")
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file in it")
    if path.exists() and not force:
        with path.open("rb") as file:
            beginning = file.read(1000)
        if not any(mark in beginning for mark in OURS):
            raise UsageError(f"{path}: something else is there; --force writes over it")


def write_page(path: Path, content: str, force: bool) -> Path:
    """The absolute path of a file with this in it; UsageError, DiskError."""
    path = path.absolute()
    require_writable(path, force)
    write_atomically(path, content.encode(errors="replace"))
    return path
